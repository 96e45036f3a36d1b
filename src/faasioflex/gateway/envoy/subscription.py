"""One type of resources on one delta stream: what Envoy asked for, has, and refused. No I/O."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from faasioflex.gateway.envoy.resources import Resource, ResourceSet


@dataclass(frozen=True)
class Update:
    """To send: ``added`` (new or changed) and the names of what is ``removed`` or does not exist."""

    nonce: str
    added: tuple[Resource, ...]
    removed: tuple[str, ...]


@dataclass
class Subscription:
    """``known``: name -> version that Envoy has, None for a name that it knows not to exist."""

    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    known: dict[str, str | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # name -> version that Envoy answered with a NACK
    pending: Update | None = None
    first: bool = True
    replied: bool = False
    _nonces: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, subscribe: list[str], unsubscribe: list[str], versions: dict[str, str]) -> None:
        """A request's names; the first one without any means everything, and tells what Envoy has from before."""
        if self.first:
            self.first = False
            self.known.update(versions)
            self.wildcard = not subscribe
        for name in subscribe:
            if name == "*":
                self.wildcard = True
            else:
                self.names.add(name)
                self.refused.pop(name, None)
        for name in unsubscribe:
            if name == "*":
                self.wildcard = False
            self.names.discard(name)
            self.known.pop(name, None)

    def next(self, wanted: ResourceSet) -> Update | None:
        """What to send now; None while an answer is awaited or nothing differs. It is pending from here on.

        The first answer goes out even if it is empty: Envoy opens its listeners when it has come, or a timeout has passed.
        """
        if self.pending is not None:
            return None
        added, removed = self._difference(wanted)
        if self.replied and not added and not removed:
            return None
        self.replied = True
        self.pending = Update(str(next(self._nonces)), added, removed)
        return self.pending

    def answered(self, nonce: str, *, refused: bool) -> Update | None:
        """ACK or NACK of the update with ``nonce``; None where that is not the one awaited."""
        update = self.pending
        if update is None or update.nonce != nonce:
            return None
        self.pending = None
        for resource in update.added:
            if refused:
                self.refused[resource.name] = resource.version
            else:
                self.known[resource.name] = resource.version
        if not refused:
            self.known.update(dict.fromkeys(update.removed))
        return update

    def settled(self, wanted: ResourceSet) -> bool:
        """Nothing is under way and nothing is left to send."""
        return self.pending is None and self._difference(wanted) == ((), ())

    def has(self, name: str, wanted: ResourceSet) -> bool:
        resource = wanted.resources.get(name)
        return resource is not None and self.known.get(name) == resource.version

    def _difference(self, wanted: ResourceSet) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
        added = tuple(
            resource
            for name, resource in wanted.resources.items()
            if (self.wildcard or name in self.names)
            and self.known.get(name) != resource.version
            and self.refused.get(name) != resource.version
        )
        gone = [name for name, version in self.known.items() if version is not None and name not in wanted.resources]
        missing = [name for name in self.names if name not in wanted.resources and name not in self.known]
        return added, (*(gone if wanted.removals else ()), *missing)
