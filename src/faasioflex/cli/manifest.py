"""``function.yaml``: the function resource as a file, merged with what the command line says."""

from __future__ import annotations

import dataclasses
import difflib
import os
import stat
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from faasioflex.model.errors import BadRequest, FieldError, Invalid
from faasioflex.model.function import AsyncPolicy, CachePolicy, Cors, FunctionSpec, Limits, Network, RateLimit, Scaling
from faasioflex.model.names import is_name

MANIFEST = "function.yaml"
_NAME_IT = f"name it with --runtime, or as 'runtime:' in {MANIFEST}"
_PARTS: dict[str, type] = {
    "limits": Limits,
    "scaling": Scaling,
    "network": Network,
    "cors": Cors,
    "rate_limit": RateLimit,
    "async": AsyncPolicy,
    "cache": CachePolicy,
}
_BESIDES = ("source", "status", "rollout", "$schema")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The document in ``folder``, None where there is none; ``status`` is dropped, as the platform does.

    Raises: Invalid with a suggestion for each field that does not exist, BadRequest where it is not YAML.
    """
    import yaml

    path = folder / MANIFEST
    try:
        document = yaml.safe_load(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise BadRequest(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise BadRequest(f"{path} is not a mapping: the least is 'name: hello' and 'runtime: python'")
    if wrong := tuple(unknown_fields(document)):
        raise Invalid(f"{path} has fields that do not exist", errors=wrong)
    return {key: value for key, value in document.items() if key not in ("status", "$schema")}


def unknown_fields(document: Mapping[Any, Any]) -> list[FieldError]:
    """A pointer and a sentence for each field of ``document`` that the resource does not have."""
    wrong = _unknown(document, (_names(FunctionSpec) - {"asynchronous"}) | {"async"} | set(_BESIDES), "")
    for part, kind in _PARTS.items():
        inside = document.get(part)
        if isinstance(inside, Mapping):
            wrong += _unknown(inside, _names(kind), f"/{part}")
    return wrong


def guess_runtime(folder: Path) -> str:
    """What the files say: those that hold handlers, else those that list packages, else the only executable one.

    Raises: BadRequest where they say nothing, or more than one runtime.
    """
    from faasioflex.runtime.language import language, languages

    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    kinds = [language(name) for name in languages()]
    for told in ({kind.name: kind.files for kind in kinds}, {kind.name: kind.dependency_files for kind in kinds}):
        found = {name: match for name, files in told.items() if (match := _first(names, files)) is not None}
        if len(found) == 1:
            return next(iter(found))
        if found:
            seen = ", ".join(f"{file} means {name}" for name, file in found.items())
            raise BadRequest(f"which runtime is {folder} for? {seen}: {_NAME_IT}")
    if sum(bool((folder / name).stat().st_mode & stat.S_IXUSR) for name in names) == 1:
        return "exec"
    means = "; ".join(f"{', '.join(kind.files)}: {kind.name}" for kind in kinds if kind.files)
    raise BadRequest(
        f"which runtime is {folder} for? No file of it tells: {_NAME_IT}. ({means}; one executable file: exec)"
    )


def _first(names: list[str], patterns: tuple[str, ...]) -> str | None:
    """Which of ``names`` is the first to match the first of ``patterns`` that any matches."""
    return next((name for pattern in patterns for name in names if fnmatchcase(name, pattern)), None)


def guess_name(folder: Path) -> str:
    """The folder's name, if it may be a function's.

    Raises: BadRequest otherwise.
    """
    name = Path(os.path.abspath(folder)).name.lower().replace("_", "-").replace(".", "-")
    if not is_name(name):
        raise BadRequest(f"name the function: --name NAME, or 'name:' in {MANIFEST}")
    return name


def merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` with ``changes`` over it, mappings merged, None in ``changes`` left out."""
    made = dict(document)
    for key, value in changes.items():
        old = made.get(key)
        if isinstance(value, Mapping):
            made[key] = merged(old if isinstance(old, Mapping) else {}, value)
        elif value is not None:
            made[key] = value
    return {key: value for key, value in made.items() if value != {} or key in document}


def _names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _unknown(document: Mapping[Any, Any], known: set[str], where: str) -> list[FieldError]:
    wrong = []
    for key in document:
        if key not in known:
            near = difflib.get_close_matches(str(key), sorted(known), n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known - {'$schema'}))}"
            wrong.append(FieldError(f"{where}/{key}", f"there is no such field: {advice}"))
    return wrong
