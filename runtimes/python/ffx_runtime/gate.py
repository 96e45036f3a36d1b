"""How many calls run at once, and when a call that does not end makes the instance retire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

STUCK_GRACE_S = 1.0  # how long cancelled work may take to end


class Gate:
    """``concurrency`` places, taken before a handler starts and given back when its work has really ended."""

    def __init__(self, concurrency: int, retired: Callable[[], None]) -> None:
        self.concurrency = concurrency
        self.active = 0
        self.stuck = 0
        self.doomed = False  # a call does not end: leave as soon as only such calls are left
        self.retiring = False  # take no new calls
        self.on_enter: Callable[[], None] | None = None
        self._retired = retired

    def enter(self) -> bool:
        """Take a place; False where the instance is full or takes no new calls."""
        if self.active >= self.concurrency or self.retiring:
            return False
        self.active += 1
        if self.on_enter is not None:
            self.on_enter()
        return True

    def leave(self) -> None:
        self.active -= 1
        if self.doomed:
            self.leave_if_alone()

    def give_up(self) -> None:
        """One more call does not end: be replaced at the first moment in which only such calls are left.

        Until then the other places serve: nobody starts a replacement before this instance has ended.
        """
        self.stuck += 1
        self.doomed = True
        self.leave_if_alone()

    def retire(self) -> None:
        """That moment did not come by itself: take no new calls."""
        self.retiring = True
        self.leave_if_alone()

    def unstick(self) -> None:
        """A call that was given up has ended after all; the instance goes away nevertheless."""
        self.stuck -= 1

    def leave_if_alone(self) -> None:
        if self.active <= self.stuck:
            self.retiring = True
            self._retired()


class Sweeper:
    """One timer for the deadlines of all connections: each has ``due`` (the loop's clock, seconds) and ``expire()``."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._at = float("inf")
        self.connections: set[Sweepable] = set()

    def notice(self, due: float) -> None:
        """A connection's ``due`` is now this; later ones than the timer's are found when it fires."""
        if due < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._at = due
            self._timer = self._loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        now = self._loop.time()
        self._at = float("inf")
        self._timer = None
        for connection in [one for one in self.connections if one.due <= now]:
            connection.expire()
        following = min((one.due for one in self.connections), default=self._at)
        # An expired connection that is on its way out may still be listed: look again soon, not at once.
        self.notice(following if following > now else now + 0.05)


class Sweepable:
    """What a sweeper looks at."""

    due: float = float("inf")

    def expire(self) -> None:
        raise AssertionError("each connection has its own")
