"""``python -m bench.soak [--minutes N]``: a platform with random load for so long; exit 1 where anything failed or grew."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import structlog

from bench.bench import say
from bench.figures import percentile
from bench.platform_under_test import Platform, running, until
from bench.soak import verdict
from bench.soak.caller import Caller
from bench.soak.figures import Figures, look
from bench.soak.functions import RESULT_TTL_S, Subject, deploy_all, subjects
from bench.soak.load import Load

SAMPLE_S = 5.0
WARM_UP = 0.3  # of the time: pools, caches and thread pools fill, and so do the heaps of those who collect garbage
QUIET_WITHIN_S = 120.0


def main() -> int:
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops what was started
    folder = Path(tempfile.mkdtemp(prefix="ffxs", dir="/tmp"))  # short: sockets lie in it
    try:
        with running(folder / "d") as platform:
            wanted = subjects(options.functions)
            load, found = asyncio.run(_soak(platform, wanted, options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _told(load, found)


async def _soak(
    platform: Platform, wanted: list[Subject], options: argparse.Namespace
) -> tuple[Load, list[verdict.Line]]:
    async with Caller(platform.url, lambda: platform.token) as caller:
        say(f"{len(wanted)} functions are deployed …")
        await deploy_all(caller, wanted)
        load = Load(caller, wanted, options.seed, options.per_s, options.deploy_every_s)
        await load.once()
        before = await asyncio.to_thread(_at_rest, platform)
        say(f"{60 * options.minutes:.0f} s of load, {options.per_s:g} calls a second …")
        samples: list[tuple[float, Figures]] = []
        sampling = asyncio.create_task(_sample(platform, samples))
        began = time.monotonic()
        try:
            await load.run(60 * options.minutes)
        finally:
            sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling  # one that broke off says so
        warm = began + WARM_UP * 60 * options.minutes
        after = await asyncio.to_thread(_at_rest, platform)
        load.tally.errors += await load.why()
    return load, verdict.lines(before, [figures for at, figures in samples if at >= warm], after)


async def _sample(platform: Platform, samples: list[tuple[float, Figures]]) -> None:
    while True:
        await asyncio.sleep(SAMPLE_S)
        samples.append((time.monotonic(), await asyncio.to_thread(look, platform)))


def _at_rest(platform: Platform) -> Figures:
    """When nothing runs any more, no result is kept, and two looks say the same of what can be counted."""
    until(lambda: not asyncio.run(platform.observe()), "no instance", every_s=0.5)
    time.sleep(RESULT_TTL_S)
    deadline = time.monotonic() + QUIET_WITHIN_S
    last = look(platform)
    while time.monotonic() < deadline:
        time.sleep(2)
        now = look(platform)
        if all(now.get(name) == value for name, value in last.items() if not name.startswith("memory")):
            return now
        last = now
    return last


def _told(load: Load, found: list[verdict.Line]) -> int:
    tally = load.tally
    print(verdict.table(found))
    print()
    for kind, count in sorted(tally.done.items()):
        print(f"{kind}: {count}, failed {tally.failed[kind]}")
    if tally.took_ms:
        median, p99 = statistics.median(tally.took_ms), percentile(tally.took_ms, 0.99)
        print(f"a call took {median:.0f} ms (median), {p99:.0f} ms (p99)")
    for error in tally.errors:
        print(f"  {error}")
    wrong = [one for one in found if one.wrong is not None]
    for one in wrong:
        print(f"NOT FLAT: {one.name}: {one.wrong}")
    failed = sum(tally.failed.values())
    if failed:
        print(f"FAILED: {failed} of {sum(tally.done.values())}")
    if not wrong and not failed:
        print("Flat, and nothing failed.")
    return 1 if wrong or failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="soak", description="Run a platform under random load and look for what grows."
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--functions", type=int, default=100)
    parser.add_argument("--per-s", type=float, default=40.0, help="calls a second, all functions together")
    parser.add_argument("--deploy-every-s", type=float, default=5.0)
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="of what happens when; told at the beginning"
    )
    options = parser.parse_args()
    say(f"seed {options.seed}")
    return options


if __name__ == "__main__":
    sys.exit(main())
