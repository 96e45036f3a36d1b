"""The alerts that fire, kept in the registry: whoever restarts finds them, and two that watch say everything once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from faasioflex.api.alerts import signals
from faasioflex.api.alerts.rules import IDLE, Rule, Thresholds, Turn, Watch, rules, step
from faasioflex.api.load import Load
from faasioflex.api.measures import Measures
from faasioflex.bus.buckets import ALERTS
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bucket, Bus
from faasioflex.model.alert import PLATFORM, Alert, AlertKind
from faasioflex.model.errors import Conflict, FfxError
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
EVERY_S = 5.0
GONE = "the function is gone"


class Alerts:
    """Looks every ``EVERY_S`` while started, at functions that something happened to and at those whose alerts fire.

    ``uid_of``: of the function that has the name now, None where none has.
    """

    def __init__(
        self,
        bus: Bus,
        measures: Measures,
        load: Load,
        *,
        uid_of: Callable[[FunctionName], str | None],
        now: Callable[[], float],
        thresholds: Thresholds | None = None,
    ) -> None:
        self._bucket: Bucket[Alert] = bus.bucket(ALERTS.name, Alert)
        self._mirror = Mirror(self._bucket)
        self._measures = measures
        self._load = load
        self._uid_of = uid_of
        self._now = now
        self._rules = rules(thresholds or Thresholds())
        self._watches: dict[str, dict[AlertKind, Watch]] = {}  # by what it is about; none that is idle
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._mirror.start()
        self._task = asyncio.create_task(self._run(), name="alerts")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._mirror.stop()

    def firing(self) -> list[Alert]:
        """In the order in which they began."""
        held = (entry.value for entry in self._mirror.entries.values())
        return sorted((one for one in held if one.state == "firing"), key=lambda one: (one.since, one.key))

    async def look(self) -> None:
        """Once, at all that may need it. Raises: Unavailable, while the registry is away; then it is seen to at the next look."""
        firing: dict[str, set[AlertKind]] = {}
        for one in self.firing():
            firing.setdefault(one.about, set()).add(one.kind)
        about = firing.keys() | self._watches.keys() | {function.key for function in self._measures.lately()}
        for key in sorted(about | {PLATFORM}):
            kinds = frozenset(firing.get(key, ()))
            if key == PLATFORM:
                await self._watch(key, "", signals.of_platform(self._measures), kinds)
                continue
            function = FunctionName.from_key(key)
            uid = self._uid_of(function)
            if uid is None:
                self._watches.pop(key, None)
                await self._end_others(key, None)
            else:
                await self._end_others(key, uid)
                values = signals.of_function(function, self._measures, self._load, kinds)
                await self._watch(key, uid, values, kinds)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except FfxError as error:
                log.info("alerts wait for the registry", reason=error.message)
            except Exception:
                log.exception("a look at alerts failed")

    async def _watch(
        self, about: str, uid: str, values: Mapping[AlertKind, float | None], firing: frozenset[AlertKind]
    ) -> None:
        kept: dict[AlertKind, Watch] = {}
        before = self._watches.get(about, {})
        for kind, value in values.items():
            rule = self._rules.get(kind)
            if rule is None:
                if kind in firing:  # it was switched off meanwhile
                    await self._end(about, kind, None)
                continue
            known = before.get(kind, IDLE)
            watch = known if known.firing == (kind in firing) else Watch(firing=kind in firing)
            made, turn = step(rule, watch, value, self._now())
            if turn is not None and value is not None:
                await self._turn(about, uid, rule, turn, value)
            if made.since is not None:
                kept[kind] = made
        if kept:
            self._watches[about] = kept
        else:
            self._watches.pop(about, None)

    async def _turn(self, about: str, uid: str, rule: Rule, turn: Turn, value: float) -> None:
        if turn == "ends":
            await self._end(about, rule.kind, value)
            return
        value = round(value, 3)
        said = rule.sentence.format(value=value, threshold=rule.threshold)
        alert = Alert(rule.kind, about, uid, "firing", value, rule.threshold, rule.unit, self._now(), said)
        held = self._mirror.entries.get(alert.key)
        try:
            if held is None:
                await self._bucket.create(alert.key, alert)
            else:
                await self._bucket.update(alert.key, alert, held.revision)
        except Conflict:
            return  # another one has said it
        log.warning("an alert begins", kind=alert.kind, about=about, value=value, threshold=rule.threshold)
        await self._mirror.catch_up(alert.key)

    async def _end(self, about: str, kind: AlertKind, value: float | None, why: str = "it is over") -> None:
        """``value`` None: that of its beginning stays. First the end is written, which is the event; then it is removed."""
        key = f"{kind}.{about}"
        held = self._mirror.entries.get(key)
        if held is None:
            return
        alert = held.value
        ended = Alert(
            kind,
            about,
            alert.function_uid,
            "resolved",
            alert.value if value is None else round(value, 3),
            alert.threshold,
            alert.unit,
            alert.since,
            why,
        )
        try:
            revision = await self._bucket.update(key, ended, held.revision)
            await self._mirror.catch_up(key)
            await self._bucket.delete(key, revision)
        except Conflict:
            return
        log.info("an alert ends", kind=kind, about=about, value=ended.value)

    async def _end_others(self, about: str, uid: str | None) -> None:
        """Those of functions that had the name before."""
        for one in self.firing():
            if one.about == about and one.function_uid != uid:
                await self._end(about, one.kind, None, GONE)
