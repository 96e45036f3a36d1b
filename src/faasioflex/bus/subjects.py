"""NATS subjects and bucket keys: which are valid, which pattern covers which."""

from __future__ import annotations

import re

_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*")


def matches(pattern: str, subject: str) -> bool:
    """Whether ``subject`` is covered by ``pattern`` (``*`` one token, ``>`` one or more at the end)."""
    wanted, given = pattern.split("."), subject.split(".")
    for place, part in enumerate(wanted):
        if part == ">":
            return len(given) > place
        if place >= len(given) or part not in ("*", given[place]):
            return False
    return len(wanted) == len(given)


def checked_key(key: str) -> str:
    """The key itself. Raises ValueError where it would be a wildcard, an empty token or no subject at all."""
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"not a bucket key: {key!r}")
    return key
