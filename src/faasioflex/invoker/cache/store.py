"""Kept answers: the least recently used go when there is no room, and everything of a function can be dropped at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faasioflex.invoker.cache.question import Question, Regime, secondary
from faasioflex.invoker.http1.head import Headers
from faasioflex.model.names import FunctionName

# What Python takes for an entry beside its bytes, measured: object, keys and indexes; each header field.
OVERHEAD_BYTES, FIELD_BYTES = 1536, 136


@dataclass(eq=False, slots=True)
class Entry:
    """An answer, whole. ``stored_at``: seconds since the epoch; ``age_s``: how old it was then."""

    function: FunctionName
    regime: Regime
    revision: int
    primary: bytes
    uri: bytes
    status: int
    reason: bytes
    headers: Headers
    body: bytes
    stored_at: float
    age_s: float
    lifetime_s: float
    stale_s: float
    vary: tuple[bytes, ...]

    @property
    def size(self) -> int:
        fields = sum(FIELD_BYTES + len(name) + len(value) for name, value in self.headers)
        return OVERHEAD_BYTES + len(self.body) + fields

    def age_at(self, now: float) -> float:
        return self.age_s + max(0.0, now - self.stored_at)


@dataclass(slots=True)
class _Variants:
    vary: tuple[bytes, ...]
    keys: set[bytes] = field(default_factory=set)


class Store:
    """At most ``most_bytes``, what is on its way into it included."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0
        self.evicted = 0
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()  # by secondary key, least recently used first
        self._variants: dict[bytes, _Variants] = {}
        self._of: dict[FunctionName, set[bytes]] = {}
        self._about: dict[tuple[FunctionName, bytes], set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def key_of(self, asked: Question) -> bytes:
        """Of the answer that would do, as far as it is known what answers vary by."""
        variants = self._variants.get(asked.primary)
        return secondary(asked.primary, variants.vary if variants else (), asked.fields)

    def knows(self, asked: Question) -> bool:
        """Whether there is one that varies from what is asked for."""
        return asked.primary in self._variants

    def get(self, asked: Question) -> Entry | None:
        key = self.key_of(asked)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, entry: Entry, fields: Headers) -> bool:
        """Keep an answer to a request with these fields, in the place of the one before. False: it does not fit."""
        key = secondary(entry.primary, entry.vary, fields)
        variants = self._variants.get(entry.primary)
        if variants is not None and variants.vary != entry.vary:
            for other in list(variants.keys):
                self._remove(other)
        self._remove(key)
        if not self.reserve(entry.size):
            return False
        self._entries[key] = entry
        self._variants.setdefault(entry.primary, _Variants(entry.vary)).keys.add(key)
        self._of.setdefault(entry.function, set()).add(key)
        self._about.setdefault((entry.function, entry.uri), set()).add(key)
        return True

    def reserve(self, size: int) -> bool:
        """Make room. False: there is none, and nothing was taken."""
        if size > self.most_bytes:
            return False
        while self.used_bytes + size > self.most_bytes and self._entries:
            self._remove(next(iter(self._entries)))
            self.evicted += 1
        if self.used_bytes + size > self.most_bytes:
            return False
        self.used_bytes += size
        return True

    def free(self, size: int) -> None:
        """Give back what was reserved."""
        self.used_bytes -= size

    def drop(self, function: FunctionName, keep: Callable[[Entry], bool] = lambda _: False) -> int:
        """Everything of a function but what is to stay. Returns how many went."""
        gone = [key for key in self._of.get(function, ()) if not keep(self._entries[key])]
        for key in gone:
            self._remove(key)
        return len(gone)

    def drop_about(self, function: FunctionName, uri: bytes) -> None:
        """What answers about something that was changed, whoever was given it."""
        for key in list(self._about.get((function, uri), ())):
            self._remove(key)

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.used_bytes -= entry.size
        variants = self._variants[entry.primary]
        variants.keys.discard(key)
        if not variants.keys:
            del self._variants[entry.primary]
        _discard(self._of, entry.function, key)
        _discard(self._about, (entry.function, entry.uri), key)


def _discard(index: dict[Any, set[bytes]], at: object, key: bytes) -> None:
    index[at].discard(key)
    if not index[at]:
        del index[at]
