"""Which revision takes a call."""

from __future__ import annotations

from collections.abc import Callable

from faasioflex.model.route import FunctionRoute


def choose(route: FunctionRoute, named: int | None, random: Callable[[], float], *, pinned: bool = False) -> int | None:
    """The named revision where it is to serve, else one by the traffic split; None while nothing serves.

    ``pinned``: the caller asked for that revision, so it is woken even without traffic. The gateway names a revision as its
    table had it: where the traffic has moved on meanwhile, an old one must not be started again for that.
    ``random`` returns a number in [0, 1).
    """
    if (
        named is not None
        and named in route.revisions
        and (pinned or route.traffic.get(named) or route.revisions[named].live)
    ):
        return named
    shares = [(number, share) for number, share in route.traffic.items() if share > 0 and number in route.revisions]
    if len(shares) == 1:
        return shares[0][0]
    point = random() * sum(share for _, share in shares)
    for number, share in shares:
        point -= share
        if point < 0:
            return number
    return shares[-1][0] if shares else None
