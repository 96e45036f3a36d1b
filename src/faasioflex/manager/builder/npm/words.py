"""What npm says when it fails, for people. Pure."""

from __future__ import annotations

import re

_CODE = re.compile(r"code (E[A-Z0-9]+)")
_NOISE = re.compile(r"Log files were not written|A complete log|For a full report|Clean install a project|^$")
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


def explain(lines: list[str]) -> str:
    """A sentence, then npm's own words without their usage notes."""
    said = [line.removeprefix("npm error").strip() for line in lines if line.startswith("npm error")] or lines
    code = next((found[1] for line in said if (found := _CODE.match(line))), "")
    kept: list[str] = []
    for line in said:
        if line in {"Usage:", "Clean install a project"}:
            break
        if not _NOISE.search(line) and not _CODE.match(line) and not line.startswith("`npm ci` can only"):
            kept.append(line)
    cure = _CURES.get(code, f"npm failed ({code})" if code else "npm failed")
    return "\n".join([f"fetch packages: {cure}", *kept[:MOST_LINES]])
