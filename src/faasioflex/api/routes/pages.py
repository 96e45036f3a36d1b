"""Lists of functions come in pages: the parameters that all of them take."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Query

from faasioflex.api.resource.document import invalid
from faasioflex.model.errors import FieldError
from faasioflex.model.names import NAME_PATTERN

NamespaceQuery = Annotated[str | None, Query(pattern=NAME_PATTERN, max_length=40)]
LabelQuery = Annotated[list[str] | None, Query(max_length=20, description="k=v; all of several have to fit")]
LimitQuery = Annotated[int, Query(ge=1, le=1000)]
CursorQuery = Annotated[str | None, Query(max_length=200, description="next of the page before")]


def labels_of(texts: list[str] | None) -> dict[str, str]:
    """``["k=v"]`` as ``{"k": "v"}``. Raises: Invalid."""
    labels: dict[str, str] = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise invalid(FieldError("/query/label", "Must be key=value"))
        labels[key] = value
    return labels


def key_of(cursor: str | None) -> str:
    """The key that a page begins after. Raises: Invalid."""
    if cursor is None:
        return ""
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise invalid(FieldError("/query/cursor", "Must be the next of a page before")) from None


def cursor_of(after: str | None) -> str | None:
    """Inverse of :func:`key_of`; None on the last page."""
    return base64.urlsafe_b64encode(after.encode()).decode() if after is not None else None
