"""Reading what code asks for: names from the registry, nothing else. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from faasioflex.model.errors import BuildFailed

MOST = 500
LONGEST_BYTES = 256 * 1024
LONGEST_LINE = 20_000  # hashes of all wheels of a release
LONGEST_REQUIREMENT = 1_000
_HASH = re.compile(r"\s--hash=(sha(?:256|384|512):[0-9a-f]+)(?=\s|$)")
_COMMENT = re.compile(r"(^|\s)#.*$")
OLD_STYLE_NEEDS = ["setuptools>=40.8.0"]  # PEP 518, of a package without [build-system]


def from_requirements_txt(text: str) -> list[str]:
    """Lines of a requirements.txt as clean requirements, hashes kept. Raises: BuildFailed with the line's number."""
    found: list[str] = []
    joined, began = "", 1
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        began = began if joined else number
        bare = _COMMENT.sub("", line.rstrip("\r"))
        goes_on = bare.endswith("\\") and number < len(lines)
        joined += bare.removesuffix("\\") + (" " if goes_on else "")
        if goes_on:
            continue
        one, joined = joined.strip(), ""
        where = f"requirements.txt, line {began}"
        if not one:
            continue
        if one.startswith("-"):
            raise BuildFailed(
                f"{where}: options are not taken ({one.split()[0][:100]}): packages come from this machine's registries"
            )
        found.append(_with_hashes(one, where))
    return _few(found)


def from_pyproject(text: str) -> list[str]:
    """``[project] dependencies`` of a pyproject.toml. Raises: BuildFailed."""
    project = _table(text, "project")
    dynamic = project.get("dynamic") or []
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise BuildFailed("pyproject.toml: dynamic dependencies are not taken; list them in [project] dependencies")
    return from_list(project.get("dependencies") or [], "pyproject.toml: [project] dependencies")


def build_needs(text: str | None) -> list[str]:
    """What a source package lists for its build; ``text`` is its pyproject.toml, if it has one. Raises: BuildFailed."""
    system = _table(text, "build-system") if text is not None else {}
    return from_list(system.get("requires", OLD_STYLE_NEEDS), "pyproject.toml: [build-system] requires")


def from_list(listed: object, where: str) -> list[str]:
    """Clean requirements out of what should be a list of strings. Raises: BuildFailed."""
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise BuildFailed(f"{where} has to be a list of strings")
    return _few([str(_clean(one, where)) for one in listed])


def split_hashes(line: str) -> tuple[Requirement, list[str]]:
    """A clean line back into its two parts."""
    requirement, *hashes = line.split(" --hash=")
    return Requirement(requirement), hashes


def named(name: str, wanted: list[str]) -> tuple[Requirement, list[str]] | None:
    """The requirement of that package among these lines, if they have one."""
    for line in wanted:
        requirement, hashes = split_hashes(line)
        if canonicalize_name(requirement.name) == canonicalize_name(name):
            return requirement, hashes
    return None


def _with_hashes(text: str, where: str) -> str:
    if len(text) > LONGEST_LINE:
        raise BuildFailed(f"{where}: is longer than {LONGEST_LINE} characters")
    hashes = _HASH.findall(text)
    requirement = _clean(_HASH.sub("", text), where)
    return " ".join([str(requirement), *(f"--hash={one}" for one in hashes)])


def _clean(text: str, where: str) -> Requirement:
    stripped = text.strip()
    shown = stripped if len(stripped) <= 200 else stripped[:200] + "…"
    plain = stripped.replace("\t", " ").isprintable() and " --" not in stripped  # nothing of its own for uv's file
    if len(stripped) > LONGEST_REQUIREMENT or not plain:
        raise BuildFailed(f"{where}: {shown!r} is not a package's name with a version")
    try:
        requirement = Requirement(stripped)
    except (InvalidRequirement, RecursionError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BuildFailed(f"{where}: {shown!r} is not a package's name with a version: {reason}") from None
    if requirement.url:
        raise BuildFailed(
            f"{where}: {requirement.name} comes from a URL; only packages of this machine's registries are taken"
        )
    return requirement


def _table(text: str, name: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(text).get(name) or {}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BuildFailed(f"pyproject.toml cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise BuildFailed(f"pyproject.toml: {name} has to be a table")
    return found


def _few(found: list[str]) -> list[str]:
    if len(found) > MOST:
        raise BuildFailed(f"{len(found)} dependencies are too many: at most {MOST}")
    return found
