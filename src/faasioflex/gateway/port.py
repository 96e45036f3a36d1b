"""The gateway port: a neutral table of routes, and drivers that make a real proxy follow it (envoy; later apisix)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from faasioflex.model.function import Visibility
from faasioflex.model.names import FunctionName


@dataclass(frozen=True)
class TableRevision:
    """A revision with instances, or one that has a share of the traffic and none (``addresses`` empty: the invoker takes it)."""

    number: int
    percent: int
    addresses: tuple[str, ...]
    timeout_s: float
    payload_bytes: int | None
    concurrency: int
    hold_s: float  # how long the invoker may hold a call of it before the function has it


@dataclass(frozen=True)
class TableFunction:
    function: FunctionName
    visibility: Visibility
    revisions: tuple[TableRevision, ...]


@dataclass(frozen=True)
class RouteTable:
    """Functions that have at least one live instance, sorted by name. ``revision``: of ``ffx_routes``, which it reflects whole."""

    revision: int
    functions: tuple[TableFunction, ...]


class Gateway(Protocol):
    """Apply a table. Raises: Unavailable while the proxy cannot be reached."""

    async def apply(self, table: RouteTable) -> None:
        """Returns when the proxy has acknowledged it (or a newer one)."""

    async def close(self) -> None: ...
