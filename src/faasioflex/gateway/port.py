"""The gateway port: a neutral table of routes, and drivers that make a real proxy follow it (envoy, apisix)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from faasioflex.identity.access import NOTHING_REVOKED, Access, Revoked
from faasioflex.model.function import Cors, RateLimit
from faasioflex.model.messages import RevisionCalls, RevisionLoad
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
    """``revisions`` empty: the invoker has it. ``rate_limit`` and its namespace's bound count what reaches instances; the
    invoker counts its calls itself."""

    function: FunctionName
    access: Access
    revisions: tuple[TableRevision, ...]
    cors: Cors | None = None
    rate_limit: RateLimit | None = None
    namespace_per_minute: int | None = None


@dataclass(frozen=True)
class TrustedIssuer:
    """Whose tokens are verified. ``jwks``: its public keys, a JWK set as JSON.

    ``ours``: its tokens name callers as the functions' rules do. A login's own tokens do not: the invoker knows whose they are.
    """

    issuer: str
    audience: str
    jwks: str
    ours: bool = True


@dataclass(frozen=True)
class RouteTable:
    """Functions that have at least one live instance, and those without that have ``cors``, sorted by name.

    ``revision``: of ``ffx_routes``, which it reflects whole.
    """

    revision: int
    functions: tuple[TableFunction, ...]
    revoked: Revoked = NOTHING_REVOKED
    issuers: tuple[TrustedIssuer, ...] = ()


@dataclass(frozen=True)
class Capabilities:
    """What a driver's proxy cannot do is declared here: it is refused or made up for, and never answered with a silent nothing."""

    unix_sockets: bool = True  # it reaches instances on unix sockets; else calls of those go to the invoker
    overflow: bool = (
        True  # a call whose instance is full goes on to the invoker; else the caller gets that instance's 429
    )
    in_progress: bool = True  # ``loads`` counts calls under way; else it is the average of calls that have ended
    uses: bool = (
        True  # ``uses`` names tokens; else one call a minute of each takes the way by the invoker, which notes it
    )


class Gateway(Protocol):
    """Makes one proxy follow the table. Every method may be called again after a failure."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def start(self) -> None:
        """Be reachable for the proxy. It gets nothing, and keeps what it has, until the first ``apply``."""

    async def apply(self, table: RouteTable) -> None:
        """Make ``table`` what the proxy follows; returns when it has acknowledged it (or a newer one).

        Raises: Unavailable while the proxy is away or does not answer (it gets the table when it comes back, without another
        call); Invalid where it refuses the table, with its reason: then it goes on with the last one that it took.
        """

    def loads(self) -> tuple[RevisionLoad, ...] | None:
        """Calls per revision on the direct path: in progress now, issued since the call of this method before.

        None while the proxy does not report: blind, which is not the same as idle.
        """

    async def calls(self) -> tuple[RevisionCalls, ...] | None:
        """Calls answered through the revisions' clusters since the call of this method before, the first time none.

        None while the proxy does not say.
        """

    def uses(self) -> frozenset[str]:
        """Pids of personal and service tokens that calls brought to instances since the call of this method before: of each
        that is in use one in a while, not one for each call."""

    async def close(self) -> None: ...
