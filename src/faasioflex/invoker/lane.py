"""The calls of one revision: its instances, and the queue in front of them."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.slot import Slot
from faasioflex.model.errors import FfxError, StartFailed, TooManyCalls
from faasioflex.model.function import Limits
from faasioflex.model.names import FunctionName
from faasioflex.model.route import Endpoint, RevisionRoute


class Rerouted(Exception):
    """The revision is gone while a call waited for it: choose again."""


@dataclass(eq=False)
class Ticket:
    """A call's place: ``order`` grows with arrival and stays when an instance refuses it.

    ``patient``: out of the queue, where it had its turn. It comes after all that somebody waits for, waits for a place as long
    as it takes, and takes none of those that ``limits.queue`` gives.
    """

    order: int
    patient: bool = False
    since: float | None = None  # when it was first there (of the loop's clock)
    counted: bool = False  # as issued in the load report
    start_waited_s: float = 0.0

    @property
    def place(self) -> tuple[bool, int]:
        return self.patient, self.order


@dataclass(eq=False)
class _Waiter:
    ticket: Ticket
    since: float  # of the ticket
    future: asyncio.Future[Slot]
    timer: asyncio.TimerHandle | None = None


class Lane:
    """First come, first served; the instance with the fewest of our calls first.

    ``wake`` is called whenever calls wait and no instance can be used; ``closed`` with the address of an instance that is no
    longer routed to; ``started`` when an instance came that calls have waited for (one that is thawed was there).
    """

    def __init__(
        self,
        *,
        function: FunctionName,
        revision: int,
        limits: Limits,
        admission: Admission,
        bounds: Bounds,
        wake: Callable[[Lane], None],
        closed: Callable[[str], None],
        started: Callable[[Lane], None],
    ) -> None:
        self.function = function
        self.revision = revision
        self.limits = limits
        self.in_progress = 0
        self.issued = 0
        self._begun = 0
        self._admission = admission
        self._bounds = bounds
        self._wake = wake
        self._closed = closed
        self._started = started
        self._loop = asyncio.get_running_loop()
        self._slots: dict[str, Slot] = {}
        self._resting: frozenset[str] = frozenset()  # frozen instances, by the last route
        self._waiters: list[_Waiter] = []
        self._ready_since: float | None = None
        self._failure: tuple[float, FfxError] | None = None
        self._retired = False
        self._probe: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def patient(self) -> int:
        """Of those that wait, the ones out of the queue: for the scaling they are still in it."""
        return sum(waiter.ticket.patient for waiter in self._waiters)

    @property
    def waited_s(self) -> float:
        """How long the first of those that wait has waited."""
        return self._loop.time() - self._waiters[0].since if self._waiters else 0.0

    @property
    def usable(self) -> bool:
        """Whether an instance can be asked."""
        return any(not slot.dead for slot in self._slots.values())

    @property
    def needs_wake(self) -> bool:
        return bool(self._waiters) and not self.usable and not self._retired

    @property
    def quiet(self) -> bool:
        return not (self.in_progress or self._waiters or self.issued)

    def take_issued(self) -> int:
        """Calls begun since the last time this was asked."""
        issued, self.issued = self.issued, 0
        return issued

    # what the routes say

    def apply(self, route: RevisionRoute) -> None:
        """Take over the endpoints of a new route; what it still lists is tried again even where it refused connections."""
        self._failure = None
        live = {endpoint.instance: endpoint for endpoint in route.awake}  # a wake thaws what is frozen
        for instance, slot in list(self._slots.items()):
            slot.dead = False
            if live.get(instance) != slot.endpoint:
                self._drop(slot)
        for instance, endpoint in live.items():
            if instance not in self._slots:
                self._add(endpoint)
        self._resting = frozenset(endpoint.instance for endpoint in route.live if endpoint.frozen)
        self._pump()

    def offer(self, endpoint: Endpoint) -> None:
        """An instance that the manager says is ready, before the route that names it has come."""
        slot = self._slots.get(endpoint.instance)
        if slot is None:
            self._add(endpoint)
        else:
            slot.dead = False
        self._pump()

    def retire(self) -> None:
        """The revision (or the function) is gone: calls that wait choose again."""
        self._retired = True
        for slot in list(self._slots.values()):
            self._drop(slot)
        for waiter in list(self._waiters):
            self._refuse(waiter, Rerouted())

    def fail(self, error: FfxError) -> None:
        """Answer all that wait, and those that come in the next moment."""
        self._failure = (self._loop.time() + self._bounds.failed_start_s, error)
        for waiter in list(self._waiters):
            self._refuse(waiter, error)

    def fail_longest(self, error: FfxError, waited_s: float, since: float) -> None:
        """Answer those that have waited so long after ``since`` (of the loop's clock)."""
        now = self._loop.time()
        for waiter in list(self._waiters):
            if now - max(waiter.since, since) >= waited_s:
                self._refuse(waiter, error)

    # what calls do

    def check_room(self) -> None:
        """Raises: TooManyCalls where a call that came now would be refused; before its body is read."""
        if not self._best():
            self._admission.check(self.function, self._allowed)

    async def acquire(self, ticket: Ticket) -> Slot:
        """Wait for an instance. The slot goes back by ``release``, ``refused`` or ``died``.

        Raises: TooManyCalls, StartFailed, Unavailable, or what the start failed with; Rerouted.
        """
        if self._retired:
            raise Rerouted
        if not ticket.counted:
            ticket.counted = True
            self.issued += 1
        now = self._loop.time()
        if ticket.since is None:
            ticket.since = now
        slot = self._best() if not self._waiters or ticket.place < self._waiters[0].ticket.place else None
        if slot is not None:
            self._begin(slot, now)
            return slot
        if not self.usable and self._failure and now < self._failure[0]:
            raise self._failure[1]
        if not ticket.patient:
            self._admission.enter(self.function, self._allowed)
        waiter = _Waiter(ticket, ticket.since, self._loop.create_future())
        insort(self._waiters, waiter, key=lambda held: held.ticket.place)
        starting = not self.usable
        self._pump()
        self._arm(waiter)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self.release(waiter.future.result())
            raise
        finally:
            self._remove(waiter)
            if starting:
                ticket.start_waited_s += self._loop.time() - now

    def accepted(self, slot: Slot) -> None:
        slot.accepted(self._bounds)

    def release(self, slot: Slot) -> None:
        """The call ended."""
        slot.end()
        self.in_progress -= 1
        self._pump()

    def refused(self, slot: Slot) -> None:
        """It was full; the caller acquires again at once, before anybody younger."""
        slot.refused(self._loop.time(), self._bounds)
        self.in_progress -= 1
        self._loop.call_soon(self._pump)

    def died(self, slot: Slot) -> None:
        """It takes no connections; the caller acquires again."""
        slot.end()
        slot.dead = True
        self.in_progress -= 1
        self._closed(slot.endpoint.address)
        self._note_readiness()
        self._loop.call_soon(self._pump)

    # inside

    @property
    def _allowed(self) -> int:
        """While nothing runs, also those wait that will run at once when it does."""
        return self.limits.queue if self.usable else self.limits.queue + self.limits.concurrency

    def _best(self) -> Slot | None:
        now = self._loop.time()
        free = [slot for slot in self._slots.values() if slot.takes(now)]
        return min(free, key=lambda slot: (slot.in_flight, slot.last_used)) if free else None

    def _begin(self, slot: Slot, now: float) -> None:
        self.in_progress += 1
        self._begun += 1
        slot.begin(now, self._begun)

    def _pump(self) -> None:
        """Hand instances to those that wait, in their order."""
        self._note_readiness()
        while self._waiters and (slot := self._best()):
            waiter = self._waiters[0]
            self._remove(waiter)
            self._begin(slot, self._loop.time())
            waiter.future.set_result(slot)
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None
        if not self._waiters:
            return
        if not self.usable:
            self._wake(self)
            return
        times = [at for slot in self._slots.values() if (at := slot.asks_again_at()) is not None]
        if times:
            self._probe = self._loop.call_at(min(times), self._pump)

    def _note_readiness(self) -> None:
        ready = self.usable
        if ready == (self._ready_since is not None):
            return
        self._ready_since = self._loop.time() if ready else None
        for waiter in self._waiters:
            self._arm(waiter)

    def _arm(self, waiter: _Waiter) -> None:
        """A call waits queue_wait_s for a place; as long as nothing runs, also as long as a start may take."""
        if waiter.future.done():
            return
        if waiter.timer is not None:
            waiter.timer.cancel()
        if self._ready_since is not None and waiter.ticket.patient:
            waiter.timer = None
            return
        if self._ready_since is None:
            at = waiter.since + self._bounds.start_allowance_s + self.limits.queue_wait_s
        else:
            at = max(waiter.since, self._ready_since) + self.limits.queue_wait_s
        waiter.timer = self._loop.call_at(at, self._expire, waiter)

    def _expire(self, waiter: _Waiter) -> None:
        if self.usable:
            self._refuse(
                waiter,
                TooManyCalls(
                    f"{self.function} had no free place within {self.limits.queue_wait_s:g} s: call again later, or raise "
                    "limits.concurrency or scaling.max_instances"
                ),
            )
        else:
            self._refuse(waiter, StartFailed(f"No instance of {self.function} became ready in time: see its log"))

    def _refuse(self, waiter: _Waiter, error: Exception) -> None:
        self._remove(waiter)
        if not waiter.future.done():
            waiter.future.set_exception(error)

    def _remove(self, waiter: _Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
            waiter.timer = None
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            if not waiter.ticket.patient:
                self._admission.leave(self.function)

    def _add(self, endpoint: Endpoint) -> None:
        if self.needs_wake and endpoint.instance not in self._resting:
            self._started(self)
        self._slots[endpoint.instance] = Slot(endpoint, self.limits.concurrency)

    def _drop(self, slot: Slot) -> None:
        slot.gone = True
        self._slots.pop(slot.endpoint.instance, None)
        self._closed(slot.endpoint.address)
