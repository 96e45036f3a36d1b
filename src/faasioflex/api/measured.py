"""Figures as JSON: of one function, or of all together."""

from __future__ import annotations

from typing import Any

from faasioflex.api.context import Services
from faasioflex.api.figures import COARSE_S, FINE_S, KEPT_S
from faasioflex.api.resource.document import invalid
from faasioflex.api.resource.times import rfc3339
from faasioflex.api.window import SHORTEST_S, point
from faasioflex.model.errors import FieldError
from faasioflex.model.names import FunctionName

Load = tuple[int, int]  # calls in progress, calls that wait for an instance
MOST_POINTS = 720
SHORTEST_STEP_S = 2.0


def window_document(services: Services, function: FunctionName | None, window_s: float, load: Load) -> dict[str, Any]:
    """``function`` None: all together. ``window_s`` is taken into what is kept."""
    measures, present = services.measures, services.measures.present
    over = measures.over(function, window_s)
    using = present.using(function) if function is not None else present.used()
    queue = present.queue(function) if function is not None else present.queues()
    about = function.key if function is not None else None
    running, waiting = load
    return {
        "window_s": over.window_s,
        "calls_per_s": over.calls_per_s,
        "error_rate": over.error_rate,
        "answers": over.answers,
        "latency_ms": {"p50": over.p50_ms, "p95": over.p95_ms, "p99": over.p99_ms},
        "refused": over.refused,
        "in_progress": running,
        "waiting": waiting,
        "cpu": over.cpu,
        "cpu_limit": using.cpu_limit if using is not None else None,
        "memory_bytes": using.memory_bytes if using is not None else None,
        "memory_limit_bytes": using.memory_limit_bytes if using is not None else None,
        "instances_by_state": dict(sorted(using.states.items())) if using is not None else {},
        "cold_starts": over.cold_starts,
        "cold_start_ms": {"p50": over.cold_start_p50_ms, "p95": over.cold_start_p95_ms},
        "crashes": over.crashes,
        "queued": queue.queued,
        "delayed": queue.delayed,
        "oldest_s": queue.oldest_s,
        "retries": over.retries,
        "dead_letters": over.dead_letters,
        "cache": {"hits": over.cache_hits, "misses": over.cache_misses, "hit_ratio": over.cache_hit_ratio},
        "alerts": list(
            dict.fromkeys(one.kind for one in services.alerts.firing() if about is None or one.about == about)
        ),
    }


def series_document(
    services: Services, function: FunctionName | None, window_s: float, step_s: float | None
) -> dict[str, Any]:
    """``step_s`` and ``points``, where a series was asked for. Raises: Invalid, where it would be too many points."""
    if step_s is None:
        return {}
    window_s = min(max(window_s, SHORTEST_S), KEPT_S)
    if window_s > FINE_S:
        step_s = max(step_s, COARSE_S)
    if window_s / step_s > MOST_POINTS:
        raise invalid(FieldError("/query/step_s", f"That would be more than {MOST_POINTS} points: take longer steps"))
    begin, steps = services.measures.steps(function, window_s, step_s)
    points = [
        {"at": rfc3339(begin + number * step_s), **point(sums, min(step_s, window_s - number * step_s))}
        for number, sums in enumerate(steps)
    ]
    return {"step_s": step_s, "points": points}
