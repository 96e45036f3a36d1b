"""What a call of the API may raise: one class per code of :mod:`faasioflex.model.errors`, all of them :class:`ApiError`.

``except FunctionNotFound`` (of model.errors) and ``except ApiError`` both catch a function that is not there.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from faasioflex.model.errors import FfxError, FieldError, tree


class ApiError(FfxError):
    """The platform refused or failed. ``code`` and ``status`` are the answer's own, also where this client has no class for them."""

    detail: str
    request_id: str | None

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int,
        request_id: str | None = None,
        errors: tuple[FieldError, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s, errors=errors)
        self.detail = detail
        self.request_id = request_id
        vars(self).update(code=code, status=status)  # instance values over the class's


class Unreachable(FfxError):
    """Nobody answers at the address, or the connection broke before an answer."""

    code, status, title = "unreachable", 503, "The platform cannot be reached"


class Unreadable(FfxError):
    """Something answers at the address that does not speak the platform's API."""

    code, status, title = "unreadable-answer", 502, "The answer is not the platform's"


_KINDS = tree()  # taken before classes are joined below, which are part of the tree then


@cache
def _class_of(code: str) -> type[ApiError]:
    """ApiError joined with the class of ``code``, so that both can be caught."""
    kind = _KINDS.get(code)
    if kind is None or kind is FfxError:
        return ApiError
    return type(kind.__name__, (ApiError, kind), {"__doc__": kind.__doc__, "__module__": __name__})


def error_of(status: int, headers: dict[str, str], body: bytes) -> FfxError:
    """The error that an answer of ``status`` >= 400 stands for. ``headers`` have lower-case names."""
    problem = _problem(body) if "json" in headers.get("content-type", "") else None
    if problem is None or not isinstance(problem.get("code"), str):
        return Unreadable(
            f"the answer has status {status} and is not a problem document of the platform: is the URL the platform's?"
        )
    detail = problem.get("detail") or problem.get("title") or f"status {status}"
    return _class_of(problem["code"])(
        str(detail),
        code=problem["code"],
        status=status,
        request_id=problem.get("request_id") or headers.get("x-request-id"),
        errors=tuple(_fields(problem.get("errors"))),
        retry_after_s=retry_after(headers),
    )


def retry_after(headers: dict[str, str]) -> int | None:
    """Seconds of a Retry-After header; a date in it counts as absent, the platform sends none."""
    value = headers.get("retry-after", "").strip()
    return int(value) if value.isascii() and value.isdigit() else None


def _problem(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _fields(errors: Any) -> list[FieldError]:
    items = errors if isinstance(errors, list) else []
    return [FieldError(str(i.get("pointer", "")), str(i.get("message", ""))) for i in items if isinstance(i, dict)]
