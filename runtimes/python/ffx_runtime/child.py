"""A program that runs for one call: when it ended, whoever still holds its pipes."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import signal
import termios
from asyncio.subprocess import SubprocessStreamProtocol
from typing import Any

GRACE_S = 0.2  # for what the program left behind to write its last words


class _Protocol(SubprocessStreamProtocol):
    """Tells of the program's end by itself: asyncio's own ``wait`` may wait for its pipes too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=64 * 1024, loop=loop)
        self.exited = asyncio.Event()
        self.open = {1, 2}
        self.silent = asyncio.Event()  # both of its outputs have ended

    def process_exited(self) -> None:
        self.exited.set()
        super().process_exited()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        super().pipe_connection_lost(fd, exc)
        self.open.discard(fd)
        if not self.open:
            self.silent.set()


class Child:
    """The leader of a process group of its own."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: _Protocol) -> None:
        assert protocol.stdout is not None  # noqa: S101
        assert protocol.stderr is not None  # noqa: S101
        self.stdout: asyncio.StreamReader = protocol.stdout
        self.stderr: asyncio.StreamReader = protocol.stderr
        self._transport = transport
        self._protocol = protocol
        self._pid = transport.get_pid()

    def kill(self) -> bool:
        """The program and what it started: its process group. Returns whether there still was any of it."""
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    async def exited(self) -> int:
        """Its exit code (a signal's number below 0), however long what it started goes on."""
        await self._protocol.exited.wait()
        code = self._transport.get_returncode()
        assert code is not None  # noqa: S101
        return code

    async def settle(self) -> bool:
        """Once it has exited: see to it that its outputs end. Returns whether something was left behind that held them."""
        await self.exited()
        in_time = await self._silent()
        left = self.kill() and not in_time
        while not await self._silent():  # a slow reader, or something that left the process group
            for fd in tuple(self._protocol.open):
                pipe = self._transport.get_pipe_transport(fd)
                if isinstance(pipe, asyncio.ReadTransport) and pipe.is_reading() and _unread(pipe) == 0:
                    left = True
                    pipe.close()
        return left

    async def _silent(self) -> bool:
        try:
            async with asyncio.timeout(GRACE_S):
                await self._protocol.silent.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._transport.close()


async def start(argv: tuple[str, ...], **options: Any) -> Child:
    """``options``: as of ``loop.subprocess_exec``. Raises: OSError."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _Protocol(loop),
        *argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        **options,
    )
    return Child(transport, protocol)


def _unread(pipe: asyncio.BaseTransport) -> int:
    """Bytes in it that were not read yet."""
    size = array.array("i", [0])
    fcntl.ioctl(pipe.get_extra_info("pipe").fileno(), termios.FIONREAD, size)
    return size[0]
