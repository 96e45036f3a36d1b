"""From a JSON document to a checked request, with one FieldError per wrong place."""

from __future__ import annotations

from typing import Any

from faasioflex.api.resource.request import FunctionIn
from faasioflex.api.resource.texts import handler_problem
from faasioflex.api.resource.unsupported import check_supported
from faasioflex.model.errors import FieldError
from faasioflex.model.validation import field_errors, invalid, pointer, validate

__all__ = ["field_errors", "invalid", "merge", "pointer", "read_function", "validate"]
NULL_IS_A_VALUE = {("limits", "payload_bytes")}


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
