"""The published OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from faasioflex.api.schema import components

DESCRIPTION = """Register functions, change them, call them, watch them.

Errors are RFC 9457 problem documents (`application/problem+json`) with a stable `code`. Every answer carries `X-Request-Id`;
a sane one in the request is taken over. Functions themselves answer at `/f/{namespace}/{name}`."""
REPLACED = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Let ``app.openapi()`` make the document once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                openapi_version="3.1.0",
                description=DESCRIPTION,
                routes=app.routes,
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            for name in REPLACED:
                schemas.pop(name, None)
            schemas.update(components())
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
