"""First answers of functions without an instance: from the pool, without it, and fifty at the same moment.

Each call is made through the gateway, with a token, on a connection of its own. «From the pool»: a warm spare is waited for before the
call, so that what is measured is one; how often a spare was there is told by the launcher. Functions with ``LC_ALL`` in their
environment have their sandbox started for them: they are «without a pool».
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.bare_sandboxes import all_ready_ms
from bench.bench import Amount, say
from bench.figures import Json, percentiles
from bench.languages import LANGUAGES
from bench.measures.thaws import thaws
from bench.platform_under_test import Built, Platform, running, until
from faasioflex.runtime.driver import LauncherDriver
from faasioflex.runtime.language import language as runtime

SCALING = {"min_instances": 0, "max_instances": 1, "idle_s": 600}
LIMITS = {"cpu": 1}  # the others as they are by default, for which there are spares
AT_ONCE = ("python", "exec")
FRESH = {"LC_ALL": "C.UTF-8"}
POOL_OF = {"python": "python", "exec": "python", "go": "python", "node": "node"}


def measure(data: Path, amount: Amount) -> Json:
    """On a folder of its own."""
    with running(data) as platform:
        at_once = min(amount.cold_at_once, 50)
        built: dict[str, Built] = {}
        names = {}
        for one in LANGUAGES:
            names[one.name], built[one.name] = _deploy(platform, one.name, at_once if one.name in AT_ONCE else 10)
        fresh, _ = _deploy(platform, "python", 10, env=FRESH)
        found: Json = {"pool_ms": {}, "at_once": {}}
        for language, functions in names.items():
            say(f"  {language}: {amount.cold_answers} first answers from the pool")
            found["pool_ms"][language] = percentiles(_answers(platform, language, functions, amount.cold_answers), 1)
        found["pool"] = asyncio.run(_pool(platform))
        say(f"  python: {amount.cold_answers} first answers without the pool")
        found["fresh_ms"] = percentiles(_answers(platform, None, fresh, amount.cold_answers), 1)
        found["thaw_ms"] = thaws(platform, amount)
        for language in AT_ONCE:
            say(f"  {at_once} different functions of {language} at once, and as many bare sandboxes")
            bare = partial(all_ready_ms, runtime(language), built[language], at_once)
            found["at_once"][language] = _at_once(platform, names[language], bare, amount.cold_bursts)
    return found


def _deploy(platform: Platform, language: str, count: int, **fields: Any) -> tuple[list[str], Built]:
    files = next(one for one in LANGUAGES if one.name == language).apps[0].files
    names = [f"cold-{language}{'-fresh' if fields else ''}-{number}" for number in range(count)]
    first, *_ = [platform.deploy(name, language, files, scaling=SCALING, limits=LIMITS, **fields) for name in names]
    return names, first


def _answers(platform: Platform, language: str | None, names: Sequence[str], count: int) -> list[float]:
    """Milliseconds of ``count`` first answers, one after the other. ``language``: of whose pool a spare is waited for."""
    found: list[float] = []
    while len(found) < count:
        _to_zero(platform, names)
        for name in names[: count - len(found)]:
            if language is not None:
                until(lambda: _warm(platform, language), f"a spare for {language}")
            seconds, _ = platform.once(name)
            found.append(1000 * seconds)
    return found


def _warm(platform: Platform, language: str) -> bool:
    return bool(asyncio.run(_pool(platform))["warm"].get(POOL_OF[language]))


async def _pool(platform: Platform) -> Json:
    driver = LauncherDriver(platform.folder.launcher_socket)
    try:
        return await driver.pool() or {"warm": {}}
    finally:
        await driver.close()


def _to_zero(platform: Platform, names: Sequence[str]) -> None:
    platform.to_zero(list(names))
    until(lambda: not any(platform.instances(name) for name in names), "their instances have ended")


def _at_once(platform: Platform, names: Sequence[str], bare_ms: Callable[[], list[float]], rounds: int) -> Json:
    """p95 of a burst, from its beginning, beside that of as many bare sandboxes with the same imports, in turn; milliseconds."""
    bursts, bare, ratios = [], [], []
    for _ in range(rounds):
        _to_zero(platform, names)
        burst = percentiles(_burst(platform, names), 1)
        alone = percentiles(bare_ms(), 1)
        bursts.append(burst)
        bare.append(alone)
        ratios.append(round(burst["p95"] / alone["p95"], 2))
    middle = sorted(range(rounds), key=lambda at: ratios[at])[rounds // 2]
    return {
        "functions": len(names),
        "ms": bursts[middle],
        "bare_ms": bare[middle],
        "ratio_p95": ratios[middle],
        "ratios": ratios,
    }


def _burst(platform: Platform, names: Sequence[str]) -> list[float]:
    """Milliseconds until each has its first answer. Raises: RuntimeError where one has none."""
    gate = threading.Barrier(len(names) + 1)
    took: list[float] = []
    failed: list[str] = []

    def call(name: str) -> None:
        gate.wait()
        try:
            platform.once(name)
            took.append(1000 * (time.perf_counter() - began))
        except (OSError, RuntimeError) as error:
            failed.append(str(error))

    threads = [threading.Thread(target=call, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    gate.wait()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(names)} calls at once failed: {failed[0]}")
    return took
