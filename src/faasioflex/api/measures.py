"""Calls and usage of functions, as gateway, invoker and manager tell them. Kept of functions that have calls or instances."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import structlog

from faasioflex.api.figures import KEPT_S, Figures, Ring
from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.durations import percentile
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import CALLS_SUBJECT, USAGE_SUBJECT, CallsReport, UsageReport
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
SHORTEST_S = 10.0  # of a window: calls are told every 2 s, usage every 5
FRESH_S = 15.0  # usage that is older is not known any more
SWEEP_S = 60.0


@dataclass(frozen=True)
class Window:
    """Of one function over ``window_s``. Rates are per second of what this process has seen of the window.

    ``error_rate``: share of answers of 500 and above, 0 of none. ``cpu``: cores in use; None while nobody tells.
    """

    window_s: float
    calls_per_s: float
    error_rate: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cold_starts: int
    cpu: float | None


@dataclass
class _Known:
    """``uid``: of the registration; a name that was deleted and taken again begins anew."""

    uid: str
    seen_at: float
    ring: Ring = field(default_factory=Ring)
    total: Figures = field(default_factory=Figures)


class Measures:
    """Filled from the bus while started; a restart begins anew.

    ``uid_of``: of the function that has the name now, None where none has. Counters are of the time since this process
    started, or since the function had neither calls nor instances for an hour.
    """

    def __init__(self, bus: Bus, now: Callable[[], float], uid_of: Callable[[FunctionName], str | None]) -> None:
        self._bus = bus
        self._now = now
        self._uid_of = uid_of
        self._began = now()
        self._swept_at = self._began
        self._known: dict[FunctionName, _Known] = {}
        self._memory: dict[str, tuple[float, dict[FunctionName, int]]] = {}  # by member: when, bytes
        self._covered: deque[tuple[float, float]] = deque()  # usage reports: when, seconds that they cover
        self._undo: list[Callable[[], Awaitable[None]]] = []

    async def start(self) -> None:
        self._began = self._now()
        self._undo.append(await self._bus.subscribe(CALLS_SUBJECT, self._on_calls))
        self._undo.append(await self._bus.subscribe(USAGE_SUBJECT, self._on_usage))

    async def stop(self) -> None:
        undo, self._undo = self._undo, []
        for unsubscribe in undo:
            await unsubscribe()

    def over(self, function: FunctionName, window_s: float) -> Window:
        """``window_s`` is taken into ``SHORTEST_S`` to ``KEPT_S``."""
        now = self._now()
        window_s = min(max(window_s, SHORTEST_S), KEPT_S)
        begin = now - window_s
        seen_s = max(min(window_s, now - self._began), 1.0)
        known = self._current(function)
        sums = known.ring.since(begin, now) if known else Figures()
        covered_s = sum(seconds for at, seconds in self._covered if at > begin)
        return Window(
            window_s=window_s,
            calls_per_s=sums.answered / seen_s,
            error_rate=sums.errors / sums.answered if sums.answered else 0.0,
            p50_ms=_percentile(sums, 0.5),
            p95_ms=_percentile(sums, 0.95),
            p99_ms=_percentile(sums, 0.99),
            cold_starts=sums.cold_starts,
            cpu=sums.cpu_s / covered_s if covered_s else None,
        )

    def memory_bytes(self, function: FunctionName) -> int | None:
        """Of its instances together, 0 without any; None while no manager tells."""
        oldest = self._now() - FRESH_S
        fresh = [memory for at, memory in self._memory.values() if at > oldest]
        return sum(memory.get(function, 0) for memory in fresh) if fresh else None

    def totals(self) -> Iterator[tuple[FunctionName, Figures]]:
        """Counters of the functions that have or had calls or instances within the hour, by name."""
        self._sweep(self._now())
        for function, known in sorted(self._known.items()):
            yield function, known.total

    async def _on_calls(self, subject: str, data: bytes) -> None:
        try:
            report = decode(CallsReport, data)
        except Invalid as error:
            log.warning("a report of calls cannot be read", subject=subject, error=str(error))
            return
        for told in report.calls:
            figures = Figures(
                answered=told.answered,
                errors=told.errors,
                cold_starts=told.cold_starts,
                duration_sum_ms=told.duration_sum_ms,
                durations=dict(told.durations),
            )
            self._add(FunctionName(told.namespace, told.name), figures)

    async def _on_usage(self, subject: str, data: bytes) -> None:
        try:
            report = decode(UsageReport, data)
        except Invalid as error:
            log.warning("a report of usage cannot be read", subject=subject, error=str(error))
            return
        now = self._now()
        memory: dict[FunctionName, int] = {}
        for told in report.usages:
            function = FunctionName(told.namespace, told.name)
            memory[function] = memory.get(function, 0) + told.memory_bytes
            self._add(function, Figures(cpu_s=told.cpu_s))
        self._memory[report.member] = now, memory
        self._covered.append((now, report.period_s))
        while self._covered[0][0] <= now - KEPT_S:
            self._covered.popleft()

    def _add(self, function: FunctionName, figures: Figures) -> None:
        now = self._now()
        uid = self._uid_of(function)
        if uid is None:
            return
        known = self._known.get(function)
        if known is None or known.uid != uid:
            known = self._known[function] = _Known(uid, now)
        known.seen_at = now
        known.total.add(figures)
        known.ring.add(now, figures)
        if now - self._swept_at > SWEEP_S:
            self._sweep(now)

    def _current(self, function: FunctionName) -> _Known | None:
        known = self._known.get(function)
        return known if known is not None and known.uid == self._uid_of(function) else None

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        for function, known in list(self._known.items()):
            if known.seen_at <= now - KEPT_S or known.uid != self._uid_of(function):
                del self._known[function]


def _percentile(figures: Figures, share: float) -> float | None:
    found = percentile(figures.durations, share)
    return None if found is None else round(found, 3)
