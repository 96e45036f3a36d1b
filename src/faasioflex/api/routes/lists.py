"""Lists of identity in pages, and bodies of its resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from faasioflex.api.routes.pages import cursor_of, key_of


def page(items: Mapping[str, Any] | Iterable[tuple[str, Any]], limit: int, cursor: str | None) -> JSONResponse:
    """``items``: key, by which they are in order, and document."""
    after = key_of(cursor)
    left = sorted((one for one in dict(items).items() if one[0] > after), key=lambda one: one[0])
    shown = left[:limit]
    following = shown[-1][0] if len(left) > limit else None
    return JSONResponse({"items": [document for _, document in shown], "next": cursor_of(following)})


def body(model: type[BaseModel]) -> dict[str, Any]:
    """A request's body, for a route's ``openapi_extra``."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
