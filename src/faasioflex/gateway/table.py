"""From the records of ``ffx_routes`` to the neutral table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision, TrustedIssuer
from faasioflex.identity.access import NOTHING_REVOKED, Access, Revoked
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute, RevisionRoute

# Beyond its place in the queue a call may wait for a start: the invoker's own bound on that, rounded up.
LONGEST_START_S = 60.0
NOBODY = Access()


PerMinute = Callable[[str], int | None]
AccessOf = Callable[[FunctionName, FunctionRoute], Access]


def build(
    routes: Mapping[str, FunctionRoute],
    revision: int,
    access: AccessOf,
    revoked: Revoked = NOTHING_REVOKED,
    issuers: tuple[TrustedIssuer, ...] = (),
    *,
    per_minute: PerMinute = lambda _: None,
) -> RouteTable:
    """``routes``: key ``ns.name`` -> record, all of the bucket as of ``revision`` that :func:`concerns` the gateway.

    ``access``: who may invoke it now.

    ``per_minute``: namespace -> calls. A function is left out, and so goes to the invoker, while it has no live instance, no
    traffic split, or is being deleted; and always where its answers are kept, for the invoker has them. With CORS it goes there
    by a route that answers preflights.
    """
    made = (_function(FunctionName.from_key(key), route, access, per_minute) for key, route in routes.items())
    functions = tuple(sorted((each for each in made if each is not None), key=lambda each: each.function))
    return RouteTable(revision, functions, revoked, issuers)


def concerns(route: FunctionRoute) -> bool:
    """Whether a function may be in the table at all: it has endpoints, or CORS that the gateway has to know of."""
    return not route.deleting and (route.cors is not None or any(one.endpoints for one in route.revisions.values()))


def _function(
    name: FunctionName, route: FunctionRoute, access: AccessOf, per_minute: PerMinute
) -> TableFunction | None:
    if route.deleting:
        return None
    revisions = _live_revisions(route) if route.cache is None else ()
    if revisions:
        bound = per_minute(name.namespace)
        return TableFunction(name, access(name, route), revisions, route.cors, route.rate_limit, bound)
    return TableFunction(name, NOBODY, (), route.cors) if route.cors is not None else None


def _live_revisions(route: FunctionRoute) -> tuple[TableRevision, ...]:
    """Empty where the invoker has to do with it."""
    if not any(percent > 0 for percent in route.traffic.values()):
        return ()
    revisions = tuple(
        _revision(number, route.traffic.get(number, 0), revision)
        for number, revision in sorted(route.revisions.items())
        if revision.awake or route.traffic.get(number, 0) > 0
    )
    known = {each.number for each in revisions}
    if any(percent > 0 and number not in known for number, percent in route.traffic.items()):
        return ()  # a share whose limits are not written yet: the invoker knows what to do with it
    return revisions if any(each.addresses for each in revisions) else ()


def _revision(number: int, percent: int, revision: RevisionRoute) -> TableRevision:
    limits = revision.limits
    return TableRevision(
        number=number,
        percent=percent,
        addresses=tuple(sorted(endpoint.address for endpoint in revision.awake)),
        timeout_s=limits.timeout_s,
        payload_bytes=limits.payload_bytes,
        concurrency=limits.concurrency,
        hold_s=limits.queue_wait_s + LONGEST_START_S,
    )
