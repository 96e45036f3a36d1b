"""What an answer means as a result."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from faasioflex.invoker.headers import request_id
from faasioflex.invoker.http1.head import ResponseHead
from faasioflex.invoker.outcome import error_of, result_of, to_json_bytes
from faasioflex.model.invocation import CalledBy, CallError, Invocation


@pytest.mark.parametrize(
    ("content_type", "body", "result"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}),
        ("application/problem+json; charset=utf-8", b"1", 1),
        ("text/plain", "ñ".encode(), "ñ"),
        ("text/plain; charset=latin-1", b"\xf1", "ñ"),
        ("text/html;charset=nonsense", b"x", {"base64": "eA==", "content_type": "text/html;charset=nonsense"}),
        ("application/json", b"{", {"base64": "ew==", "content_type": "application/json"}),
        ("text/plain", b"\xff", {"base64": "/w==", "content_type": "text/plain"}),
        ("", b"x", {"base64": "eA==", "content_type": "application/octet-stream"}),
        ("application/json", b"", None),
    ],
)
def test_results(content_type: str, body: bytes, result: Any) -> None:
    assert result_of(content_type, body) == result


def answered(status: int, content_type: bytes = b"text/plain") -> ResponseHead:
    return ResponseHead(status, b"Reason", [(b"Content-Type", content_type)], 1)


def test_errors() -> None:
    assert error_of(answered(399), b"x") is None
    assert error_of(answered(404), b"no such thing\n") == CallError("function-error", "no such thing", 404)
    assert error_of(answered(500, b"application/problem+json"), b'{"detail": "d", "title": "t"}') == CallError(
        "function-error", "d", 500
    )
    assert error_of(answered(500, b"image/png"), b"\xff") == CallError(
        "function-error", "The function answered 500 Reason", 500
    )
    made = error_of(answered(504), b"late")
    assert made is not None
    assert made.code == "deadline-exceeded"
    long = error_of(answered(500), b"x" * 100_000)
    assert long is not None
    assert len(long.message) == 4096


def test_an_invocation_as_json_has_the_fields_of_the_contract() -> None:
    made = Invocation("i", "acme/hello", 1, "failed", None, CallError("c", "m", 500), 1, 1.0, 2.0, 3.0, 1000.0)
    document = json.loads(
        to_json_bytes(replace(made, principal=CalledBy("u-1", "ann"), result_object="o", asynchronous=True))
    )
    assert list(document) == [
        "invocation_id", "function", "revision", "status", "result", "error", "attempts", "created_at", "started_at",
        "finished_at", "duration_ms", "not_before", "redrive_of",
    ]  # fmt: skip
    assert document["finished_at"] == "1970-01-01T00:00:03.000Z"
    assert document["not_before"] is None
    assert document["error"] == {"code": "c", "message": "m", "http_status": 500}


def test_request_ids() -> None:
    assert request_id("abc-1.2:3") == "abc-1.2:3"
    for insane in (None, "", "a b", "a\n", "x" * 129, "ñ"):
        made = request_id(insane)
        assert made != insane
        assert len(made) == 32
