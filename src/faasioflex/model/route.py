"""What the gateway and the invoker need to send calls (bucket ``ffx_routes``, key ``ns.name``, written by the manager alone).

Every function has a record here, also an idle one: the invoker knows them all and answers for those without instances, the
gateway takes only revisions that have instances.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from faasioflex.model.function import AsyncPolicy, CachePolicy, Cors, Limits, RateLimit, Visibility


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ready instance. ``draining``: send it nothing new; it is stopped once every member has said it applied that."""

    instance: str
    address: str  # unix:/absolute/path or host:port
    draining: bool = False
    frozen: bool = (
        False  # nothing of it runs: the invoker has it thawed before it sends it a call; no gateway routes to it
    )


@dataclass(frozen=True, slots=True)
class RevisionRoute:
    limits: Limits
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def live(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for endpoint in self.endpoints if not endpoint.draining)

    @property
    def awake(self) -> tuple[Endpoint, ...]:
        """Those that a gateway may send calls to."""
        return tuple(endpoint for endpoint in self.live if not endpoint.frozen)


@dataclass(frozen=True, slots=True)
class FunctionRoute:
    function_uid: str
    visibility: Visibility
    traffic: dict[int, int]  # number -> percent, sums to 100; {} while nothing serves
    revisions: dict[int, RevisionRoute] = field(default_factory=dict)
    message: str | None = None  # why nothing serves, for the caller's 503
    deleting: bool = False
    cors: Cors | None = None
    rate_limit: RateLimit | None = None
    asynchronous: AsyncPolicy = field(default_factory=AsyncPolicy)
    cache: CachePolicy | None = None
    max_instances: int = 5
