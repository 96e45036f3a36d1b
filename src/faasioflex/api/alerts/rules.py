"""When an alert begins and when it ends: a pure function of what was seen before, of a value and of the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from faasioflex.model.alert import AlertKind

Turn = Literal["begins", "ends"]


@dataclass(frozen=True)
class Rule:
    """Begins when the value was at least ``threshold`` for ``after_s``, ends when it was below ``clear`` for ``calm_s``.

    ``clear`` is not above ``threshold``, so that a value which swings around one of them makes no storm.
    """

    kind: AlertKind
    threshold: float
    clear: float
    after_s: float
    calm_s: float
    unit: str
    sentence: str  # with {value} and {threshold}


@dataclass(frozen=True)
class Watch:
    """``since``: from when on the value speaks for the other state without a break."""

    firing: bool = False
    since: float | None = None


IDLE = Watch()


def step(rule: Rule, watch: Watch, value: float | None, now: float) -> tuple[Watch, Turn | None]:
    """``value`` None: it is not known. Then nothing begins and nothing ends, and the time does not count."""
    speaks = value is not None and (value < rule.clear if watch.firing else value >= rule.threshold)
    if not speaks:
        return replace(watch, since=None), None
    since = now if watch.since is None else watch.since
    if now - since < (rule.calm_s if watch.firing else rule.after_s):
        return replace(watch, since=since), None
    return Watch(firing=not watch.firing), "ends" if watch.firing else "begins"


@dataclass(frozen=True)
class Thresholds:
    """As the settings have them; 0: that alert is off."""

    overload_percent: float = 5.0
    crashes: float = 3.0
    queue_age_s: float = 300.0
    error_percent: float = 10.0
    capacity_percent: float = 95.0
    after_s: float = 30.0


CALM_S = 60.0


def rules(given: Thresholds) -> dict[AlertKind, Rule]:
    """Those that are on. They end at half of where they begin, capacity at nine tenths, a crash loop when nothing crashed."""
    made = (
        Rule(
            "overload",
            given.overload_percent,
            given.overload_percent / 2,
            given.after_s,
            CALM_S,
            "%",
            "{value:.1f} % of the calls of the last minute found no place (threshold {threshold:g} %): raise "
            "scaling.max_instances or limits.concurrency, or call less",
        ),
        Rule(
            "crash-loop",
            given.crashes,
            min(given.crashes, 1.0),
            0.0,
            CALM_S,
            "crashes",
            "{value:.0f} instances ended unwanted within five minutes (threshold {threshold:g}): its log has the cause",
        ),
        Rule(
            "queue-age",
            given.queue_age_s,
            given.queue_age_s / 2,
            given.after_s,
            CALM_S,
            "s",
            "the oldest queued call that may run has waited {value:.0f} s (threshold {threshold:g} s): raise "
            "async.concurrency or scaling.max_instances",
        ),
        Rule(
            "error-rate",
            given.error_percent,
            given.error_percent / 2,
            given.after_s,
            CALM_S,
            "%",
            "{value:.1f} % of the calls of the last minute failed (threshold {threshold:g} %): its log has the cause",
        ),
        Rule(
            "capacity",
            given.capacity_percent,
            given.capacity_percent * 0.9,
            given.after_s,
            CALM_S,
            "%",
            "{value:.1f} % of the machine's memory for instances is given away (threshold {threshold:g} %): calls may have "
            "to wait for others' instances to end",
        ),
    )
    return {rule.kind: rule for rule in made if rule.threshold > 0}
