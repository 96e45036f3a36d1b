"""The shape of problem documents."""

from __future__ import annotations

import json

from faasioflex.model.errors import FieldError, Invalid, TooManyCalls
from faasioflex.model.problem import problem, problem_body, problem_headers


def test_a_problem_has_every_member_of_the_contract() -> None:
    assert problem(TooManyCalls("full"), "r-1") == {
        "type": "https://faasioflex.dev/problems/queue-full",
        "title": "Too many calls",
        "status": 429,
        "detail": "full",
        "code": "queue-full",
        "request_id": "r-1",
    }


def test_field_errors_are_listed_with_their_pointers() -> None:
    document = problem(Invalid("no", errors=(FieldError("/name", "is too long"),)), "r")
    assert document["errors"] == [{"pointer": "/name", "message": "is too long"}]


def test_headers_say_when_to_come_back_only_where_the_error_knows() -> None:
    assert problem_headers(TooManyCalls("full", retry_after_s=7)) == {
        "Content-Type": "application/problem+json",
        "Retry-After": "7",
    }
    assert "Retry-After" not in problem_headers(Invalid("no"))


def test_the_body_is_json_in_utf8() -> None:
    assert json.loads(problem_body(Invalid("señal"), "r"))["detail"] == "señal"
