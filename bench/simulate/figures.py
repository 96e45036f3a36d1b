"""What a course is judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.figures import Json, percentile
from bench.simulate.course import Course

UTILIZATION = 0.7  # both policies aim at it


def figures(courses: Sequence[Course], concurrency: int) -> Json:
    """Of all courses together.

    Capacity error as in the elasticity metrics of the SPEC Research Group (Herbst and others, «Ready for Rain?», 2016): too few
    and too many instance-seconds, each as a share of those that the load needs at 70 % of the instances' concurrency.
    """
    needed = too_few = too_many = 0.0
    for course in courses:
        for ready, offered in zip(course.ready, course.offered, strict=False):
            ideal = math.ceil(offered / (concurrency * UTILIZATION) - 1e-9)
            needed += ideal
            too_few += max(ideal - ready, 0)
            too_many += max(ready - ideal, 0)
    waits = [wait for course in courses for wait in course.waits]
    return {
        "calls": sum(course.calls for course in courses),
        "cold_starts": sum(course.cold for course in courses),
        "too_few": round(too_few / needed, 4) if needed else 0.0,
        "too_many": round(too_many / needed, 4) if needed else 0.0,
        "instance_s": round(sum(course.instance_s for course in courses)),
        "needed_instance_s": round(needed),
        "wait_p95_ms": round(1000 * percentile(waits, 0.95)) if waits else 0,
        "wait_p99_ms": round(1000 * percentile(waits, 0.99)) if waits else 0,
        "changes": sum(course.changes for course in courses),
    }
