"""Functions as Azure had them in July 2019, generated from the distributions that were published, not from the trace itself.

Figures: M. Shahrad, R. Fonseca, I. Goiri and others, «Serverless in the Wild: Characterizing and Optimizing the Serverless
Workload at a Large Cloud Provider», USENIX ATC 2020, section 3:

- Invocations per day span 8 orders of magnitude; 45 % of the applications are invoked at most once an hour, 81 % at most once
  a minute; the other 18.6 % make 99.6 % of the invocations (figure 5). Here: log-linear between those points.
- Execution times: the averages of functions follow a log-normal with log mean -0.38 and sigma 2.36 (figure 7), in seconds.
- Half of the load is a constant baseline, the rest follows the day (figure 4).
- 15.6 % of the functions are timers (figure 2); the inter-arrival times of 40 % vary with a coefficient above 1 (takeaways).

Ours: a function is called at most ``MOST_PER_S`` times a second (one machine of a small team does not take 10^8 calls a day),
takes ``LONGEST_S`` at most (96 % of the functions do), and the bursty ones have a coefficient of variation of 3.
"""

from __future__ import annotations

import bisect
import math
import random

from bench.simulate.trace import Trace, lognormal

PER_DAY = ((0.0, 1.0), (0.45, 24.0), (0.81, 1440.0), (1.0, 1e8))  # share of the functions, at most so many calls a day
LOG_MEAN, SIGMA = -0.38, 2.36
TIMERS, BURSTY = 0.156, 0.4
BURSTY_CV = 3.0
DAY_S = 86_400.0
MOST_PER_S = 1.0
LONGEST_S = 60.0


def functions(count: int, hours: float, seed: int) -> list[Trace]:
    """``count`` functions over the first ``hours`` of a day."""
    made = []
    for number in range(count):
        chance = random.Random(seed * 100_003 + number)  # noqa: S311 - not a secret
        made.append(_function(f"azure-{number}", hours * 3600, chance))
    return made


def _function(name: str, until: float, chance: random.Random) -> Trace:
    per_s = min(per_day(chance.random()) / DAY_S, MOST_PER_S)
    mean_s = min(chance.lognormvariate(LOG_MEAN, SIGMA), LONGEST_S)
    kind = chance.random()
    now = chance.random() / per_s
    calls = []
    while now < until:
        calls.append((now, lognormal(chance, mean_s)))
        if kind < TIMERS:
            now += 1 / per_s
        else:
            cv = BURSTY_CV if kind < TIMERS + BURSTY else 1.0
            now += chance.gammavariate(1 / cv**2, cv**2 / (per_s * _of_day(now)))
    return Trace(name, tuple(calls), until)


def per_day(share: float) -> float:
    """Invocations per day that ``share`` of the functions do not exceed."""
    at = max(bisect.bisect_left(PER_DAY, (share, 0.0)), 1)
    (low, least), (high, most) = PER_DAY[at - 1], PER_DAY[at]
    part = (share - low) / (high - low)
    return math.exp(math.log(least) + part * (math.log(most) - math.log(least)))


def _of_day(now: float) -> float:
    """Half constant, half with the day; 1 in the mean."""
    return 0.5 + 0.5 * (1 - math.cos(2 * math.pi * now / DAY_S))
