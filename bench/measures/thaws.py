"""First answers of functions whose instance is frozen, each through the gateway, with a token, on a connection of its own."""

from __future__ import annotations

import asyncio
import time

from bench.bench import Amount, say
from bench.figures import Json, percentiles
from bench.languages import LANGUAGES
from bench.platform_under_test import Platform, until

FUNCTIONS = 10  # that freeze at the same time, and are called one after the other
PAUSE_S = 0.2
SCALING = {"min_instances": 0, "max_instances": 1, "freeze_s": 0.5, "idle_s": 600}


def thaws(platform: Platform, amount: Amount) -> Json:
    """Milliseconds of ``cold_answers`` first answers."""
    say(f"  python: {amount.cold_answers} first answers of frozen instances")
    files = next(one for one in LANGUAGES if one.name == "python").apps[0].files
    names = [f"frozen-{number}" for number in range(min(FUNCTIONS, amount.cold_answers))]
    for name in names:
        platform.deploy(name, "python", files, scaling=SCALING)
    found: list[float] = []
    while len(found) < amount.cold_answers:
        until(lambda: _all_frozen(platform, names), "they are frozen")
        for name in names[: amount.cold_answers - len(found)]:
            time.sleep(
                PAUSE_S
            )  # one by one, as the other first answers are: not while the routes of the one before are written
            seconds, _ = platform.once(name)
            found.append(1000 * seconds)
    return percentiles(found, 1)


def _all_frozen(platform: Platform, names: list[str]) -> bool:
    frozen = {one.function.name for one in asyncio.run(platform.observe()) if one.frozen}
    return frozen >= set(names)
