"""What a principal may do on NATS: call, queue calls, read answers in an inbox of their own, and hear of what they may see."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faasioflex.bus.port import Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.policy import EVERYWHERE, KINDS, Kind, Resource, allowed
from faasioflex.identity.principal import Principal
from faasioflex.model.function import FunctionRecord
from faasioflex.model.messages import CALL_SUBJECT, EVENTS_SUBJECT, QUEUE_SUBJECT
from faasioflex.model.names import FunctionName

Functions = Mapping[str, Entry[FunctionRecord]]
NOUNS = ("function", "instance", "invocation", "alert")  # of events that are about a function
# of events about identity; who sees but their namespace reads those at the API (GET /events)
OF_IDENTITY: dict[str, Kind] = {
    "user": "user",
    "group": "group",
    "token": "token",
    "namespace": "namespace",
    "binding": "namespace",
    "grant": "user",
    "secret": "secret",
}
PUBLISH = (f"{CALL_SUBJECT}.>", f"{QUEUE_SUBJECT}.*.*")  # whom that is open to, the invoker asks of the policy per call
MOST_OPEN = 1000  # functions open to others whose events a connection may subscribe to, by name; each is a permission


def inbox(pid: str) -> str:
    """The prefix of the inboxes that only ``pid`` may read."""
    return f"_INBOX_{pid}"


@dataclass(frozen=True)
class Rights:
    """Subjects. ``own``: by role, binding or grant. ``open``: of functions that are public or for everybody who is signed in."""

    publish: tuple[str, ...]
    own: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def own_digest(self) -> str:
        return digest(self.own)

    @property
    def open_digest(self) -> str:
        return digest(self.open)


def digest(subjects: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(subjects).encode()).hexdigest()[:16]


def rights_of(principal: Principal, directory: Directory, functions: Functions, open_to_all: Iterable[str]) -> Rights:
    """``open_to_all``: keys of the functions that are not private, sorted."""
    own = [inbox(principal.pid), f"{inbox(principal.pid)}.>"]
    if _sees_everything(principal):
        return Rights(PUBLISH, (*own, *_everywhere(principal)), ())
    namespaces = {*principal.roles, *(principal.scope.namespaces or ())}
    seen = sorted(name for name in namespaces if allowed(principal, "see", Resource("function", name)))
    for name in seen:
        own += _events(f"{name}.*")
    named = {*directory.grants.entries, *(text.replace("/", ".") for text in principal.scope.functions or ())}
    granted = [key for key in sorted(named) if sees(principal, directory, functions, key, by_visibility=False)]
    for key in granted:
        own += _events(key)
    known = set(granted)
    opened: list[str] = []
    for key in open_to_all:
        if len(opened) >= MOST_OPEN * len(NOUNS):
            break
        namespace = key.partition(".")[0]
        if namespace not in seen and key not in known and sees(principal, directory, functions, key):
            opened += _events(key)
    return Rights(PUBLISH, tuple(own), tuple(opened))


def sees(
    principal: Principal, directory: Directory, functions: Functions, key: str, *, by_visibility: bool = True
) -> bool:
    entry = functions.get(key)
    if entry is None:
        return False
    visibility = entry.value.spec.visibility if by_visibility else "private"
    return allowed(principal, "see", directory.function(FunctionName.from_key(key), visibility, entry.value.uid))


def _sees_everything(principal: Principal) -> bool:
    scope = principal.scope
    if principal.kind != "user" or principal.role not in EVERYWHERE:
        return False
    return scope.namespaces is None and scope.functions is None and allowed(principal, "see", Resource("function", "*"))


def _everywhere(principal: Principal) -> list[str]:
    """Of those who see all functions: one subject where they may read everything else too, else noun by noun."""
    if all(allowed(principal, "read", Resource(kind)) for kind in KINDS):
        return [f"{EVENTS_SUBJECT}.>"]
    found = [noun for noun, kind in OF_IDENTITY.items() if allowed(principal, "read", Resource(kind))]
    return [f"{EVENTS_SUBJECT}.{noun}.>" for noun in (*NOUNS, *found)]


def _events(tail: str) -> list[str]:
    return [f"{EVENTS_SUBJECT}.{noun}.*.{tail}" for noun in NOUNS]
