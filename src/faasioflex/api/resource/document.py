"""From a JSON document to a checked request, with one FieldError per wrong place."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from faasioflex.api.resource.request import FunctionIn
from faasioflex.api.resource.texts import handler_problem
from faasioflex.api.resource.unsupported import check_supported
from faasioflex.model.errors import FieldError, Invalid

Model = TypeVar("Model", bound=BaseModel)
MAX_ERRORS = 20
MAX_POINTER = 300
NULL_IS_A_VALUE = {("limits", "payload_bytes")}
_WORDS = {
    "extra_forbidden": "There is no such field",
    "missing": "This field is required",
    "model_type": "Must be an object",
    "dict_type": "Must be an object",
}


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


def read_function(document: object, **fixed: str) -> FunctionIn:
    """A function resource, complete. ``fixed`` are fields that the URL has decided: the document may repeat them only.

    Raises: Invalid, NotSupportedYet.
    """
    if not isinstance(document, dict):
        raise invalid(FieldError("", "Must be an object"))
    wrong = [
        FieldError(pointer(field), f"Is {value!r} in the URL: a function cannot be renamed, register another one")
        for field, value in fixed.items()
        if document.get(field) not in (None, value)
    ]
    if wrong:
        raise invalid(*wrong)
    made = validate(FunctionIn, {**document, **fixed})
    problem = handler_problem(made.runtime, made.handler) if made.handler is not None else None
    if problem is not None:
        raise invalid(FieldError("/handler", problem))
    if made.runtime != "image" and made.source is not None and made.source.image is not None:
        raise invalid(FieldError("/source/image", f"The runtime {made.runtime} takes files or an archive"))
    check_supported(made)
    return made


def merge(target: dict[str, Any], patch: dict[str, Any], place: tuple[str, ...] = ()) -> dict[str, Any]:
    """RFC 7396: a null removes, objects merge, everything else replaces.

    One exception, because null is a value there: ``limits.payload_bytes: null`` stays null (any size).
    """
    merged = dict(target)
    for name, value in patch.items():
        here = (*place, name)
        if isinstance(value, dict):
            held = merged.get(name)
            merged[name] = merge(held if isinstance(held, dict) else {}, value, here)
        elif value is None and here not in NULL_IS_A_VALUE:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged
