"""The node's memory: what is free for whom, who waits for some, and who has to give some back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from faasioflex.manager.capacity.fair import Holding, Taken, Wanting, reserved_bytes, take
from faasioflex.manager.capacity.ledger import Ledger

MIB = 1024 * 1024
FOR_EVER = float("inf")  # of one that does not wait yet: after all that do
EVENT_EVERY_S = 60.0  # at most, per function
AGAIN_S = 1.0
LOOKS_PER_S = 50.0
AT_ONCE = 16  # that are looked at when memory is given back


@dataclass(frozen=True)
class NodeRoom:
    """``free_bytes``: what one function may take of the node now, after those who are to be given some before it."""

    free_bytes: int
    budget_bytes: int

    def why_not(self, memory_bytes: int) -> str | None:
        """None where one more instance of that size fits, else a sentence that says what to do."""
        if memory_bytes <= self.free_bytes:
            return None
        return (
            f"the memory for instances of this node is in use ({shown(self.budget_bytes)}; this one takes {shown(memory_bytes)} "
            "and has no turn yet): call again in a moment, lower limits.memory_bytes or scaling.min_instances of functions that "
            "can do with less, or raise the setting memory_budget_bytes"
        )

    def without(self, memory_bytes: int) -> NodeRoom:
        return NodeRoom(self.free_bytes - memory_bytes, self.budget_bytes)


@dataclass(frozen=True)
class _Waits:
    revision: int
    need_bytes: int
    replaced_bytes: int
    since: float


_NOT = _Waits(0, 0, 0, FOR_EVER)


class NodeDesk:
    """``budget_bytes`` None: no bound. ``weights``: of namespaces, 1 where there is none."""

    def __init__(
        self, ledger: Ledger, budget_bytes: int | None, weights: Mapping[str, float], clock: Callable[[], float]
    ) -> None:
        self.ledger = ledger
        self.budget_bytes = budget_bytes
        self._weights = weights
        self._clock = clock
        self._waiting: dict[str, _Waits] = {}  # by function
        self._told: dict[str, float] = {}

    @property
    def pressed(self) -> bool:
        """Whether anybody waits for memory."""
        return bool(self._waiting)

    @property
    def unspent_bytes(self) -> int | None:
        """What nobody has and nobody waits for; None: no bound."""
        if self.budget_bytes is None:
            return None
        wanted = sum(one.need_bytes for one in self._waiting.values())
        return self.budget_bytes - self.ledger.total.memory_bytes - wanted

    def room(self, key: str) -> NodeRoom | None:
        """Of this function, as of now; None: no bound."""
        if self.budget_bytes is None:
            return None
        mine = self._wanting(key)
        free = self.budget_bytes - self.ledger.total.memory_bytes
        return NodeRoom(free - reserved_bytes(map(self._wanting, self._waiting), mine), self.budget_bytes)

    def wait(self, key: str, revision: int, need_bytes: int, replaced_bytes: int = 0) -> bool:
        """A revision of the function waits from now on; with it ``replaced_bytes`` of others will go.

        True where that is new enough to be told to people.
        """
        now = self._clock()
        known = self._waiting.get(key)
        self._waiting[key] = _Waits(revision, need_bytes, replaced_bytes, known.since if known else now)
        if now - self._told.get(key, -EVENT_EVERY_S) < EVENT_EVERY_S:
            return False
        self._told = {other: at for other, at in self._told.items() if now - at < EVENT_EVERY_S}
        self._told[key] = now
        return True

    def no_longer(self, key: str) -> None:
        self._waiting.pop(key, None)

    def next_ones(self) -> list[str]:
        """The first of the functions that wait, in the order of their turns."""
        return [one.key for one in nsmallest(AT_ONCE, map(self._wanting, self._waiting), key=lambda one: one.rank)]

    @property
    def again_s(self) -> float:
        """When one that waits is to look again; where many wait, all of them together do not look more often for that."""
        return max(AGAIN_S, len(self._waiting) / LOOKS_PER_S)

    def taken_for(self, key: str, missing_bytes: int, holdings: Iterable[Holding]) -> list[Taken]:
        """Who has to give an instance so that the function that waits gets one; [] where nobody has to."""
        return take(self._wanting(key), missing_bytes, list(holdings))

    def missing_bytes(self, key: str) -> int:
        """What the function that waits would still lack when all that is leaving has left."""
        room = self.room(key)
        if room is None or key not in self._waiting:
            return 0
        return self._waiting[key].need_bytes - room.free_bytes - self.ledger.leaving_bytes

    def weight(self, key: str) -> float:
        return self._weights.get(key.partition(".")[0], 1.0)

    def _wanting(self, key: str) -> Wanting:
        waits, held = self._waiting.get(key, _NOT), self.ledger.functions.get(key)
        live_bytes = max(0, held.live_bytes - waits.replaced_bytes) if held else 0
        return Wanting(key, waits.revision, self.weight(key), live_bytes, waits.need_bytes, waits.since)


def shown(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.0f} MiB"
