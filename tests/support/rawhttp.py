"""HTTP/1.1 by hand, for what a well-behaved client would never send."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json", self
        found = json.loads(self.body)
        assert {"type", "title", "status", "detail", "code", "request_id"} <= found.keys(), found
        assert found["status"] == self.status
        assert found["type"].endswith("/" + found["code"])
        return dict(found)


def request(
    path: str,
    *lines: str,
    method: str = "GET",
    body: bytes = b"",
    version: str = "HTTP/1.1",
    host: str = "gateway.test",
) -> bytes:
    head = [f"{method} {path} {version}", f"Host: {host}", "Connection: close", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


async def send(port: int, data: bytes, *, tls: ssl.SSLContext | None = None, timeout_s: float = 15.0) -> Answer:
    """One request on a connection of its own; the body ends with the connection or its length."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        try:
            writer.write(data)
            await writer.drain()
            return await read(reader)
        finally:
            writer.close()


async def read(reader: asyncio.StreamReader) -> Answer:
    status_line = await reader.readline()
    assert status_line, "the connection ended without an answer"
    status = int(status_line.split()[1])
    headers: dict[str, str] = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
    else:
        body = b""
    return Answer(status, headers, body)
