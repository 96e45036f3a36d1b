"""What the manager knows of one function between two looks. All of it can be had again from the registry and the driver."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from faasioflex.manager.plan import BuildState
from faasioflex.model.function import FunctionRecord, Limits
from faasioflex.model.instance import Instance
from faasioflex.model.messages import WakeReply
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import FunctionStatus


@dataclass(slots=True)
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
    ceiling: int | None = None  # instances that may stay while nobody calls: others need the memory
    healthy_at: float | None = (
        None  # an instance was ready; it takes traffic when as many are as are kept (see rollout)
    )
    memory_bytes: int | None = None  # of the next start, where limits.memory_bytes was not enough


Facts = dict[str, str | int | float | None]


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
    memory_bytes: int = 0  # its limits as they are now
    cpu: float = 0.0
    timeout_s: float | None = None  # of its revision: how long it may go on after SIGTERM; None: not known any more
    frost: Literal["", "marked", "frozen"] = ""  # marked: the routes lead past it, so that it can be frozen
    awake_since: float = 0.0  # ready or thawed then
    announced: bool = False  # that it is ready: in the log and as an event, once
    waiting: asyncio.Task[None] | None = None  # for its first sign of life, or for its drain: over when it ends

    @property
    def facts(self) -> Facts:
        """The data of its events."""
        return {"instance": self.id, "revision": self.revision}


@dataclass(slots=True)
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
    route_written: asyncio.Event | None = None  # of those who wait for the next write
    tell_by: float | None = None  # loop time: the status that waits for its routes to be in force is written by then
    telling: asyncio.Task[None] | None = None  # waits for that
    timer: asyncio.TimerHandle | None = None

    def live_of(self, revision: int) -> list[TrackedInstance]:
        """Instances of a revision that take calls or will."""
        return [one for one in self.instances.values() if one.revision == revision and not one.leaving]

    def ready_of(self, revision: int) -> list[TrackedInstance]:
        return [one for one in self.live_of(revision) if one.ready_at is not None and one.instance is not None]

    def passed_at(self, instance: str) -> int | None:
        """The revision of the routes that were written without new calls for the instance; None while they have them."""
        if self.route is None:
            return None
        if any(
            endpoint.instance == instance for revision in self.route.revisions.values() for endpoint in revision.awake
        ):
            return None
        return self.route_revision

    def limits_of(self, revision: int) -> Limits:
        """As far as the routes still know; else those of the newest revision."""
        route = self.route.revisions.get(revision) if self.route is not None else None
        return route.limits if route is not None else self.record.spec.limits
