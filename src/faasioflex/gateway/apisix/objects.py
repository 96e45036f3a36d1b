"""APISIX's objects by kind and id, and the ids that ours have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from faasioflex.gateway.apisix.settings import PREFIX
from faasioflex.model.names import FunctionName

Json = dict[str, Any]
Kind = Literal["global_rules", "upstreams", "services", "plugin_configs", "routes"]
# Written in this order, so that nothing names what is not there, and no call finds a way before it is cleaned; removed in the other.
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_ID = 64
LABELS = {"managed-by": "faasioflex"}

INVOKER = f"{PREFIX}invoker"
API = f"{PREFIX}api"
EDGE = f"{PREFIX}edge"
FUNCTIONS = f"{PREFIX}functions"
TOKEN = f"{PREFIX}token"


@dataclass(frozen=True)
class Objects:
    """Kind -> id -> the object, without its id."""

    by_kind: Mapping[Kind, Mapping[str, Json]] = field(default_factory=dict)

    def of(self, kind: Kind) -> Mapping[str, Json]:
        return self.by_kind.get(kind, {})

    def __iter__(self) -> Iterator[tuple[Kind, str, Json]]:
        """In the order in which they are written."""
        for kind in KINDS:
            for identifier, made in self.of(kind).items():
                yield kind, identifier, made

    def __len__(self) -> int:
        return sum(len(made) for made in self.by_kind.values())


def is_ours(identifier: str) -> bool:
    return identifier.startswith(PREFIX)


def route_id(function: FunctionName) -> str:
    """Readable where it fits; the name's digest else. No two functions share one: names have no dots."""
    readable = f"{PREFIX}f-{function.key}"
    return readable if len(readable) <= LONGEST_ID else f"{PREFIX}h-{_digest(function)}"


def upstream_id(function: FunctionName, revision: int) -> str:
    """Ends in ``.REVISION``: the script of each try reads it off."""
    readable = f"{PREFIX}f-{function.key}.{revision}"
    return readable if len(readable) <= LONGEST_ID else f"{PREFIX}h-{_digest(function)}.{revision}"


def _digest(function: FunctionName) -> str:
    return hashlib.sha256(function.key.encode()).hexdigest()[:40]
