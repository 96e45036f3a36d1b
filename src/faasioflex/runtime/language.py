"""Languages: the folders ``runtimes/<name>/``, each described by its ``runtime.toml``.

A runtime is the HTTP server that loads source code (CONTRACT.md 4). Its folder is shown read-only at ``/ffx/runtime``; how it
is started and how a build is checked are argument lists with placeholders: ``{python}`` is the interpreter that runs the
platform, ``{runtime}``, ``{code}``, ``{deps}`` and ``{toolchain}`` are the folders of :class:`Places`, which a driver without
a mount namespace fills with the host's paths. ``{heap_mib}`` is told from the limit of
memory. More languages may lie in a folder of the operator's, the setting ``runtimes``.
"""

from __future__ import annotations

import os
import sys
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from faasioflex.model.errors import Invalid, NotSupportedYet
from faasioflex.runtime.toolchain.need import Need
from faasioflex.runtime.toolchain.need import parse as parse_need
from faasioflex.runtime.toolchain.toolchain import Toolchain

HEAP = "{heap_mib}"  # in arguments: what of the limit of memory a garbage-collected heap may take
BESIDE_HEAP_BYTES = 56 * 2**20  # for the program itself, its threads, buffers
MORE = "FFX_RUNTIMES"  # in the environment of every part: the setting ``runtimes``
KNOWN = frozenset({"python", "node", "go", "exec", "image"})
_FIELDS = frozenset(
    {
        *("start", "check", "test", "environment", "handlers", "files"),
        *("shares", "interpreter", "toolchain", "dependencies", "packages", "pool"),
    }
)


@dataclass(frozen=True)
class Places:
    """Where the folders lie, as the started process sees them. ``deps``, ``toolchain``: None where there is none."""

    runtime: str
    code: str
    deps: str | None
    toolchain: str | None = None

    def of(self, deps: object, toolchain: Toolchain | None) -> Places:
        """The same of a build: without ``deps`` where it has none, with the toolchain where it is used."""
        return replace(self, deps=self.deps if deps else None, toolchain=toolchain.inside if toolchain else None)


INSIDE = Places(runtime="/ffx/runtime", code="/ffx/code", deps="/ffx/deps")


@dataclass(frozen=True)
class PoolUse:
    """How instances of a language come from sandboxes that were started beforehand.

    ``of``: the language whose spares are taken: its own, or another one's that can become this one. ``start``: the command of a
    spare of its own, () where it uses another's. ``fresh_for``: patterns of names in a function's ``env`` that are read when a
    process starts, so that a spare would not heed them.
    """

    of: str
    start: tuple[str, ...] = ()
    fresh_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Language:
    """One runtime, as its descriptor says. The argument lists still hold their placeholders."""

    name: str
    folder: Path  # shown at /ffx/runtime: the runtime's own, or that of the runtime which it ``shares``
    start: tuple[str, ...]
    check: tuple[str, ...]
    environment: dict[str, str]
    default_handlers: tuple[str, ...]  # tried in this order where a function names none; for messages
    dependency_files: tuple[str, ...]  # names in the root of the code that make a build install dependencies
    test: tuple[str, ...]  # how a function's own tests are run (``ffx test``), () where nobody knows
    host_folders: tuple[Path, ...]  # must be visible read-only at their own path: the interpreter's prefix
    files: tuple[str, ...] = ()  # patterns of names in the root of the code that tell it is of this language
    packages: str | None = None  # the package system that builds use: a name of manager/builder
    toolchain: Need | None = None
    pool: PoolUse | None = None  # None: every instance has a sandbox started for it

    @property
    def run_toolchain(self) -> Need | None:
        """What instances need, not only builds."""
        return self.toolchain if self.toolchain is not None and self.toolchain.when == "run" else None

    def start_argv(self, places: Places, memory_bytes: int | None = None) -> list[str]:
        """The command of an instance; its settings come by the environment (``FFX_CONFIG`` and others).

        ``memory_bytes``: its limit; arguments that need it are left out where there is none.
        """
        return [_fill(part, places) for part in _bounded(self.start, memory_bytes)]

    def spare_argv(self, places: Places, memory_bytes: int) -> list[str]:
        """The command of a sandbox that waits for a function (``[pool]`` of the descriptor), [] where it has none of its own."""
        start = self.pool.start if self.pool is not None else ()
        return [_fill(part, places) for part in _bounded(start, memory_bytes)]

    def check_argv(self, places: Places, memory_bytes: int | None = None) -> list[str]:
        """The command that loads a build: exit 0, or exit 1 with a readable last line on stderr. Reads ``FFX_CONFIG`` too."""
        return [_fill(part, places) for part in _bounded(self.check, memory_bytes)]

    def test_argv(self, places: Places) -> list[str]:
        """The command that runs a function's own tests, in its folder."""
        return [_fill(part, places) for part in self.test]

    def environment_for(self, places: Places) -> dict[str, str]:
        """What the runtime itself wants in the environment; a function's ``env`` goes over it."""
        return {name: _fill(value, places) for name, value in self.environment.items()}


