"""Lua, for what no plugin of APISIX does. A script is one chunk: its constants, what it shares with others, and its own text.

APISIX loads it when the object is written, so that what cannot be read is refused with 400.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9 ,.:;/_+=@%^(){}\[\]|!?$&*<>#~'-]*")


def script(name: str, **constants: Any) -> str:
    """The file ``name.lua`` with these constants."""
    lines = [f"local {key} = {lua(value)}" for key, value in constants.items()]
    shared = _text(__package__, "shared")
    cookies = _text("faasioflex.gateway.envoy", "cookies") if name in {"way_in", "way_out"} else ""
    return "\n".join([*lines, shared + cookies + _text(__package__, name)])


def serverless(phase: str, chunk: str) -> dict[str, Any]:
    """The configuration of a serverless plugin."""
    return {"phase": phase, "functions": [chunk]}


def lua(value: Any) -> str:
    """A Lua expression. A set becomes a table of its members, each true. Strings of any content stay strings."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text_in_lua(value)
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(f"[{lua(each)}] = true" for each in sorted(value)) + "}"
    return "{" + ", ".join(lua(each) for each in value) + "}"


def _text_in_lua(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f'"{value}"'
    if value.isascii() and value.isprintable() and "]=" not in value and not value.endswith("]"):
        return f"[=[{value}]=]"  # people can read patterns so
    return '"' + "".join(map(_escaped, value.encode())) + '"'


def _escaped(byte: int) -> str:
    char = chr(byte)
    return char if byte < 128 and char.isalnum() else f"\\{byte:03d}"


@cache
def _text(package: str | None, name: str) -> str:
    return resources.files(package or "").joinpath(f"{name}.lua").read_text() + "\n"
