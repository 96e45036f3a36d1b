"""All calls in the queue, by function and by id, and whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from faasioflex.bus.port import MessageHead
from faasioflex.invoker.queue.entry import Entry, Stage
from faasioflex.invoker.queue.head import Head, place_of, read_head
from faasioflex.invoker.queue.line import Line
from faasioflex.invoker.queue.seen import Seen
from faasioflex.invoker.queue.timers import Timers
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueuedCall, QueueDepth
from faasioflex.model.route import FunctionRoute

HELD_BACK_TRIED = 4
KEPT_FOR_S = 30.0  # calls that run later are read again then


class Index:
    """``route_of``: what is set of a function now. ``surplus``: called with a message that another one of its call replaces.
    ``kept_bytes``: of calls that are kept in memory until they run.

    Every entry costs about 1 KB, whatever its body; the stream's bounds are so the memory's too.
    """

    def __init__(
        self,
        route_of: Callable[[FunctionName], FunctionRoute | None],
        surplus: Callable[[int], None],
        kept_bytes: int,
    ) -> None:
        self._route_of = route_of
        self._surplus = surplus
        self._entries: dict[str, Entry] = {}
        self._lines: dict[FunctionName, Line] = {}
        self._turns: deque[Line] = deque()
        self._held_back: deque[Line] = deque()  # those that had as many as they left free
        self._timers: Timers[Entry] = Timers()
        self._loaded: dict[str, Entry] | None = {}
        self._accepting: dict[str, list[MessageHead]] = {}
        self.seen = Seen()
        self._kept_bytes = kept_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, invocation_id: str) -> Entry | None:
        return self._entries.get(invocation_id)

    def entries(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    # what the stream says, and those who put something there

    def see(self, found: MessageHead, now: float) -> bool | None:
        """A message of the stream. Whether it is a new call that waits now; None: it cannot be read.

        Nobody here has accepted it, so somebody may have run it: an outcome is looked for before it runs.
        """
        if found.sequence in self.seen:
            return False
        self.seen.note(found.sequence)
        function, invocation_id = place_of(found.subject)
        if invocation_id in self._accepting:
            self._accepting[invocation_id].append(found)
            return False
        head = read_head(found.headers)
        if head is None:
            return None
        known = self._entries.get(invocation_id)
        if known is not None:
            self._meet(known, head, found.sequence, found.size)
            return False
        made = self._add(function, invocation_id, head, found.sequence, found.size)
        made.doubtful = True
        if self._loaded is not None:
            self._loaded[invocation_id] = made
            return False
        made.line.place(made, now)
        self._give_turn(made.line)
        return True

    def expect(self, function: FunctionName, invocation_id: str) -> int | None:
        """A call is being stored here: until ``accepted`` or ``given_up`` what the stream tells of it is left alone.

        The sequence of its message, where it is here already; then there is nothing to store.
        """
        known = self._entries.get(invocation_id)
        if known is not None:
            return known.sequence
        self._accepting[invocation_id] = []
        self._line(function).expected += 1
        return None

    def accepted(
        self, function: FunctionName, call: QueuedCall, head: Head, *, sequence: int, size: int, now: float
    ) -> None:
        """It is stored, and waits. What was stored twice, because an acknowledgement was lost, is taken out."""
        line = self._line(function)
        line.expected -= 1
        for found in self._accepting.pop(call.invocation_id, ()):
            if found.sequence != sequence:
                self._surplus(found.sequence)
        made = self._add(function, call.invocation_id, head, sequence, size)
        self.seen.note(sequence)
        if head.run_at <= now + KEPT_FOR_S:
            self.keep(made, call)
        if self._loaded is not None:
            self._loaded[made.id] = made
        else:
            line.place(made, now)
            self._give_turn(line)

    def given_up(self, function: FunctionName, invocation_id: str) -> MessageHead | None:
        """Nobody said that it is stored. The message where it was seen all the same."""
        line = self._line(function)
        line.expected -= 1
        self._drop_empty(line)
        seen = self._accepting.pop(invocation_id, [])
        return seen[0] if seen else None

    def keep(self, entry: Entry, call: QueuedCall) -> None:
        """Have the call at hand, if there is room for it."""
        if entry.call is None and self._kept_bytes >= entry.size:
            self._kept_bytes -= entry.size
            entry.call = call

    def release(self, entry: Entry) -> QueuedCall | None:
        """The call, where it was kept; it is not any more."""
        call, entry.call = entry.call, None
        if call is not None:
            self._kept_bytes += entry.size
        return call

    def _add(self, function: FunctionName, invocation_id: str, head: Head, sequence: int, size: int) -> Entry:
        line = self._line(function)
        order = head.order or sequence
        made = Entry(invocation_id, line, sequence, head, size, order, head.run_at, head.attempts, head.doubtful)
        self._entries[invocation_id] = made
        line.held += 1
        return made

    def settle(self, now: float) -> None:
        """Everything that was there has been seen: place it, in its order, over attempts too."""
        loaded, self._loaded = self._loaded or {}, None
        for entry in sorted(loaded.values(), key=lambda each: each.order):
            if entry.stage is Stage.NEW:
                entry.line.place(entry, now)
                self._give_turn(entry.line)

    def _meet(self, known: Entry, head: Head, sequence: int, size: int) -> None:
        """Another message of a known call. The one with more attempts counts, else the first."""
        if sequence == known.sequence:
            return
        if self._loaded is not None and head.attempts > known.attempts:
            self._surplus(known.sequence)
            known.sequence, known.head, known.size = sequence, head, size
            known.attempts, known.run_at, known.order = head.attempts, head.run_at, head.order or sequence
        elif head.attempts == known.attempts and head.attempts > known.head.attempts:
            self._surplus(known.sequence)
            known.sequence, known.head, known.size = sequence, head, size  # its next attempt, which is being stored
        else:
            self._surplus(sequence)

    # whose turn it is

    def next(self, free: int) -> Entry | None:
        """The next call to run: one of each function in turn.

        ``free``: how many more may run. One function has at most as many as it leaves free for others (dynamic thresholds,
        Choudhury and Hahne 1998), so whoever comes finds room, however many calls the others have.
        """
        while self._turns:
            line = self._turns.popleft()
            line.in_turn = False
            if line.running >= max(free, 1):
                self._held_back.append(line)
                continue
            entry = line.take() if line.running < line.at_once else None
            if entry is not None:
                self._give_turn(line)
                return entry
        return None

    def ended(self, entry: Entry, stage: Stage, now: float) -> None:
        """It does not run or wait any more. ``stage``: GONE or TELLING."""
        line = entry.line
        line.free(entry)
        line.withdraw(entry)
        self.release(entry)
        entry.stage = stage
        line.leave(entry, now)
        self._give_turn(line)
        self._give_turn_to_held_back()
        if stage is Stage.GONE:
            self.forget(entry)

    def forget(self, entry: Entry) -> None:
        """Its message is going."""
        entry.stage = Stage.GONE
        self._timers.clear(entry)
        if self._entries.get(entry.id) is entry:
            del self._entries[entry.id]
            entry.line.held -= 1
            self._drop_empty(entry.line)

    def take_out(self, entry: Entry) -> None:
        """It will not run: it is being ended where it waits. Its key's next ones wait for that."""
        entry.line.withdraw(entry)
        entry.stage = Stage.ENDING

    def again(self, entry: Entry, run_at: float, now: float) -> None:
        """It ran, and waits once more."""
        entry.line.free(entry)
        entry.run_at, entry.started_at = run_at, None
        entry.line.let_wait(entry, now)
        self._give_turn(entry.line)
        self._give_turn_to_held_back()

    # time

    def next_due(self) -> float | None:
        return self._timers.next()

    def due(self, now: float) -> Iterator[Entry]:
        """Those whose time has come: delayed ones are ready then; others, and those that are too old, are handed out."""
        for entry in self._timers.take(now):
            if entry.stage is Stage.DELAYED and now < entry.line.dies_at(entry):
                entry.line.withdraw(entry)
                entry.line.let_wait(entry, now)
                self._give_turn(entry.line)
            else:
                yield entry

    def tell_at(self, entry: Entry, at: float) -> None:
        """Have an ended entry handed out by ``due`` then: its callback is tried again."""
        self._timers.set(entry, at)

    # what is set

    def apply(self, function: FunctionName, route: FunctionRoute | None, now: float) -> None:
        line = self._lines.get(function)
        if line is None:
            return
        if line.apply(route) and self._loaded is None:
            line.rearrange([entry for entry in self._entries.values() if entry.line is line], now)
        self._give_turn(line)

    # figures

    def waiting(self, function: FunctionName) -> int:
        """Those that are being stored among them."""
        line = self._lines.get(function)
        return line.waiting + line.expected if line is not None else 0

    def depths(self, now: float, function: FunctionName | None = None) -> Iterator[QueueDepth]:
        """Of every function that has calls in the queue, or of the one."""
        lines = self._lines.values() if function is None else filter(None, [self._lines.get(function)])
        for line in lines:
            yield QueueDepth(
                str(line.function), line.ready + line.blocked, line.delayed, line.running, line.oldest_s(now)
            )

    def ready(self) -> Iterator[tuple[FunctionName, int, int]]:
        """Function, revision that serves, and how many calls may run now, where there are any."""
        for line in self._lines.values():
            if line.ready and line.revision is not None:
                yield line.function, line.revision, line.ready

    def _line(self, function: FunctionName) -> Line:
        line = self._lines.get(function)
        if line is None:
            line = self._lines[function] = Line(function, self._route_of(function), self._timers)
        return line

    def _drop_empty(self, line: Line) -> None:
        if not (line.held or line.expected) and self._lines.get(line.function) is line:
            del self._lines[line.function]

    def _give_turn_to_held_back(self) -> None:
        """A few each time that a place came free: those that are still too many go to the end again."""
        for _ in range(min(HELD_BACK_TRIED, len(self._held_back))):
            self._give_turn(self._held_back.popleft())

    def _give_turn(self, line: Line) -> None:
        if not line.in_turn and line.ready and line.running < line.at_once:
            line.in_turn = True
            self._turns.append(line)
