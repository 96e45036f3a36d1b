"""From JSON to a checked document, with one FieldError per wrong place: for every edge that takes documents."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from faasioflex.model.errors import BadRequest, FieldError, Invalid

Model = TypeVar("Model", bound=BaseModel)
MAX_ERRORS = 20
MAX_POINTER = 300
_WORDS = {
    "extra_forbidden": "There is no such field",
    "missing": "This field is required",
    "model_type": "Must be an object",
    "dict_type": "Must be an object",
}


def json_of(data: bytes) -> Any:
    """Raises: BadRequest for what is not JSON: broken UTF-8, NaN, too deep (200 levels), half surrogates, empty."""
    if not data:
        raise BadRequest("The body is empty: JSON is expected")
    try:
        return from_json(data, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {str(error)[:200]}") from None


def pointer(*parts: str | int) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def validate(model: type[Model], document: object) -> Model:
    """Raises: Invalid."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise invalid(*field_errors(error)) from None


def invalid(*errors: FieldError) -> Invalid:
    """The error whose sentence is the first of ``errors``, or all of a few."""
    shown = "; ".join(f"{one.pointer or 'the document'}: {one.message}" for one in errors[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return Invalid(shown + more, errors=errors)


def field_errors(error: ValidationError, *prefix: str) -> tuple[FieldError, ...]:
    """Pydantic's findings as pointers and sentences."""
    found: dict[FieldError, None] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]:
        place = pointer(*prefix, *(part for part in one["loc"] if part != "[key]"))
        sentence = _WORDS.get(one["type"], one["msg"].replace("Input should be", "Must be", 1))
        found[FieldError(place[:MAX_POINTER], sentence)] = None
    return tuple(found)
