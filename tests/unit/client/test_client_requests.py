"""Each call of the API is described once: method, path, body, whether it may be repeated."""

from __future__ import annotations

import inspect
import io
from typing import Any

import pytest

from faasioflex.client import AsyncClient, Client, RetryPolicy, calls
from faasioflex.client.asynchronous_identity import AsyncIdentityMethods
from faasioflex.client.asynchronous_queue import AsyncQueueMethods
from faasioflex.client.blocking_identity import IdentityMethods
from faasioflex.client.blocking_queue import QueueMethods
from faasioflex.client.request import Request, Response
from faasioflex.client.wire import LineSplitter, Target, encoded
from faasioflex.model.errors import BadRequest, Invalid
from faasioflex.model.names import FunctionName

HELLO = FunctionName("acme", "hello")


@pytest.mark.parametrize(
    ("request_", "method", "path", "query", "body"),
    [
        (calls.register({"name": "x"}, None, 60), "POST", "/functions/register", {"wait_s": "60"}, {"name": "x"}),
        (calls.put(HELLO, {}, None, None, None), "PUT", "/functions/acme/hello", {}, {}),
        (calls.delete(HELLO), "DELETE", "/functions/acme/hello", {}, None),
        (
            calls.page("acme", {"a": "1"}, 5, "c"),
            "GET",
            "/functions",
            {"namespace": "acme", "label": ["a=1"], "limit": "5", "cursor": "c"},
            None,
        ),
        (calls.revision(HELLO, 3), "GET", "/functions/acme/hello/revisions/3", {}, None),
        (
            calls.traffic(HELLO, {3: 90, 4: 10}, 1.5),
            "PUT",
            "/functions/acme/hello/traffic",
            {"wait_s": "1.5"},
            {"3": 90, "4": 10},
        ),
        (calls.rollback(HELLO, None, None), "POST", "/functions/acme/hello/rollback", {}, {}),
        (calls.rollback(HELLO, 2, None), "POST", "/functions/acme/hello/rollback", {}, {"revision": 2}),
        (calls.scale(HELLO, 3), "PUT", "/functions/acme/hello/scale", {}, {"instances": 3}),
        (
            calls.execute(HELLO, [1], {"mode": "async"}, None),
            "POST",
            "/functions/execute",
            {},
            {"function": "acme/hello", "payload": [1], "mode": "async"},
        ),
        (calls.invocation("a/b", 5), "GET", "/invocations/a%2Fb", {"wait_s": "5"}, None),
        (
            calls.logs(HELLO, build=False, follow=True, since="10m", revision=2, tail=5),
            "GET",
            "/functions/acme/hello/logs",
            {"follow": "true", "since": "10m", "revision": "2", "tail": "5"},
            None,
        ),
        (
            calls.logs(HELLO, build=True, follow=False, since=None, revision=None, tail=None),
            "GET",
            "/functions/acme/hello/build-log",
            {},
            None,
        ),
    ],
)
def test_a_call_is_described(request_: Request[Any], method: str, path: str, query: dict[str, Any], body: Any) -> None:
    assert (request_.method, request_.path, request_.query, request_.json) == (method, path, query, body)


def test_a_patch_says_that_it_is_a_merge_patch() -> None:
    request = calls.patch(HELLO, {"env": None}, None, None, '"tag"')
    assert request.headers == {"If-Match": '"tag"', "Content-Type": "application/merge-patch+json"}
    assert not request.repeatable


