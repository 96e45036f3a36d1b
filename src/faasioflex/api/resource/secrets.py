"""Secrets in requests and answers: values go in and never come out."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from faasioflex.api.resource.limits import Strict
from faasioflex.api.resource.shapes import Shape, Time
from faasioflex.api.resource.times import rfc3339
from faasioflex.manager.secrets.store import LONGEST_VALUE
from faasioflex.model.identity import SecretRecord

_LONGEST_BASE64 = 4 * (LONGEST_VALUE // 3 + 1)


class SecretPut(Strict):
    """One of the two."""

    value: Annotated[str, Field(max_length=LONGEST_VALUE)] | None = Field(None, description="Text, at most 64 KiB")
    value_base64: Annotated[str, Field(max_length=_LONGEST_BASE64)] | None = Field(
        None, description="Bytes in base64, at most 64 KiB"
    )

    @model_validator(mode="after")
    def _one(self) -> SecretPut:
        if (self.value is None) == (self.value_base64 is None):
            raise PydanticCustomError("secret", "Say either value or value_base64")
        return self

    def content(self) -> bytes:
        """Raises: ValueError where it is no base64."""
        if self.value is not None:
            return self.value.encode()
        try:
            return base64.b64decode(self.value_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("Is not base64") from None


class SecretOut(Shape):
    name: str
    version: int = Field(description="Grows with each change")
    created_at: Time
    updated_at: Time
    updated_by: str


class SecretPage(Shape):
    items: list[SecretOut]
    next: str | None


class RotatedOut(Shape):
    secrets: int = Field(description="How many were encrypted anew")


class MasterRotatedOut(Shape):
    namespaces: int = Field(description="Whose keys were wrapped anew")


def secret_document(record: SecretRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "created_at": rfc3339(record.created_at),
        "updated_at": rfc3339(record.updated_at),
        "updated_by": record.updated_by,
    }
