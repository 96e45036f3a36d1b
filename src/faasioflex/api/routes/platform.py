"""The platform about itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import Field

from faasioflex import __version__
from faasioflex.api.authority import OPEN
from faasioflex.api.context import Context
from faasioflex.api.docs_page import docs_page
from faasioflex.api.problems import problem_response, problems, request_id
from faasioflex.api.resource.shapes import Shape
from faasioflex.api.schema import function_schema
from faasioflex.model.errors import Unavailable

router = APIRouter(tags=["platform"], dependencies=OPEN)


class HealthOut(Shape):
    status: str


class ReadyOut(Shape):
    status: str
    parts: dict[str, str | None] = Field(description="Part -> what is wrong with it; null where it is ready")


class VersionOut(Shape):
    name: str
    version: str


@router.get("/healthz", response_model=HealthOut, responses=problems())
async def healthz() -> Response:
    """The API answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=ReadyOut, responses=problems())
async def readyz(request: Request, context: Context) -> Response:
    """200 when every part is connected, 503 before."""
    parts = context.readiness()
    wrong = {name: problem for name, problem in sorted(parts.items()) if problem is not None}
    if wrong:
        sentence = "; ".join(f"{name}: {problem}" for name, problem in wrong.items())
        return problem_response(Unavailable(f"Not every part is ready: {sentence}"), request_id(request))
    return JSONResponse({"status": "ready", "parts": parts})


@router.get("/version", response_model=VersionOut, responses=problems())
async def version() -> Response:
    """What is running."""
    return JSONResponse({"name": "faasioflex", "version": __version__})


@router.get("/schemas/function.json", response_model=dict[str, Any], responses=problems())
async def get_function_schema() -> Response:
    """The JSON schema of the function resource and of function.yaml, for editors."""
    return JSONResponse(function_schema(), headers={"cache-control": "no-cache"})


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """A page that shows this API and tries it; it needs nothing from elsewhere."""
    page, policy = docs_page()
    return HTMLResponse(page, headers={"content-security-policy": policy, "cache-control": "no-cache"})
