"""What execute takes, and what of a queued call may be said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from faasioflex.model.errors import BadRequest, Invalid
from faasioflex.model.execute import MOST_DELAY_S, ExecuteIn, read_execute
from faasioflex.model.queue import Callback
from faasioflex.model.validation import json_of

NOW = 1_000_000.0


def read(**fields: Any) -> ExecuteIn:
    return read_execute({"function": "acme/hello", "mode": "async", **fields})


def pointers(**fields: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        read(**fields).due(NOW)
    return [error.pointer for error in refused.value.errors]


def test_everything_that_may_be_said() -> None:
    asked = read(
        payload={"a": 1}, revision=2, timeout_s=1.5, idempotency_key="k", priority=9, order_key="o", not_before=60,
        callback={"url": "https://example.org/x", "secret": "hook"},
    )  # fmt: skip
    assert (asked.function, asked.payload, asked.revision, asked.timeout_s) == ("acme/hello", {"a": 1}, 2, 1.5)
    assert asked.posted_to == Callback("https://example.org/x", "hook")
    assert asked.due(NOW) == NOW + 60
    assert read(callback="https://example.org").posted_to == Callback("https://example.org")


@pytest.mark.parametrize(
    ("said", "due"),
    [
        (0, None),
        (0.5, NOW + 0.5),
        ("1970-01-12T13:46:40Z", None),  # now
        ("1970-01-12T13:46:41+00:00", NOW + 1),
        ("1970-01-12T15:46:41.5+02:00", NOW + 1.5),
        ("1960-01-01T00:00:00Z", None),
    ],
)
def test_when_a_call_may_run(said: float | str, due: float | None) -> None:
    assert read(not_before=said).due(NOW) == due


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"not_before": -1}, ["/not_before"]),
        ({"not_before": "tomorrow"}, ["/not_before"]),
        ({"not_before": [1]}, ["/not_before"]),
        ({"not_before": "2026-01-31T12:00:00"}, ["/not_before"]),  # of which zone?
        ({"not_before": MOST_DELAY_S + 1}, ["/not_before"]),
        ({"not_before": "1970-02-12T13:46:40Z"}, ["/not_before"]),
        ({"not_before": True}, ["/not_before"]),
        ({"priority": 10}, ["/priority"]),
        ({"priority": -1}, ["/priority"]),
        ({"priority": "5"}, ["/priority"]),
        ({"order_key": ""}, ["/order_key"]),
        ({"order_key": "x" * 201}, ["/order_key"]),
        ({"idempotency_key": ""}, ["/idempotency_key"]),
        ({"idempotency_key": "x" * 100_000}, ["/idempotency_key"]),
        ({"idempotency_key": 5}, ["/idempotency_key"]),
        ({"callback": 5}, ["/callback"]),
        ({"callback": {}}, ["/callback/url"]),
        ({"callback": {"url": "https://a", "header": "x"}}, ["/callback/header"]),
        ({"callback": {"url": "https://a", "secret": "../x"}}, ["/callback/secret"]),
        ({"callback": "https://" + "x" * 2000}, ["/callback/url"]),
        ({"function": "A/b"}, ["/function"]),
        ({"function": "a/b/c"}, ["/function"]),
        ({"x": 1}, ["/x"]),
        ({"revision": "1"}, ["/revision"]),
        ({"mode": "later"}, ["/mode"]),
    ],
)
def test_what_is_refused_names_its_place(fields: dict[str, Any], places: list[str]) -> None:
    assert pointers(**fields) == places


def test_a_call_that_is_waited_for_is_not_queued() -> None:
    for field, value in (("callback", "https://a.example"), ("not_before", 5), ("priority", 1), ("order_key", "k")):
        assert pointers(mode="sync", **{field: value}) == [f"/{field}"]
    assert read(mode="sync", idempotency_key="k", priority=0).idempotency_key == "k"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"function": NaN}', b"[" * 10_000, b'"\\ud800"'])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(BadRequest):
        json_of(body)


@pytest.mark.parametrize("body", ["[]", "{}", '"x"', "null"])
def test_what_is_no_such_document(body: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_execute(json.loads(body))
    assert refused.value.errors
