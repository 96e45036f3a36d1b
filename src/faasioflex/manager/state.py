"""What the manager knows of one function between two looks. All of it can be had again from the registry and the driver."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from faasioflex.manager.plan import BuildState
from faasioflex.model.function import FunctionRecord
from faasioflex.model.instance import Instance
from faasioflex.model.messages import WakeReply
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import FunctionStatus


@dataclass
class RevisionState:
    """``attempts``: starts in a row that never became ready. ``ends``: instances in a row that ended soon after they were."""

    number: int
    build: BuildState = "none"
    build_s: float | None = None
    first_ready_at: float | None = None
    failed: bool = False
    message: str | None = None
    attempts: int = 0
    ends: int = 0
    retry_at: float | None = None
    woken_at: float | None = None
    held: str | None = None  # why an instance that is wanted is not started, as of the last look


@dataclass
class TrackedInstance:
    """``instance`` is None between the order to start and the driver's answer.

    ``leaving``: it is to go, routes may still lead to it; ``draining``: the routes say that nothing new goes there.
    """

    id: str
    revision: int
    started_at: float
    instance: Instance | None = None
    ready_at: float | None = None
    leaving: bool = False
    draining: bool = False
    announced: bool = False  # that it is ready: in the log and as an event, once
    waiting: asyncio.Task[None] | None = None  # for its first sign of life, or for its drain: over when it ends


@dataclass
class FunctionState:
    name: FunctionName
    record: FunctionRecord
    record_revision: int
    revisions: dict[int, RevisionState] = field(default_factory=dict)
    instances: dict[str, TrackedInstance] = field(default_factory=dict)
    waiters: dict[int, set[asyncio.Future[WakeReply]]] = field(default_factory=dict)
    status: FunctionStatus | None = None  # as last written
    route: FunctionRoute | None = None  # as last written
    route_revision: int = 0
    route_written: asyncio.Event = field(default_factory=asyncio.Event)  # set at each write, then a new one
    tell_by: float | None = None  # loop time: the status that waits for its routes to be in force is written by then
    telling: asyncio.Task[None] | None = None  # waits for that
    timer: asyncio.TimerHandle | None = None

    def live_of(self, revision: int) -> list[TrackedInstance]:
        """Instances of a revision that take calls or will."""
        return [one for one in self.instances.values() if one.revision == revision and not one.leaving]

    def ready_of(self, revision: int) -> list[TrackedInstance]:
        return [one for one in self.live_of(revision) if one.ready_at is not None and one.instance is not None]

    def drained_at(self, instance: str) -> int | None:
        """The revision of the routes that were written without new calls for the instance; None while they have them."""
        if self.route is None:
            return None
        for revision in self.route.revisions.values():
            if any(endpoint.instance == instance and not endpoint.draining for endpoint in revision.endpoints):
                return None
        return self.route_revision
