"""A function instance in a process of its own: uvicorn on a unix socket, run as ``python asgi_instance.py SOCKET CONCURRENCY``.

``/echo`` streams the body back, ``/count`` answers its size and sha256, ``/sleep`` never answers (it ends with its caller);
a WebSocket echoes, and closes with the code that it is sent as text ``close CODE``.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class App:
    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._running = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        if self._running >= self._concurrency:
            await send({"type": "http.response.start", "status": 429, "headers": [(b"x-ffx-overflow", b"1")]})
            await send({"type": "http.response.body", "body": b"full"})
            return
        self._running += 1
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            elif scope["path"] == "/echo":
                await self._echo(receive, send)
            elif scope["path"] == "/sleep":
                while (await receive())["type"] != "http.disconnect":
                    pass
            else:
                await self._count(receive, send)
        finally:
            self._running -= 1

    async def _echo(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})

    async def _count(self, receive: Receive, send: Send) -> None:
        digest, size, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
            digest.update(message.get("body", b""))
            size += len(message.get("body", b""))
        body = json.dumps({"size": size, "sha256": digest.hexdigest()}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _websocket(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        offered = scope.get("subprotocols") or [None]
        await send(
            {"type": "websocket.accept", "subprotocol": offered[-1], "headers": [(b"x-path", scope["raw_path"])]}
        )
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is not None and text.startswith("close "):
                await send({"type": "websocket.close", "code": int(text.split()[1]), "reason": "as asked"})
                return
            if text is not None:
                await send({"type": "websocket.send", "text": text})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
        sys.stderr.write(f"websocket closed {message.get('code')}\n")
        sys.stderr.flush()


def main() -> None:
    path, concurrency = sys.argv[1], int(sys.argv[2])
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(1024)
    config = uvicorn.Config(
        App(concurrency), timeout_keep_alive=75, log_level="warning", ws_max_size=64 << 20, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
