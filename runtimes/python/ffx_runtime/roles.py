"""What the parts of the server may ask of those that stand above them, so that imports point one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    import socket

    from ffx_runtime.capture import Streams
    from ffx_runtime.gate import Gate, Sweeper
    from ffx_runtime.report import Report
    from ffx_runtime.settings import Settings
    from ffx_runtime.workers import Post, Workers


class Calls(Protocol):
    """The style, as a connection sees it."""

    streams_request: bool

    def begin(self, exchange: Any) -> None: ...
    def upgrade(self, exchange: Any) -> bool: ...


class Host(Protocol):
    """The server of the instance."""

    settings: Settings
    report: Report
    streams: Streams
    loop: asyncio.AbstractEventLoop
    socket: socket.socket
    style: Calls
    post: Post
    workers: Workers
    gate: Gate
    sweeper: Sweeper
    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    stopping: bool

    def expect_end(self, exchange: Any) -> None: ...


class Link(Protocol):
    """The connection that a call came on."""

    server: Host
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    write_paused: bool

    def extend(self, exchange: Any) -> None: ...
    def answered(self, exchange: Any) -> None: ...
    def resume_reading(self) -> None: ...
    async def writable(self) -> None: ...
