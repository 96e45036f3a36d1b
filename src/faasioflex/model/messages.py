"""Messages between the parts over NATS, each with its subject. JSON of these dataclasses, validated when read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

WAKE_SUBJECT = "ffx.wake"  # request/reply: invoker -> function manager
APPLIED_SUBJECT = "ffx.applied"  # gateway controllers and invokers -> function manager
LOAD_SUBJECT = "ffx.load"  # gateway controllers and invokers -> autoscaler
CALLS_SUBJECT = "ffx.measure.calls"  # gateway controllers and invokers -> API
USAGE_SUBJECT = "ffx.measure.usage"  # function manager -> API
LOGS_SUBJECT = "ffx.log"  # + .ns.name; stream FFX_LOGS
BUILD_LOGS_SUBJECT = "ffx.buildlog"  # + .ns.name; stream FFX_BUILD_LOGS
EVENTS_SUBJECT = "ffx.event"  # + .noun.verb.ns.name; stream FFX_EVENTS
SCALE_SUBJECT = "ffx.scale"  # + .ns.name; autoscaler: every decision that changes something, a DesiredScale
OUTCOME_SUBJECT = "ffx.outcome"  # + .invocation id; invoker: an asynchronous call has ended (empty)
QUEUE_SUBJECT = "ffx.queue"  # + .ns.name (published by users) or .ns.name.id (ours); stream FFX_CALLS
QUEUE_STATE_SUBJECT = "ffx.queue-state"  # request/reply to the invoker that works on the queue: see model/queue
USED_SUBJECT = "ffx.identity.used"  # whoever takes tokens -> API
CALL_SUBJECT = "ffx.call"  # + .ns.name; request/reply
USERS_ACCOUNT = "USERS"  # of NATS: of everybody but our own parts


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
    queued: int = 0  # asynchronous calls of the function that wait and may run now; told by the invoker of what serves


@dataclass(frozen=True)
class LoadReport:
    """Every 500 ms from every member, empty ones included: silence means blind, and nothing is scaled down then."""

    source: Literal["gateway", "invoker"]
    member: str
    at: float
    loads: tuple[RevisionLoad, ...]


@dataclass(frozen=True)
class RevisionCalls:
    """Calls that were answered since the report before, each by one member only.

    The gateway counts those that came through a revision's own cluster, also where the invoker served them in the end; the
    invoker counts the others (no instance was there, execute, over NATS). ``cold_starts`` come from the invoker alone.
    """

    namespace: str
    name: str
    revision: int  # 0 where the function had none that serves
    answered: int = 0
    errors: int = 0  # of them with a status of 500 or more, or cut off
    durations: dict[int, int] = field(
        default_factory=dict
    )  # bucket of model/durations -> calls, to the end of the answer
    duration_sum_ms: float = 0.0
    cold_starts: int = 0  # starts that calls waited for


@dataclass(frozen=True)
class CallsReport:
    """Every 2 s from every member that has something to tell; only revisions that were called are in it."""

    source: Literal["gateway", "invoker"]
    member: str
    at: float
    calls: tuple[RevisionCalls, ...]


@dataclass(frozen=True)
class RevisionUsage:
    """What a revision's instances use: memory now, CPU seconds since the report before."""

    namespace: str
    name: str
    revision: int
    instances: int
    memory_bytes: int
    cpu_s: float
    memory_limit_bytes: int = 0  # of its instances together, as they are now
    cpu_limit: float = 0.0  # cores, likewise


@dataclass(frozen=True)
class UsageReport:
    """Every 5 s from the manager of a node, empty ones included: silence means that nothing is known."""

    member: str
    at: float
    period_s: float  # that ``cpu_s`` is of
    usages: tuple[RevisionUsage, ...]


@dataclass(frozen=True)
class TokensUsed:
    """Ids of personal and service tokens that calls came with; each at most once a minute from each member."""

    tokens: tuple[str, ...]
