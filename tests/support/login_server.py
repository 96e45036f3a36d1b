"""A platform's token service and login, as far as ``ffx login`` sees them: on a loopback port, with answers to be told."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

WHO = {"kind": "user", "id": "u-1", "user": "u-1", "email": "ada@example.test", "namespace": "ada"}


class LoginServer:
    """A context manager. ``forms``: what came to token endpoints; ``elsewhere``: log in at /dex, not at the platform."""

    def __init__(self, *, elsewhere: bool = False) -> None:
        self.elsewhere = elsewhere
        self.forms: list[dict[str, str]] = []
        self.revoked: list[str] = []
        self.pending = 0  # answers "not yet" to a device that many times
        self.refuse: str | None = None
        self.lives_s = 900
        self.good: set[str] = set()
        self.challenge = ""
        self._lock = threading.Lock()
        self._number = 0
        server = self
        handler = type("Handler", (_Handler,), {"login": server})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def document(self, base: str) -> dict[str, Any]:
        own = {"issuer": f"{self.url}{base}", "token_endpoint": f"{self.url}{base}/token"}
        if self.elsewhere and base == "/oidc":
            return {**own, "ffx_login": {"issuer": f"{self.url}/dex", "client_id": "ffx-dex"}}
        more = {
            "authorization_endpoint": f"{self.url}{base}/auth",
            "device_authorization_endpoint": f"{self.url}{base}/device",
        }
        return {**own, **more}

    def page(self, query: dict[str, str]) -> str:
        """What a browser would be sent to after the login."""
        self.challenge = query["code_challenge"]
        return f"{query['redirect_uri']}?code=the-code&state={query['state']}"

    def token(self, base: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self.forms.append(form)
            if self.refuse is not None:
                return 400, {"error": self.refuse, "error_description": "no more"}
            if form["grant_type"].endswith("device_code") and self.pending > 0:
                self.pending -= 1
                return 400, {"error": "authorization_pending"}
            if form["grant_type"] == "authorization_code" and not self._proved(form["code_verifier"]):
                return 400, {"error": "invalid_grant"}
            if base == "/dex":
                return 200, {"access_token": "of-dex", "id_token": "id-of-dex", "token_type": "bearer"}
            self._number += 1
            access = f"access-{self._number}"
            self.good.add(access)
            return 200, {"access_token": access, "refresh_token": f"refresh-{self._number}", "expires_in": self.lives_s}

    def _proved(self, verifier: str) -> bool:
        digest = hashlib.sha256(verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=") == self.challenge


class _Handler(BaseHTTPRequestHandler):
    login: LoginServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        base = path.partition("/.well-known")[0]
        if path.endswith("/.well-known/openid-configuration"):
            self._answer(200, self.login.document(base))
        elif path == "/whoami":
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            problem = {"code": "not-authenticated", "status": 401, "detail": "who?"}
            self._answer(*((200, WHO) if token in self.login.good else (401, problem)))
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        base, _, last = self.path.rpartition("/")
        if last == "token":
            self._answer(*self.login.token(base, form))
        elif last == "device":
            self._answer(
                200, {"device_code": "d", "user_code": "ABCD", "verification_uri": "http://x/device", "interval": 0.01}
            )
        else:
            self.login.revoked.append(form["token"])
            self._answer(200, {})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        kind = "application/problem+json" if "code" in document else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return
