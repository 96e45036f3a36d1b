"""Functions that answer with anything but HTTP: the client gets an end, and nobody else notices."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from security.hostile.conftest import SCALING
from security.hostile.functions.raw.says import SAYS
from support.hostile_platform import Answer, WalledPlatform, settle, source

MIB = 1 << 20
LONGEST_S = 30.0
# Envoy bounds these by the function's time and that of a start: over a minute, in which this client does not wait.
HELD = ("endless-100", "endless-103", "chunk-extension", "silence", "slow-head")
HELD_S = 2.0
UNBROKEN = ("fine", "headers")
FIELDS = {"limits": {"timeout_s": 3, "queue_wait_s": 2, "concurrency": 50, "cpu": 1.0}, "scaling": SCALING}


@pytest.fixture(scope="module")
def liar(platform: WalledPlatform) -> Iterator[str]:
    platform.deploy("liar", "python", source("raw"), **FIELDS)
    yield "/f/admin/liar"
    platform.delete("liar")


def read(platform: WalledPlatform, path: str, patience_s: float, most_bytes: int = 4 * MIB) -> Answer | None:
    """What a client gets that reads that much and goes; None where the answer broke or did not come."""
    connection = platform.connection(patience_s)
    try:
        connection.request("GET", path, headers=platform.headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read(most_bytes))
    except (http.client.HTTPException, TimeoutError):
        return None
    finally:
        connection.close()


def busy_share(pid: int) -> float:
    """Of a core, over a moment."""
    return psutil.Process(pid).cpu_percent(0.3) / 100


def resident_bytes(platform: WalledPlatform) -> dict[str, int]:
    return {name: psutil.Process(pid).memory_info().rss for name, pid in platform.pids.items()}


def test_broken_answers_on_the_direct_path(platform: WalledPlatform, liar: str) -> None:
    before, pids = resident_bytes(platform), platform.pids
    names = [name for name in SAYS if name not in UNBROKEN]

    def tried(name: str) -> tuple[str, Answer | None, float]:
        begun = time.monotonic()
        return name, read(platform, f"{liar}/{name}", HELD_S if name in HELD else LONGEST_S), time.monotonic() - begun

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(tried, names))
    for name, answer, took_s in found:
        assert took_s < LONGEST_S, name
        if answer is None:
            continue
        assert b"forged" not in answer.body, name
        assert answer.all("ffx-revision") in ([], ["1"]), (name, answer)
        assert answer.status >= 500 or name not in MUST_FAIL, (name, answer)
    settle(lambda: busy_share(platform.pids["envoy"]) < 0.5, "the gateway is calm again")
    assert platform.pids == pids, "nothing of the platform ended"
    grown = {name: size - before[name] for name, size in resident_bytes(platform).items()}
    assert max(grown.values()) < 64 * MIB, grown


# Where the head itself is broken or does not end: the client hears of it by a status.
MUST_FAIL = {
    "garbage", "binary", "nothing", "version-2", "status-text", "no-colon", "nul", "endless-head", "giant-header",
    "many-headers", "two-lengths", "negative-length", "giant-length",
}  # fmt: skip

MUST_FAIL_EXECUTE = (MUST_FAIL - {"many-headers"}) | {
    "endless-100", "endless-103", "slow-head", "silence", "short", "chunk-text", "chunk-long", "chunk-cut", "endless-body",
    "endless-chunks",
}  # fmt: skip


def test_broken_answers_to_execute(platform: WalledPlatform, liar: str) -> None:
    """The same through the invoker, which has to hold a result in memory."""
    before, pids = resident_bytes(platform), platform.pids

    def tried(name: str) -> tuple[str, Answer, float]:
        body = {"function": "liar", "payload": {"say": name}}
        begun = time.monotonic()
        answer = platform.call("POST", "/functions/execute", body, timeout_s=LONGEST_S)
        return name, answer, time.monotonic() - begun

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(tried, [name for name in SAYS if name not in UNBROKEN]))
    for name, answer, took_s in found:
        assert took_s < LONGEST_S, name
        assert b"forged" not in answer.body, name
        invocation = answer.json()
        if name in MUST_FAIL_EXECUTE:
            assert answer.status >= 400 or invocation["status"] == "failed", (name, answer)
    assert platform.pids == pids, "nothing of the platform ended"
    grown = {name: size - before[name] for name, size in resident_bytes(platform).items()}
    assert max(grown.values()) < 128 * MIB, grown


def test_who_speaks_first_is_not_heard(platform: WalledPlatform) -> None:
    """An answer before the request is nobody's: neither the next call's nor another function's."""
    platform.deploy("eager", "python", source("raw"), env={"SPEAKS_FIRST": "1"}, **FIELDS)
    for _ in range(5):
        with suppress(http.client.HTTPException):
            answer = platform.call("GET", "/f/admin/eager/fine")
            assert answer.body != b"forged" or answer.get("ffx-revision") == "1"
        assert platform.call("POST", "/f/admin/neighbour", {}).json() == {"fine": True}
    platform.delete("eager")


def test_a_second_answer_reaches_no_other_caller_of_another_function(platform: WalledPlatform, liar: str) -> None:
    for name in ("long", "double", "body-of-204", "body-of-304", "both-lengths"):
        for _ in range(3):
            with suppress(http.client.HTTPException):
                platform.call("GET", f"{liar}/{name}")
            assert platform.call("POST", "/f/admin/neighbour", {}).json() == {"fine": True}


ORIGIN_WIDE = (
    "service-worker-allowed", "clear-site-data", "strict-transport-security", "alt-svc", "public-key-pins", "nel",
    "report-to", "accept-ch", "critical-ch", "origin-agent-cluster",
)  # fmt: skip


@pytest.mark.parametrize("headers", [{}, {"X-Request-Id": "of-the-caller"}])
def test_headers_that_are_ours(platform: WalledPlatform, liar: str, headers: dict[str, str]) -> None:
    answer = platform.call("GET", f"{liar}/headers", headers=headers)
    assert (answer.status, answer.body) == (200, b"ok")
    names = {name.lower() for name, _ in answer.headers}
    assert not [name for name in names if name.startswith(("x-ffx-", "x-envoy-"))]
    assert answer.all("ffx-revision") == ["1"]
    assert answer.get("server") == "faasioflex"
    assert len(answer.all("x-request-id")) == 1
    assert answer.get("x-request-id") == headers.get("X-Request-Id", answer.get("x-request-id")) != "mine"
    assert answer.all("set-cookie") == ["mine=1"]
    timings = ",".join(answer.all("server-timing"))
    assert "mine;dur=2" in timings
    assert "ffx-start;dur=1," not in timings
    assert answer.all("content-security-policy")[-1] == "sandbox allow-scripts allow-forms"
    assert not names & {"keep-alive", "proxy-authenticate", "proxy-connection", "upgrade", "trailer"}, names
    assert not names & set(ORIGIN_WIDE), names & set(ORIGIN_WIDE)
