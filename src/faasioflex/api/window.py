"""What figures say of a stretch of time: rates, percentiles, shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faasioflex.api.figures import Figures
from faasioflex.model.durations import Counts, percentile

SHORTEST_S = 10.0  # of a window: calls are told every 2 s, usage every 5
CLASSES = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


@dataclass(frozen=True)
class Window:
    """Over ``window_s``. Rates are per second of what this process has seen of the window.

    ``error_rate``: share of answers of 500 and above, 0 of none. ``cpu``: cores in use; None while nobody tells.
    ``cache_hit_ratio``: None while the cache was not asked.
    """

    window_s: float
    calls_per_s: float
    error_rate: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cold_starts: int
    cold_start_p50_ms: float | None
    cold_start_p95_ms: float | None
    cpu: float | None
    answers: dict[str, int]
    refused: int
    retries: int
    dead_letters: int
    crashes: int
    cache_hits: int
    cache_misses: int
    cache_hit_ratio: float | None


def window(sums: Figures, window_s: float, seen_s: float, covered_s: float) -> Window:
    """``seen_s``: of it this process was there; ``covered_s``: of it usage was told."""
    asked = sums.cache_hits + sums.cache_misses
    return Window(
        window_s=window_s,
        calls_per_s=sums.answered / seen_s,
        error_rate=_share(sums.errors, sums.answered),
        p50_ms=_percentile(sums.durations, 0.5),
        p95_ms=_percentile(sums.durations, 0.95),
        p99_ms=_percentile(sums.durations, 0.99),
        cold_starts=sums.cold_starts,
        cold_start_p50_ms=_percentile(sums.start_durations, 0.5),
        cold_start_p95_ms=_percentile(sums.start_durations, 0.95),
        cpu=sums.cpu_s / covered_s if covered_s else None,
        answers={name: sums.classes.get(digit, 0) for digit, name in CLASSES.items()},
        refused=sums.refused,
        retries=sums.retries,
        dead_letters=sums.dead_letters,
        crashes=sums.crashes,
        cache_hits=sums.cache_hits,
        cache_misses=sums.cache_misses,
        cache_hit_ratio=round(sums.cache_hits / asked, 4) if asked else None,
    )


def point(sums: Figures, step_s: float) -> dict[str, Any]:
    """One of a series, as JSON: what a console draws. Gauges are the highest of the step, which was ``step_s`` long."""
    return {
        "calls_per_s": sums.answered / step_s,
        "error_rate": _share(sums.errors, sums.answered),
        "p50_ms": _percentile(sums.durations, 0.5),
        "p95_ms": _percentile(sums.durations, 0.95),
        "cold_starts": sums.cold_starts,
        "refused": sums.refused,
        "cpu": sums.cpu_s / step_s,
        **{name: sums.most.get(name, 0) for name in ("instances", "in_progress", "waiting", "queued", "memory_bytes")},
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _percentile(counts: Counts, share: float) -> float | None:
    found = percentile(counts, share)
    return None if found is None else round(found, 3)
