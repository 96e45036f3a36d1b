"""Whether the caller may: every route says by one of these what it needs, and one that says nothing is not reachable.

Before anything else of a request about a function is looked at, its body least of all: what is hidden answers as what does
not exist, after the same reads.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from faasioflex.api.context import function_name, services_of
from faasioflex.api.identity import Caller, caller_of
from faasioflex.identity.policy import Kind, Resource, Verb, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import FunctionNotFound, NotAllowed, NotFound
from faasioflex.model.function import FunctionRecord
from faasioflex.model.names import FunctionName

ADDRESS_HEADER = "x-ffx-address"  # of the client, as the gateway sees it
_SAYS = "ffx_says"  # the attribute of dependencies that decide


def says(dependency: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a dependency as one that decides who may."""
    setattr(dependency, _SAYS, True)
    return dependency


@says
async def open_to_all() -> None:
    """Says: everybody, without a token."""


@says
async def signed_in(caller: Caller) -> Principal:
    """Says: whoever shows a token that holds; what they see of it the route decides by the policy."""
    return caller


@says
async def invokers_to_decide() -> None:
    """Says: the invoker, which gets the caller's token."""


def resource_of(request: Request, function: FunctionName, record: FunctionRecord | None) -> Resource:
    """A function for the policy; one that does not exist is like a private one that nobody was granted anything of."""
    if record is None:
        return Resource("function", function.namespace, function.name)
    return services_of(request).identity.directory.function(function, record.spec.visibility, record.uid)


def no_function(function: FunctionName) -> FunctionNotFound:
    """In the words of the invoker, for what is hidden and for what is not there."""
    return FunctionNotFound(f"There is no function {function} that you may see")


def may(verb: Verb) -> Callable[..., Any]:
    """Says: who may do ``verb`` to the function of the path.

    Raises: NotAuthenticated, FunctionNotFound (it is not there, or not to be seen), NotAllowed.
    """

    @says
    async def check(
        request: Request, caller: Caller, function: Annotated[FunctionName, Depends(function_name)]
    ) -> FunctionName:
        entry = await services_of(request).registry.look(function)
        record = entry.value if entry is not None else None
        verbs = permitted(caller, resource_of(request, function, record))
        # an admin of the namespace is told of a missing one in the same words
        if record is None or "see" not in verbs:
            raise no_function(function)
        if verb not in verbs:
            raise NotAllowed(f"You may not {WORDS[verb]} {function}: its owner can let you with 'ffx grant'")
        return function

    return check


@says
async def may_read_grants(
    request: Request, caller: Caller, function: Annotated[FunctionName, Depends(function_name)]
) -> FunctionName:
    """Says: who may say who may what of the function, and who may read the function and people (an auditor).

    Raises: as :func:`may`.
    """
    if "read" in permitted(caller, Resource("user")):
        return cast(FunctionName, await may("read")(request, caller, function))
    return cast(FunctionName, await may("admin")(request, caller, function))


def may_register(caller: Principal, function: FunctionName) -> None:
    """Says nothing of whether the name is taken. Raises: NotAllowed."""
    if "deploy" not in permitted(caller, Resource("function", function.namespace, function.name)):
        raise NotAllowed(
            f"You may not register functions in the namespace {function.namespace}: leave it out for your own, or have "
            "an admin of it bind you as developer"
        )


def readable(request: Request, caller: Principal) -> Callable[[FunctionRecord], bool]:
    """Whether the caller may read a function: what lists hold.

    Asked of ten thousand at once, so functions that nothing tells apart are decided together: those without grants, where
    the caller's token names none.
    """
    granted = services_of(request).identity.directory.grants.entries
    alike: dict[tuple[str, str], bool] = {}

    def check(record: FunctionRecord) -> bool:
        spec = record.spec
        if caller.scope.functions is not None or f"{spec.namespace}.{spec.name}" in granted:
            return "read" in permitted(caller, resource_of(request, record.function, record))
        kind = (spec.namespace, spec.visibility)
        if kind not in alike:
            alike[kind] = "read" in permitted(caller, resource_of(request, record.function, record))
        return alike[kind]

    return check


@says
async def may_scrape(request: Request) -> None:
    """Says: the machine itself, and those who may read the platform. Raises: NotAuthenticated, NotAllowed.

    The gateway says the peer's address, and what it appends to X-Forwarded-For for a peer on loopback is this machine's: what
    stands before that came from a proxy. Who is not behind the gateway has opened a socket that is our user's own.
    """
    hops = [hop.strip() for value in request.headers.getlist("x-forwarded-for") for hop in value.split(",")]
    peer = request.headers.get(ADDRESS_HEADER)
    if peer is not None:
        hops = [*hops[:-1], peer]
    if all(_is_loopback(hop) for hop in hops) and "authorization" not in request.headers:
        return
    if "read" not in permitted(await caller_of(request), Resource("platform")):
        raise NotAllowed("You may not read the metrics of the platform: that takes the role admin, operator or auditor")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check_kind(caller: Principal, verb: Verb, resource: Resource, what: str) -> None:
    """For what is no function. Raises: NotFound (``what``, not to be seen), NotAllowed."""
    verbs = permitted(caller, resource)
    if "see" not in verbs:
        raise NotFound(f"There is no {what} that you may see")
    if verb not in verbs:
        raise NotAllowed(f"You may not {WORDS[verb]} the {what}")


def may_kind(kind: Kind, verb: Verb, what: str) -> Callable[..., Any]:
    """Says: who may do ``verb`` to everything of a kind that is of no namespace. Raises: NotAuthenticated, NotAllowed."""

    @says
    async def check(caller: Caller) -> Principal:
        if verb not in permitted(caller, Resource(kind)):
            raise NotAllowed(f"You may not {WORDS[verb]} {what}: that takes a role of the platform")
        return caller

    return check


WORDS: dict[Verb, str] = {
    "see": "see",
    "read": "read",
    "observe": "read the logs and calls of",
    "invoke": "call",
    "operate": "scale or move the traffic of",
    "deploy": "change",
    "admin": "say who may what of",
}
Read = Annotated[FunctionName, Depends(may("read"))]
Observe = Annotated[FunctionName, Depends(may("observe"))]
Operate = Annotated[FunctionName, Depends(may("operate"))]
Deploy = Annotated[FunctionName, Depends(may("deploy"))]
Administer = Annotated[FunctionName, Depends(may("admin"))]
ReadGrants = Annotated[FunctionName, Depends(may_read_grants)]
OPEN = [Depends(open_to_all)]
SIGNED_IN = [Depends(signed_in)]


def undecided(routes: list[Any]) -> list[str]:
    """Routes of the app that no dependency decides about: there must be none."""
    return [
        f"{sorted(route.methods or ())} {route.path}"
        for route in routes
        if isinstance(route, APIRoute) and not _decided(route.dependant)
    ]


def _decided(dependant: Any) -> bool:
    return getattr(dependant.call, _SAYS, False) or any(_decided(each) for each in dependant.dependencies)
