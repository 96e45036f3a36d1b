"""The verbs that read, call and change, against the real API."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest
import yaml

from faasioflex.bus.buckets import FUNCTIONS, SCALE
from faasioflex.model.function import FunctionRecord
from faasioflex.model.status import DesiredScale, ScaleDecision
from support.ffx_command import Ffx
from support.small_platform import SmallPlatform


def test_lists_and_shows(hello: Ffx, platform: SmallPlatform) -> None:
    assert hello("list").out.splitlines() == [
        "NAME         RUNTIME  STATE  REVISION  INSTANCES  TRAFFIC  URL",
        f"admin/hello  python   ready  1         1          1=100    {platform.url}/f/admin/hello",
    ]
    assert [item["name"] for item in json.loads(hello("list", "-o", "json").out)] == ["hello"]
    assert json.loads(hello("list", "-o", "json", "--label", "a=b").out) == []
    assert yaml.safe_load(hello("get", "admin/hello", "-o", "yaml").out)["handler"] == "main:handle"
    shown = hello("get", "hello").out
    assert "state:       ready\n" in shown
    assert "memory:      128 MiB\n" in shown


def test_get_says_why_there_are_so_many_instances(hello: Ffx, platform: SmallPlatform) -> None:
    assert json.loads(hello("get", "hello", "-o", "json").out)["status"]["scale"] is None
    record = platform.run(platform.bus.bucket(FUNCTIONS.name, FunctionRecord).get("admin.hello"))
    assert record is not None
    why = ScaleDecision(0, 1, "concurrency", 3.0, 7.0, "calls", "3.0 calls at once over 6 s, 7 per instance", 86_400.0)
    scale = DesiredScale(record.value.uid, {1: 1}, "", 86_400.0, {1: why})
    platform.run(platform.bus.bucket(SCALE.name, DesiredScale).put("admin.hello", scale))
    in_words = (
        "scaled:      from 0 to 1 at 1970-01-02 00:00:00 by concurrency: 3.0 calls at once over 6 s, 7 per instance\n"
    )
    deadline = time.monotonic() + 15
    while in_words not in (shown := hello("get", "hello").out):
        assert time.monotonic() < deadline, shown
    told = json.loads(hello("get", "hello", "-o", "json").out)["status"]["scale"]
    assert (told["from"], told["to"], told["signal"], told["value"], told["threshold"]) == (0, 1, "concurrency", 3, 7)


def test_no_functions_are_said_on_stderr(ffx: Ffx) -> None:
    done = ffx("list")
    assert (done.code, done.out) == (0, "")
    assert "No functions yet" in done.err


def test_what_is_not_there_is_1_with_its_code_and_a_hint(ffx: Ffx) -> None:
    done = ffx("get", "nobody")
    assert (done.code, done.out) == (1, "")
    assert "Error: " in done.err
    assert "code: function-not-found" in done.err
    assert "'ffx list'" in done.err


def test_what_is_no_name_is_1(ffx: Ffx) -> None:
    done = ffx("get", "../etc")
    assert done.code == 1
    assert "code: invalid" in done.err


def test_revisions_and_rollback(hello: Ffx) -> None:
    Path("hello/main.py").write_text("def handle(event, context):\n    return 2\n")
    hello("deploy", "hello")
    assert [one["revision"] for one in json.loads(hello("revisions", "hello", "-o", "json").out)] == [2, 1]
    assert hello("rollback", "hello").out == "admin/hello: 1=100\n"
    assert hello("rollback", "hello", "2").out == "admin/hello: 2=100\n"
    done = hello("rollback", "hello", "9")
    assert (done.code, "code: revision-not-found" in done.err) == (1, True)


def test_scale_and_delete(hello: Ffx, platform: SmallPlatform) -> None:
    assert hello("scale", "hello", "3").out.startswith("admin/hello scales to 3")
    assert json.loads(hello("get", "hello", "-o", "json").out)["scaling"]["min_instances"] == 3
    assert hello("delete", "hello").out == "Deleted admin/hello\n"
    assert hello("delete", "hello").code == 1
    assert platform.driver.instances == {}


@pytest.mark.parametrize(
    ("data", "printed"),
    [
        ('{"name": "Ada"}', '{\n  "name": "Ada"\n}\n'),
        ("just text", "just text\n"),
        ("5", "5\n"),
        ("@payload.json", "[\n  1\n]\n"),
    ],
)
def test_invoke_prints_the_result(hello: Ffx, data: str, printed: str) -> None:
    Path("payload.json").write_text("[1]")
    assert hello("invoke", "hello", "-d", data).out == printed


def test_invoke_takes_stdin_and_prints_the_whole_invocation(hello: Ffx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'"from stdin"')))
    invocation = json.loads(hello("invoke", "hello", "-d", "-", "-o", "json").out)
    assert (invocation["status"], invocation["result"]) == ("succeeded", "from stdin")


def test_invoke_fails_with_the_functions_error(hello: Ffx) -> None:
    done = hello("invoke", "hello", "-d", '{"fail": "it broke"}')
    assert (done.code, done.out) == (1, "")
    assert "Error: it broke" in done.err
    assert "code: function-error" in done.err


def test_invoke_refuses_what_only_looks_like_json(hello: Ffx) -> None:
    done = hello("invoke", "hello", "-d", "{name: Ada}")
    assert done.code == 1
    assert "code: bad-request" in done.err


def test_flags_of_the_direct_path_need_raw_and_those_of_the_queue_async(hello: Ffx) -> None:
    assert hello("invoke", "hello", "-H", "A: b").code == 2
    assert hello("invoke", "hello", "--raw", "--async").code == 2
    assert hello("invoke", "hello", "--after", "10m").code == 2
    assert hello("invoke", "hello", "--callback", "https://a.example").code == 2
    assert hello("invoke", "hello", "--async", "--callback-secret", "hook").code == 2
    assert hello("invoke", "hello", "--async", "--priority", "10").code == 2
    assert hello("invoke", "hello", "--async", "--after", "soon").code == 2


def test_a_queued_call_and_what_became_of_it(hello: Ffx) -> None:
    made = hello("invoke", "hello", "--async", "--after", "10m", "--key", "k", "--priority", "9", "--order-key", "o")
    (invocation_id,) = made.out.splitlines()
    result = json.loads(hello("result", invocation_id, "--wait").out)
    told = {name: result[name] for name in ("mode", "not_before", "idempotency_key", "priority", "order_key")}
    assert told == {"mode": "async", "not_before": 600.0, "idempotency_key": "k", "priority": 9, "order_key": "o"}
    when = ("--after", "2030-01-31T12:00:00Z")
    signed = ("--callback", "https://a.example", "--callback-secret", "hook")
    made = hello("invoke", "hello", "--async", *when, *signed, "-o", "json")
    asked = json.loads(hello("result", json.loads(made.out)["invocation_id"]).out)
    assert asked["not_before"] == "2030-01-31T12:00:00Z"
    assert asked["callback"] == {"url": "https://a.example", "secret": "hook"}


def test_a_queued_call_is_taken_back(hello: Ffx) -> None:
    invocation_id = hello("invoke", "hello", "--async", "-d", '{"wait": true}').out.strip()
    assert hello("result", invocation_id).out.strip() == invocation_id  # it has not ended
    assert hello("cancel", invocation_id).out == f"The call {invocation_id} is cancelled\n"
    again = hello("cancel", invocation_id)
    assert (again.code, "code: wrong-state" in again.err) == (1, True)
    done = hello("result", invocation_id, "--wait")
    assert (done.code, "the call is cancelled" in done.err) == (1, True)


def test_dead_letters(hello: Ffx) -> None:
    first, second, third = (hello("invoke", "hello", "--async", "-d", '{"fail": "no"}').out.strip() for _ in range(3))
    done = hello("result", first, "--wait")
    assert (done.code, "code: function-error" in done.err) == (1, True)
    listed = hello("dead-letters", "list", "hello").out
    assert all(each in listed for each in (first, second, third, "it broke"))
    assert [one["attempts"] for one in json.loads(hello("dead-letters", "list", "-o", "json").out)] == [3, 3, 3]
    assert "payload:" in hello("dead-letters", "show", first).out
    again = hello("dead-letters", "redrive", first).out.strip()
    assert json.loads(hello("result", again, "-o", "json").out)["redrive_of"] == first
    assert hello("dead-letters", "purge", second).out == "1 dead letters are gone\n"
    assert hello("dead-letters", "redrive", "--all", "hello").out == "1 calls are queued again\n"
    assert hello("dead-letters", "purge", "--all", "hello").out == "0 dead letters are gone\n"
    assert "No dead letters." in hello("dead-letters", "list").err
    assert "dead-letter-not-found" in hello("dead-letters", "show", third).err
    for wrong in (("redrive",), ("redrive", first, "--all", "hello"), ("purge",)):
        assert hello("dead-letters", *wrong).code == 2


def test_dead_letters_that_find_no_room(hello: Ffx, platform: SmallPlatform) -> None:
    for _ in range(2):
        hello("invoke", "hello", "--async", "-d", '{"fail": "no"}')
    platform.queue.room = 1
    done = hello("dead-letters", "redrive", "--all", "hello")
    assert (done.code, done.out) == (1, "1 calls are queued again\n")
    assert "1 dead letters found no room" in done.err


def test_the_callback_key_is_printed(hello: Ffx) -> None:
    assert hello("secret", "callback-key").out.startswith("whsec_")


def test_raw_sends_what_it_is_told_where_it_is_told(hello: Ffx) -> None:
    done = hello("invoke", "hello", "--raw", "-X", "PUT", "--path", "a%2Fb/seen?x=1", "-H", "X-Mine: yes", "-d", "body")
    seen = json.loads(done.out)
    assert (seen["method"], seen["path"], seen["query"]) == ("PUT", "/f/admin/hello/a%2Fb/seen", "x=1")
    assert seen["headers"]["x-mine"] == "yes"


def test_raw_fails_where_the_status_does_and_prints_the_body(hello: Ffx) -> None:
    done = hello("invoke", "missing", "--raw")
    assert done.code == 1
    assert json.loads(done.out)["code"] == "function-not-found"
    assert "404" in done.err


def test_logs_are_printed_plain_and_as_json(hello: Ffx, platform: SmallPlatform) -> None:
    platform.log("hello", "first")
    platform.log("hello", "second", revision=2)
    lines = [line for line in hello("logs", "hello").out.splitlines() if "stdout" in line]
    assert [line.split(" | ")[1] for line in lines] == ["first", "second"]
    assert " r1 i-0123456789abcdef stdout | first" in lines[0]
    only = hello("logs", "hello", "--revision", "2", "--since", "10m", "-o", "json").out
    assert [json.loads(line)["message"] for line in only.splitlines()] == ["second"]
    assert hello("logs", "hello", "--since", "soon").code == 2


def test_the_build_log_is_printed(hello: Ffx) -> None:
    assert hello("build-log", "hello").out == "building\n"


def test_events_are_printed(hello: Ffx) -> None:
    assert "function.registered admin/hello" in hello("events").out


def test_status_tells_what_is_not_ready_and_ends_with_1_then(ffx: Ffx, platform: SmallPlatform) -> None:
    done = ffx("status")
    assert (done.code, "ready:   yes" in done.out) == (0, True)
    platform.parts["gateway"] = "Envoy is away"
    done = ffx("status", "-o", "json")
    assert (done.code, json.loads(done.out)["ready"]) == (1, False)
    assert "Envoy is away" in ffx("status").out


def test_version_top_and_result(hello: Ffx) -> None:
    assert json.loads(hello("version", "-o", "json").out)["platform"]
    assert [one["name"] for one in json.loads(hello("top", "-o", "json").out)] == ["admin/hello"]
    assert hello("top").out.startswith("NAME")
    done = hello("result", "00000000-0000-0000-0000-000000000000")
    assert (done.code, "code: invocation-not-found" in done.err) == (1, True)


def test_nobody_at_the_address_is_1_with_the_cure(ffx: Ffx) -> None:
    done = ffx("list", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "code: unreachable" in done.err
    assert "ffx up" in done.err
