"""Nothing is ignored: a query parameter that a route does not know is refused, as an unknown field is."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from faasioflex.api.resource.document import invalid, pointer
from faasioflex.model.errors import FieldError


def _known(route: APIRoute) -> frozenset[str]:
    return frozenset(_names(route.dependant))


def _names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for inner in dependant.dependencies:
        yield from _names(inner)


async def refuse_unknown(request: Request) -> None:
    """A dependency of the whole app. Raises: Invalid."""
    route = request.scope.get("route")
    if isinstance(route, APIRoute) and request.query_params:
        unknown = sorted(set(request.query_params) - _known(route))
        if unknown:
            known = ", ".join(sorted(_known(route))) or "none"
            errors = (
                FieldError(pointer("query", name)[:300], f"There is no such parameter here (there are: {known})")
                for name in unknown
            )
            raise invalid(*errors)
