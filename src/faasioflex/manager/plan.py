"""Desired against observed: what to do for one function, as a pure function of what is known now.

The reconciler calls :func:`plan` after every change and does what it says; nothing here remembers anything, so a manager that
was killed goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faasioflex.manager.capacity.desk import NodeRoom
from faasioflex.manager.room import Room
from faasioflex.model.function import Scaling

BuildState = Literal["none", "running", "done", "failed"]
START_ATTEMPTS = 2  # of a revision that was never ready, before it is called failed


@dataclass(frozen=True)
class RevisionView:
    """``wake_until``: a call woke it, it is kept at least until then (None: no floor)."""

    number: int
    build: BuildState
    was_ready: bool
    failed: bool = False
    retry_at: float | None = None  # crashed lately, or could not be built: neither is begun before that
    wake_until: float | None = None
    wanted: int | None = None  # by the autoscaler; None where it has not decided yet
    checked_until: float | None = None  # deployed without traffic: kept warm until then
    memory_bytes: int = 0  # of one instance
    healthy: bool = False  # one is ready, and the traffic waits until as many are as are kept
    ceiling: int | None = None  # so many stay while nobody calls: others need the memory
    scheduled: int = 0  # but not fewer than the schedule asks for now


@dataclass(frozen=True)
class InstanceView:
    """``ready`` and not draining takes calls; ``draining`` is on its way out and counts for nothing."""

    id: str
    revision: int
    ready: bool
    draining: bool
    started_at: float


@dataclass(frozen=True)
class FunctionView:
    """Everything :func:`plan` looks at. ``traffic``: number -> percent in force; ``now`` in seconds since the epoch."""

    deleting: bool
    scaling: Scaling
    traffic: dict[int, int]
    revisions: tuple[RevisionView, ...]
    instances: tuple[InstanceView, ...]
    now: float
    room: Room | None = None  # of the namespace; None: no quota
    node: NodeRoom | None = None  # of the node's memory, for this function; None: no bound


@dataclass(frozen=True)
class Build:
    revision: int


@dataclass(frozen=True)
class Start:
    revision: int


@dataclass(frozen=True)
class Hold:
    """An instance is wanted and not started: ``why``, in words, a quota or the node's memory is in the way. Look again soon."""

    revision: int
    why: str
    node: bool = False  # the node's memory it is, not the namespace's quota


@dataclass(frozen=True)
class Drain:
    """Take it out of the routes, wait for everybody's word, then stop it."""

    instance: str


@dataclass(frozen=True)
class Remove:
    """Nothing of a deleted function runs any more: forget its records."""


@dataclass(frozen=True)
class LookAgain:
    """Nothing else is to be done before ``at`` (seconds since the epoch)."""

    at: float


Step = Build | Start | Hold | Drain | Remove | LookAgain


def plan(view: FunctionView) -> list[Step]:
    """Steps in the order in which they are to begin.

    Properties that hold for any view (tests/unit/manager): never more starts than ``max_instances`` per revision, nor than the
    namespace has room for; a revision
    that serves is not drained below its floor; a draining instance is never planned again; doing the steps and planning anew
    yields none of them twice.
    """
    steps: list[Step] = []
    wake_ups: list[float] = []
    rooms = (view.room, view.node)
    live = [instance for instance in view.instances if not instance.draining]
    known = {revision.number: revision for revision in view.revisions}
    for revision in sorted(view.revisions, key=lambda item: item.number, reverse=True):
        mine = [instance for instance in live if instance.revision == revision.number]
        wanted = wanted_instances(view, revision, live)
        begin: list[Step] = []
        if wanted > 0 and revision.build == "none":
            begin.append(Build(revision.number))
        if wanted > len(mine) and revision.build == "done":
            starts, rooms = _starts(revision, wanted - len(mine), rooms)
            begin.extend(starts)
        if begin and revision.retry_at is not None and revision.retry_at > view.now:
            wake_ups.append(revision.retry_at)
        else:
            steps.extend(begin)
        if wanted < len(mine):
            steps.extend(Drain(instance.id) for instance in _first_to_go(mine)[: len(mine) - wanted])
        wake_ups.extend(
            moment
            for moment in (revision.wake_until, revision.checked_until)
            if moment is not None and moment > view.now
        )
    steps.extend(Drain(instance.id) for instance in live if instance.revision not in known)
    if view.deleting and not view.instances:
        steps.append(Remove())
    if wake_ups:
        steps.append(LookAgain(min(wake_ups)))
    return steps


Rooms = tuple[Room | None, NodeRoom | None]


def hold(revision: int, memory_bytes: int, rooms: Rooms) -> Hold | None:
    """None where one more instance fits."""
    for room in rooms:
        why = room.why_not(memory_bytes) if room is not None else None
        if why is not None:
            return Hold(revision, why, node=room is rooms[1])
    return None


def _starts(revision: RevisionView, count: int, rooms: Rooms) -> tuple[list[Step], Rooms]:
    """As many as there is room for, and what is left of it."""
    found: list[Step] = []
    for _ in range(count):
        held = hold(revision.number, revision.memory_bytes, rooms)
        if held is not None:
            found.append(held)
            break
        quota, node = rooms
        rooms = (quota and quota.without(revision.memory_bytes), node and node.without(revision.memory_bytes))
        found.append(Start(revision.number))
    return found, rooms


def wanted_instances(view: FunctionView, revision: RevisionView, live: list[InstanceView]) -> int:
    """How many live instances the revision should have now, 0 to ``max_instances``."""
    if view.deleting or revision.failed or revision.build == "failed":
        return 0
    most = max(1, view.scaling.max_instances)
    if not revision.was_ready:  # build it, start it, look whether it is healthy; then as many as are always kept
        return min(max(1, view.scaling.min_instances), most) if revision.healthy else 1
    floor = 0
    if revision.wake_until is not None and revision.wake_until > view.now:
        floor = 1
    if revision.checked_until is not None and revision.checked_until > view.now:
        floor = 1
    if view.traffic.get(revision.number, 0) > 0:
        wanted = revision.wanted
        if wanted is None:
            # Fresh in the traffic: as many as it replaces had, until the autoscaler has seen it.
            others = sum(1 for instance in live if instance.ready and instance.revision != revision.number)
            mine = sum(1 for instance in live if instance.revision == revision.number)
            wanted = max(1, others, mine)  # also when those others are gone
        floor = max(floor, wanted, view.scaling.min_instances)
    if revision.ceiling is not None:
        kept = max(view.scaling.min_instances, revision.scheduled) if view.traffic.get(revision.number, 0) > 0 else 0
        floor = min(floor, max(revision.ceiling, kept))
    return min(floor, most)


def _first_to_go(instances: list[InstanceView]) -> list[InstanceView]:
    """Those that do not serve yet, then the youngest: the oldest has proved itself."""
    return sorted(instances, key=lambda instance: (instance.ready, -instance.started_at, instance.id))
