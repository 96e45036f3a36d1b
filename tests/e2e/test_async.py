"""Asynchronous calls on a whole platform: everything that people do with them, through the gateway, and a killed invoker."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from faasioflex.client import Client, Redriven
from faasioflex.model.errors import DeadLetterNotFound, NotAllowed, NotFound
from support.platform_process import Platform, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WITHIN_S = 60.0
PAGE = Path(__file__).parents[2] / "docs/async.md"
CODE = """
import time
def handle(event, context):
    asked = event.json() if event.body else {}
    if asked.get("sleep"):
        time.sleep(asked["sleep"])
    if asked.get("fail"):
        raise RuntimeError("as asked")
    if asked.get("large"):
        return "x" * 2_000_000
    said = {name: event.headers.get(name) for name in ("x-ffx-invocation-id", "x-ffx-attempt", "prefer", "idempotency-key")}
    return {"asked": asked, "method": event.method, "path": event.path, "query": event.query, "said": said}
"""


class Receiver:
    """Where callbacks are posted. ``seen``: headers and body of each."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], bytes]] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class World:
    def __init__(self, platform: Platform, receiver: Receiver) -> None:
        self.platform, self.receiver = platform, receiver
        self.http = platform.client()
        self.client = Client(platform.url, token=platform.token)

    def register(self, name: str, **fields: Any) -> None:
        body = {"name": name, "runtime": "python", "source": {"files": {"main.py": CODE}}, **fields}
        answer = self.http.post("/functions/register?wait_s=60", json=body)
        assert answer.json()["status"]["state"] == "ready", answer.text

    def queue(self, name: str, payload: Any = None, **fields: Any) -> str:
        body = {"function": f"admin/{name}", "mode": "async", "payload": payload or {}, **fields}
        answer = self.http.post("/functions/execute", json=body)
        assert answer.status_code == 202, answer.text
        invocation_id = str(answer.json()["invocation_id"])
        assert answer.headers["location"] == f"/invocations/{invocation_id}"
        return invocation_id

    def ended(self, invocation_id: str) -> dict[str, Any]:
        """Waits by ``wait_s``; the answer is always a 200."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            answer = self.http.get(f"/invocations/{invocation_id}?wait_s=20")
            assert answer.status_code == 200, answer.text
            made: dict[str, Any] = answer.json()
            if made["status"] not in ("queued", "running"):
                return made
            assert time.monotonic() < deadline


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="ffx-async-", dir="/tmp"))
    receiver = Receiver()
    config = folder / "settings.toml"
    config.write_text(f'callback_hosts = "127.0.0.1:{receiver.port}"\n')
    platform = Platform(folder / "data", "--config", str(config))
    try:
        made = World(platform.start(), receiver)
        made.register("echo", **{"async": {"max_attempts": 2, "backoff_s": 0.1}})
        yield made
    finally:
        platform.end()
        receiver.server.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def test_execute_and_the_direct_path_queue_also_while_an_instance_lives(here: World) -> None:
    assert here.http.post("/f/admin/echo", json={}).status_code == 200  # by Envoy, straight to the instance
    made = here.ended(here.queue("echo", {"a": 1}))
    assert (made["status"], made["result"]["asked"], made["attempts"]) == ("succeeded", {"a": 1}, 1)
    headers = {"Prefer": "respond-async", "Idempotency-Key": "once", "Ffx-Not-Before": "0.2"}
    for _ in range(2):
        answer = here.http.put("/f/admin/echo/a/b?x=1", headers=headers, json={"b": 2})
        assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async"), answer.text
    found = here.ended(answer.headers["location"].rsplit("/", 1)[1])["result"]
    assert (found["method"], found["path"], found["query"], found["asked"]) == ("PUT", "/a/b", {"x": ["1"]}, {"b": 2})
    invocation_id = answer.json()["invocation_id"]
    assert found["said"] == {
        "x-ffx-invocation-id": invocation_id, "x-ffx-attempt": "1", "prefer": None, "idempotency-key": None,
    }  # fmt: skip


def test_a_large_result_is_read_whole(here: World) -> None:
    assert len(here.ended(here.queue("echo", {"large": True}))["result"]) == 2_000_000


def test_outcomes_are_posted_signed_and_never_inside(here: World) -> None:
    url = f"http://127.0.0.1:{here.receiver.port}/hook"
    done = [here.queue("echo", {"c": 1}, callback=url), here.queue("echo", {"fail": True}, callback=url)]
    wait_for(lambda: len(here.receiver.seen) >= 2, WITHIN_S, "two callbacks")
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102
    key = here.client.callback_key().key
    posted = {}
    for headers, body in here.receiver.seen:
        assert names["verified"](headers, body, key)
        posted[headers["webhook-id"]] = json.loads(body)["status"]
    assert posted == dict(zip(done, ("succeeded", "dead"), strict=True))
    nats = here.platform.document()["nats_url"].rpartition(":")[2]
    for inside in (f"http://127.0.0.1:{nats}/", "http://localhost/", "http://169.254.169.254/", "http://[::1]:1/"):
        body = {"function": "admin/echo", "mode": "async", "callback": inside}
        refused = here.http.post("/functions/execute", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/callback")


def test_dead_letters_are_made_again(here: World) -> None:
    here.register("flaky", **{"async": {"max_attempts": 1}})
    dead = [here.queue("flaky", {"fail": True, "n": number}) for number in range(3)]
    assert {here.ended(each)["status"] for each in dead} == {"dead"}
    letters = {each.invocation_id: each for each in here.client.dead_letters("flaky")}
    assert letters.keys() == set(dead)
    assert "RuntimeError" in (letters[dead[0]].last_error or "")
    assert here.client.dead_letter(dead[0]).payload == {"fail": True, "n": 0}
    again = here.client.redrive(dead[0])
    assert again.redrive_of == dead[0]
    assert here.ended(again.invocation_id)["status"] == "dead"
    with pytest.raises(DeadLetterNotFound):
        here.client.redrive(dead[0])
    fixed = CODE.replace('raise RuntimeError("as asked")', "return 'better'")
    patch = {"source": {"files": {"main.py": fixed}}}
    kind = {"Content-Type": "application/merge-patch+json"}
    assert here.http.patch("/functions/admin/flaky?wait_s=60", json=patch, headers=kind).status_code == 200
    here.client.delete_dead_letter(dead[1])
    assert here.client.redrive_all("flaky") == Redriven(2)
    assert here.client.purge("flaky") == 0
    assert list(here.client.dead_letters("flaky")) == []


def test_calls_are_taken_back(here: World) -> None:
    waits = here.queue("echo", not_before=3600)
    assert here.client.cancel(waits).status == "cancelled"
    runs = here.queue("echo", {"sleep": 20})
    wait_for(lambda: here.client.invocation(runs).status == "running", WITHIN_S, "it runs")
    here.client.cancel(runs)
    began = time.monotonic()
    assert {here.ended(each)["status"] for each in (waits, runs)} == {"cancelled"}
    assert time.monotonic() - began < 15


def test_what_is_anothers_is_not_there_for_others(here: World) -> None:
    token = here.client.create_token(
        "stranger",
        kind="service",
        namespaces=["admin"],
        functions=["admin/nothing"],
        verbs=["invoke"],
        expires_in_s=600,
    )
    made, dead = here.queue("echo", idempotency_key="theirs"), here.queue("echo", {"fail": True})
    here.ended(dead)
    with Client(here.platform.url, token=token.token) as stranger:
        for tried in (stranger.invocation, stranger.cancel, stranger.dead_letter, stranger.redrive):
            with pytest.raises(NotFound):
                tried(made if tried in (stranger.invocation, stranger.cancel) else dead)
        with pytest.raises((NotFound, NotAllowed)):
            stranger.callback_key("admin")
        with pytest.raises(NotFound):
            stranger.execute("admin/echo", mode="async", idempotency_key="theirs")
        assert list(stranger.dead_letters()) == []


def test_problems_of_execute_are_the_apis_own(here: World) -> None:
    """The gateway sends it straight to the invoker: nothing that the API refuses gets through."""
    json_type = {"Content-Type": "application/json"}
    for content, headers, status in (
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{", json_type, 400),
        (b'{"function": "echo", "payload": NaN}', json_type, 400),
        (b"{}", json_type | {"Origin": "https://evil.example"}, 403),
        (b"{}", json_type | {"Host": "evil.example"}, 403),
        (b'{"function": "echo", "x": 1}', json_type, 422),
        (b" " * ((16 << 20) + 1), json_type, 413),
    ):
        answer = here.http.post("/functions/execute", content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert here.http.get("/functions/execute").status_code == 405
    assert httpx.post(f"{here.platform.url}/functions/execute", json={"function": "admin/echo"}).status_code == 401


def test_an_accepted_call_outlives_its_invoker(here: World) -> None:
    made = [here.queue("echo", {"n": number}) for number in range(20)]
    later = here.queue("echo", not_before=3600)
    os.kill(here.platform.pids["invoker"], signal.SIGKILL)
    assert here.http.get(f"/invocations/{later}").json()["status"] == "queued"  # also while nobody works on the queue
    made.append(here.queue("echo", {"n": 20}))  # the gateway waits for the next invoker
    assert [here.ended(each)["result"]["asked"]["n"] for each in made] == list(range(21))
    assert here.client.cancel(later).status == "cancelled"
