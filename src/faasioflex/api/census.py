"""How many functions are in which state. Follows the registry by what changes in it: nobody looks through all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from faasioflex.api.resource.answer import state_of
from faasioflex.manager.functions.registry import Registry
from faasioflex.model.names import FunctionName

Line = tuple[str, int, int]  # state, revisions, ready instances


class Census:
    """Costs one shared tuple per function while started."""

    def __init__(self, registry: Registry) -> None:
        self.revisions = 0
        self.states: Counter[str] = Counter()
        self._registry = registry
        self._lines: dict[str, Line] = {}
        self._shared: dict[Line, Line] = {}
        self._ready: dict[str, int] = {}
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """After the registry."""
        mirrors = (self._registry.functions, self._registry.statuses)
        self._undo = [mirror.listen(self._look) for mirror in mirrors]
        self._look(self._registry.functions.entries)

    def stop(self) -> None:
        undo, self._undo = self._undo, []
        for unlisten in undo:
            unlisten()

    def ready(self) -> list[tuple[FunctionName, int]]:
        """Functions with ready instances, by name, and how many they have."""
        return sorted((FunctionName.from_key(key), count) for key, count in self._ready.items())

    def _look(self, keys: Iterable[str]) -> None:
        for key in keys:
            before = self._lines.pop(key, None)
            if before is not None:
                state, revisions, _ = before
                self.revisions -= revisions
                self.states[state] -= 1
                if not self.states[state]:
                    del self.states[state]
            self._ready.pop(key, None)
            line = self._line(key)
            if line is None:
                continue
            self._lines[key] = self._shared.setdefault(line, line)
            state, revisions, ready = line
            self.revisions += revisions
            self.states[state] += 1
            if ready:
                self._ready[key] = ready

    def _line(self, key: str) -> Line | None:
        entry = self._registry.functions.entries.get(key)
        if entry is None:
            return None
        record = entry.value
        status = self._registry.status_seen(record)
        ready = sum(one.ready_instances for one in status.revisions.values()) if status is not None else 0
        return state_of(record, status), len(record.revisions), ready
