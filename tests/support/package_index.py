"""A package registry on loopback: PEP 503 pages, or PEP 691 JSON, of packages in memory. It remembers what it was asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import quote


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed."""


class PackageIndex:
    """A context manager. ``with_json`` False serves HTML only; ``login`` asks for that user and password; ``listener`` is
    where it serves if not on a port of its own."""

    def __init__(
        self, *, with_json: bool = False, login: tuple[str, str] | None = None, listener: socket.socket | None = None
    ) -> None:
        self.with_json = with_json
        self.login = login
        self.files: dict[str, dict[str, bytes]] = {}
        self.yanked: set[str] = set()
        self.requires_python: dict[str, str] = {}
        self.hashes: dict[str, str] = {}  # what it says where that is not the truth
        self.asked: list[str] = []
        self.refuses = False  # answers 403
        self.open = threading.Event()  # while it is not set, answers wait
        self.open.set()
        self._server = _Server(("127.0.0.1", 0), self._handler(), bind_and_activate=listener is None)
        if listener is not None:
            self._server.socket.close()
            self._server.socket = listener
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> PackageIndex:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Of the simple index, with credentials where it wants them."""
        login = f"{quote(self.login[0], safe='')}:{quote(self.login[1], safe='')}@" if self.login else ""
        return f"http://{login}127.0.0.1:{self.port}/simple"

    def add(self, filename: str, data: bytes) -> None:
        name = re.split(r"-\d", filename)[0]
        self.files.setdefault(re.sub(r"[-_.]+", "-", name).lower(), {})[filename] = data

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index.asked.append(self.path)
                index.open.wait(60)
                status, kind, body = index._answer(self.path, self.headers.get("Authorization"))
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="packages"')
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.send_response(405)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Not on the tests' stderr."""

        return Handler

    def _answer(self, path: str, authorization: str | None) -> tuple[int, str, bytes]:
        if self.refuses:
            return 403, "text/plain", b"not today"
        if self.login is not None:
            expected = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
            if authorization != expected:
                return 401, "text/plain", b"who are you?"
        found = re.fullmatch(r"/simple/([a-z0-9-]+)/", path)
        if found and found.group(1) in self.files:
            return self._json(found.group(1)) if self.with_json else self._html(found.group(1))
        found = re.fullmatch(r"/files/([a-z0-9-]+)/([^/]+)", path)
        if found and found.group(2) in self.files.get(found.group(1), {}):
            return 200, "application/octet-stream", self.files[found.group(1)][found.group(2)]
        return 404, "text/plain", b"there is no such thing"

    def _json(self, name: str) -> tuple[int, str, bytes]:
        listed = [
            {
                "filename": filename,
                "url": f"../../files/{name}/{filename}",
                "hashes": {"sha256": self._hash(filename, data)},
                "yanked": filename in self.yanked,
                **({"requires-python": self.requires_python[filename]} if filename in self.requires_python else {}),
            }
            for filename, data in self.files[name].items()
        ]
        body = json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": listed}).encode()
        return 200, "application/vnd.pypi.simple.v1+json", body

    def _html(self, name: str) -> tuple[int, str, bytes]:
        links = []
        for filename, data in self.files[name].items():
            marks = ' data-yanked="broken"' if filename in self.yanked else ""
            if filename in self.requires_python:
                python = self.requires_python[filename].replace("<", "&lt;").replace(">", "&gt;")
                marks += f' data-requires-python="{python}"'
            target = f"../../files/{name}/{filename}#sha256={self._hash(filename, data)}"
            links.append(f'<a href="{target}"{marks}>{filename}</a><br>')
        return 200, "text/html", f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def _hash(self, filename: str, data: bytes) -> str:
        return self.hashes.get(filename) or hashlib.sha256(data).hexdigest()
