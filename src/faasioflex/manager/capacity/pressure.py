"""When the node is full: who has to give, what waiting calls are told, and an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from faasioflex.bus.events import publish_event
from faasioflex.bus.port import Bus
from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.capacity.fair import Holding
from faasioflex.manager.floors import scheduled
from faasioflex.manager.load import Load
from faasioflex.manager.state import FunctionState
from faasioflex.model.status import DesiredScale, traffic

IDLE_S = 2.0  # what was called more recently is not idle: reports are up to a second old


class Looks(Protocol):
    """The reconciler."""

    @property
    def states(self) -> Mapping[str, FunctionState]: ...
    def touch(self, key: str) -> None: ...
    def desired(self, state: FunctionState) -> DesiredScale | None: ...


class Pressure:
    """``attach`` gives it the reconciler (each knows the other)."""

    def __init__(self, bus: Bus, node: NodeDesk, load: Load, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._node = node
        self._load = load
        self._clock = clock
        self._looks: Looks | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def attach(self, looks: Looks) -> None:
        self._looks = looks
        self._load.on_calls = self._called

    def relieve(self, state: FunctionState, revision: int, need_bytes: int, why: str) -> bool:
        """An instance of ``need_bytes`` waits for memory: have others go where that is fair. True where some will be free soon."""
        key, node = state.name.key, self._node
        if node.wait(key, revision, need_bytes, _replaced_bytes(state, revision)):
            self._tell(state, need_bytes, why)
        if node.budget_bytes is not None and need_bytes > node.budget_bytes:
            node.no_longer(key)  # nobody has to make room for what never fits
            return False
        missing = node.missing_bytes(key) - self._asked_for()
        if missing <= 0:
            return True
        taken = node.taken_for(key, missing, self._holdings())
        for one in taken:
            giver = self._state(one.key)
            giver.revisions[one.revision].ceiling = _staying(giver, one.revision) - 1
            self._touch(one.key)
        return bool(taken)

    def _asked_for(self) -> int:
        """Bytes of instances that are to go and do not leave yet."""
        found = 0
        for _, state in self._holders():
            for number in state.revisions:
                going = len(state.live_of(number)) - _staying(state, number)
                found += sum(sorted(one.memory_bytes for one in state.live_of(number))[:going])
        return found

    def _holders(self) -> Iterator[tuple[str, FunctionState]]:
        for key in self._node.ledger.functions:
            state = self._looks.states.get(key) if self._looks is not None else None
            if state is not None:
                yield key, state

    def _holdings(self) -> Iterator[Holding]:
        for key, state in self._holders():
            scale = self._looks.desired(state) if self._looks is not None else None
            shares = traffic(state.record, state.status)
            for number, revision in state.revisions.items():
                ready, staying = state.ready_of(number), _staying(state, number)
                if not ready or revision.first_ready_at is None:
                    continue
                idle_s = self._idle_s(state, number)
                kept = max(state.record.spec.scaling.min_instances, scheduled(scale, number))
                least = kept if shares.get(number, 0) > 0 else 0
                yield Holding(
                    key=key,
                    revision=number,
                    weight=self._node.weight(key),
                    live_bytes=self._node.ledger.functions[key].live_bytes,
                    instance_bytes=min(one.memory_bytes for one in ready),
                    idle_s=idle_s,
                    may_give=max(0, min(len(ready), staying - (least if idle_s is not None else max(least, 1)))),
                )

    def _idle_s(self, state: FunctionState, number: int) -> float | None:
        told = self._load.idle_s(state.name.key, number)
        if told is None or state.waiters.get(number):
            return None
        since = max(one.awake_since for one in state.ready_of(number))
        idle_s = min(told, self._clock() - since)
        return idle_s if idle_s >= IDLE_S else None

    def _called(self, key: str, number: int) -> None:
        """Who is called may have instances again, when it is its turn."""
        state = self._looks.states.get(key) if self._looks is not None else None
        revision = state.revisions.get(number) if state is not None else None
        if revision is not None and revision.ceiling is not None:
            revision.ceiling = None
            self._touch(key)

    def _state(self, key: str) -> FunctionState:
        assert self._looks is not None  # noqa: S101 - holdings came from there
        return self._looks.states[key]

    def _touch(self, key: str) -> None:
        if self._looks is not None:
            self._looks.touch(key)

    def _tell(self, state: FunctionState, need_bytes: int, why: str) -> None:
        facts: dict[str, str | int | float | None] = {
            "reason": why,
            "need_bytes": need_bytes,
            "budget_bytes": self._node.budget_bytes,
            "reserved_bytes": self._node.ledger.total.memory_bytes,
            "instances": self._node.ledger.total.instances,
        }
        task = asyncio.ensure_future(publish_event(self._bus, "instance", "held", state.name, facts))
        self._telling.add(task)
        task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled():
            task.exception()  # an event that cannot be published now is told again with the next


def _replaced_bytes(state: FunctionState, revision: int) -> int:
    """Of live instances that go when a newer revision takes over."""
    others = [one for one in state.instances.values() if not one.leaving and one.revision < revision]
    newest = revision == state.record.latest and revision in state.record.rollouts
    return sum(one.memory_bytes for one in others) if newest else 0


def _staying(state: FunctionState, number: int) -> int:
    """Live instances of the revision without those that are to go."""
    live, ceiling = len(state.live_of(number)), state.revisions[number].ceiling
    return live if ceiling is None else min(live, max(ceiling, 0))
