"""Memory of a platform without functions, process by process: proportional set size, so that shared pages count once."""

from __future__ import annotations

import time

from bench.bench import Amount, say
from bench.figures import Json
from bench.platform_under_test import Platform

MIB = 1024 * 1024


def measure(platform: Platform, amount: Amount) -> Json:
    time.sleep(amount.settle_s)
    return memory(platform)


def memory(platform: Platform) -> Json:
    found = platform.pss_bytes()
    say(f"  {sum(found.values()) / MIB:.0f} MiB")
    return {
        "mib": {name: round(bytes_ / MIB, 1) for name, bytes_ in found.items()},
        "total_mib": round(sum(found.values()) / MIB, 1),
    }
