"""Who tries passwords waits, longer with each failure: by account and by address, whether the account exists or not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from faasioflex.model.errors import RateLimited

KEPT = 20_000  # the ones that failed longest ago are forgotten first
FORGET_S = 3600.0
FREE_OF_ACCOUNT, LONGEST_OF_ACCOUNT_S = 5, 60.0  # short, so that nobody shuts somebody else out for long
FREE_OF_ADDRESS, LONGEST_OF_ADDRESS_S = 20, 900.0


@dataclass
class _Tries:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(frozen=True)
class Try:
    """One that has begun: what it counts for, with the end of the wait there before it and by it."""

    counted: tuple[tuple[_Tries, float, float], ...]


class Throttle:
    """In memory of one process: it starts anew with the platform."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def begin(self, account: str, address: str) -> Try:
        """A try, which counts as failed until ``held`` says otherwise: many at once are many failures.

        Raises: RateLimited, before any password is looked at.
        """
        now = self._clock()
        waits = [self._tries[key].until - now for key in _keys(account, address) if key in self._tries]
        longest = max(waits, default=0.0)
        if longest > 0:
            seconds = int(longest) + 1
            raise RateLimited(f"Too many tries: wait {seconds} s and try again", retry_after_s=seconds)

        return self._count(account, address, now)

    def _count(self, account: str, address: str, now: float) -> Try:
        counted = []
        bounds = ((FREE_OF_ACCOUNT, LONGEST_OF_ACCOUNT_S), (FREE_OF_ADDRESS, LONGEST_OF_ADDRESS_S))
        for key, (free, longest) in zip(_keys(account, address), bounds, strict=True):
            tries = self._tries.pop(key, _Tries())
            if now - tries.last > FORGET_S:
                tries = _Tries()
            before = tries.until
            tries.failures += 1
            tries.last = now
            if tries.failures >= free:
                tries.until = now + min(longest, 2.0 ** min(tries.failures - free, 30))
            self._tries[key] = tries
            counted.append((tries, before, tries.until))
        while len(self._tries) > KEPT:
            self._tries.popitem(last=False)
        return Try(tuple(counted))

    def held(self, tried: Try) -> None:
        """It was right, or was not looked at. What failed before it, or beside it, stays counted."""
        for tries, before, ours in tried.counted:
            tries.failures = max(0, tries.failures - 1)
            if tries.until == ours:
                tries.until = before

    def succeeded(self, account: str) -> None:
        """The address stays as it is: one own account does not buy tries at others."""
        self._tries.pop(_keys(account, "")[0], None)


def _keys(account: str, address: str) -> tuple[str, str]:
    return f"account {account.casefold()[:254]}", f"address {address}"
