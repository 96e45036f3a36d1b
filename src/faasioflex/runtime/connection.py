"""The driver's side of one connection to the launcher: requests matched with answers, and what is pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

from faasioflex.model.errors import Unavailable
from faasioflex.runtime.launcher import wire
from faasioflex.runtime.launcher.wire import Json

AWAY = "the launcher is not reachable; it is started again by the supervisor: try again"


class Connection:
    """Made by :meth:`open`. When it is lost every call in it raises Unavailable, and ``lost`` is set."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[object]] = {}
        self._lines: dict[int, Callable[[str], None]] = {}
        self.batches: asyncio.Queue[Json | None] = asyncio.Queue()  # of events; None at the end
        self.lost = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, socket: Path) -> Connection:
        """Raises: Unavailable."""
        try:
            reader, writer = await asyncio.open_unix_connection(socket, limit=wire.LONGEST_MESSAGE_BYTES)
        except OSError as error:
            raise Unavailable(f"{AWAY} ({error})") from error
        return cls(reader, writer)

    async def call(self, operation: str, content: Json, on_line: Callable[[str], None] | None = None) -> object:
        """Send a request and wait for its answer; ``on_line`` gets the lines that come before it.

        Raises: what the launcher answered, or Unavailable.
        """
        if self.lost:
            raise Unavailable(AWAY)
        number = next(self._numbers)
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        if on_line is not None:
            self._lines[number] = on_line
        try:
            self._writer.write(wire.pack({**content, "id": number, "op": operation}))
            await self._writer.drain()
            return await answer
        except OSError as error:
            raise Unavailable(f"{AWAY} ({error})") from error
        finally:
            self._answers.pop(number, None)
            self._lines.pop(number, None)

    def acknowledge(self, upto: int) -> None:
        if not self.lost:
            self._writer.write(wire.pack({"op": "ack", "upto": upto}))

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(wire.unpack(line))
        except (OSError, ValueError):
            pass  # it ends the same way
        finally:
            self.lost = True
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Unavailable(AWAY))
            self.batches.put_nowait(None)
            self._writer.close()

    def _take(self, message: Json) -> None:
        if "events" in message:
            self.batches.put_nowait(message)
            return
        number = message["id"]
        if "lines" in message:
            if (on_line := self._lines.get(number)) is not None:
                for line in message["lines"]:
                    on_line(line)
            return
        answer = self._answers.get(number)
        if answer is None or answer.done():
            return  # nobody waits for it any more
        if "error" in message:
            answer.set_exception(wire.to_error(message["error"]))
        else:
            answer.set_result(message["ok"])

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
