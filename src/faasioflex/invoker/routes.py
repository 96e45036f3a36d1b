"""What is known of functions: a copy of ``ffx_routes``, and the leader's word where the copy may be behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bucket, Entry
from faasioflex.invoker.bounds import Bounds
from faasioflex.model.errors import FunctionNotFound, Unavailable
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

MOST_ASKED = 10_000
MOST_QUESTIONS = 1000  # to the leader at once: all that may be asked while it is away
RETRY_S = 0.25


class Routes:
    """``changed`` is called with each function whose route is another now (None: it is gone), before anybody is told of it.
    ``beside``: what else is asked of the leader, for a function's key, whenever that is.
    """

    def __init__(
        self,
        bucket: Bucket[FunctionRoute],
        bounds: Bounds,
        changed: Callable[[FunctionName, FunctionRoute | None], None],
        beside: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._bucket = bucket
        self._bounds = bounds
        self._changed = changed
        self._beside = beside or _nothing
        self._mirror = Mirror(bucket)
        self._table: dict[str, Entry[FunctionRoute]] = {}
        self._asked: dict[tuple[str, str], float] = {}
        self._questions: dict[str, asyncio.Task[None]] = {}
        self._tokens = bounds.leader_reads_per_s
        self._tokens_at = 0.0
        self._watchers: dict[str, asyncio.Event] = {}

    @property
    def revision(self) -> int:
        """Stream sequence up to which everything is in force here."""
        return self._mirror.revision

    @property
    def problem(self) -> str | None:
        return self._mirror.problem

    async def start(self) -> None:
        self._mirror.listen(self._take)
        await self._mirror.start()

    async def stop(self) -> None:
        for task in list(self._questions.values()):
            task.cancel()
        await self._mirror.stop()

    def listen(self, callback: Callable[[], None]) -> None:
        """Call after each change, when it is in force."""
        self._mirror.listen(lambda _: callback())

    def known(self, function: FunctionName) -> FunctionRoute | None:
        """As the copy has it; None where there is none, or none any more."""
        entry = self._table.get(function.key)
        return None if entry is None or entry.value.deleting else entry.value

    async def find(self, function: FunctionName) -> FunctionRoute:
        """Raises: FunctionNotFound; Unavailable where the copy does not know it and the leader cannot be asked."""
        route = self.known(function)
        if route is None:
            await self.ask(function)
            route = self.known(function)
        if route is None:
            raise FunctionNotFound(f"There is no function {function} that you may see")
        return route

    async def until(self, function: FunctionName, holds: Callable[[FunctionRoute], bool], timeout_s: float) -> None:
        """Return when ``holds`` is true of the function's route, when it is gone, or when time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                while (entry := self._table.get(function.key)) is not None and not holds(entry.value):
                    await self._watchers.setdefault(function.key, asyncio.Event()).wait()
        except TimeoutError:
            return

    def _take(self, keys: set[str]) -> None:
        for key in keys:
            entry, known = self._mirror.entries.get(key), self._table.get(key)
            if entry is None or known is None or entry.revision >= known.revision:
                self._put(key, entry)

    def _put(self, key: str, entry: Entry[FunctionRoute] | None) -> None:
        if entry is None:
            self._table.pop(key, None)
        else:
            self._table[key] = entry
        self._changed(FunctionName.from_key(key), entry.value if entry is not None else None)
        event = self._watchers.pop(key, None)
        if event is not None:
            event.set()

    async def ask(self, function: FunctionName, asker: str = "") -> None:
        """Take in the leader's word on a function, asked once for all that wait for it.

        Nothing is asked where the same ``asker`` did a moment ago, or where too much is asked.
        """
        key, now = function.key, asyncio.get_running_loop().time()
        if now < self._asked.get((key, asker), 0.0):
            return
        task = self._questions.get(key)
        if task is None:
            if not self._may_ask(now):
                return
            task = asyncio.create_task(self._question(key))
            self._questions[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        await asyncio.shield(task)
        if len(self._asked) >= MOST_ASKED:
            self._asked.clear()
        self._asked[(key, asker)] = asyncio.get_running_loop().time() + self._bounds.unknown_name_s

    def _answered(self, key: str, task: asyncio.Task[None]) -> None:
        self._questions.pop(key, None)
        if not task.cancelled():
            task.exception()  # those who asked may all be gone

    async def _question(self, key: str) -> None:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._bounds.away_hold_s
        while True:
            try:
                entry, _ = await asyncio.gather(self._bucket.get(key), self._beside(key))
                break
            except Unavailable as error:
                if loop.time() >= give_up_at:
                    raise Unavailable(
                        "The registry is away, so it is not known whether this function exists"
                    ) from error
                await asyncio.sleep(RETRY_S)
        known = self._table.get(key)
        if entry is not None and (known is None or known.revision < entry.revision):
            self._put(key, entry)

    def _may_ask(self, now: float) -> bool:
        """A token bucket, so that a flood of names that do not exist does not reach the registry."""
        rate = self._bounds.leader_reads_per_s
        self._tokens = min(rate, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if len(self._questions) >= MOST_QUESTIONS:
            raise Unavailable("Too many calls of unknown functions at once: call again")
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


async def _nothing(_: str) -> None:
    return None
