"""What a runtime's descriptor says of the toolchain that it needs: the table ``[toolchain]`` of a ``runtime.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

LOCK = "toolchain.lock"  # beside the descriptor: the wheel with the hashes of all its platforms
_FIELDS = frozenset(
    {"name", "wheel", "version", "inside", "program", "version_argv", "suitable", "when", "parts", "size_mb"}
)


@dataclass(frozen=True)
class Need:
    """A program of a language that is not ours to ship: the machine's where it is ``suitable``, else that of a wheel.

    ``inside``: the folder of the wheel that is the toolchain's root, as it would be unpacked by hand. ``parts``: what of the
    root is shown to functions and builds (never more of somebody's ``~/.local`` than that); () shows all of it. ``when``:
    instances need it, or builds only. ``size_mb``: about what the wheel takes on the disk, for the progress lines.
    """

    name: str
    wheel: str
    version: str
    lock: Path
    inside: str
    program: str
    suitable: str
    version_argv: tuple[str, ...] = ("--version",)
    when: Literal["run", "build"] = "run"
    parts: tuple[str, ...] = ()
    size_mb: int = 200

    def suits(self, version: str) -> bool:
        """Whether a machine's program of this version is taken as it is."""
        try:
            return Version(version) in SpecifierSet(self.suitable)
        except InvalidVersion:
            return False


def parse(table: object, folder: Path) -> Need:
    """``folder``: the runtime's own. Raises: TypeError, KeyError with what is wrong."""
    if not isinstance(table, dict):
        raise TypeError("toolchain is not a table")
    unknown = table.keys() - _FIELDS
    if unknown:
        raise TypeError(f"unknown fields in toolchain: {', '.join(sorted(unknown))}")
    when = table.get("when", "run")
    if when not in {"run", "build"}:
        raise TypeError(f"toolchain.when is {when!r}, not run or build")
    suitable = _text(table, "suitable")
    try:
        SpecifierSet(suitable)
    except InvalidSpecifier:
        raise TypeError(f"toolchain.suitable is not a range of versions: {suitable!r}") from None
    size = table.get("size_mb", 200)
    if not isinstance(size, int) or size <= 0:
        raise TypeError("toolchain.size_mb is not a number of megabytes")
    return Need(
        name=_text(table, "name"),
        wheel=_text(table, "wheel"),
        version=_text(table, "version"),
        lock=folder / LOCK,
        inside=_below(_text(table, "inside")),
        program=_below(_text(table, "program")),
        suitable=suitable,
        version_argv=_texts(table, "version_argv", ["--version"]),
        when=when,
        parts=tuple(_below(part) for part in _texts(table, "parts", [])),
        size_mb=size,
    )


def _text(table: dict[str, object], name: str) -> str:
    value = table[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"toolchain.{name} is not a text")
    return value


def _texts(table: dict[str, object], name: str, default: list[str]) -> tuple[str, ...]:
    value = table.get(name, default)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"toolchain.{name} is not a list of texts")
    return tuple(value)


def _below(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise TypeError(f"toolchain: {path!r} is not a path inside it")
    return path
