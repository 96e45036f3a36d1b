"""Answers become dataclasses; what does not fit is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from faasioflex.client.models import Function, Invocation, Metrics, Revision
from faasioflex.client.read import BadAnswer, read

FUNCTION: dict[str, Any] = {
    "namespace": "acme",
    "name": "hello",
    "runtime": "python",
    "env": {"GREETING": "hi"},
    "limits": {"concurrency": 5, "cpu": 1, "payload_bytes": None},
    "network": {"egress": ["example.org"]},
    "source": {"sha256": "ab", "size_bytes": 12},
    "shoe_size": 44,
    "status": {
        "state": "ready",
        "revision": 3,
        "latest": {"revision": 4, "state": "failed", "message": "no main.py"},
        "traffic": {"3": 90, "4": 10},
        "created_at": "2030-01-31T12:00:00.250Z",
    },
}


def test_a_function_is_read_with_nested_parts_and_defaults() -> None:
    function = read(Function, FUNCTION)
    assert str(function.function) == "acme/hello"
    assert (function.limits.concurrency, function.limits.cpu, function.limits.payload_bytes) == (5, 1.0, None)
    assert function.limits.timeout_s == 30.0
    assert function.network.egress == ("example.org",)
    assert function.status.traffic == {3: 90, 4: 10}
    assert function.status.latest is not None
    assert function.status.latest.message == "no main.py"
    assert function.status.created_at == datetime(2030, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
    assert function.raw["shoe_size"] == 44


def test_times_may_be_seconds_since_the_epoch() -> None:
    revision = read(Revision, {"revision": 1, "state": "ready", "created_at": 0})
    assert revision.created_at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "document", "place"),
    [
        (Function, [], "the answer is list"),
        (Function, {"namespace": "a", "name": "b"}, "/runtime is missing"),
        (Function, FUNCTION | {"name": 5}, "/name is int, not str"),
        (Function, FUNCTION | {"limits": {"concurrency": True}}, "/limits/concurrency is bool, not int"),
        (Function, FUNCTION | {"network": {"egress": "x"}}, "/network/egress is str, not a list"),
        (Function, FUNCTION | {"status": {"state": "ready", "traffic": {"x": 1}}}, "/status/traffic"),
        (Revision, {"revision": 1, "state": "ready", "created_at": "soon"}, "/created_at is not a time"),
        (Metrics, {"latency_ms": {"p50": "fast"}}, "/latency_ms/p50 is str, not float"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(kind: type, document: Any, place: str) -> None:
    with pytest.raises(BadAnswer, match=place):
        read(kind, document)


def test_an_invocation_knows_whether_it_has_ended() -> None:
    assert not read(Invocation, {"invocation_id": "x", "status": "queued"}).ended
    assert read(Invocation, {"invocation_id": "x", "status": "dead"}).ended
