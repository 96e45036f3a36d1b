"""Calls and usage of functions, as gateway, invoker and manager tell them. Kept of functions that have calls or instances."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from faasioflex.api.figures import KEPT_S, Count, Figures, Ring
from faasioflex.api.load import Load
from faasioflex.api.present import Present
from faasioflex.api.window import SHORTEST_S, Window, window
from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    COUNTS_SUBJECT,
    EVENTS_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    CountsReport,
    UsageReport,
)
from faasioflex.model.names import FunctionName

T = TypeVar("T")
log = structlog.get_logger(__name__)
SWEEP_S = 60.0
LATELY_S = 300.0
CRASHES_SUBJECT = f"{EVENTS_SUBJECT}.instance.crashed"  # + .ns.name


@dataclass
class _Known:
    """``uid``: of the registration; a name that was deleted and taken again begins anew."""

    uid: str
    seen_at: float
    acted_at: float = 0.0  # by a call, a crash or a queue: not by merely being awake
    ring: Ring = field(default_factory=Ring)
    total: Figures = field(default_factory=Figures)


class Measures:
    """Filled from the bus while started; a restart begins anew.

    ``uid_of``: of the function that has the name now, None where none has. ``load``: sampled for the series. Counters are of the
    time since this process started, or since the function had neither calls nor instances for an hour.
    """

    def __init__(
        self,
        bus: Bus,
        now: Callable[[], float],
        uid_of: Callable[[FunctionName], str | None],
        load: Load | None = None,
    ) -> None:
        self.present = Present(now)
        self._bus = bus
        self._now = now
        self._uid_of = uid_of
        self._load = load
        self._began = now()
        self._swept_at = self._began
        self._known: dict[FunctionName, _Known] = {}
        self._platform = Ring()
        self._covered: deque[tuple[float, float]] = deque()  # usage reports: when, seconds that they cover
        self._undo: list[Callable[[], Awaitable[None]]] = []

    async def start(self) -> None:
        self._began = self._now()
        for subject, take in (
            (CALLS_SUBJECT, self._on_calls),
            (USAGE_SUBJECT, self._on_usage),
            (COUNTS_SUBJECT, self._on_counts),
            (f"{CRASHES_SUBJECT}.*.*", self._on_crash),
        ):
            self._undo.append(await self._bus.subscribe(subject, take))

    async def stop(self) -> None:
        undo, self._undo = self._undo, []
        for unsubscribe in undo:
            await unsubscribe()

    def over(self, function: FunctionName | None, window_s: float) -> Window:
        """``window_s`` is taken into ``SHORTEST_S`` to ``KEPT_S``. ``function`` None: all together."""
        now = self._now()
        window_s = min(max(window_s, SHORTEST_S), KEPT_S)
        begin = now - window_s
        seen_s = max(min(window_s, now - self._began), 1.0)
        covered_s = sum(seconds for at, seconds in self._covered if at > begin)
        return window(self.sums(function, window_s), window_s, seen_s, covered_s)

    def sums(self, function: FunctionName | None, window_s: float) -> Figures:
        """The counts that :meth:`over` is made of."""
        now, ring = self._now(), self._ring(function)
        return ring.since(now - window_s, now) if ring is not None else Figures()

    def count(self, function: FunctionName, window_s: float, what: Count) -> int:
        now, ring = self._now(), self._ring(function)
        return ring.count(now - window_s, now, what) if ring is not None else 0

    def steps(self, function: FunctionName | None, window_s: float, step_s: float) -> tuple[float, list[Figures]]:
        """When the first of them begins, and the figures of each step up to now."""
        now, ring = self._now(), self._ring(function) or Ring()
        return now - window_s, ring.steps(now - window_s, now, step_s)

    def memory_bytes(self, function: FunctionName) -> int | None:
        """Of its instances together, 0 without any; None while no manager tells."""
        using = self.present.using(function)
        return using.memory_bytes if using is not None else None

    def totals(self) -> Iterator[tuple[FunctionName, Figures]]:
        """Counters of the functions that have or had calls or instances within the hour, by name."""
        self._sweep(self._now())
        for function, known in sorted(self._known.items()):
            yield function, known.total

    def lately(self) -> set[FunctionName]:
        """Functions that were called, crashed or had a queue within five minutes."""
        oldest = self._now() - LATELY_S
        return {
            function
            for function, known in self._known.items()
            if known.acted_at > oldest and known.uid == self._uid_of(function)
        }

    async def _on_calls(self, subject: str, data: bytes) -> None:
        report = _read(CallsReport, subject, data)
        for told in report.calls if report else ():
            figures = Figures(
                answered=told.answered,
                errors=told.errors,
                cold_starts=told.cold_starts,
                duration_sum_ms=told.duration_sum_ms,
                durations=dict(told.durations),
                classes=dict(told.classes),
                start_durations=dict(told.start_durations),
                start_sum_ms=told.start_sum_ms,
            )
            self._add(FunctionName(told.namespace, told.name), figures)

    async def _on_usage(self, subject: str, data: bytes) -> None:
        report = _read(UsageReport, subject, data)
        if report is None:
            return
        now = self._now()
        cpu: dict[FunctionName, float] = {}
        for told in report.usages:
            function = FunctionName(told.namespace, told.name)
            cpu[function] = cpu.get(function, 0.0) + told.cpu_s
        load = self._load.now() if self._load is not None else {}
        used = self.present.take_usage(report)
        for function, using in used.items():
            running, waiting = load.get(function, (0, 0))
            most = {
                "memory_bytes": float(using.memory_bytes),
                "instances": float(sum(using.states.values())),
                "in_progress": float(running),
                "waiting": float(waiting),
            }
            self._add(function, Figures(cpu_s=cpu[function], most=most), acted=False)
        sums = {
            "memory_bytes": float(sum(using.memory_bytes for using in used.values())),
            "instances": float(sum(sum(using.states.values()) for using in used.values())),
            "in_progress": float(sum(running for running, _ in load.values())),
            "waiting": float(sum(waiting for _, waiting in load.values())),
        }
        self._platform.add(now, Figures(cpu_s=sum(cpu.values()), most=sums))
        self._covered.append((now, report.period_s))
        while self._covered[0][0] <= now - KEPT_S:
            self._covered.popleft()

    async def _on_counts(self, subject: str, data: bytes) -> None:
        report = _read(CountsReport, subject, data)
        if report is None:
            return
        self.present.take_counts(report)
        for told in report.functions:
            figures = Figures(
                retries=told.retries,
                dead_letters=told.dead_letters,
                cache_hits=told.cache_hits,
                cache_misses=told.cache_misses,
                refused=told.refused,
                most={"queued": float(told.queued + told.delayed)},
            )
            self._add(FunctionName(told.namespace, told.name), figures)
        everywhere = {"queued": float(report.queued + report.delayed)}
        self._platform.add(self._now(), Figures(most=everywhere))

    async def _on_crash(self, subject: str, data: bytes) -> None:
        if _reason(data) == "lost":
            return  # its launcher ended and it with it: no fault of the function's, and its log has no cause
        self._add(FunctionName(*subject.split(".")[-2:]), Figures(crashes=1))

    def _add(self, function: FunctionName, figures: Figures, *, acted: bool = True) -> None:
        """``acted``: something happened, which counts for the platform, too."""
        now = self._now()
        if acted:
            summed = Figures()
            summed.add(figures)
            self._platform.add(now, summed)
        uid = self._uid_of(function)
        if uid is None:
            return
        known = self._known.get(function)
        if known is None or known.uid != uid:
            known = self._known[function] = _Known(uid, now)
        known.seen_at = now
        if acted:
            known.acted_at = now
        known.total.add(figures)
        known.ring.add(now, figures)
        if now - self._swept_at > SWEEP_S:
            self._sweep(now)

    def _ring(self, function: FunctionName | None) -> Ring | None:
        if function is None:
            return self._platform
        known = self._known.get(function)
        return known.ring if known is not None and known.uid == self._uid_of(function) else None

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        for function, known in list(self._known.items()):
            if known.seen_at <= now - KEPT_S or known.uid != self._uid_of(function):
                del self._known[function]


def _reason(event: bytes) -> object:
    """Why an instance ended, as its event says it."""
    try:
        return json.loads(event)["data"]["reason"]
    except (ValueError, TypeError, KeyError):
        return None


def _read(kind: type[T], subject: str, data: bytes) -> T | None:
    try:
        return decode(kind, data)
    except Invalid as error:
        log.warning("a report cannot be read", subject=subject, error=str(error))
        return None
