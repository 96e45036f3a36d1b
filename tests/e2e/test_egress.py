"""What a function reaches through a whole platform: other functions, what it lists, and what is told of the rest."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.egress import Host
from support.platform_process import Platform, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ASK = """
import os, urllib.request, urllib.error
def handle(event, context):
    asked = event.text()
    request = urllib.request.Request(asked.replace("$FFX_URL", os.environ["FFX_URL"]))
    if asked.startswith("$FFX_URL"):
        request.add_header("Authorization", f"Bearer {context.token()}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
    except OSError as error:
        return [0, str(error)]
"""
ECHO = "def handle(event, context):\n    return {'path': event.path, 'query': event.query}\n"


class Asking:
    def __init__(self, platform: Platform, there: Host) -> None:
        self.platform = platform
        self.there = there
        self.http = platform.client(timeout=90, verify=False)

    def register(self, name: str, code: str, *egress: str) -> httpx.Response:
        body = {
            "name": name,
            "runtime": "python",
            "source": {"files": {"main.py": code}},
            "network": {"egress": egress},
        }
        return self.http.post("/functions/register?wait_s=60", json=body)

    def ask(self, name: str, url: str) -> list[Any]:
        found: list[Any] = self.http.post(f"/f/admin/{name}", content=url).json()
        return found

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [
            httpx.Response(200, text=line).json()
            for line in self.http.get(f"/functions/admin/{name}/logs").text.splitlines()
        ]


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    there = Host(socket.create_server(("127.0.0.1", 0)), "the listed host")
    settings = folder / "settings.toml"
    settings.write_text(f'egress_allow = ["127.0.0.1:{there.port}"]\n')
    platform = Platform(folder / "d", "--config", str(settings), "--tls", "self-signed")
    try:
        made = Asking(platform.start(), there)
        assert made.register("echo", ECHO).status_code == 201
        assert made.register("closed", ASK).status_code == 201
        assert made.register("listed", ASK, f"localhost:{there.port}", "*").status_code == 201
        grant = made.http.put("/functions/admin/echo/grants/function%3Aadmin%2Fclosed", json={"verbs": ["invoke"]})
        assert grant.is_success, grant.text
        yield made
    finally:
        platform.end()
        there.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_function_calls_another_and_nothing_else_of_the_platform(asking: Asking) -> None:
    status, text = asking.ask("closed", "$FFX_URL/f/admin/echo/a/b?c=1")
    assert (status, text.replace(" ", "")) == (200, '{"path":"/a/b","query":{"c":["1"]}}')
    for path in ("/functions", "/functions/admin/echo", "/healthz", "/events", "/metrics", "/openapi.json"):
        assert asking.ask("closed", f"$FFX_URL{path}")[0] == 403
    assert asking.ask("closed", "$FFX_URL/f/admin/nobody")[0] == 404
    assert asking.ask("listed", "$FFX_URL/f/admin/echo")[0] == 404, "nothing was granted to it"


def test_what_is_listed_and_allowed_is_reached(asking: Asking) -> None:
    assert asking.ask("listed", f"http://localhost:{asking.there.port}/x") == [
        200,
        "the listed host got GET /x HTTP/1.1",
    ]
    reached = asking.there.reached
    assert asking.ask("closed", f"http://localhost:{asking.there.port}/x")[0] == 0
    assert asking.there.reached == reached


def test_a_denial_is_a_line_of_the_log_and_an_event(asking: Asking) -> None:
    assert asking.ask("listed", "http://169.254.169.254/latest/meta-data/")[0] == 403
    assert asking.ask("closed", "http://evil.example.net/")[0] == 0

    def told(name: str, destination: str) -> bool:
        return any(
            line["stream"] == "platform" and f"egress to {destination} denied" in line["message"]
            for line in asking.lines(name)
        )

    wait_for(
        lambda: told("listed", "169.254.169.254:80") and told("closed", "evil.example.net"), 20, "both are in the log"
    )

    def events() -> list[dict[str, Any]]:
        found = [httpx.Response(200, text=line).json() for line in asking.http.get("/events").text.splitlines()]
        return [one for one in found if one["type"] == "faasioflex.egress.denied"]

    wait_for(lambda: {one["subject"] for one in events()} >= {"admin/listed", "admin/closed"}, 20, "both are events")
    event = next(one for one in events() if one["subject"] == "admin/listed")
    assert event["data"]["destination"] == "169.254.169.254:80"
    assert "no * covers" in event["data"]["why"]


def test_calls_go_on_when_the_relay_is_killed(asking: Asking) -> None:
    before = asking.platform.pids["egress"]
    os.kill(before, signal.SIGKILL)
    assert asking.ask("closed", "$FFX_URL/f/admin/echo/x")[0] == 200
    assert asking.ask("listed", f"http://localhost:{asking.there.port}/x")[0] == 200
    assert asking.platform.pids["egress"] != before


@pytest.mark.parametrize(
    "entry", ["https://example.org", "example.org:0", "a b", "10.0.0.0/8", "*.*", "2130706433", ""]
)
def test_what_is_no_entry_is_refused(asking: Asking, entry: str) -> None:
    answer = asking.register("wrong", ASK, entry)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "/network/egress/0"


def test_too_many_entries_are_refused(asking: Asking) -> None:
    answer = asking.register("wrong", ASK, *(f"h{number}.example.org" for number in range(101)))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/network/egress")