def test_an_archive_goes_beside_the_document_and_is_read_from_its_start_each_time() -> None:
    archive = io.BytesIO(b"archive")
    request = calls.register({"name": "hello"}, archive, None)
    for _ in range(2):
        files = encoded(request)["files"]
        assert files["function"][1] == b'{"name": "hello"}'
        assert files["archive"][1].read() == b"archive"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("", "/f/acme/hello"),
        ("?a=1", "/f/acme/hello?a=1"),
        ("x/y", "/f/acme/hello/x/y"),
        ("/%2e%2e//b", "/f/acme/hello/%2e%2e//b"),
    ],
)
def test_the_direct_path_keeps_what_it_is_given(path: str, sent: str) -> None:
    request = calls.direct(HELLO, path, method="get", headers={}, content=None, timeout_s=None)
    assert Target("http://127.0.0.1:1").location(request.path).raw_path == sent.encode()


def test_a_platform_may_live_under_a_prefix() -> None:
    assert str(Target("https://example.org/ffx/").location("/functions")) == "https://example.org/ffx/functions"


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", "127.0.0.1"])
def test_what_is_no_url_of_a_platform_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="URL"):
        Client(url)


def test_names_without_a_namespace_take_the_targets() -> None:
    client = Client(Target("http://x", namespace="lab"))
    assert str(client.name("hello")) == "lab/hello"
    assert str(client.name("acme/hello")) == "acme/hello"
    with pytest.raises(Invalid):
        client.name("../x")


def test_a_token_is_never_shown() -> None:
    assert "s3cret" not in repr(Target("http://x", token="s3cret"))


def test_proxies_are_not_asked_for_loopback() -> None:
    assert not Target("http://127.0.0.1:8080").settings()["trust_env"]
    assert Target("https://faas.example").settings()["trust_env"]


def test_lines_are_split_at_line_feeds_only_and_across_chunks() -> None:
    splitter = LineSplitter()
    assert splitter.feed('{"a": "\u2028'.encode()) == []
    assert splitter.feed(b'x"}\n{"b') == ['{"a": "\u2028x"}']
    assert splitter.feed(b'": 1}\n') == ['{"b": 1}']
    assert splitter.feed(b"rest") == []
    assert splitter.end() == ["rest"]


def test_waits_grow_obey_retry_after_and_end() -> None:
    policy = RetryPolicy(attempts=4, first_wait_s=0.1, longest_wait_s=3.0)
    get, post = calls.get(HELLO), calls.execute(HELLO, None, {}, None)
    busy = Response(503, {"retry-after": "2"}, b"")
    assert [policy.wait_s(get, n, refused=True, response=None) for n in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, None]
    assert policy.wait_s(get, 1, refused=False, response=busy) == 2.0
    assert policy.wait_s(get, 1, refused=False, response=Response(503, {"retry-after": "90"}, b"")) == 3.0
    assert policy.wait_s(get, 1, refused=False, response=Response(503, {}, b"")) is None
    assert policy.wait_s(get, 1, refused=False, response=Response(500, {"retry-after": "1"}, b"")) is None
    assert policy.wait_s(calls.health("/readyz"), 1, refused=False, response=busy) is None
    assert policy.wait_s(post, 1, refused=True, response=None) == 0.1
    assert policy.wait_s(post, 1, refused=False, response=None) is None
    assert policy.wait_s(post, 1, refused=False, response=busy) is None
    keyed = calls.execute(HELLO, None, {"idempotency_key": "k"}, None)  # one call, however often it is sent
    assert policy.wait_s(keyed, 1, refused=False, response=None) == 0.1
    assert policy.wait_s(keyed, 1, refused=False, response=busy) == 2.0


def _public(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in vars(kind).items()
        if callable(member) and not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [(Client, AsyncClient), (QueueMethods, AsyncQueueMethods), (IdentityMethods, AsyncIdentityMethods)],
)
def test_both_clients_have_the_same_methods_with_the_same_parameters(one: type, other: type) -> None:
    blocking, asynchronous = _public(one), _public(other)
    assert blocking.keys() == asynchronous.keys()
    for name, signature in blocking.items():
        assert list(signature.parameters.values()) == list(asynchronous[name].parameters.values()), name
        assert inspect.getdoc(getattr(one, name)) == inspect.getdoc(getattr(other, name)), name
