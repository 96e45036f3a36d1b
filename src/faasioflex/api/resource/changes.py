"""Small request bodies: traffic, rollback, scale."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from faasioflex.api.resource.document import invalid, pointer
from faasioflex.api.resource.limits import Strict
from faasioflex.model.errors import FieldError
from faasioflex.model.execute import MAX_REVISION

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class RollbackIn(Strict):
    revision: int | None = Field(
        None, ge=1, le=MAX_REVISION, description="Default: the newest one before that was ready"
    )


class ScaleIn(Strict):
    instances: int = Field(ge=0, le=1000)


TRAFFIC_SCHEMA: dict[str, Any] = {
    "title": "Traffic",
    "description": "Revision -> percent, together 100",
    "type": "object",
    "minProperties": 1,
    "maxProperties": 100,
    "patternProperties": {"^[1-9][0-9]{0,8}$": {"type": "integer", "minimum": 0, "maximum": 100}},
    "additionalProperties": False,
    "examples": [{"3": 90, "4": 10}],
}


def read_traffic(document: object) -> dict[int, int]:
    """``{"3": 90, "4": 10}``. Raises: Invalid."""
    if not isinstance(document, dict) or not document:
        raise invalid(FieldError("", 'Must be an object like {"3": 90, "4": 10}'))
    if len(document) > TRAFFIC_SCHEMA["maxProperties"]:
        raise invalid(FieldError("", "Has more than 100 revisions"))
    wrong = [
        FieldError(pointer(key), "Must be a revision's number and a whole percentage from 0 to 100")
        for key, share in document.items()
        if not _NUMBER.fullmatch(key) or type(share) is not int or not 0 <= share <= 100
    ]
    if wrong:
        raise invalid(*wrong)
    if sum(document.values()) != 100:
        raise invalid(FieldError("", f"The shares make {sum(document.values())} percent together, not 100"))
    return {int(key): share for key, share in document.items()}
