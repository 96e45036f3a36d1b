"""What every instance of this node may take, kept as instances come, grow and go: nobody has to add up all functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Entry:
    key: str
    memory_bytes: int
    leaving: bool = False


@dataclass
class Held:
    """Of one function or namespace. ``live_bytes`` is without what is on its way out."""

    instances: int = 0
    memory_bytes: int = 0
    live_bytes: int = 0


NOTHING = Held()  # never changed


class Ledger:
    """Limits of memory by instance id. ``on_less`` is called after some of it was given back."""

    def __init__(self) -> None:
        self.total = Held()
        self.functions: defaultdict[str, Held] = defaultdict(Held)  # of those that have instances
        self.namespaces: defaultdict[str, Held] = defaultdict(Held)
        self.on_less: Callable[[], None] = lambda: None
        self._entries: dict[str, _Entry] = {}

    @property
    def leaving_bytes(self) -> int:
        """That instances on their way out still have."""
        return self.total.memory_bytes - self.total.live_bytes

    def take(self, instance: str, key: str, memory_bytes: int) -> None:
        """``key``: of its function, ``ns.name``."""
        self._entries[instance] = _Entry(key, memory_bytes)
        self._add(key, 1, memory_bytes, memory_bytes)

    def resize(self, instance: str, memory_bytes: int) -> None:
        entry = self._entries.get(instance)
        if entry is None:
            return
        more = memory_bytes - entry.memory_bytes
        entry.memory_bytes = memory_bytes
        self._add(entry.key, 0, more, 0 if entry.leaving else more)
        if more < 0:
            self.on_less()

    def leave(self, instance: str) -> None:
        """It is on its way out; what it has is held until :meth:`release`."""
        entry = self._entries.get(instance)
        if entry is not None and not entry.leaving:
            entry.leaving = True
            self._add(entry.key, 0, 0, -entry.memory_bytes)

    def release(self, instance: str) -> None:
        entry = self._entries.pop(instance, None)
        if entry is not None:
            self._add(entry.key, -1, -entry.memory_bytes, 0 if entry.leaving else -entry.memory_bytes)
            self.on_less()

    def _add(self, key: str, instances: int, memory_bytes: int, live_bytes: int) -> None:
        namespace = key.partition(".")[0]
        for held in (self.total, self.functions[key], self.namespaces[namespace]):
            held.instances += instances
            held.memory_bytes += memory_bytes
            held.live_bytes += live_bytes
        for table, name in ((self.functions, key), (self.namespaces, namespace)):
            if table[name].instances == 0:
                del table[name]
