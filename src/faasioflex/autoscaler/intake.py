"""Reports of gateway, invoker and manager, taken into what is watched of each revision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from faasioflex.autoscaler.sight import Sight
from faasioflex.autoscaler.watched import Watched
from faasioflex.bus.codec import decode
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.model.errors import Invalid
from faasioflex.model.function import FunctionRecord
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    LOAD_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    LoadReport,
    UsageReport,
)
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Hurry(Protocol):
    def __call__(self, key: str, *, now: bool) -> None: ...


class Intake:
    """``hurry(key, now=…)`` is called of each function that was called; ``now`` where its calls wait for an instance."""

    def __init__(
        self,
        bus: Bus,
        *,
        functions: Mirror[FunctionRecord],
        routes: Mirror[FunctionRoute],
        members: tuple[str, ...],
        clock: Callable[[], float],
        hurry: Hurry,
    ) -> None:
        self.sight = Sight(members)
        self.watched: dict[str, dict[int, Watched]] = {}  # of functions that are awake, by revision
        self._bus = bus
        self._functions = functions
        self._routes = routes
        self._clock = clock
        self._hurry = hurry
        self._named: dict[str, set[tuple[str, int]]] = {}

    async def start(self) -> list[Callable[[], Awaitable[None]]]:
        """Listen; what it returns ends that."""
        return [
            await self._bus.subscribe(LOAD_SUBJECT, self._on_load),
            await self._bus.subscribe(CALLS_SUBJECT, self._on_calls),
            await self._bus.subscribe(USAGE_SUBJECT, self._on_usage),
        ]

    def of(self, key: str) -> dict[int, Watched]:
        found = self.watched.get(key)
        if found is None:
            found = self.watched[key] = {}
        return found

    def forget(self, key: str) -> None:
        self.watched.pop(key, None)

    async def _on_load(self, subject: str, data: bytes) -> None:
        report = _read(LoadReport, subject, data)
        if report is None:
            return
        now = self._clock()
        self.sight.heard(report.member, now)
        named: set[tuple[str, int]] = set()
        for load in report.loads:
            key = FunctionName(load.namespace, load.name).key
            record = self._functions.entries.get(key)
            if record is None:
                continue  # deleted since, or not known yet: the next report names it again
            named.add((key, load.revision))
            mine = self.of(key)
            if (watched := mine.get(load.revision)) is None:
                watched = mine[load.revision] = Watched(now)
            self._hurry(key, now=watched.report(report.member, load, now, record.value.spec.scaling))
        for function, number in self._named.get(report.member, set()) - named:
            if (one := self.watched.get(function, {}).get(number)) is not None:
                one.silent(report.member)
        self._named[report.member] = named

    async def _on_calls(self, subject: str, data: bytes) -> None:
        report = _read(CallsReport, subject, data)
        for told in report.calls if report else ():
            key = FunctionName(told.namespace, told.name).key
            watched, record = self.watched.get(key, {}).get(told.revision), self._functions.entries.get(key)
            if watched is None or record is None or record.value.spec.scaling.latency_p95_ms is None:
                continue
            watched.answered(told.durations, self._clock(), record.value.spec.scaling.stable_window_s)

    async def _on_usage(self, subject: str, data: bytes) -> None:
        report = _read(UsageReport, subject, data)
        if report is None:
            return
        now = self._clock()
        self.sight.heard_usage(report.member, now)
        for told in report.usages:
            key = FunctionName(told.namespace, told.name).key
            watched = self.watched.get(key, {}).get(told.revision)
            record, route = self._functions.entries.get(key), self._routes.entries.get(key)
            revision = route.value.revisions.get(told.revision) if route else None
            if watched is not None and record is not None and revision is not None:
                kept_s = record.value.spec.scaling.stable_window_s
                watched.used(told, report.period_s, revision.limits, now, kept_s)


def _read(kind: type[T], subject: str, data: bytes) -> T | None:
    try:
        return decode(kind, data)
    except Invalid as error:
        log.warning("a report cannot be read", subject=subject, error=error.message)
        return None
