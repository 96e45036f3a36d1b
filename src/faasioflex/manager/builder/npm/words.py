"""What npm says when it fails, for people. Pure."""

from __future__ import annotations

import re

_CODE = re.compile(r"code (E[A-Z0-9_]+)")
_NOISE = re.compile(
    r"^(|404|syscall .*|errno .*|Usage:|Options:|aliases: .*|npm ci|Clean install a project|`npm ci` can only install.*"
    r"|\[-.*|-.*|Run \"npm help .*|Log files were not written.*|A complete log.*|For a full report.*|404 Note that.*|404 tarball.*)$"
)
_LABEL = re.compile(r"^(404|notarget)\s+")
_CURES = {
    "EUSAGE": "package.json and its lock file do not say the same: run `npm install` and deploy both",
    "ETARGET": "a version that is asked for does not exist",
    "E404": "a package that is asked for is not in the registry, or not for us to see",
    "EINTEGRITY": "a package is not the one that was locked",
    "ERESOLVE": "the versions that packages ask for exclude each other",
    "EALLOWGIT": "packages from git are not taken, only those of this machine's npm registry",
    "EALLOWREMOTE": "packages from a URL are not taken, only those of this machine's npm registry",
    "EALLOWFILE": "packages from files are not taken, only those of this machine's npm registry",
    "EALLOWDIRECTORY": "packages from folders are not taken, only those of this machine's npm registry",
    "ENOTFOUND": "the npm registry cannot be reached from this machine",
    "EAI_AGAIN": "the npm registry cannot be reached from this machine",
    "ECONNREFUSED": "the npm registry cannot be reached from this machine",
    "ETIMEDOUT": "the npm registry does not answer",
    "E401": "the npm registry wants a login: see ~/.npmrc of the platform's user",
    "E403": "the npm registry refuses",
}
MOST_LINES = 12
_PREFIX = "npm error"
_USAGE = _PREFIX + " " * 5  # the explanations of options


def worth_reading(line: str) -> bool:
    """Of npm's output: what is not about npm itself."""
    return not line.startswith(_USAGE) and not _NOISE.search(line.removeprefix(_PREFIX).strip())


def explain(lines: list[str]) -> str:
    """A sentence, then npm's own words."""
    said = [
        line.removeprefix(_PREFIX).strip() for line in lines if line.startswith(_PREFIX) and worth_reading(line)
    ] or lines
    code = next((found[1] for line in said if (found := _CODE.match(line))), "")
    kept = [_LABEL.sub("", line) for line in said if not _CODE.match(line)]
    cure = _CURES.get(code, f"npm failed ({code})" if code else "npm failed")
    first = f": {kept[0]}" if kept else ""
    return "\n".join([f"fetch packages: {cure}{first}", *kept[1:MOST_LINES]])
