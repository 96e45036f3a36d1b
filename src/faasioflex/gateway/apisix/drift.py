"""Whether an object at APISIX is the one that we want there. Pure.

APISIX adds times to what it is given, other versions of it also the defaults of its schema: those may be there. A field of ours
that has another value, a plugin or a node too many, or another field that changes what the object does is drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faasioflex.gateway.apisix.objects import Json

_ADDED = frozenset({"id", "create_time", "update_time"})
_DEFAULTS: Mapping[str, Any] = {
    "status": 1,
    "priority": 0,
    "hash_on": "vars",
    "scheme": "http",
    "pass_host": "pass",
    "type": "roundrobin",
}


def bare(stored: Json) -> Json:
    """Without what APISIX adds."""
    return {name: value for name, value in stored.items() if name not in _ADDED}


def same(wanted: Json, stored: Json) -> bool:
    there = bare(stored)
    for name, value in there.items():
        if name not in wanted and not (name in _DEFAULTS and _DEFAULTS[name] == value):
            return False
    return all(name in there and _field(name, value, there[name]) for name, value in wanted.items())


def _field(name: str, wanted: Any, there: Any) -> bool:
    if name != "plugins":
        return bool(wanted == there)
    if not isinstance(there, dict) or wanted.keys() != there.keys():
        return False
    return all(
        isinstance(there[each], dict)
        and wanted[each].get("_meta") == there[each].get("_meta")
        and _within(wanted[each], there[each])
        for each in wanted
    )


def _within(wanted: Any, there: Any) -> bool:
    """Fields of a plugin's configuration may be more: its schema's defaults."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            name in there and _within(value, there[name]) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        pairs = zip(wanted, there, strict=False) if isinstance(there, list) and len(there) == len(wanted) else None
        return pairs is not None and all(_within(one, other) for one, other in pairs)
    return bool(wanted == there)
