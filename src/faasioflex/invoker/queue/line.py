"""The calls of one function: which may run, in which order, and how many at once."""

from __future__ import annotations

import heapq
from collections import deque

from faasioflex.invoker.queue.entry import Entry, Stage
from faasioflex.invoker.queue.timers import Timers
from faasioflex.invoker.split import choose
from faasioflex.model.function import AsyncPolicy
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

UNKNOWN_AT_ONCE = 10  # of a function that is gone: each call ends at once
SLACK = 64


class Line:
    """Entries are placed, taken when their turn comes, and leave with an outcome. Times are epoch seconds.

    With ``fifo-per-key`` only the first call of a key stands among the ready or delayed ones; it keeps its place while it runs
    and while it waits to be tried again.
    """

    def __init__(self, function: FunctionName, route: FunctionRoute | None, timers: Timers[Entry]) -> None:
        self.function = function
        self.policy = AsyncPolicy()
        self.at_once = UNKNOWN_AT_ONCE
        self.revision: int | None = None  # that serves
        self.running = 0
        self.delayed = 0
        self.blocked = 0
        self.held = 0  # entries of any stage
        self.expected = 0  # that are being stored
        self.in_turn = False
        self._ready: list[tuple[int, int, int, Entry]] = []
        self._ready_count = 0
        self._keys: dict[str, deque[Entry]] = {}
        self._ages: deque[tuple[Entry, float]] = deque()
        self._timers = timers
        self.apply(route)

    @property
    def ready(self) -> int:
        """How many may run now."""
        return self._ready_count

    @property
    def waiting(self) -> int:
        return self._ready_count + self.blocked + self.delayed

    def apply(self, route: FunctionRoute | None) -> bool:
        """Take over what is set of the function now. Whether calls have to be placed anew."""
        policy = route.asynchronous if route is not None else AsyncPolicy()
        before, self.policy = self.policy, policy
        self.revision = choose(route, None, lambda: 0.0) if route is not None else None
        if route is None:
            self.at_once = UNKNOWN_AT_ONCE
        elif policy.concurrency is not None:
            self.at_once = policy.concurrency
        else:
            numbers = [self.revision] if self.revision is not None else list(route.revisions)
            most = max((route.revisions[number].limits.concurrency for number in numbers), default=1)
            self.at_once = max(1, route.max_instances * most)
        return before.order != policy.order or before.max_age_s != policy.max_age_s

    def dies_at(self, entry: Entry) -> float:
        return entry.head.born + self.policy.max_age_s

    # in

    def place(self, entry: Entry, now: float) -> None:
        """Let a new entry, or one that is placed anew, wait."""
        if self.policy.order == "fifo-per-key" and entry.head.order_key:
            line = self._keys.setdefault(entry.head.order_key, deque())
            line.append(entry)
            if line[0] is not entry:
                entry.stage = Stage.BLOCKED
                self.blocked += 1
                self._timers.set(entry, self.dies_at(entry))
                return
        self.let_wait(entry, now)

    def let_wait(self, entry: Entry, now: float) -> None:
        """Of an entry that nothing is before: until its time, or until its turn."""
        if entry.run_at > now:
            entry.stage = Stage.DELAYED
            self.delayed += 1
            self._timers.set(entry, min(entry.run_at, self.dies_at(entry)))
            return
        entry.stage = Stage.READY
        entry.waiting_since = max(now, entry.run_at) if entry.run_at else min(now, entry.head.born)
        heapq.heappush(self._ready, (-entry.head.priority, entry.order, entry.sequence, entry))
        self._ready_count += 1
        self._ages.append((entry, entry.waiting_since))
        if len(self._ages) > 2 * self._ready_count + SLACK:
            self._ages = deque(each for each in self._ages if _still(each))
        self._timers.set(entry, self.dies_at(entry))

    # out

    def take(self) -> Entry | None:
        """The one whose turn it is; it runs."""
        while self._ready:
            entry = heapq.heappop(self._ready)[3]
            if entry.stage is Stage.READY:
                self.withdraw(entry)
                entry.stage, entry.slot = Stage.RUNNING, True
                self.running += 1
                return entry
        return None

    def free(self, entry: Entry) -> None:
        """It does not run any more."""
        if entry.slot:
            entry.slot = False
            self.running -= 1

    def withdraw(self, entry: Entry) -> None:
        """It does not wait any more; its place in its key's order stays."""
        if entry.stage is Stage.READY:
            self._ready_count -= 1
            if len(self._ready) > 2 * self._ready_count + SLACK:
                self._ready = [each for each in self._ready if each[3].stage is Stage.READY and each[3] is not entry]
                heapq.heapify(self._ready)
        elif entry.stage is Stage.DELAYED:
            self.delayed -= 1
        elif entry.stage is Stage.BLOCKED:
            self.blocked -= 1
        else:
            return
        self._timers.clear(entry)

    def leave(self, entry: Entry, now: float) -> None:
        """It has ended (``entry.stage`` says so already): the next of its key may go on."""
        line = self._keys.get(entry.head.order_key) if entry.head.order_key else None
        if line is None:
            return
        first = line[0] is entry
        while line and line[0].stage in (Stage.GONE, Stage.TELLING):
            line.popleft()
        if not line:
            del self._keys[entry.head.order_key]
        elif first:
            following = line[0]
            if following.stage is Stage.BLOCKED:
                self.withdraw(following)
                self.let_wait(following, now)

    def rearrange(self, entries: list[Entry], now: float) -> None:
        """Place all that wait anew: the function's order or age is another now."""
        waiting = sorted((entry for entry in entries if entry.waits), key=lambda each: each.order)
        for entry in waiting:
            self.withdraw(entry)
            entry.stage = Stage.NEW
        self._ready.clear()
        self._keys.clear()
        if self.policy.order == "fifo-per-key":
            for entry in entries:  # what runs is first in its key
                if entry.stage in (Stage.RUNNING, Stage.ENDING) and entry.head.order_key:
                    self._keys.setdefault(entry.head.order_key, deque()).append(entry)
        for entry in waiting:
            self.place(entry, now)

    def oldest_s(self, now: float) -> float:
        """How long the oldest that may run has waited."""
        while self._ages and not _still(self._ages[0]):
            self._ages.popleft()
        return max(0.0, now - self._ages[0][1]) if self._ages else 0.0


def _still(age: tuple[Entry, float]) -> bool:
    entry, since = age
    return entry.stage is Stage.READY and entry.waiting_since == since
