"""An npm registry of packages in memory, on a socket that is handed in. It remembers what it was asked."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import tarfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


def package(files: Mapping[str, str]) -> bytes:
    """The tgz of a package; ``files`` with its package.json."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class NpmRegistry:
    """A context manager. ``packages``: name -> (the manifest, the tgz), each in version 1.0.0."""

    def __init__(self, listener: socket.socket, url: str, packages: Mapping[str, tuple[dict[str, Any], bytes]]) -> None:
        self.asked: list[str] = []
        self._url = url
        self._packages = packages
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.socket.close()
        self._server.socket = listener
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, path: str) -> bytes | None:
        name, _, file = path.strip("/").partition("/-/")
        if name not in self._packages:
            return None
        manifest, archive = self._packages[name]
        if file:
            return archive
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
        dist = {"tarball": f"{self._url}/{name}/-/{name}-1.0.0.tgz", "integrity": integrity}
        version = {"name": name, "version": "1.0.0", "dist": dist, "hasInstallScript": True, **manifest}
        return json.dumps({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.asked.append(self.path)
                body = registry._answer(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *arguments: object) -> None:
                """Not on the tests' stderr."""

        return Handler
