"""Who gets memory that is scarce. Pure.

Fair is what weighted max-min says: nobody is given more while somebody with less, by weight, waits for some. A step towards
it is one instance less of who has more, and one more of who has less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Wanting:
    """A revision that waits for one more instance of ``need_bytes``. ``since``: of equals the first is first.

    ``live_bytes``: of its function, without instances that this one is to replace.
    """

    key: str
    revision: int
    weight: float
    live_bytes: int
    need_bytes: int
    since: float

    @property
    def rank(self) -> tuple[float, float]:
        """The smallest is next."""
        return self.live_bytes / self.weight, self.since


@dataclass(frozen=True)
class Holding:
    """Ready instances of one revision. ``live_bytes``: of all instances of the function.

    ``idle_s``: without a call for so long, None while it has some (or nobody knows). ``may_give``: so many can go without
    falling below the minimum, and below one where there are calls.
    """

    key: str
    revision: int
    weight: float
    live_bytes: int
    instance_bytes: int
    idle_s: float | None
    may_give: int


@dataclass(frozen=True)
class Taken:
    """An instance of that revision is to go. ``idle``: it had no calls, so it is not to come back without one."""

    key: str
    revision: int
    idle: bool


def reserved_bytes(waiting: Iterable[Wanting], before: Wanting) -> int:
    """What is kept for those who are to be given something before ``before``."""
    return sum(one.need_bytes for one in waiting if one.key != before.key and one.rank < before.rank)


def take(wanting: Wanting, missing_bytes: int, holdings: Sequence[Holding]) -> list[Taken]:
    """Instances that are to go so that ``wanting`` finds ``missing_bytes`` more; [] where fairness does not give it enough.

    Idle ones first, the longest idle before others, of whoever has more by weight; then of those that have calls, where they
    have no less than ``wanting`` afterwards; at last idle ones of its own function's other revisions, which it is to replace.
    """
    taken: list[Taken] = []
    mine = (wanting.key, wanting.revision)
    left = {(one.key, one.revision): one for one in holdings if (one.key, one.revision) != mine and one.may_give > 0}
    while missing_bytes > 0:
        one = _next(wanting, left.values())
        if one is None:
            return []
        taken.append(Taken(one.key, one.revision, one.idle_s is not None))
        missing_bytes -= one.instance_bytes
        for place, other in left.items():
            if other.key == one.key:
                left[place] = replace(other, live_bytes=other.live_bytes - one.instance_bytes)
        place = (one.key, one.revision)
        left[place] = replace(left[place], may_give=one.may_give - 1)
    return taken


def _next(wanting: Wanting, holdings: Iterable[Holding]) -> Holding | None:
    giving = [one for one in holdings if one.may_give > 0]
    can = [one for one in giving if one.key != wanting.key]
    has = wanting.live_bytes / wanting.weight
    idle = [one for one in can if one.idle_s is not None and one.live_bytes / one.weight > has]
    if idle:
        return max(idle, key=lambda one: (one.idle_s or 0.0, one.live_bytes / one.weight, one.key, one.revision))
    then = (wanting.live_bytes + wanting.need_bytes) / wanting.weight
    busy = [one for one in can if (one.live_bytes - one.instance_bytes) / one.weight >= then]
    if busy:
        return max(busy, key=lambda one: (one.live_bytes / one.weight, one.key, one.revision))
    own = [one for one in giving if one.key == wanting.key and one.idle_s is not None]
    return max(own, key=lambda one: (one.idle_s or 0.0, one.revision), default=None)
