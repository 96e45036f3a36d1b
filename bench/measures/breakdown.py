"""Where the time goes in a call and in a first call, from timestamps: the caller's, the function's, and those in our parts' logs.

All processes are on one machine, so their clocks are one.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.bench import Bench, say
from bench.caller import Caller
from bench.figures import Json
from bench.platform_under_test import NAMESPACE, until

CODE = """
import time
IMPORTED = time.time()
def handle(event, context):
    return {"imported": IMPORTED, "called": time.time()}
"""
NAME = "clock"
STARTS = 20


def measure(bench: Bench) -> Json:
    platform = bench.platform
    platform.deploy(NAME, "python", {"main.py": CODE}, scaling={"max_instances": 1, "idle_s": 600})
    found = {"call_us": _call(bench), "first_call_ms": _first_calls(bench)}
    platform.client.delete(NAME)
    return found


def _call(bench: Bench) -> Json:
    """Microseconds of one call after the other: to the function and back, over its own socket and through the gateway."""
    with Caller(bench.platform.instances(NAME)[0].address) as own, bench.platform.caller(NAME) as through:
        ways: dict[str, list[tuple[float, float]]] = {"own": [], "through": []}
        for _ in range(bench.amount.blocks):
            for _ in range(bench.amount.block_calls):
                ways["own"].append(_there_and_back(own))
            for _ in range(bench.amount.block_calls):
                ways["through"].append(_there_and_back(through))
    there, back = (1e6 * statistics.median(each[way] for each in ways["own"]) for way in (0, 1))
    there_through, back_through = (1e6 * statistics.median(each[way] for each in ways["through"]) for way in (0, 1))
    return {
        "gateway, request": round(there_through - there),
        "socket and runtime, request": round(there),
        "runtime and socket, answer": round(back),
        "gateway, answer": round(back_through - back),
    }


def _there_and_back(caller: Caller) -> tuple[float, float]:
    began = time.time()
    took, body = caller.call()
    called = float(json.loads(body)["called"])
    return called - began, began + took - called


def _first_calls(bench: Bench) -> Json:
    """Milliseconds of each stage of a first call, medians."""
    stages: dict[str, list[float]] = {}
    for _ in range(min(STARTS, bench.amount.cold_functions * bench.amount.cold_rounds)):
        bench.platform.to_zero([NAME])
        until(lambda: not bench.platform.instances(NAME), "the last instance is gone")
        began = time.time()
        took, body = bench.platform.once(NAME)
        told = json.loads(body)
        for name, ms in _stages(bench.platform.folder.log, began, took, told).items():
            stages.setdefault(name, []).append(ms)
    medians: Json = {name: round(statistics.median(values), 1) for name, values in stages.items()}
    say(f"  first call: {medians}")
    return medians


def _stages(logs: Path, began: float, took: float, told: dict[str, float]) -> dict[str, float]:
    function = f"{NAMESPACE}/{NAME}"
    woken = next(_time(line) for line in _lines(logs / "invoker.log", "wake") if line["function"] == function)
    ready = next(line for line in _lines(logs / "launcher.log", "instance is ready") if line["function"] == function)
    ready_at = _time(ready)
    boxed_at = ready_at - ready["runtime_ms"] / 1000
    ordered_at = boxed_at - ready["box_ms"] / 1000
    at = {
        "gateway, invoker": woken,
        "wake over NATS, manager": ordered_at,
        "sandbox": boxed_at,
        "interpreter, runtime": told["imported"],
        "the function's import, ready": ready_at,
        "news to the invoker, call": told["called"],
        "answer": began + took,
    }
    found, before = {}, began
    for name, then in at.items():
        found[name] = 1000 * (then - before)
        before = then
    return found


def _lines(log: Path, event: str) -> Iterator[Json]:
    """The newest first."""
    for text in reversed(log.read_text().splitlines()):
        if f'"{event}"' in text:
            yield json.loads(text)


def _time(line: Json) -> float:
    return datetime.fromisoformat(str(line["timestamp"])).timestamp()