def runtimes_folder() -> Path:
    """``runtimes/`` of the checkout for an editable install, else the copy inside the wheel."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "runtimes"
    return checkout if checkout.is_dir() else package / "_runtimes"


def interpreter() -> Path:
    """The base interpreter of the platform's Python: no virtual environment, so nothing of the platform is importable."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def language_folders(folder: Path | None = None) -> dict[str, Path]:
    """Every runtime that is installed and its folder: those of ``folder``, else ours and then those of the setting ``runtimes``.

    One of ours is never replaced by another of that name.
    """
    more = os.environ.get(MORE)
    roots = [folder] if folder else [*([Path(more)] if more else []), runtimes_folder()]
    return {path.parent.name: path.parent for root in roots for path in sorted(root.glob("*/runtime.toml"))}


def languages(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the runtimes that are installed, sorted."""
    return tuple(sorted(language_folders(folder)))


@cache
def language(name: str, folder: Path | None = None) -> Language:
    """The runtime ``name`` from ``folder`` (default: wherever :func:`language_folders` finds it).

    Raises: NotSupportedYet for a name of the contract that is not installed here, Invalid for any other name or a
    descriptor that cannot be read.
    """
    folders = language_folders(folder)
    if name not in folders:
        if name in KNOWN:
            raise NotSupportedYet(f"the runtime {name!r} is not supported yet: use one of {', '.join(sorted(folders))}")
        raise Invalid(f"there is no runtime {name!r}: use one of {', '.join(sorted(folders))}")
    descriptor = folders[name] / "runtime.toml"
    try:
        return _read(name, folders, tomllib.loads(descriptor.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise Invalid(f"{descriptor} is not a runtime's descriptor: {error}") from error


def _read(name: str, folders: dict[str, Path], content: dict[str, object]) -> Language:
    unknown = content.keys() - _FIELDS
    if unknown:
        raise TypeError(f"unknown fields {', '.join(sorted(unknown))}")
    environment = content.get("environment", {})
    if not isinstance(environment, dict):
        raise TypeError("environment is not a table")
    needs_python = content.get("interpreter") == "python"
    packages = content.get("packages")
    return Language(
        name=name,
        folder=folders[str(content.get("shares", name))].resolve(),
        start=_strings(content["start"]),
        check=_strings(content["check"]),
        environment={str(key): str(value) for key, value in environment.items()},
        default_handlers=_strings(content.get("handlers", [])),
        dependency_files=_strings(content.get("dependencies", [])),
        files=_strings(content.get("files", [])),
        test=_strings(content.get("test", [])),
        host_folders=(Path(sys.base_prefix).resolve(),) if needs_python else (),
        packages=str(packages) if packages is not None else None,
        toolchain=parse_need(content["toolchain"], folders[name]) if "toolchain" in content else None,
        pool=_pool(name, content["pool"]) if "pool" in content else None,
    )


def _pool(name: str, content: object) -> PoolUse:
    if not isinstance(content, dict) or content.keys() - {"of", "start", "fresh_for"}:
        raise TypeError("pool is not a table of of, start and fresh_for")
    if ("of" in content) == ("start" in content):
        raise TypeError("pool names either the language whose sandboxes it uses (of), or how its own begin (start)")
    return PoolUse(
        str(content.get("of", name)), _strings(content.get("start", [])), _strings(content.get("fresh_for", []))
    )


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise TypeError(f"{value!r} is not a list of strings")
    return tuple(value)


def _bounded(argv: tuple[str, ...], memory_bytes: int | None) -> list[str]:
    if memory_bytes is None:
        return [part for part in argv if HEAP not in part]
    heap_mib = max(16, min(memory_bytes * 3 // 4, memory_bytes - BESIDE_HEAP_BYTES) // 2**20)
    return [part.replace(HEAP, str(heap_mib)) for part in argv]


def _fill(text: str, places: Places) -> str:
    known = {
        "python": str(interpreter()),
        "runtime": places.runtime,
        "code": places.code,
        "deps": places.deps or "",
        "toolchain": places.toolchain or "",
    }
    for word, value in known.items():
        text = text.replace("{" + word + "}", value)
    return text
