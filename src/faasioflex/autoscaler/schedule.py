"""Scheduled minimums: which one holds now, and when that changes. Times as cron has them, in each entry's own time zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from faasioflex.model.function import ScheduledMinimum


@dataclass(frozen=True)
class Scheduled:
    """``instances`` at least, until ``until`` (seconds since the epoch; None: for ever)."""

    instances: int = 0
    until: float | None = None


def scheduled(entries: Sequence[ScheduledMinimum], now: float) -> Scheduled:
    """The largest of those that hold. A time that never comes (31 February) holds never."""
    instances, changes = 0, []
    for entry in entries:
        begun, begins = _last(entry, now), _next(entry, now)
        if begun is not None and now < begun + entry.duration_s:
            instances = max(instances, entry.min_instances)
            changes.append(begun + entry.duration_s)
        if begins is not None:
            changes.append(begins)
    return Scheduled(instances, min(changes, default=None))


def _last(entry: ScheduledMinimum, now: float) -> float | None:
    """The newest beginning that is not later than now."""
    return _tick(entry, now + 1, reverse=True)


def _next(entry: ScheduledMinimum, now: float) -> float | None:
    return _tick(entry, now, reverse=False)


def _tick(entry: ScheduledMinimum, at: float, *, reverse: bool) -> float | None:
    moment = datetime.fromtimestamp(int(at), ZoneInfo(entry.timezone))
    try:
        return next(CronSim(entry.cron, moment, reverse=reverse)).timestamp()
    except (StopIteration, CronSimError):
        return None
