"""One call whose answer all get that ask for the same meanwhile, as it comes; and that is kept when it is whole."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faasioflex.invoker.cache.rules import Terms
from faasioflex.invoker.cache.store import Store
from faasioflex.invoker.given import Given
from faasioflex.invoker.http1.connection import ConnectionEnded
from faasioflex.invoker.http1.head import Headers, ResponseHead

WINDOW_BYTES = 256 * 1024  # of an answer too large to keep: the fastest reader is so far ahead of the slowest
NOT_YET = ResponseHead(0, b"", [], 1)
LAG_S = 5.0  # so long one reader may keep others waiting


@dataclass(eq=False)
class Reader:
    """``at``: how many pieces it has had."""

    at: int = 0
    cut: bool = False


class Flight:
    """``open`` makes the call. ``judge`` looks at the head of its answer: None where it is not to be shared. ``end`` is called
    once, with the whole body or None, before readers learn that it is over.

    As long as the answer may still be kept it is read as fast as it comes, up to ``most_bytes``; what is longer goes on for
    those who read it already, at their pace. The last reader that leaves ends the call, unless it is ``for_later``; what is too
    large to keep is nothing for later.
    """

    def __init__(
        self,
        *,
        open: Callable[[], Awaitable[Given]],
        judge: Callable[[Given], Terms | None],
        end: Callable[[Flight, bytes | None], None],
        store: Store,
        most_bytes: int,
        fields: Headers,
        for_later: bool = False,
    ) -> None:
        self.fields = fields  # of the request
        self.terms: Terms | None = None
        self.head = NOT_YET
        self.revision = 0
        self.start_ms: float | None = None
        self.joinable = True
        self.keeping = True  # as far as is known yet
        self.kept_headers: Headers | None = None  # set by ``end`` where the answer was kept before its head went out
        self._open = open
        self._judge = judge
        self._end = end
        self._store = store
        self._most_bytes = most_bytes
        self._for_later = for_later
        self._answer: Given | None = None
        self._taken = False
        self._error: BaseException | None = None
        self._done = False
        self._whole = True  # all pieces from the first are here
        self._reserved = 0
        self._pieces: deque[bytes] = deque()
        self._first = 0  # number of the first piece that is here
        self._readers: set[Reader] = set()
        self._leader: Reader | None = None
        self._news: asyncio.Future[None] | None = None
        self._opened = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    # readers

    def lead(self) -> Reader:
        """For whom the call is made. Every reader leaves by ``leave``, whatever happens."""
        self._leader = self.join()
        return self._leader

    def join(self) -> Reader:
        reader = Reader()
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if self._done:
            if self.terms is None and reader is self._leader:
                self._close_untaken()
        elif not self._readers and not self._for_later:
            self.joinable = False
            self._task.cancel()
        self._tell()

    def go_on(self) -> None:
        """Also when nobody reads any more: it is worth keeping."""
        self._for_later = True

    async def settled(self) -> None:
        """Wait until it is whole and kept, or will not be."""
        while not self._done and self._whole:
            await self._heard()

    async def opened(self) -> bool:
        """Wait for the head. Whether the answer is for all who joined; if not, it is the leader's: ``take``."""
        await self._opened.wait()
        return self.terms is not None

    def take(self) -> Given:
        """For the leader, of an answer that is not shared. Raises: what the call failed with."""
        if self._answer is None:
            raise self._error or ConnectionEnded("the call has not begun")
        self._taken = True
        return self._answer

    def ready(self, reader: Reader) -> bool:
        """Whether ``chunk`` has something at once."""
        return self._done or reader.at < self._first + len(self._pieces)

    async def chunk(self, reader: Reader) -> bytes:
        """The next piece, b"" at the end. Raises: as ``Given.chunk``; ConnectionEnded for who was too slow."""
        while True:
            if reader.cut:
                raise ConnectionEnded("read too slowly while others waited")
            if reader.at < self._first + len(self._pieces):
                piece = self._pieces[reader.at - self._first]
                reader.at += 1
                if not self._whole:
                    self._tell()
                return piece
            if self._done:
                if self._error is not None:
                    raise self._error
                return b""
            await self._heard()

    def cancel(self) -> None:
        self._task.cancel()

    # the call

    async def _run(self) -> None:
        try:
            answer = self._answer = await self._open()
            self.head, self.revision, self.start_ms = answer.head, answer.revision, answer.start_ms
            self.terms = self._judge(answer)
            if self.terms is not None:
                await self._share(answer)
        except BaseException as error:
            self._error = error if isinstance(error, Exception) else ConnectionEnded("the call was given up")
            self._finish(None)
            if not isinstance(error, Exception):
                raise
        else:
            self._finish(b"".join(self._pieces) if self._whole and self.terms is not None else None)

    async def _share(self, answer: Given) -> None:
        try:
            if answer.ready:  # with its head: where that is all of it, it is kept, and has its entity tag, at once
                self._add(await answer.chunk())
                if answer.done:
                    return
            self._opened.set()
            self._tell()
            while piece := await answer.chunk():
                self._add(piece)
                if not self._whole:
                    await self._until_taken()
        finally:
            answer.close()

    def _finish(self, body: bytes | None) -> None:
        self.joinable = False
        self._store.free(self._reserved)
        self._reserved = 0
        try:
            self._end(self, body)
        finally:  # whatever that says, nobody waits for ever
            self._done = True
            self._opened.set()
            self._tell()
            if self.terms is None and self._leader not in self._readers:
                self._close_untaken()

    def _close_untaken(self) -> None:
        if self._answer is not None and not self._taken:
            self._taken = True
            self._answer.close()

    def _add(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        if self._whole:
            if self._reserved + len(piece) > self._most_bytes or not self._store.reserve(len(piece)):
                self._whole = self.joinable = self.keeping = False
                self._store.free(self._reserved)
                self._reserved = 0
            else:
                self._reserved += len(piece)
        self._tell()

    async def _until_taken(self) -> None:
        """Wait until the slowest reader is near; whoever keeps others waiting for too long is cut."""
        while True:
            if not self._readers:
                raise ConnectionEnded("nobody reads what is too large to keep")
            self._forget_what_all_had()
            if sum(map(len, self._pieces)) <= WINDOW_BYTES:
                return
            end = self._first + len(self._pieces)
            waiting = any(reader.at == end for reader in self._readers)
            try:
                async with asyncio.timeout(LAG_S if waiting else None):
                    await self._heard()
            except TimeoutError:
                for reader in [reader for reader in self._readers if reader.at == self._first]:
                    reader.cut = True
                    self._readers.discard(reader)

    def _forget_what_all_had(self) -> None:
        slowest = min((reader.at for reader in self._readers), default=self._first + len(self._pieces))
        while self._first < slowest and self._pieces:
            self._pieces.popleft()
            self._first += 1

    async def _heard(self) -> None:
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._news)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
