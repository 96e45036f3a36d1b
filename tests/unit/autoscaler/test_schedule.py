"""Scheduled minimums."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from faasioflex.autoscaler.schedule import Scheduled, scheduled
from faasioflex.model.function import ScheduledMinimum

MORNING = ScheduledMinimum("0 8 * * MON-FRI", 3, 3600.0)


def at(*moment: int, zone: str = "UTC") -> float:
    return datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type, misc]


def test_from_the_moment_on_for_the_duration() -> None:
    begins = at(2026, 3, 2, 8)  # a Monday
    tomorrow = at(2026, 3, 3, 8)
    assert scheduled([MORNING], begins - 1) == Scheduled(0, begins)
    assert scheduled([MORNING], begins) == Scheduled(3, begins + 3600)
    assert scheduled([MORNING], begins + 3599.9) == Scheduled(3, begins + 3600)
    assert scheduled([MORNING], begins + 3600) == Scheduled(0, tomorrow)


def test_not_at_the_weekend_and_in_the_entrys_own_time_zone() -> None:
    assert scheduled([MORNING], at(2026, 3, 7, 8, 30)) == Scheduled(0, at(2026, 3, 9, 8))
    there = ScheduledMinimum("0 8 * * *", 2, 3600.0, "Europe/Madrid")
    assert scheduled([there], at(2026, 7, 1, 8, 30, zone="Europe/Madrid")).instances == 2
    assert scheduled([there], at(2026, 7, 1, 8, 30)).instances == 0


def test_the_largest_of_several_and_the_next_change_of_any() -> None:
    more = ScheduledMinimum("30 8 * * *", 5, 600.0)
    begins = at(2026, 3, 2, 8)
    assert scheduled([MORNING, more], begins + 60) == Scheduled(3, begins + 1800)
    assert scheduled([MORNING, more], begins + 1860) == Scheduled(5, begins + 2400)
    assert scheduled([], begins) == Scheduled(0, None)


def test_longer_than_its_period_it_never_ends() -> None:
    hourly = ScheduledMinimum("0 * * * *", 1, 7200.0)
    assert all(scheduled([hourly], at(2026, 3, 2) + minute * 60).instances == 1 for minute in range(0, 300, 7))


def test_a_day_that_never_comes() -> None:
    never = ScheduledMinimum("0 0 31 2 *", 4, 60.0)
    assert scheduled([never], datetime(2026, 1, 1, tzinfo=UTC).timestamp()) == Scheduled(0, None)
