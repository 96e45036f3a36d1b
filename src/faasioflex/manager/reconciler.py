"""The loop: look at a function, plan, do, write what is new. Level-triggered, one look at a time per function."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import structlog

from faasioflex.bus.buckets import FUNCTIONS, QUOTAS, REVISIONS, ROUTES, SCALE, STATUS
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus, Entry
from faasioflex.identity.tokens.mint import FUNCTION_S, function_jti
from faasioflex.identity.tokens.revocations import Revocations
from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.capacity.ledger import NOTHING
from faasioflex.manager.capacity.pressure import Pressure
from faasioflex.manager.floors import FOREVER_S, checked_until, scheduled, wake_floor
from faasioflex.manager.lifecycle import Lifecycle
from faasioflex.manager.members import Members
from faasioflex.manager.plan import (
    Build,
    Drain,
    FunctionView,
    Hold,
    InstanceView,
    LookAgain,
    Remove,
    RevisionView,
    Rooms,
    Start,
    Step,
    hold,
    plan,
)
from faasioflex.manager.report import function_route, function_status
from faasioflex.manager.rollout import enough_waited, is_waiting, until
from faasioflex.manager.room import Room
from faasioflex.manager.state import FunctionState, RevisionState
from faasioflex.model.errors import Conflict, FunctionNotFound, NodeFull, QuotaExceeded, RevisionNotFound, Unavailable
from faasioflex.model.function import FunctionRecord, Limits, RevisionRecord
from faasioflex.model.identity import Quota
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale, FunctionStatus, traffic

log = structlog.get_logger(__name__)
WORKERS = 32  # looks that wait for a write at once: fifty wakes must not wait for each other's
RETRY_S = 0.5  # after a look that failed because a part is away
APPLIED_WAIT_S = 2.0  # status says «ready» only when calls go there, but does not wait for ever to say it
HELD_S = 1.0  # until the next look for room in the namespace's quota


class Reconciler:
    """Owns every :class:`FunctionState`; ``touch(key)`` asks for a look.

    ``functions``, ``revisions``, ``scale`` are mirrors that are started here; ``status`` and ``routes`` are written here and
    nowhere else.
    """

    def __init__(
        self,
        bus: Bus,
        lifecycle: Lifecycle,
        members: Members,
        *,
        node: NodeDesk,
        pressure: Pressure,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._lifecycle = lifecycle
        self._members = members
        self._node = node
        self._pressure = pressure
        self._clock = clock
        self._revocations = Revocations(bus, clock)
        self.states: dict[str, FunctionState] = {}
        self._functions: Mirror[FunctionRecord] = Mirror(bus.bucket(FUNCTIONS.name, FunctionRecord))
        self._revisions: Mirror[RevisionRecord] = Mirror(bus.bucket(REVISIONS.name, RevisionRecord))
        self._scale: Mirror[DesiredScale] = Mirror(bus.bucket(SCALE.name, DesiredScale))
        self._quotas: Mirror[Quota] = Mirror(bus.bucket(QUOTAS.name, Quota))
        self._status = bus.bucket(STATUS.name, FunctionStatus)
        self._routes = bus.bucket(ROUTES.name, FunctionRoute)
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._workers: list[asyncio.Task[None]] = []
        # what an earlier manager wrote, until the function's state is made of it
        self._known_status: dict[str, FunctionStatus] = {}
        self._known_routes: dict[str, Entry[FunctionRoute]] = {}
        self._written: set[str] = set()  # keys with a status or a route in the buckets

    async def start(self) -> None:
        """Read everything; the caller adopts running instances and then calls :meth:`run`."""
        for mirror in (self._functions, self._revisions, self._scale, self._quotas):
            await mirror.start()
        self._known_status = {entry.key: entry.value for entry in await self._status.list()}
        self._known_routes = {entry.key: entry for entry in await self._routes.list()}
        self._written = set(self._known_status) | set(self._known_routes)
        for key, entry in self._functions.entries.items():
            self._state(key, entry.value, entry.revision)

    def run(self) -> None:
        self._functions.listen(self._touch_all)
        self._scale.listen(self._touch_all)
        self._quotas.listen(self._touch_held)
        self._node.ledger.on_less = lambda: self._touch_all(self._node.next_ones())
        self._workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        self._touch_all(set(self._functions.entries) | self._written)

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for state in self.states.values():
            if state.timer:
                state.timer.cancel()
        for mirror in (self._functions, self._revisions, self._scale, self._quotas):
            await mirror.stop()

    def touch(self, key: str) -> None:
        """Ask for a look at this function, soon and once, however often it is asked."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._queue.put_nowait(key)

    def touch_later(self, key: str, delay_s: float) -> None:
        state, loop = self.states.get(key), asyncio.get_running_loop()
        if state is None:
            loop.call_later(delay_s, self.touch, key)
            return
        if state.timer and not state.timer.cancelled() and state.timer.when() > loop.time():
            if state.timer.when() <= loop.time() + delay_s:
                return  # an earlier look is ordered; it orders the next
            state.timer.cancel()
        state.timer = loop.call_later(max(delay_s, 0.0), self.touch, key)

    async def revision_record(self, state: FunctionState, number: int) -> RevisionRecord | None:
        """From the mirror, or from the leader where the mirror is a moment behind."""
        key = state.record.revisions.get(number)
        if key is None:
            return None
        entry = self._revisions.entries.get(key) or await self._bus.bucket(REVISIONS.name, RevisionRecord).get(key)
        return entry.value if entry else None

    def _touch_all(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.touch(key)

    def _touch_held(self, namespaces: set[str]) -> None:
        for key, state in self.states.items():
            if state.name.namespace in namespaces and any(revision.held for revision in state.revisions.values()):
                self.touch(key)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(0)  # the looks at everything in the beginning leave room for others
            key = await self._queue.get()
            self._queued.discard(key)
            self._busy.add(key)
            try:
                await self._look(key)
            except (Unavailable, Conflict) as error:
                log.info("look postponed", function=key, reason=error.message)
                self.touch_later(key, RETRY_S)
            except Exception:
                log.exception("look failed", function=key)
                self.touch_later(key, 5.0)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.touch(key)

    async def _look(self, key: str) -> None:
        entry = self._functions.entries.get(key)
        if entry is None:
            await self._forget(key)
            return
        state = self._state(key, entry.value, entry.revision)
        if state.record.deleting:
            for number in list(state.waiters):
                self._lifecycle.fail_waiters(state, number, FunctionNotFound(f"{state.name} is being deleted"))
        enough_waited(state, self._clock())
        for revision in state.revisions.values():
            if is_waiting(state, revision):
                self.touch_later(key, until(revision) - self._clock() + 0.01)
        steps = plan(self._view(key, state))
        for revision in state.revisions.values():
            revision.held = None
        if not any(isinstance(step, Hold) and step.node for step in steps):
            self._node.no_longer(key)
        for step in steps:
            if not isinstance(step, Drain):
                await self._do(key, state, step)
        if any(isinstance(step, Remove) for step in steps):
            return  # nothing is written about it any more
        await self._write(key, state)
        for step in steps:
            if isinstance(step, Drain) and step.instance in state.instances:
                self._lifecycle.drain(state, state.instances[step.instance])

    def _state(self, key: str, record: FunctionRecord, revision: int) -> FunctionState:
        state = self.states.get(key)
        if state is None or state.record.uid != record.uid:
            if state is not None:
                self._lifecycle.abandon(state)
            state = FunctionState(FunctionName.from_key(key), record, revision)
            status, route = self._known_status.pop(key, None), self._known_routes.pop(key, None)
            if status is not None and status.function_uid == record.uid:
                state.status = status
            if route is not None and route.value.function_uid == record.uid:
                state.route, state.route_revision = route.value, route.revision
            self.states[key] = state
        state.record, state.record_revision = record, revision
        for number in record.revisions:
            if number not in state.revisions:
                state.revisions[number] = self._remembered(state, number)
        for number in set(state.revisions) - set(record.revisions):
            del state.revisions[number]
            gone = RevisionNotFound(f"{state.name} has no revision {number} any more")
            self._lifecycle.fail_waiters(state, number, gone)
        return state

    @staticmethod
    def _remembered(state: FunctionState, number: int) -> RevisionState:
        made = RevisionState(number)
        status = state.status.revisions.get(number) if state.status else None
        if status is not None:
            made.first_ready_at, made.build_s = status.first_ready_at, status.build_s
            made.failed = status.state == "failed"
            made.message = status.message if made.failed else None
        return made

    def desired(self, state: FunctionState) -> DesiredScale | None:
        entry = self._scale.entries.get(state.name.key)
        return entry.value if entry and entry.value.function_uid == state.record.uid else None

    def _view(self, key: str, state: FunctionState) -> FunctionView:
        now = self._clock()
        scale = self.desired(state)
        revisions = tuple(
            RevisionView(
                number=number,
                build=revision.build,
                was_ready=revision.first_ready_at is not None,
                failed=revision.failed,
                retry_at=revision.retry_at,
                wake_until=now + FOREVER_S
                if state.waiters.get(number)
                else wake_floor(state.record, revision, scale, now),
                wanted=scale.instances.get(number) if scale else None,
                checked_until=checked_until(state.record, revision, self._rollout(state, number)),
                memory_bytes=self._memory_bytes(state, number),
                healthy=is_waiting(state, revision),
                ceiling=revision.ceiling,
                scheduled=scheduled(scale, number),
            )
            for number, revision in state.revisions.items()
        )
        instances = tuple(
            InstanceView(one.id, one.revision, one.ready_at is not None, one.leaving, one.started_at)
            for one in state.instances.values()
        )
        shares = traffic(state.record, function_status(state))
        return FunctionView(
            state.record.deleting,
            state.record.spec.scaling,
            shares,
            revisions,
            instances,
            now,
            *self._rooms(state),
        )

    def _rollout(self, state: FunctionState, number: int) -> str:
        entry = self._revisions.entries.get(state.record.revisions[number])
        return entry.value.rollout if entry is not None else "all"

    async def _do(self, key: str, state: FunctionState, step: Step) -> None:
        match step:
            case Build(revision=number):
                record = await self.revision_record(state, number)
                if record is not None:
                    self._lifecycle.build(state, state.revisions[number], record)
            case Start(revision=number):
                record = await self.revision_record(state, number)
                if record is not None:
                    # again: others were looked at meanwhile
                    held = hold(number, self._memory_bytes(state, number), self._rooms(state))
                    if held is None:
                        self._lifecycle.begin(state, state.revisions[number], record)
                        await asyncio.sleep(0)  # the start goes out before anything is written about it
                    else:
                        self._hold(key, state, state.revisions[number], held)
            case Hold(revision=number):
                self._hold(key, state, state.revisions[number], step)
            case Remove():
                await self._remove(key, state)
            case LookAgain(at=at):
                self.touch_later(key, at - self._clock() + 0.01)

    def _hold(self, key: str, state: FunctionState, revision: RevisionState, held: Hold) -> None:
        """Who waits for its first instance is told at once, and asks for none any more; unless there will be room in a moment."""
        revision.held = held.why
        if is_waiting(state, revision):
            revision.first_ready_at = self._clock()  # more of it will not come: it serves with what it has
        need = self._memory_bytes(state, revision.number)
        coming = held.node and self._pressure.relieve(state, revision.number, need, held.why)
        if not coming and not state.live_of(revision.number):
            revision.woken_at = None
            error = NodeFull(held.why) if held.node else QuotaExceeded(held.why)
            self._lifecycle.fail_waiters(state, revision.number, error)
        self.touch_later(key, self._node.again_s if held.node else HELD_S)

    def _rooms(self, state: FunctionState) -> Rooms:
        """As of this moment: between it and the start that it is asked for nothing may be awaited."""
        return self.quota_room(state.name.namespace), self._node.room(state.name.key)

    def quota_room(self, namespace: str) -> Room | None:
        entry = self._quotas.entries.get(namespace)
        if entry is None or (entry.value.instances is None and entry.value.memory_bytes is None):
            return None
        held = self._node.ledger.namespaces.get(namespace, NOTHING)
        return Room(namespace, entry.value, held.instances, held.memory_bytes)

    def limits_of(self, state: FunctionState, number: int) -> Limits:
        """Of a revision, as its users set them."""
        entry = self._revisions.entries.get(state.record.revisions.get(number, ""))
        return entry.value.limits if entry is not None else state.record.spec.limits

    def _memory_bytes(self, state: FunctionState, number: int) -> int:
        """Of its next instance."""
        return state.revisions[number].memory_bytes or self.limits_of(state, number).memory_bytes

    async def _write(self, key: str, state: FunctionState) -> None:
        """Routes first, then, once calls go there, the status that says so."""
        records: dict[int, RevisionRecord] = {}
        for number in state.revisions:
            record = await self.revision_record(state, number)
            if record is not None:
                records[number] = record
        status = function_status(state, self.desired(state), self._clock())
        route = function_route(state, status, records)
        self._written.add(key)
        if route != state.route:
            state.route_revision = await self._routes.put(key, route)
            state.route = route
            written, state.route_written = state.route_written, None
            if written is not None:
                written.set()
        if state.status is None or status.revisions != state.status.revisions:
            if status.change in ("deployed", "scaled") and not self._in_force(key, state):
                return  # the next look writes it; neither this function nor a worker waits for that
            await self._status.put(key, status)
            state.status = status
        state.tell_by = None

    def _in_force(self, key: str, state: FunctionState) -> bool:
        """Whether everybody follows the routes by now, or had time enough; else a look is ordered for then."""
        if self._members.have_applied(state.route_revision):
            return True
        now = asyncio.get_running_loop().time()
        if state.tell_by is None:
            state.tell_by = now + APPLIED_WAIT_S
        if now >= state.tell_by:
            log.warning("routes are not in force yet", function=key, waited_s=APPLIED_WAIT_S)
            return True
        self._lifecycle.look_when_applied(state, state.tell_by - now)
        return False

    async def _remove(self, key: str, state: FunctionState) -> None:
        """Records of a deleted function, and its tokens; its own record last, so that a crash on the way repeats this."""
        await self._revocations.revoke_jti(function_jti(state.record.uid), self._clock() + FUNCTION_S)
        await self._routes.delete(key)
        await self._status.delete(key)
        self._written.discard(key)
        await self._bus.bucket(SCALE.name, DesiredScale).delete(key)
        for revision_key in state.record.revisions.values():
            await self._bus.bucket(REVISIONS.name, RevisionRecord).delete(revision_key)
        await self._bus.bucket(FUNCTIONS.name, FunctionRecord).delete(key, state.record_revision)
        log.info("function removed", function=key)

    async def _forget(self, key: str) -> None:
        state = self.states.pop(key, None)
        if state is not None:
            if state.timer:
                state.timer.cancel()
            self._lifecycle.abandon(state)
        if key in self._written:
            await self._status.delete(key)
            await self._routes.delete(key)
            self._written.discard(key)
        self._known_status.pop(key, None)
        self._known_routes.pop(key, None)
