"""``python -m bench [--quick] [--only MEASURE,…] [--languages NAME,…]``: measure, keep the results, write docs/performance.md."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import load, machine, report
from bench.bench import QUICK, Amount, Bench, prepared, say
from bench.figures import Json
from bench.measures import (
    breakdown,
    cold_starts,
    deploys,
    first_call,
    gateway,
    idle,
    latency,
    many_functions,
    people,
    queue,
    step_load,
    streams,
    throughput,
)
from bench.platform_under_test import running

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
DOCUMENT = ROOT / "docs" / "performance.md"
ON_ECHOES: dict[str, Callable[[Bench], Json]] = {
    "throughput": throughput.measure,
    "latency": latency.measure,
    "breakdown": breakdown.measure,
    "first_call": first_call.measure,
    "deploys": deploys.measure,
}


def _idle(data: Path, amount: Amount) -> Json:
    with running(data) as platform:
        return idle.measure(platform, amount)


ON_FOLDERS: dict[str, Callable[[Path, Amount], Json]] = {
    "idle": _idle,
    "many_functions": many_functions.measure,
    "cold_starts": cold_starts.measure,
    "step_load": step_load.measure,
    "gateway": gateway.measure,
    "people": people.measure,
    "queue": queue.measure,
    "streams": streams.measure,
}
MEASURES = (*ON_FOLDERS, *ON_ECHOES)


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops what was started
    amount = QUICK if options.quick else Amount()
    wanted = options.only.split(",") if options.only else list(MEASURES)
    began = time.monotonic()
    result: Json = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "quick": options.quick,
        "machine": machine.describe(),
        "load_by": load.generator_name(),
    }
    say(f"Load by {load.generator_name()}; {result['machine']}")
    measures, left_out = _measure(wanted, amount, set(options.languages.split(",")) if options.languages else None)
    result |= {"took_s": round(time.monotonic() - began), "left_out": left_out, "measures": measures}
    result["goals"] = report.goals(measures)
    partly = options.quick or bool(options.only)
    if options.into or not partly:
        _keep(result, Path(options.into) if options.into else RESULTS, Path(options.into or DOCUMENT.parent))
    if partly:
        print(json.dumps(result, indent=1))
    for goal in result["goals"]:
        say(f"  {'met   ' if goal['met'] else 'MISSED'} {goal['name']}: {goal['measured']} (goal {goal['goal']})")
    say(f"Done in {result['took_s']} s.")
    return 0


def _keep(result: Json, results: Path, documents: Path) -> None:
    """The figures as a file of ``results``, table and charts in the page of ``documents``."""
    results.mkdir(parents=True, exist_ok=True)
    kept = results / f"{result['date']}.json".replace(":", "")
    kept.write_text(json.dumps(result, indent=1) + "\n")
    page = documents / DOCUMENT.name
    if not page.exists():
        shutil.copy(DOCUMENT, page)
    report.write(page, result)
    say(f"Results in {kept}, table and charts in {page}")


def _measure(wanted: list[str], amount: Amount, languages: set[str] | None) -> tuple[dict[str, Json], list[str]]:
    """The figures by measure, and what was left out. One that fails does not take the others with it."""
    found: dict[str, Json] = {}
    left_out: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="ffxb", dir="/tmp"))
    try:
        for name in (name for name in wanted if name in ON_FOLDERS):
            say(f"{name}:")
            _try(name, found, left_out, lambda name=name: ON_FOLDERS[name](folder / name, amount))  # type: ignore[misc]
        on_echoes = [name for name in wanted if name in ON_ECHOES]
        if on_echoes:
            say("deploying:")
            with prepared(amount, languages) as bench:
                for name in on_echoes:
                    say(f"{name}:")
                    _try(name, found, left_out, lambda name=name: ON_ECHOES[name](bench))  # type: ignore[misc]
                left_out += bench.left_out
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found, left_out


def _try(name: str, found: dict[str, Json], left_out: list[str], measure: Callable[[], Json]) -> None:
    try:
        found[name] = measure()
    except Exception as error:  # a measure, not the benchmark
        left_out.append(f"{name}: {error}")
        say(f"  FAILED: {type(error).__name__}: {error}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure the platform. Nothing is kept with --quick or --only."
    )
    parser.add_argument("--quick", action="store_true", help="little of everything: does it work?")
    parser.add_argument("--only", default="", help=f"some of {','.join(MEASURES)}")
    parser.add_argument("--languages", default="", help="some of python,node,go,exec")
    parser.add_argument("--into", metavar="DIR", help="keep results and page there, also of a part")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - {"", *MEASURES}
    if unknown:
        parser.error(f"there is no measure {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
