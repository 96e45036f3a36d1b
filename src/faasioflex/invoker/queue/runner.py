"""Runs the calls whose turn it is, and sees each through to its outcome."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from faasioflex.bus.buckets import CALLS
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.invoker.counts import Counts
from faasioflex.invoker.queue.attempt import Attempts
from faasioflex.invoker.queue.callbacks import Deliver, RetryAt
from faasioflex.invoker.queue.entry import Entry, Stage
from faasioflex.invoker.queue.head import head_of, subject_of, write_head
from faasioflex.invoker.queue.index import Index
from faasioflex.invoker.queue.options import QueueBounds
from faasioflex.invoker.queue.outcomes import SURE_TTL_S, Outcomes, clean, outcome_of
from faasioflex.invoker.queue.removals import Removals
from faasioflex.invoker.queue.retries import Again, Attempted, Ends, follow_up
from faasioflex.invoker.queue.totals import Totals
from faasioflex.model.errors import FfxError, Invalid, Unavailable
from faasioflex.model.invocation import CalledBy, CallError, Invocation, InvocationState
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueuedCall

T = TypeVar("T")
log = structlog.get_logger(__name__)
RETRY_S = 0.5
LONGEST_ERROR = 1000


class Runner:
    """``may_run``: whether this process is sure to be the only one that works on the queue. ``clock``: epoch seconds."""

    def __init__(
        self,
        *,
        bus: Bus,
        index: Index,
        attempts: Attempts,
        outcomes: Outcomes,
        removals: Removals,
        bounds: QueueBounds,
        counts: Counts,
        may_run: Callable[[], bool],
        deliver: Deliver,
        totals: Totals,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.totals = totals
        self._bus = bus
        self._index = index
        self._attempts = attempts
        self._outcomes = outcomes
        self._removals = removals
        self._bounds = bounds
        self._counts = counts
        self._may_run = may_run
        self._deliver = deliver
        self._clock = clock
        self._chance = chance
        self._running: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._runs = 0
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._stopped = False

    @property
    def runs(self) -> int:
        return self._runs

    def pump(self) -> None:
        """Begin what may be begun; called whenever that may be more than before. Many calls in one moment are one."""
        if not self._pumping and not self._stopped:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    async def stop(self, drain_s: float) -> None:
        """Begin nothing more; let what runs end for so long, then leave it: it runs again where the work goes on."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if tasks := self._running | self._ending:
            await asyncio.wait(tasks, timeout=drain_s)
        while tasks := self._running | self._ending:  # what ends begins to tell of it
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for entry in self._index.entries():
            for waiter in entry.waiters or ():
                if not waiter.done():
                    waiter.set_exception(Unavailable("Another invoker goes on with the queue: ask again"))

    def _pump(self) -> None:
        self._pumping = False
        if self._stopped:
            return
        now = self._clock()
        for entry in self._index.due(now):
            self._spawn(self._ending, self._take_due(entry))
        while self._may_run() and self._runs < self._bounds.runs and self._bytes <= self._bounds.running_bytes:
            following = self._index.next(self._bounds.runs - self._runs)
            if following is None:
                break
            self._runs += 1
            self._bytes += following.size
            self._spawn(self._running, self._run(following))
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        due = self._index.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(max(due - now, 0.001), self._pump)

    def _spawn(self, among: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        task.add_done_callback(_look_at)
        return task

    # one call

    async def _run(self, entry: Entry) -> None:
        size, entry.task = entry.size, asyncio.current_task()
        try:
            if entry.cancelled_by is not None:  # before its task began, which no CancelledError would have told of
                raise asyncio.CancelledError
            await self._see_through(entry)
        except asyncio.CancelledError:
            if entry.cancelled_by is None or self._stopped:
                raise
            entry.stage = Stage.ENDING
            self._spawn(self._ending, self._end_cancelled(entry))
        except Exception:
            log.exception("a queued call failed inside the invoker", invocation=entry.id)
            if entry.stage is Stage.RUNNING or entry.stage is Stage.ENDING:
                self._index.again(entry, self._clock() + self._bounds.longest_pause_s, self._clock())
        finally:
            entry.task = None
            self._runs -= 1
            self._bytes -= size
            if entry.waits and entry.cancelled_by is not None:  # while it was put back, and not to be stopped
                self._take_back(entry)
            self.pump()

    async def _see_through(self, entry: Entry) -> None:
        call = await self._call_of(entry)
        if call is None:
            return
        entry.started_at = self._clock()
        self.totals.delivered += 1
        tried = await self._attempts.make(call)
        entry.stage = Stage.ENDING  # from here on it is not cancelled any more
        counts = tried.kind != "postponed"
        attempts = entry.attempts + counts
        line = entry.line
        pause_s = min(self._bounds.first_pause_s * 2 ** min(entry.pauses, 20), self._bounds.longest_pause_s)
        then = follow_up(line.policy, tried, attempts, line.dies_at(entry), self._chance(), pause_s=pause_s)
        if isinstance(then, Ends):
            await self._end(entry, call, outcome_of(call, tried, then.state, attempts), size=tried.size)
        elif then.counts:
            entry.pauses = 0
            await self._store_again(entry, call, tried, then, attempts)
        else:
            entry.pauses += 1
            self._index.again(entry, then.at, self._clock())

    async def _call_of(self, entry: Entry) -> QueuedCall | None:
        """The call, where it is to be run. An outcome that exists already ends it here."""
        call = self._index.release(entry) or await self._read(entry)
        if call is None or not entry.doubtful:
            return call
        found = await self._patiently(lambda: self._outcomes.find(entry.id))
        if found is None:
            self.totals.redelivered += 1
            entry.doubtful = False
            return call
        await self._ended(entry, call, found)
        return None

    async def _store_again(self, entry: Entry, call: QueuedCall, tried: Attempted, then: Again, attempts: int) -> None:
        """The next attempt is stored before the message of this one goes."""
        said = clean(tried.error.message[:LONGEST_ERROR]) if tried.error is not None else None
        entry.attempts = attempts
        following = replace(call, attempts=attempts, last_error=said, order=entry.order)
        head = head_of(following, run_at=then.at)
        before = entry.sequence
        subject = subject_of(entry.line.function, entry.id)
        try:
            data = encode(following)
            # before it is there its echo must not be taken for another call's
            sequence = await self._bus.append(subject, data, headers=write_head(head))
            for each in {before, entry.sequence} - {sequence}:  # of those that the stream told of meanwhile too
                self._removals.add(each)
            entry.sequence, entry.head, entry.size = sequence, head, len(data)
            self._index.seen.note(sequence)
        except FfxError as error:
            # Full or away: the message of before stays, which counts fewer attempts if we die meanwhile.
            log.warning("another attempt is remembered only", invocation=entry.id, reason=error.message)
        self.totals.retried += 1
        self._counts.retried(entry.line.function)
        self._index.again(entry, then.at, self._clock())

    async def _end(self, entry: Entry, call: QueuedCall, made: Invocation, *, size: int = 0) -> None:
        entry.stage = Stage.ENDING if entry.stage is Stage.RUNNING else entry.stage
        first, ours = await self._outcomes.record(call, made, entry.line.policy.result_ttl_s, size=size)
        if ours:
            self._count(made.status, entry.line.function)
        await self._ended(entry, call, first)

    async def _ended(self, entry: Entry, call: QueuedCall, made: Invocation) -> None:
        """The outcome exists: let the next ones run, tell those who wait, and let the message go."""
        now = self._clock()
        waiters, entry.waiters = entry.waiters or (), None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(made)
        if call.callback is not None:
            self._index.ended(entry, Stage.TELLING, now)
            self._spawn(self._ending, self._tell(entry, call, made))
            return
        ttl_s = self._outcomes.ttl_s(call, made, entry.line.policy.result_ttl_s)
        self._index.ended(entry, Stage.GONE, now)
        self._remove(entry, made, ttl_s)

    def _remove(self, entry: Entry, made: Invocation, ttl_s: float) -> None:
        """Its message goes; its outcome stays as long as was set."""
        short = ttl_s < SURE_TTL_S
        self._removals.add(entry.sequence, (lambda: self._outcomes.shorten(made, ttl_s)) if short else None)

    async def _end_cancelled(self, entry: Entry) -> None:
        call = await self._read(entry)
        if call is not None:
            await self._end(entry, call, self._cancelled(entry, call))
        self.pump()

    def _cancelled(self, entry: Entry, call: QueuedCall) -> Invocation:
        now = self._clock()
        by = entry.cancelled_by.name if entry.cancelled_by is not None else "somebody"
        began = entry.started_at if entry.started_at is not None else now
        tried = Attempted("refused", began, now, error=CallError("cancelled", f"Cancelled by {by}"))
        made = outcome_of(call, tried, "cancelled", entry.attempts + (entry.started_at is not None))
        return made if entry.started_at is not None else replace(made, started_at=None, duration_ms=None)

    # what becomes of those that wait

    async def cancel(self, entry: Entry, by: CalledBy) -> Invocation | None:
        """Take a call back that waits or runs; what counts then. None: it ended meanwhile, and how is not known here."""
        waiter: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        entry.waiters = [*(entry.waiters or ()), waiter]
        entry.cancelled_by = entry.cancelled_by or by
        if entry.waits:
            self._take_back(entry)
        elif entry.stage is Stage.RUNNING:
            if entry.task is not None:
                entry.task.cancel()
        elif entry.stage is not Stage.ENDING:
            return None
        return await waiter

    def _take_back(self, entry: Entry) -> None:
        self._index.take_out(entry)
        self._spawn(self._ending, self._end_cancelled(entry))

    async def _take_due(self, entry: Entry) -> None:
        if entry.stage is Stage.TELLING:
            await self._tell_again(entry)
        elif entry.waits:
            self._index.take_out(entry)
            await self._expire(entry)
        self.pump()

    async def _expire(self, entry: Entry) -> None:
        call = await self._read(entry)
        if call is None:
            return
        if entry.doubtful and (found := await self._patiently(lambda: self._outcomes.find(entry.id))) is not None:
            await self._ended(entry, call, found)
            return
        now, age_s = self._clock(), entry.line.policy.max_age_s
        last = f"; the last attempt ended with: {call.last_error}" if call.last_error else ""
        error = CallError("expired", f"It waited longer than async.max_age_s ({age_s:g} s){last}")
        tried = Attempted("refused", now, now, error=error)
        made = replace(outcome_of(call, tried, "dead", entry.attempts), started_at=None, duration_ms=None)
        self.totals.expired += 1
        await self._end(entry, call, made)

    async def _tell(self, entry: Entry, call: QueuedCall, made: Invocation) -> None:
        """One try of its callback; the message stays until that was delivered or given up."""
        try:
            went = await self._deliver(replace(call, body_base64="", headers=()), made)
        except Exception:
            log.exception("a callback failed inside the invoker", invocation=entry.id)
            went = RetryAt(self._clock() + self._bounds.longest_pause_s, "it failed inside the invoker")
        if isinstance(went, RetryAt):
            self._index.tell_at(entry, went.at)
            self.pump()
            return
        self._index.forget(entry)
        self._remove(
            entry, made, self._outcomes.ttl_s(replace(call, callback=None), made, entry.line.policy.result_ttl_s)
        )

    async def _tell_again(self, entry: Entry) -> None:
        call = await self._read(entry)
        made = await self._patiently(lambda: self._outcomes.find(entry.id))
        if call is not None and made is not None:
            await self._tell(entry, call, made)
        else:
            self._index.forget(entry)
            self._removals.add(entry.sequence)

    # reading

    async def _read(self, entry: Entry) -> QueuedCall | None:
        """The call out of the stream; None where it is not there or cannot be read, which ends it."""
        message = await self._patiently(lambda: self._bus.message(CALLS.name, entry.sequence))
        why = "its message was removed from the stream before it could run"
        if message is not None:
            try:
                call = decode(QueuedCall, message.data)
            except Invalid as error:
                why = f"its message cannot be read: {error.message}"
            else:
                if call.invocation_id == entry.id:
                    return call
                why = "the stream began anew, and another call's message is at its place"
        found = await self._patiently(lambda: self._outcomes.find(entry.id))
        if found is None:
            log.error("a queued call is lost", invocation=entry.id, sequence=entry.sequence, reason=why)
            await self._end(entry, *_lost(entry, f"The call is lost: {why}", self._clock()))
        else:
            self._index.ended(entry, Stage.GONE, self._clock())
            self._removals.add(entry.sequence)
        return None

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer: while NATS is away a call keeps its place."""
        while True:
            try:
                return await ask()
            except FfxError as error:
                log.info("the queue waits for the bus", reason=error.message)
                await asyncio.sleep(RETRY_S)

    def _count(self, state: InvocationState, function: FunctionName) -> None:
        setattr(self.totals, state, getattr(self.totals, state) + 1)
        if state == "dead":
            self._counts.died(function)


def _look_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work on a queued call failed inside the invoker", exc_info=error)


def _lost(entry: Entry, why: str, now: float) -> tuple[QueuedCall, Invocation]:
    """What can be said of a call of which nothing is left but its place."""
    function, nobody = entry.line.function, CalledBy("", "unknown")
    call = QueuedCall(
        invocation_id=entry.id,
        namespace=function.namespace,
        name=function.name,
        function_uid=entry.head.function_uid,
        revision=None,
        method="POST",
        path="/",
        headers=(),
        body_base64="",
        principal=nobody,
        pid="",
        accepted_at=entry.head.born,
    )
    tried = Attempted("refused", now, now, error=CallError(FfxError.code, why))
    return call, outcome_of(call, tried, "failed", entry.attempts)
