"""What is replayed: when calls come and how long they take."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

Rate = Callable[[float], float]  # seconds since the beginning -> calls per second


@dataclass(frozen=True)
class Trace:
    """``calls``: (when it comes, how long an instance works on it), in seconds, in order. ``until``: the end of the trace."""

    name: str
    calls: tuple[tuple[float, float], ...]
    until: float
    concurrency: int = 10


def poisson(name: str, rate: Rate, until: float, chance: random.Random, *, mean_s: float = 0.2, most: float) -> Trace:
    """Calls at random with a rate that changes (thinning: ``most`` is never exceeded), log-normal durations."""
    calls, now = [], 0.0
    while True:
        now += chance.expovariate(most)
        if now >= until:
            return Trace(name, tuple(calls), until)
        if chance.random() * most < rate(now):
            calls.append((now, lognormal(chance, mean_s)))


def lognormal(chance: random.Random, mean_s: float, sigma: float = 0.5) -> float:
    return chance.lognormvariate(math.log(mean_s) - sigma * sigma / 2, sigma)


def shapes(seed: int, scale: float = 1.0) -> list[Trace]:
    """Step, ramp, spike, day and on-off. ``scale``: of their length."""
    minute, chance = 60.0 * scale, random.Random(seed)  # noqa: S311 - not a secret
    day = 30 * minute

    def step(now: float) -> float:
        return 250.0 if 3 * minute <= now < 8 * minute else 25.0

    def ramp(now: float) -> float:
        return 200.0 * (1 - abs(now / (6 * minute) - 1))

    def spike(now: float) -> float:
        return 400.0 if 5 * minute <= now < 5 * minute + 20 else 10.0

    def diurnal(now: float) -> float:
        return max(0.0, 25.0 - 28.0 * math.cos(2 * math.pi * now / day))

    def on_off(now: float) -> float:
        return 40.0 if now % (4 * minute) < minute else 0.0

    return [
        poisson("step", step, 14 * minute, chance, most=250.0),
        poisson("ramp", ramp, 12 * minute, chance, most=200.0),
        poisson("spike", spike, 12 * minute, chance, most=400.0),
        poisson("diurnal", diurnal, 1.5 * day, chance, most=53.0),
        poisson("on-off", on_off, 32 * minute, chance, most=40.0),
    ]
