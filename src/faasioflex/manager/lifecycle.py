"""What takes time: building a revision, starting an instance until it is ready, draining one. Tasks of their own.

Each ends by changing the function's state and asking for another look; none decides anything beyond its own step.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from faasioflex.bus.events import publish_event
from faasioflex.bus.port import Bus
from faasioflex.manager.builder.port import Builder
from faasioflex.manager.capacity.desk import NodeDesk, shown
from faasioflex.manager.crashes import crashed
from faasioflex.manager.draining import grace_s, in_force, passed
from faasioflex.manager.journal import Journal
from faasioflex.manager.members import Members
from faasioflex.manager.rollout import seen_ready
from faasioflex.manager.start_turns import StartTurns
from faasioflex.manager.starting import Starter
from faasioflex.manager.state import Facts, FunctionState, RevisionState, TrackedInstance
from faasioflex.manager.vertical.advise import after_out_of_memory
from faasioflex.model.errors import BuildFailed, FfxError, FunctionNotFound, Unavailable
from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import EgressDenied, Instance, InstanceEnded
from faasioflex.model.messages import WakeReply
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
START_TIMEOUT_S = 60.0
AWAY_RETRY_S = 0.25  # the launcher is being restarted
BROKEN_RETRY_S = 5.0  # something that should not fail did: a full disk, an error of ours
REPLY_FIRST_S = 0.005  # who waits for an instance is told before routes and status are made of it
RETIRED_S = 1.0  # who asks to be replaced sooner than that after being ready would be started again without end


class Touch(Protocol):
    def touch(self, key: str) -> None: ...
    def touch_later(self, key: str, delay_s: float) -> None: ...


class Lifecycle:
    """Runs steps. ``attach`` gives it the reconciler (each knows the other)."""

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        builder: Builder,
        members: Members,
        journal: Journal,
        *,
        starter: Starter,
        node: NodeDesk,
        clock: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._driver = driver
        self._builder = builder
        self._members = members
        self._journal = journal
        self._starter = starter
        self._node = node
        self._clock = clock
        self._reconciler: Touch | None = None
        self.tracked: dict[str, FunctionState] = {}  # whose each instance is; nothing has to search all functions
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = StartTurns()

    def attach(self, reconciler: Touch) -> None:
        self._reconciler = reconciler

    async def stop(self) -> None:
        """Let go of everything; instances stay (the next manager finds them)."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- build

    def build(self, state: FunctionState, revision: RevisionState, record: RevisionRecord) -> None:
        """Take the finished build where there is one (an earlier manager's, another revision's), else build."""
        if self._builder.find(record) is not None:
            revision.build = "done"
            self._touch(state.name.key)
            return
        revision.build = "running"
        self._spawn(self._build(state, revision, record))

    async def _build(self, state: FunctionState, revision: RevisionState, record: RevisionRecord) -> None:
        key = state.name.key
        began = time.monotonic()
        try:
            await self._builder.build(record, self._journal.build_writer(record))
        except BuildFailed as error:
            await self._journal.flush()
            revision.build, revision.failed, revision.message = "failed", True, error.message
            self.fail_waiters(state, record.number, error)
        except FfxError as error:
            log.warning("build postponed", function=key, revision=record.number, reason=error.message)
            revision.build, revision.message = "none", error.message
            revision.retry_at = self._clock() + (error.retry_after_s or AWAY_RETRY_S)
        except Exception as error:  # of this machine (a full disk) or of ours, not of the code that is built
            log.exception("build broke off", function=key, revision=record.number)
            revision.build, revision.message = "none", f"the build broke off and is repeated: {error}; see `ffx doctor`"
            revision.retry_at = self._clock() + BROKEN_RETRY_S
        else:
            revision.build, revision.message = "done", None
            revision.build_s = round(time.monotonic() - began, 3)
        self._touch(key)  # also so that the status says why

    # --- start

    def begin(self, state: FunctionState, revision: RevisionState, record: RevisionRecord) -> TrackedInstance:
        """Start one instance; it is counted from now on."""
        limits = record.limits
        one = TrackedInstance(
            f"i-{secrets.token_hex(8)}",
            revision.number,
            self._clock(),
            memory_bytes=revision.memory_bytes or limits.memory_bytes,
            cpu=limits.cpu,
            timeout_s=limits.timeout_s,
        )
        self._track(state, one)
        self._spawn(self._start(state, revision, record, one))
        return one

    def adopt(self, state: FunctionState, instance: Instance, *, ready: bool) -> None:
        """Take over what an earlier manager started. What was told to stop goes on finishing its calls."""
        limits = state.limits_of(instance.revision)
        one = TrackedInstance(instance.id, instance.revision, instance.started_at, instance)
        one.memory_bytes, one.cpu = instance.memory_bytes or limits.memory_bytes, instance.cpu or limits.cpu
        one.frost = "frozen" if instance.frozen else ""
        one.announced = instance.state == "ready"
        self._track(state, one)
        revision = state.revisions.get(one.revision)
        if instance.state == "stopping":
            self.drain(state, one)
            return
        if revision is not None and instance.wake:
            revision.woken_at = instance.started_at
        if ready:
            one.ready_at = instance.started_at
            self.ready(state, one.id)
        else:
            one.waiting = self._spawn(self._watch_start(state, one))

    def _track(self, state: FunctionState, one: TrackedInstance) -> None:
        state.instances[one.id] = one
        self.tracked[one.id] = state
        self._node.ledger.take(one.id, state.name.key, one.memory_bytes)

    def _untrack(self, state: FunctionState, instance: str) -> TrackedInstance | None:
        """Also ends what waits for it (unless that is who asks)."""
        one = state.instances.pop(instance, None)
        if one is None:
            return None
        self.tracked.pop(instance, None)
        self._turns.leave(instance)
        self._node.ledger.release(instance)
        if one.waiting is not None and one.waiting is not asyncio.current_task():
            one.waiting.cancel()
        return one

    async def _start(
        self, state: FunctionState, revision: RevisionState, record: RevisionRecord, one: TrackedInstance
    ) -> None:
        if state.ready_of(record.number):
            await self._turns.take(one.id)
            if state.instances.get(one.id) is not one or one.leaving:
                self._turns.leave(one.id)
                return
        built = self._builder.find(record)  # again: the folder may be gone since (collected, or cleaned by hand)
        if built is None:
            self._untrack(state, one.id)
            revision.build = "none"
            self._touch(state.name.key)
            return
        try:
            one.instance = await self._starter.start(state, revision, record, one, built)
        except Unavailable as error:
            self._untrack(state, one.id)
            log.info("start postponed", function=state.name.key, reason=error.message)
            self._later(state.name.key, AWAY_RETRY_S)
            return
        except FfxError as error:
            self.ended(
                state,
                InstanceEnded(
                    one.id, state.name, state.record.uid, record.number, "exit", error.message, was_ready=False
                ),
            )
            return
        except Exception:
            self._untrack(state, one.id)
            self._later(state.name.key, BROKEN_RETRY_S)
            raise
        if one.ready_at is not None:  # the driver's event was faster than its answer
            self.ready(state, one.id)
        elif state.instances.get(one.id) is one and not one.leaving:
            one.waiting = self._spawn(self._watch_start(state, one))

    async def _watch_start(self, state: FunctionState, one: TrackedInstance) -> None:
        await asyncio.sleep(START_TIMEOUT_S)
        if state.instances.get(one.id) is one and one.ready_at is None and not one.leaving:
            detail = f"not ready within {START_TIMEOUT_S:.0f} s: see what it does at import or start-up"
            self.ended(
                state,
                InstanceEnded(one.id, state.name, state.record.uid, one.revision, "exit", detail, was_ready=False),
            )
            await self._stop_for_good(one.id, 0.0)

    def ready(self, state: FunctionState, instance: str) -> None:
        """The driver says that it serves: answer who waits, then have the routes written."""
        one = state.instances.get(instance)
        if one is None:
            return
        now = self._clock()
        self._turns.leave(instance)
        one.ready_at = one.ready_at or now
        one.awake_since = max(one.awake_since, now)
        if one.instance is None:
            return
        revision = state.revisions.get(one.revision)
        if revision is not None:
            seen_ready(state, revision, now)
            revision.attempts, revision.message = 0, None
        if one.leaving:
            return  # too late: whoever waits gets the next one
        if one.waiting is not None:
            one.waiting.cancel()
            one.waiting = None
        waiters = state.waiters.pop(one.revision, set())
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(
                    WakeReply(instance=one.id, address=one.instance.address, took_s=round(now - one.started_at, 4))
                )
        if not one.announced:
            one.announced = True
            self._journal.note(state, one, f"ready after {(now - one.started_at) * 1000:.0f} ms")
            self._spawn(publish_event(self._bus, "instance", "started", state.name, one.facts))
        self._later(state.name.key, REPLY_FIRST_S if waiters else 0.0)

    def ended(self, state: FunctionState, event: InstanceEnded) -> None:
        """An instance is gone, whoever wanted it."""
        one = self._untrack(state, event.id)
        if one is None:
            return
        now = self._clock()
        retired = event.reason == "retired" and one.ready_at is not None and now - one.ready_at >= RETIRED_S
        wanted_gone = one.leaving or event.reason == "stopped" or retired
        self._journal.note(state, one, event.detail)
        verb = "stopped" if wanted_gone else "crashed"
        self._spawn(
            publish_event(
                self._bus, "instance", verb, state.name, one.facts | {"reason": event.reason, "detail": event.detail}
            )
        )
        revision = state.revisions.get(one.revision)
        if revision is not None and not wanted_gone:
            self._crashed(state, revision, one, event, now)
        self._touch(state.name.key)

    def _crashed(
        self, state: FunctionState, revision: RevisionState, one: TrackedInstance, event: InstanceEnded, now: float
    ) -> None:
        if event.reason == "out-of-memory" and self._given_more(state, revision, one):
            revision.retry_at = None  # there is no cause for it to happen again
            return
        hopeless = crashed(revision, one, event, now)
        if hopeless is not None:
            self.fail_waiters(state, revision.number, hopeless)

    def _given_more(self, state: FunctionState, revision: RevisionState, one: TrackedInstance) -> bool:
        """After an end for want of memory: whether the next start may have more, and says so."""
        limits = state.limits_of(revision.number)
        more = after_out_of_memory(one.memory_bytes, limits)
        if more is None:
            return False
        revision.memory_bytes = max(more, revision.memory_bytes or 0)
        words = (
            f"out of memory at {shown(one.memory_bytes)}: the next start gets {shown(revision.memory_bytes)} "
            f"(limits.max_memory_bytes is {shown(limits.max_memory_bytes or 0)})"
        )
        self._journal.note(state, one, words)
        facts: Facts = {"memory_bytes": revision.memory_bytes, "from_memory_bytes": one.memory_bytes, "reason": words}
        self._spawn(publish_event(self._bus, "instance", "resized", state.name, one.facts | facts))
        return True

    def fail_waiters(self, state: FunctionState, number: int, error: FfxError) -> None:
        """Tell who waits for the revision that nothing comes."""
        for waiter in state.waiters.pop(number, set()):
            if not waiter.done():
                waiter.set_result(WakeReply(code=error.code, message=error.message, status=error.status))

    # --- end

    def drain(self, state: FunctionState, one: TrackedInstance) -> None:
        """Out of the routes, acknowledged by all, a moment for what is under way, then SIGTERM and its own time.

        Called after the routes are written that say where calls go instead.
        """
        one.leaving = True
        self._node.ledger.leave(one.id)
        if one.ready_at is None:
            one.draining = True  # it never was in the routes and never comes in
        if one.waiting is not None:
            one.waiting.cancel()
        one.waiting = self._spawn(self._drain(state, one))

    async def _drain(self, state: FunctionState, one: TrackedInstance) -> None:
        may_take_s = grace_s(state, one)
        if not one.draining:
            await in_force(self._members, state.route_revision, self._is_pressed)
            one.draining = True
            self._touch(state.name.key)
            await passed(state, one, self._members, self._is_pressed)
        await self._stop_for_good(one.id, may_take_s)
        self.ended(
            state,
            InstanceEnded(one.id, state.name, state.record.uid, one.revision, "stopped", "stopped", was_ready=True),
        )

    async def _stop_for_good(self, instance: str, grace_s: float) -> None:
        while True:
            try:
                await self._driver.stop(instance, grace_s)
            except Unavailable:
                await asyncio.sleep(AWAY_RETRY_S)
            except FfxError as error:
                log.error("an instance cannot be stopped", instance=instance, error=error.message)
                await asyncio.sleep(BROKEN_RETRY_S)
            else:
                return

    def _is_pressed(self) -> bool:
        return self._node.pressed

    def abandon(self, state: FunctionState) -> None:
        """The function is no more (or another has its name): what still runs of it is ended at once."""
        for one in list(state.instances.values()):
            one.leaving = True
            self._untrack(state, one.id)
            self._spawn(self._stop_for_good(one.id, 0.0))
        for number in list(state.waiters):
            self.fail_waiters(state, number, FunctionNotFound(f"there is no function {state.name}; see `ffx list`"))

    def end_orphan(self, instance: str) -> None:
        self._spawn(self._stop_for_good(instance, 0.0))

    def look_when_applied(self, state: FunctionState, longest_s: float) -> None:
        """Ask for a look when the routes as they are now are in force everywhere, or when ``longest_s`` are over."""
        if state.telling is None or state.telling.done():
            state.telling = self._spawn(self._look_when_applied(state, longest_s))

    async def _look_when_applied(self, state: FunctionState, longest_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._members.applied(state.route_revision), longest_s)
        self._touch(state.name.key)

    def denied(self, event: EgressDenied) -> None:
        self._spawn(publish_event(self._bus, "egress", "denied", event.function, event.facts))

    def _touch(self, key: str) -> None:
        if self._reconciler is not None:
            self._reconciler.touch(key)

    def _later(self, key: str, delay_s: float) -> None:
        if self._reconciler is not None:
            self._reconciler.touch_later(key, delay_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before it began, it would never be awaited
        return task


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """A step's own failure must not be silent: the next look repeats what is needed, people see why."""
    try:
        await work
    except Unavailable as error:
        log.info("step postponed", reason=error.message)
    except Exception:
        log.exception("step failed")
