"""RFC 8252: the browser of this machine, and an answer on a loopback port; authorization code with PKCE."""

from __future__ import annotations

import hmac
import os
import secrets
import sys
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

from faasioflex.cli.signing_in.oauth import CODE, Endpoints, Posting, Refused, taken
from faasioflex.cli.signing_in.stored import Tokens
from faasioflex.client.wire import Target
from faasioflex.model.errors import BadRequest, DeadlineExceeded

WITHIN_S = 300
PAGE = b"<!doctype html><meta charset=utf-8><title>FaaSioFlex</title><p>You can close this page and go back to the terminal."


def has_browser() -> bool:
    """Whether one can be opened here: not over SSH, not without a screen."""
    if not sys.stdin.isatty() or os.environ.get("SSH_CONNECTION"):
        return False
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def by_browser(
    target: Target, endpoints: Endpoints, say: Callable[[str], None], show: Callable[[str], object] = webbrowser.open
) -> Tokens:
    """Returns when the login has sent the browser back. Raises: Refused, DeadlineExceeded."""
    if endpoints.authorization is None:
        raise BadRequest("This login has no page for browsers: use --device")
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    with _Callback(state) as server:
        redirect = f"http://127.0.0.1:{server.server_port}/callback"
        query = {
            "response_type": "code",
            "client_id": endpoints.client_id,
            "redirect_uri": redirect,
            "scope": endpoints.scopes,
            "state": state,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        page = f"{endpoints.authorization}{'&' if '?' in endpoints.authorization else '?'}{urlencode(query)}"
        say(f"Log in with the browser that opens now; if none does, open\n  {page}")
        show(page)
        code = server.wait()
    form = {
        "grant_type": CODE,
        "client_id": endpoints.client_id,
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": verifier,
    }
    return taken(target, endpoints, Posting(target).post(endpoints.token, form))


class _Callback(HTTPServer):
    """On a free loopback port, for one answer that carries our ``state``."""

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.state = state
        self.found: dict[str, str] | None = None
        self.over = False
        self.timeout = WITHIN_S

    def handle_timeout(self) -> None:
        self.over = True

    def wait(self) -> str:
        while self.found is None:
            self.handle_request()
            if self.over:
                raise DeadlineExceeded("Nobody logged in with the browser in time: 'ffx login' again, or with --device")
        if "code" not in self.found:
            raise Refused(self.found.get("error", "error"), self.found.get("error_description", ""))
        return self.found["code"]


class _Answer(BaseHTTPRequestHandler):
    server: _Callback
    timeout = 5  # of a connection that a browser opened and says nothing on

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        values = {name: found[0] for name, found in parse_qs(parts.query).items()}
        ours = parts.path == "/callback" and hmac.compare_digest(
            values.get("state", "").encode(), self.server.state.encode()
        )
        if ours:
            self.server.found = values
        self.send_response(200 if ours else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(PAGE if ours else b"")

    def log_message(self, format: str, *args: object) -> None:
        """The line would hold the code."""
