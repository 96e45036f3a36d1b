"""Sizes and durations as people write them."""

from __future__ import annotations

import re

import typer

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(b?)", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def size_bytes(text: str) -> int:
    """``128M``, ``1.5GiB``, ``65536``: the letters are powers of 1024, as everywhere in the platform.

    Raises: typer.BadParameter.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a size: write 128M or 1G")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def duration_s(text: str) -> float:
    """``30s``, ``10m``, ``1h30m``, ``250ms``, ``2d``; a bare number is seconds.

    Raises: typer.BadParameter.
    """
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is not a duration: write 30s, 10m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def size_text(size: float) -> str:
    """``128 MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def pairs(items: list[str], option: str) -> dict[str, str]:
    """``["A=1"]`` as ``{"A": "1"}``.

    Raises: typer.BadParameter, naming ``option``.
    """
    split = [item.partition("=") for item in items]
    for key, equals, _ in split:
        if not equals or not key:
            raise typer.BadParameter(f"{option} takes KEY=VALUE, not {key!r}")
    return {key: value for key, _, value in split}
