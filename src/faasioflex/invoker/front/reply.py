"""Writing an answer to the client exactly as it is: aiohttp's own responses would add Server, Date and Content-Type."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.http import HttpVersion11, StreamWriter

from faasioflex.invoker.http1.head import Headers, write_head
from faasioflex.model.errors import FfxError
from faasioflex.model.problem import problem_body, problem_headers


class Reply(web.StreamResponse):
    """Handed to aiohttp when everything has been written already; tells it only whether the connection goes on."""

    def __init__(self, request: web.BaseRequest, *, close: bool = False) -> None:
        super().__init__()
        self._request = request
        self._alive = request.keep_alive and not close
        self._writer = StreamWriter(request.protocol, asyncio.get_running_loop())
        self._chunked = False
        self.begun = False

    @property
    def keep_alive(self) -> bool:
        return self._alive

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    async def begin(self, status: int, reason: bytes, headers: Headers, *, sized: bool, first: bytes = b"") -> None:
        """Write the head and the first bytes. ``sized``: the end of the body is known from the head (or there is none)."""
        self.begun = True
        if not sized:
            if self._request.version >= HttpVersion11:
                self._chunked = True
                headers = [*headers, (b"Transfer-Encoding", b"chunked")]
            else:
                self._alive = False
        if not self._alive:
            headers = [*headers, (b"Connection", b"close")]
        elif self._request.version < HttpVersion11:
            headers = [*headers, (b"Connection", b"keep-alive")]
        head = write_head(b"HTTP/1.1 %d %b" % (status, reason), headers)
        await self._writer.write(head + self._framed(first))

    async def switch(self, headers: Headers, protocol: bytes) -> None:
        """101: the connection is another protocol's from now on."""
        self.begun = True
        self._alive = False
        fields = [*headers, (b"Connection", b"Upgrade"), (b"Upgrade", protocol)]
        await self._writer.write(write_head(b"HTTP/1.1 101 Switching Protocols", fields))

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Raises ConnectionResetError where the client is gone."""
        await self._writer.write(self._framed(bytes(data)))

    async def end(self) -> None:
        if self._chunked:
            await self._writer.write(b"0\r\n\r\n")

    def cut(self) -> None:
        """End the connection so that the client sees that the answer is not whole."""
        self._alive = False
        if self._request.transport is not None:
            self._request.transport.abort()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    async def problem(self, error: FfxError, request_id: str) -> None:
        """An answer of the platform's own."""
        headers = {**problem_headers(error), "X-Request-Id": request_id}
        await self.document(error.status, headers, problem_body(error, request_id))

    async def document(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """A small answer, whole."""
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        fields.append((b"Content-Length", str(len(body)).encode()))
        sent = b"" if self._request.method == "HEAD" else body
        await self.begin(status, HTTPStatus(status).phrase.encode(), fields, sized=True, first=sent)
