"""Where the code comes from, as requests say it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from faasioflex.api.resource.limits import Strict
from faasioflex.manager.archive.limits import MAX_ENTRIES, MAX_PACKED_BYTES

MAX_BASE64_LETTERS = (MAX_PACKED_BYTES + 2) // 3 * 4 + 4
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
_FORMS = ("files", "archive", "image", "sha256")


class SourceIn(Strict):
    """Exactly one of ``files``, ``archive``, ``image``; or what an answer said (``sha256``), which changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [form]} for form in _FORMS]},
    )

    files: dict[FileName, str] | None = Field(
        None, min_length=1, max_length=MAX_ENTRIES, description="Path below the code's root -> text of the file"
    )
    archive: str | None = Field(
        None, min_length=4, max_length=MAX_BASE64_LETTERS, description="Base64 of a zip or tar.gz"
    )
    image: str | None = Field(None, min_length=1, max_length=500, description="repo:tag; not supported yet")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="Of the code as it is now, from an answer")
    size_bytes: int | None = Field(None, ge=0, description="From an answer, with sha256")
    digest: str | None = Field(None, max_length=200, description="From an answer, with image")

    @model_validator(mode="after")
    def _one_form(self) -> SourceIn:
        if sum(getattr(self, form) is not None for form in _FORMS) != 1:
            raise PydanticCustomError("source", "Say exactly one of files, archive and image")
        return self
