"""Errors as answers: every exception that leaves a route becomes an RFC 9457 problem document."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from faasioflex.api.resource.document import pointer
from faasioflex.model.errors import (
    BadRequest,
    FfxError,
    FieldError,
    FunctionNotFound,
    Invalid,
    InvocationNotFound,
    MethodNotAllowed,
    NotFound,
    RevisionNotFound,
)
from faasioflex.model.problem import PROBLEM_CONTENT_TYPE, problem_body, problem_headers

_MISSING: dict[str, type[NotFound]] = {"revision": RevisionNotFound, "invocation_id": InvocationNotFound}


def problem_response(error: FfxError, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error."""
    return Response(
        problem_body(error, request_id), status_code=error.status, headers={**problem_headers(error), **(headers or {})}
    )


def request_id(request: Request) -> str:
    """Of this request, set by ``edge``."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(FfxError)
    async def ours(request: Request, error: FfxError) -> Response:
        return problem_response(error, request_id(request))

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        return problem_response(_of_routing(request, error), request_id(request), error.headers)

    @app.exception_handler(RequestValidationError)
    async def parameters(request: Request, error: RequestValidationError) -> Response:
        return problem_response(_of_parameters(request, error), request_id(request))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return problem_response(BadRequest("The request ended in the middle"), request_id(request))


def _of_routing(request: Request, error: HTTPException) -> FfxError:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(f"There is nothing at {ascii(request.url.path)[:200]}: see /docs")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "other methods")
        return MethodNotAllowed(f"{request.method} is not possible here, {allowed} is: see /docs")
    return BadRequest(str(error.detail))


def _of_parameters(request: Request, error: RequestValidationError) -> FfxError:
    found: list[dict[str, Any]] = list(error.errors())
    for one in found:
        kind, name = one["loc"][0], str(one["loc"][-1])
        if kind == "path":
            value = str(request.path_params.get(name, ""))
            return _MISSING.get(name, FunctionNotFound)(f"There is no {name} {ascii(value)[:100]}")
    errors = tuple(
        FieldError(pointer(*one["loc"]), str(one["msg"]).replace("Input should be", "Must be", 1)) for one in found[:20]
    )
    return Invalid(
        "; ".join(f"{one['loc'][-1]}: {e.message}" for one, e in zip(found, errors, strict=False)), errors=errors
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's ``responses``: these, and what every route may answer."""
    content = {PROBLEM_CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*statuses, 403, 422, 503}):
        described[status] = {"description": HTTPStatus(status).phrase, "content": content}
    return described
