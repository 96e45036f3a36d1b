"""Reading Cache-Control, dates and entity tags. Never raises: what cannot be read counts as the more careful reading."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

LONGEST_S = 2.0**31  # RFC 9111, 1.2.2: what does not fit is this
_DIRECTIVE = re.compile(
    rb"""[ \t,;]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)
         (?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*)))?
         [ \t]*(?=[,;]|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_SEPARATOR = re.compile(rb"[,;]")  # semicolons are wrong, but many write «no-cache; no-store»
_TAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True)
class Directives:
    """Of one message: name in lower case -> argument, "" where there is none."""

    values: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def seconds(self, name: str) -> float | None:
        """None where it is not said; 0 where it is no number (a message that is not clear is stale)."""
        text = self.values.get(name)
        if text is None:
            return None
        return min(float(text), LONGEST_S) if re.fullmatch(r"[0-9]{1,20}", text, re.ASCII) else 0.0


def cache_control(fields: Iterable[tuple[bytes, bytes]]) -> Directives:
    """All Cache-Control fields together. Of a directive that is there twice the smaller number counts."""
    found: dict[str, str] = {}
    for name, value in fields:
        if name.lower() == b"cache-control":
            _read(value, found)
    return Directives(found)


def _read(value: bytes, found: dict[str, str]) -> None:
    at = 0
    while at < len(value):
        one = _DIRECTIVE.match(value, at)
        if one is None:  # not a directive: go on behind the next separator
            separator = _SEPARATOR.search(value, at)
            if separator is None:
                return
            at = separator.end()
            continue
        at = one.end()
        name = one[1].decode("ascii").lower()
        argument = (one[2] if one[2] is not None else one[3] or b"").decode("latin-1")
        found[name] = argument if name not in found else _smaller(found[name], argument)


def _smaller(one: str, other: str) -> str:
    both = [text for text in (one, other) if re.fullmatch(r"[0-9]+", text, re.ASCII)]
    return min(both, key=int) if len(both) == 2 else ""


def date_of(value: bytes | None) -> float | None:
    """Seconds since the epoch; None where it is no HTTP date."""
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value.decode("ascii")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def tags_of(value: bytes) -> list[bytes]:
    """The entity tags of an If-None-Match."""
    return _TAG.findall(value)


def opaque(tag: bytes) -> bytes:
    """A tag for the weak comparison."""
    return tag.removeprefix(b"W/")
