"""How often a function may be called, and a namespace's functions together: for calls that the gateway does not see as such."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from faasioflex.bus.mirror import Mirror
from faasioflex.model.errors import RateLimited
from faasioflex.model.function import RateLimit
from faasioflex.model.identity import Quota
from faasioflex.model.names import FunctionName

MINUTE_S = 60.0
MOST_KEPT = 10_000  # callers and functions; a bucket that is full again is like none


@dataclass
class _Bucket:
    left: float
    at: float


class Rates:
    """Token buckets. ``clock``: seconds, monotonic."""

    def __init__(self, quotas: Mirror[Quota], clock: Callable[[], float] = time.monotonic) -> None:
        self._quotas = quotas
        self._clock = clock
        self._buckets: dict[tuple[str, ...], _Bucket] = {}

    def take(self, function: FunctionName, limit: RateLimit | None, caller: str) -> None:
        """Count a call of ``caller`` (its pid). Raises: RateLimited, and then nothing is counted."""
        wanted: list[tuple[tuple[str, ...], int, int, str]] = []
        if limit is not None and limit.per_caller_per_minute is not None:
            text = f"One caller may call {function} {limit.per_caller_per_minute} times a minute (rate_limit.per_caller_per_minute)"
            burst = min(limit.burst or limit.per_caller_per_minute, limit.per_caller_per_minute)
            wanted.append((("caller", function.key, caller), limit.per_caller_per_minute, burst, text))
        if limit is not None and limit.calls_per_minute is not None:
            text = f"{function} may be called {limit.calls_per_minute} times a minute (rate_limit.calls_per_minute)"
            burst = min(limit.burst or limit.calls_per_minute, limit.calls_per_minute)
            wanted.append((("function", function.key), limit.calls_per_minute, burst, text))
        quota = self._quotas.entries.get(function.namespace)
        if quota is not None and quota.value.calls_per_minute is not None:
            most = quota.value.calls_per_minute
            text = f"The functions of {function.namespace} may be called {most} times a minute (its quota calls_per_minute)"
            wanted.append((("namespace", function.namespace), most, most, text))
        now = self._clock()
        buckets = [(self._filled(key, most, burst, now), most, text) for key, most, burst, text in wanted]
        for bucket, most, text in buckets:
            if bucket.left < 1:
                wait_s = math.ceil((1 - bucket.left) * MINUTE_S / most) if most else int(MINUTE_S)
                raise RateLimited(f"{text}: call again later", retry_after_s=wait_s)
        for bucket, _, _ in buckets:
            bucket.left -= 1

    def _filled(self, key: tuple[str, ...], most: int, burst: int, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= MOST_KEPT:
                self._forget(now)
            bucket = self._buckets[key] = _Bucket(burst, now)
        bucket.left = min(burst, bucket.left + (now - bucket.at) * most / MINUTE_S)
        bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Those that nobody asked for within a minute are full; where there are none, all."""
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.at < MINUTE_S}
        if len(self._buckets) >= MOST_KEPT:
            self._buckets.clear()
