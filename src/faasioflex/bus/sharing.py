"""What many records say in the same words is held once: limits and scaling of ten thousand functions are mostly the defaults."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from faasioflex.model.function import AsyncPolicy, CachePolicy, Cors, Limits, Network, RateLimit, Scaling

T = TypeVar("T")
MOST = 4096
_SHARED = frozenset({Limits, Scaling, Network, AsyncPolicy, CachePolicy, Cors, RateLimit})
_NAMES = frozenset({"uid", "function_uid", "namespace", "runtime", "created_by"})  # each in several records
_held: dict[Any, Any] = {}
_Step = Callable[[Any], Any]  # from a part to what stands for it


def shared(value: T) -> T:
    """``value``, a record that nobody else has yet, with parts that equal ones before it brought.

    What is no record, or has no such parts, comes back as it is.
    """
    of: Any = type(value)
    for name, step in _steps(of):
        part = getattr(value, name)
        if part is not None:
            object.__setattr__(value, name, step(part))
    return value


def _one(part: Any) -> Any:
    if len(_held) >= MOST:
        _held.clear()  # they are of records that are gone, or of functions that have nothing in common
    return _held.setdefault(part, part)


def _each(parts: dict[Any, Any]) -> dict[Any, Any]:
    for part in parts.values():
        shared(part)
    return parts


@cache
def _steps(of: type) -> tuple[tuple[str, _Step], ...]:
    """What has something to share in records of a type, by its annotations."""
    if not dataclasses.is_dataclass(of):
        return ()
    found: list[tuple[str, _Step]] = []
    for name, hint in get_type_hints(of).items():
        inside = {hint, *get_args(hint)}
        if name in _NAMES:
            found.append((name, sys.intern))
        elif inside & _SHARED:
            found.append((name, _one))
        elif any(isinstance(each, type) and _steps(each) for each in inside):
            found.append((name, _each if getattr(hint, "__origin__", None) is dict else shared))
    return tuple(found)
