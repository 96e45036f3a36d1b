"""Messages between the parts over NATS, each with its subject. JSON of these dataclasses, validated when read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WAKE_SUBJECT = "ffx.wake"  # request/reply: invoker -> function manager
APPLIED_SUBJECT = "ffx.applied"  # gateway controllers and invokers -> function manager
LOAD_SUBJECT = "ffx.load"  # gateway controllers and invokers -> autoscaler
LOGS_SUBJECT = "ffx.log"  # + .ns.name; stream FFX_LOGS
BUILD_LOGS_SUBJECT = "ffx.buildlog"  # + .ns.name; stream FFX_BUILD_LOGS
EVENTS_SUBJECT = "ffx.event"  # + .noun.verb.ns.name; stream FFX_EVENTS
CALL_SUBJECT = "ffx.call"  # + .ns.name; request/reply


@dataclass(frozen=True)
class WakeRequest:
    """Answered when an instance of the revision is ready, or with ``code`` when none can be."""

    namespace: str
    name: str
    revision: int
    waiting: int  # calls that wait for it now


@dataclass(frozen=True)
class WakeReply:
    instance: str | None = None
    address: str | None = None
    took_s: float = 0.0
    code: str | None = None  # of model.errors, where it failed
    message: str | None = None
    status: int | None = None


@dataclass(frozen=True)
class Applied:
    """Everything of ``ffx_routes`` up to stream sequence ``revision`` is in force at this member (Envoy has acknowledged it).

    Published after each change and once a second.
    """

    member: str  # gateway.local, invoker.local
    revision: int


@dataclass(frozen=True)
class RevisionLoad:
    """Since the report before: ``issued`` calls begun; now: ``in_progress`` and ``waiting`` for an instance."""

    namespace: str
    name: str
    revision: int
    in_progress: int
    issued: int
    waiting: int = 0


@dataclass(frozen=True)
class LoadReport:
    """Every 500 ms from every member, empty ones included: silence means blind, and nothing is scaled down then."""

    source: Literal["gateway", "invoker"]
    member: str
    at: float
    loads: tuple[RevisionLoad, ...]
