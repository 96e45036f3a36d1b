"""Problem documents become exceptions of the one tree."""

from __future__ import annotations

import json

import pytest

from faasioflex.client.errors import ApiError, Unreadable, error_of
from faasioflex.model.errors import FfxError, FieldError, FunctionNotFound, Invalid, NotFound, tree
from faasioflex.model.problem import problem_body, problem_headers

NOT_FOUND = FunctionNotFound("there is no function acme/hello")


def _came(error: FfxError, extra: dict[str, str] | None = None) -> FfxError:
    headers = {name.lower(): value for name, value in problem_headers(error).items()} | (extra or {})
    return error_of(error.status, headers, problem_body(error, "r-1"))


def test_a_code_of_the_tree_is_caught_as_itself_as_its_parent_and_as_api_error() -> None:
    error = _came(NOT_FOUND)
    assert isinstance(error, FunctionNotFound)
    assert isinstance(error, NotFound)
    assert isinstance(error, ApiError)
    assert (error.code, error.status, error.detail, error.request_id) == (
        "function-not-found",
        404,
        "there is no function acme/hello",
        "r-1",
    )


def test_fields_and_retry_after_come_along() -> None:
    wrong = (FieldError("/limits/cpu", "must be at least 0.05"),)
    error = _came(Invalid("one field is wrong", errors=wrong), {"retry-after": "7"})
    assert error.errors == wrong
    assert error.retry_after_s == 7


# not those that only a command of the machine itself raises, which are there when other tests have imported it
OF_THE_API = sorted(code for code, kind in tree().items() if kind.__module__ == FfxError.__module__)


@pytest.mark.parametrize("code", OF_THE_API)
def test_every_code_has_its_class(code: str) -> None:
    kind = tree()[code]
    error = _came(kind("a sentence"))
    assert isinstance(error, kind)
    assert (error.code, str(error)) == (code, "a sentence")


def test_an_unknown_code_is_an_api_error_with_that_code() -> None:
    body = json.dumps({"code": "tea-pot", "title": "Short and stout", "status": 418}).encode()
    error = error_of(418, {"content-type": "application/problem+json", "x-request-id": "r-2"}, body)
    assert type(error) is ApiError
    assert (error.code, error.status, error.message, error.request_id) == ("tea-pot", 418, "Short and stout", "r-2")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("text/html", b"<h1>nginx</h1>"), ("application/json", b"nope"), ("application/json", b'{"detail": "x"}')],
)
def test_what_is_no_problem_document_is_said_to_be_none(content_type: str, body: bytes) -> None:
    assert isinstance(error_of(502, {"content-type": content_type}, body), Unreadable)


def test_joined_classes_do_not_take_the_places_of_the_model() -> None:
    _came(NOT_FOUND)
    assert isinstance(_came(NOT_FOUND), FunctionNotFound)
    assert FunctionNotFound("x").code == "function-not-found"
