"""A step from one to ten times what one instance carries, down again, and to zero: how long calls are slow, how many fail.

The function sleeps 50 ms and takes ten calls at once, so one instance carries ten callers that call again as soon as they
are answered. Calls that find every instance full wait in the invoker until there are more.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.bench import Amount, say
from bench.figures import Json, percentile, spread
from bench.platform_under_test import NAMESPACE, WITHIN_S, Platform, running, until

CODE = (
    "import asyncio\n\n\nasync def handle(event, context):\n    await asyncio.sleep(0.05)\n    return {'slept': True}\n"
)
CONCURRENCY = 10
IDLE_S = 4.0
STABLE_S = 6.0
ONE, TEN = CONCURRENCY, 10 * CONCURRENCY
BEFORE_S, CALM_S = 4.0, 10.0
WINDOW_S = 0.25
FACTOR = 2.0
GENERATOR = Path(__file__).parents[1] / "stepping.py"
Told = tuple[float, float, int]  # when it began (s), how long it took (ms), status


def measure(data: Path, amount: Amount) -> Json:
    """On a folder of its own."""
    with running(data) as platform:
        rounds = [_round(platform, number, amount.step_s) for number in range(amount.steps)]
    return {
        "connections": [ONE, TEN],
        "calls": sum(one["calls"] for one in rounds),
        "failed": sum(one["failed"] for one in rounds),
        "statuses": sorted({status for one in rounds for status in one["statuses"]}),
        "p95_idle_ms": spread([one["p95_idle_ms"] for one in rounds], 1),
        "p95_worst_ms": spread([one["p95_worst_ms"] for one in rounds], 1),
        "p95_after_ms": spread([one["p95_after_ms"] for one in rounds], 1),
        "instances": spread([one["instances"] for one in rounds], 1),
        "calm_after_s": spread([one["calm_after_s"] for one in rounds], 2),
        "idle_s": IDLE_S,
        "zero_after_s": spread([one["zero_after_s"] for one in rounds], 2),
    }


def _round(platform: Platform, number: int, step_s: float) -> Json:
    name = f"sleeps-{number}"
    scaling = {"max_instances": 20, "idle_s": IDLE_S, "stable_window_s": STABLE_S}
    platform.deploy(
        name, "python", {"main.py": CODE}, limits={"concurrency": CONCURRENCY, "queue": 500}, scaling=scaling
    )
    alone, _ = _load(platform, name, [(1, BEFORE_S)])
    began = time.monotonic()
    told, instances = _load(platform, name, [(ONE, BEFORE_S), (TEN, step_s), (1, CALM_S)])
    ended = began + max(since + took / 1000 for since, took, _ in told)
    until(lambda: not platform.instances(name), "no instance", every_s=0.1)
    zero_after_s = time.monotonic() - ended
    p95_idle_ms = percentile([took for _, took, _ in alone], 0.95)
    windows = _p95_by_window(told, BEFORE_S, BEFORE_S + step_s)
    found: Json = {
        "calls": len(told),
        "failed": sum(status != 200 for _, _, status in told),
        "statuses": {status for _, _, status in told},
        "p95_idle_ms": p95_idle_ms,
        "p95_worst_ms": max(windows),
        "p95_after_ms": statistics.median(windows[-4:]),
        "instances": instances,
        "calm_after_s": _calm_after_s(windows, FACTOR * p95_idle_ms),
        "zero_after_s": zero_after_s,
    }
    say(f"  round {number + 1}: {found}")
    platform.client.delete(name)
    return found


def _load(platform: Platform, name: str, steps: list[tuple[int, float]]) -> tuple[list[Told], int]:
    """All calls, and how many instances there were shortly before the end of the second step, or of the only one."""
    argv = [sys.executable, str(GENERATOR), urlsplit(platform.url).netloc, f"/f/{NAMESPACE}/{name}"]
    argv += [f"{connections}:{seconds:g}" for connections, seconds in steps]
    environment = {**os.environ, "BENCH_TOKEN": platform.token}  # an argument could be read by others
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(sum(seconds for _, seconds in steps[:2]) - 0.5)
    instances = len(platform.instances(name))
    out, error = process.communicate(timeout=sum(seconds for _, seconds in steps) + WITHIN_S)
    if process.returncode != 0:
        raise RuntimeError(f"the load on {name} failed: {error[-500:]}")
    return [(began, took, status) for began, took, status in json.loads(out)], instances


def _p95_by_window(told: list[Told], begin_s: float, end_s: float) -> list[float]:
    """Of the calls answered in each window of ``WINDOW_S``, the next window's where there is none: nobody was answered."""
    windows: list[list[float]] = [[] for _ in range(int((end_s - begin_s) / WINDOW_S))]
    for began, took, _ in told:
        place = int((began + took / 1000 - begin_s) / WINDOW_S)
        if begin_s <= began + took / 1000 and place < len(windows):
            windows[place].append(took)
    found: list[float] = []
    for window in reversed(windows):
        found.append(percentile(window, 0.95) if window else found[-1] if found else float("inf"))
    return found[::-1]


def _calm_after_s(windows: list[float], bound_ms: float) -> float:
    """Until the end of the last window above the bound, but for one in twenty: a busy machine has such moments too."""
    spare = len(windows) // 20
    above = [place for place, p95 in enumerate(windows) if p95 > bound_ms]
    late = above[: len(above) - spare] if spare else above
    return WINDOW_S * (late[-1] + 1) if late else 0.0
