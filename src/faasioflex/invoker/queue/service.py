"""The queue as the rest of the invoker and the API see it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import structlog

from faasioflex.bus.buckets import CALLS, DEAD_LETTERS, LEASES
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.lease import Lease
from faasioflex.bus.port import Bus
from faasioflex.identity.directory import Directory
from faasioflex.invoker.call import Call
from faasioflex.invoker.counts import Counts
from faasioflex.invoker.queue.accept import Find, Intake, redriven, waiting
from faasioflex.invoker.queue.attempt import Attempts
from faasioflex.invoker.queue.callbacks import Deliver
from faasioflex.invoker.queue.entry import Entry, Stage
from faasioflex.invoker.queue.index import Index
from faasioflex.invoker.queue.options import NO_OPTIONS, CallOptions, QueueBounds
from faasioflex.invoker.queue.outcomes import Outcomes
from faasioflex.invoker.queue.published import Published
from faasioflex.invoker.queue.questions import Questions
from faasioflex.invoker.queue.removals import Removals
from faasioflex.invoker.queue.results import Results
from faasioflex.invoker.queue.runner import Runner
from faasioflex.invoker.queue.totals import Totals
from faasioflex.invoker.queue.work import Work
from faasioflex.invoker.routes import Routes
from faasioflex.model.errors import (
    DeadLetterNotFound,
    FfxError,
    FunctionNotFound,
    InvocationNotFound,
    Unavailable,
    WrongState,
    tree,
)
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.messages import QUEUE_STATE_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import DeadLetter, LeaseRecord, QueueAnswer, QueuedCall, QueueDepth, QueueQuestion
from faasioflex.model.route import FunctionRoute

log = structlog.get_logger(__name__)
LEASE = "queue"
ANSWER_S = 5.0
READY_S = 10.0


class Queue:
    """Every invoker takes calls in; one at a time, the holder of a lease, works on the queue and answers for what is in it.

    ``find``: the policy, as for any call (Guard.find). ``clock``: seconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        member: str,
        routes: Routes,
        directory: Directory,
        attempts: Attempts,
        find: Find,
        counts: Counts,
        deliver: Deliver,
        bounds: QueueBounds | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._bus = bus
        self._routes = routes
        self._directory = directory
        self._attempts = attempts
        self._counts = counts
        self._deliver = deliver
        self._bounds = bounds or QueueBounds()
        self._clock = clock
        self._chance = chance
        self._results = Results(bus, clock)
        self._outcomes = Outcomes(bus, self._results, clock)
        self._dead_letters = bus.bucket(DEAD_LETTERS.name, DeadLetter)
        self._totals = Totals()
        self._intake = Intake(
            bus,
            self._index,
            self._bounds,
            find=find,
            state=self.state,
            accepted=self._on_accepted,
            clock=clock,
        )
        self._published = Published(bus, self._intake, directory, clock)
        self._lease = Lease(
            bus.bucket(LEASES.name, LeaseRecord),
            LEASE,
            member,
            ttl_s=self._bounds.lease_s,
            renew_s=self._bounds.renew_s,
        )
        self._work: Work | None = None
        self._task: asyncio.Task[None] | None = None

    # for the parts around it

    async def start(self) -> None:
        """Begin to ask for the work; the routes have been read."""
        self._counts.depths = lambda: self.depths(None)
        await self._published.start()
        self._task = asyncio.create_task(self._run(), name="queue")

    async def stop(self, drain_s: float = 0.5) -> None:
        """Run nothing more, give what runs so long to end, and let another invoker go on with the rest."""
        task, self._task = self._task, None
        if task is None:
            return
        await self._published.stop()
        work = self._work
        if work is not None:
            await work.stop(drain_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._outcomes.stop()
        await self._lease.release()

    @property
    def totals(self) -> Totals:
        """What has happened since this process works on the queue."""
        return self._totals

    def ready(self) -> Iterator[tuple[FunctionName, int, int]]:
        """Function, the revision that serves, and how many of its calls may run now; for the load report."""
        return self._work.index.ready() if self._work is not None else iter(())

    def apply(self, function: FunctionName, route: FunctionRoute | None) -> None:
        """A function's route is another now (None: it is gone)."""
        if self._work is not None:
            gone = route is None or route.deleting
            self._work.index.apply(function, None if gone else route, self._clock())
            self._work.runner.pump()

    # for callers

    async def accept(self, call: Call, options: CallOptions = NO_OPTIONS) -> Invocation:
        """Store a call; it is certain to have an outcome when this returns. Its body has to be whole.

        The invocation is queued; with an idempotency key that was used before it is the earlier one's, as it is now.
        Raises: FunctionNotFound, NotAllowed, NotAuthenticated, RateLimited, RevisionNotFound, PayloadTooLarge, Invalid,
        TooManyCalls (queue-full, with Retry-After), WrongState (the earlier one's outcome is not kept any more), Unavailable.
        """
        return (await self._intake.take(call, options)).invocation

    async def state(self, invocation_id: str) -> Invocation | None:
        """Of an asynchronous call, waiting, running or ended; None where none of that id is known. Raises: Unavailable."""
        return await self.state_in_queue(invocation_id) or await self._outcomes.find(invocation_id)

    async def state_in_queue(self, invocation_id: str) -> Invocation | None:
        """As ``state``, of what has not ended yet."""
        work = await self._working()
        if work is None:
            return (await self._ask(QueueQuestion("state", invocation_id))).invocation
        entry = work.index.get(invocation_id)
        if entry is None or entry.stage in (Stage.TELLING, Stage.GONE):
            return None
        return await self._invocation(entry)

    async def cancel(self, invocation_id: str, by: CalledBy) -> Invocation:
        """Take a call back: it does not run, or is left where it runs. The outcome, which is ``cancelled`` unless it just ended.

        Raises: InvocationNotFound, WrongState (it has ended), Unavailable.
        """
        work = await self._working()
        if work is None:
            answer = await self._ask(QueueQuestion("cancel", invocation_id, asked_by=by))
            if answer.invocation is None:
                raise Unavailable("The queue did not answer: try again")
            return answer.invocation
        entry = work.index.get(invocation_id)
        made = await work.runner.cancel(entry, by) if entry is not None else None
        if made is not None:
            return made
        ended = await self._outcomes.find(invocation_id)
        if ended is None:
            raise InvocationNotFound(f"There is no call {invocation_id} that waits or runs")
        raise WrongState(f"The call {invocation_id} has ended ({ended.status}): it cannot be cancelled any more")

    async def redrive(self, invocation_id: str, by: CalledBy, function: str | None = None) -> Invocation:
        """Make a dead call again, as a new one. ``function``: whose it was (ns/name), where that is known.

        Raises: DeadLetterNotFound, FunctionNotFound (it was deleted, and the letter stays), TooManyCalls, Unavailable.
        """
        if function is None:
            ended = await self._outcomes.find(invocation_id)
            function = ended.function if ended is not None else ""
        key = f"{function.replace('/', '.')}.{invocation_id}"
        letter = await self._dead_letters.get(key) if function else None
        if letter is None:
            raise DeadLetterNotFound(
                f"There is no dead letter {invocation_id}: it was redriven, deleted, or is too old"
            )
        made = redriven(letter.value.call, self._clock())
        try:
            await self._attempts.check_uid(FunctionName(made.namespace, made.name), made.function_uid)
        except FunctionNotFound:
            raise FunctionNotFound(
                f"{function} was deleted (what may be called so now is another one): the dead letter stays, and cannot be made again"
            ) from None
        known = await self.state(made.invocation_id)
        if known is None:
            known = (await self._intake.store_once(made)).invocation
        await self._dead_letters.delete(key)
        log.info("a dead call is made again", invocation=invocation_id, again=made.invocation_id, by=by.uid)
        return known

    async def keep_result(self, invocation_id: str, data: bytes, ttl_s: float) -> str:
        """Put a large result away for so long; where it is. Raises: Unavailable."""
        return await self._results.put(invocation_id, data, ttl_s)

    def depths(self, function: str | None = None) -> tuple[QueueDepth, ...]:
        """Of every function with calls in the queue, or of one (ns/name); () where this invoker does not work on the queue."""
        if self._work is None:
            return ()
        named = FunctionName(*function.split("/", 1)) if function is not None else None
        return tuple(self._work.index.depths(self._clock(), named))

    # inside

    async def _run(self) -> None:
        """Work on the queue whenever it is this one's turn."""
        collector = asyncio.create_task(self._results.run(), name="queue results")
        try:
            while True:
                await self._lease.acquire()
                try:
                    await self._work_on()
                except Exception as error:  # whatever it is: a queue that nobody works on would be told by nothing
                    if isinstance(error, FfxError):
                        log.warning("work on the queue begins anew", reason=error.message)
                    else:
                        log.exception("work on the queue failed inside the invoker")
                    await asyncio.sleep(self._bounds.renew_s)
        finally:
            collector.cancel()

    async def _work_on(self) -> None:
        """From the lease to its loss. Raises: Unavailable."""
        work, questions = self._new_work(), Questions(self._bus, self)
        self._work = work
        log.info("this invoker works on the queue")
        work.start()
        try:
            await questions.start()
            await self._lease.keep(work.runner.pump)
            log.warning("another invoker works on the queue now")
        finally:
            self._work = None
            try:
                await questions.stop()
            finally:
                await work.stop(0.0)

    def _new_work(self) -> Work:
        removals = Removals(self._bus)
        index = Index(self._routes.known, removals.add, self._bounds.kept_bytes)
        runner = Runner(
            bus=self._bus,
            index=index,
            attempts=self._attempts,
            outcomes=self._outcomes,
            removals=removals,
            bounds=self._bounds,
            counts=self._counts,
            may_run=lambda: self._lease.sure and work.ready.is_set(),
            deliver=self._deliver,
            totals=self._totals,
            clock=self._clock,
            chance=self._chance,
        )
        work = Work(bus=self._bus, index=index, runner=runner, removals=removals, clock=self._clock)
        return work

    def _index(self) -> Index | None:
        return self._work.index if self._work is not None else None

    def _on_accepted(self) -> None:
        self._totals.accepted += 1
        if self._work is not None:
            self._work.runner.pump()

    async def _working(self) -> Work | None:
        """What this invoker works on, when it knows all that is in it; None: another one does."""
        work = self._work
        if work is None:
            return None
        try:
            await asyncio.wait_for(work.ready.wait(), READY_S)
        except TimeoutError:
            raise Unavailable("The queue is being read: ask again") from None
        return work

    async def _invocation(self, entry: Entry) -> Invocation | None:
        """As it is now; None where it ended meanwhile."""
        call = entry.call or await self._read(entry)
        if call is None or entry.stage in (Stage.TELLING, Stage.GONE):
            return None
        made = waiting(call)
        runs = entry.stage in (Stage.RUNNING, Stage.ENDING)
        later = entry.run_at if not runs and entry.run_at > self._clock() else None
        return replace(
            made,
            status="running" if runs else "queued",
            attempts=entry.attempts,
            started_at=entry.started_at if runs else None,
            not_before=later,
        )

    async def _read(self, entry: Entry) -> QueuedCall | None:
        message = await self._bus.message(CALLS.name, entry.sequence)
        return decode(QueuedCall, message.data) if message is not None else None

    async def _ask(self, question: QueueQuestion) -> QueueAnswer:
        """The invoker that works on the queue. Raises: what it refuses with; Unavailable."""
        answer = decode(QueueAnswer, await self._bus.request(QUEUE_STATE_SUBJECT, encode(question), ANSWER_S))
        if answer.code is not None:
            raise tree().get(answer.code, Unavailable)(answer.message or "The queue refuses")
        return answer
