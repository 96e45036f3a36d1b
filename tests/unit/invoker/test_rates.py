"""Token buckets of functions, callers and namespaces."""

from __future__ import annotations

import pytest

from faasioflex.bus.buckets import QUOTAS
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Entry
from faasioflex.invoker.rates import Rates
from faasioflex.model.errors import RateLimited
from faasioflex.model.function import RateLimit
from faasioflex.model.identity import Quota
from faasioflex.model.names import FunctionName

HELLO, OTHER = FunctionName("acme", "hello"), FunctionName("acme", "other")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def rates(clock: Clock, quota: Quota | None = None) -> Rates:
    quotas: Mirror[Quota] = Mirror(MemoryBus().bucket(QUOTAS.name, Quota))
    if quota is not None:
        quotas.entries["acme"] = Entry("acme", quota, 1)
    return Rates(quotas, clock)


def test_so_many_a_minute_and_one_more_for_each_that_passes() -> None:
    clock = Clock()
    counted, limit = rates(clock), RateLimit(calls_per_minute=6)
    for number in range(6):
        counted.take(HELLO, limit, f"u-{number}")
    with pytest.raises(RateLimited, match=r"acme/hello may be called 6 times a minute") as refused:
        counted.take(HELLO, limit, "u-1")
    assert refused.value.retry_after_s == 10
    counted.take(OTHER, limit, "u-1")
    clock.now += 10
    counted.take(HELLO, limit, "u-1")
    with pytest.raises(RateLimited):
        counted.take(HELLO, limit, "u-1")


def test_each_caller_has_their_own() -> None:
    counted, limit = rates(Clock()), RateLimit(per_caller_per_minute=2, burst=1)
    counted.take(HELLO, limit, "u-1")
    with pytest.raises(RateLimited, match="One caller"):
        counted.take(HELLO, limit, "u-1")
    counted.take(HELLO, limit, "u-2")


def test_a_namespaces_quota_is_over_all_its_functions_and_says_so() -> None:
    counted = rates(Clock(), Quota(calls_per_minute=2))
    counted.take(HELLO, None, "u-1")
    counted.take(OTHER, None, "u-2")
    with pytest.raises(
        RateLimited, match=r"functions of acme may be called 2 times a minute \(its quota calls_per_minute\)"
    ):
        counted.take(HELLO, None, "u-3")
    counted.take(FunctionName("else", "hello"), None, "u-3")


def test_a_call_that_is_refused_counts_nowhere() -> None:
    clock = Clock()
    counted, limit = rates(clock, Quota(calls_per_minute=3)), RateLimit(calls_per_minute=1)
    counted.take(HELLO, limit, "u")
    for _ in range(5):
        with pytest.raises(RateLimited):
            counted.take(HELLO, limit, "u")
    counted.take(OTHER, None, "u")
    counted.take(OTHER, None, "u")


def test_a_quota_of_none_at_all() -> None:
    with pytest.raises(RateLimited):
        rates(Clock(), Quota(calls_per_minute=0)).take(HELLO, None, "u")
