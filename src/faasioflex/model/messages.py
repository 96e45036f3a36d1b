"""Messages between the parts over NATS, each with its subject. JSON of these dataclasses, validated when read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

WAKE_SUBJECT = "ffx.wake"  # request/reply: invoker -> function manager
APPLIED_SUBJECT = "ffx.applied"  # gateway controllers and invokers -> function manager
LOAD_SUBJECT = "ffx.load"  # gateway controllers and invokers -> autoscaler
CALLS_SUBJECT = "ffx.measure.calls"  # gateway controllers and invokers -> API
USAGE_SUBJECT = "ffx.measure.usage"  # function manager -> API
COUNTS_SUBJECT = "ffx.measure.counts"  # invokers -> API: queue, cache, refusals
LOGS_SUBJECT = "ffx.log"  # + .ns.name; stream FFX_LOGS
BUILD_LOGS_SUBJECT = "ffx.buildlog"  # + .ns.name; stream FFX_BUILD_LOGS
EVENTS_SUBJECT = "ffx.event"  # + .noun.verb.ns.name; stream FFX_EVENTS
SCALE_SUBJECT = "ffx.scale"  # + .ns.name; autoscaler: every decision that changes something, a DesiredScale
OUTCOME_SUBJECT = "ffx.outcome"  # + .invocation id; invoker: an asynchronous call has ended (empty)
QUEUE_SUBJECT = (
    "ffx.queue"  # + .ns.name: users publish there, an invoker takes it in; + .ns.name.id: in the stream FFX_CALLS
)
QUEUE_STATE_SUBJECT = "ffx.queue-state"  # request/reply to the invoker that works on the queue: see model/queue
SIGN_SUBJECT = "ffx.callback-sign"  # request/reply: invoker -> the process that has the master key; see model/queue
PURGE_SUBJECT = "ffx.cache.purge"  # request/reply: API -> every invoker
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
class Purge:
    """Forget the kept answers of a function."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Purged:
    entries: int  # that this invoker had


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
    classes: dict[int, int] = field(
        default_factory=dict
    )  # first digit of the status -> calls; of all that were answered
    start_durations: dict[int, int] = field(default_factory=dict)  # of cold starts, as the first that waited felt them
    start_sum_ms: float = 0.0


@dataclass(frozen=True)
class CallsReport:
    """Every 2 s from every member that has something to tell; only revisions that were called are in it."""

    source: Literal["gateway", "invoker"]
    member: str
    at: float
    calls: tuple[RevisionCalls, ...]


@dataclass(frozen=True)
class FunctionCounts:
    """Now: what is in its queue; since the report before: what the queue, the cache and the bounded buffer did."""

    namespace: str
    name: str
    queued: int = 0  # may run now
    delayed: int = 0  # not before a later time
    running: int = 0  # of the queue's calls
    oldest_s: float = 0.0  # how long the oldest that may run has waited
    retries: int = 0
    dead_letters: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    refused: int = 0  # calls that were sent away because no place was left


@dataclass(frozen=True)
class CountsReport:
    """Every 2 s from an invoker that has something to tell, and once when it has no more.

    ``functions``: those that something happened to, and of those with a queue the ones whose oldest waits longest; the sums
    are over all queues.
    """

    member: str
    at: float
    functions: tuple[FunctionCounts, ...]
    queued: int = 0
    delayed: int = 0
    running: int = 0
    oldest_s: float = 0.0


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
    states: dict[str, int] = field(default_factory=dict)  # starting, ready, frozen, draining -> instances


@dataclass(frozen=True)
class PoolUsage:
    """The pool of one language: sandboxes that wait in it now, and since the report before starts that found one or none."""

    language: str
    size: int
    hits: int = 0
    misses: int = 0


@dataclass(frozen=True)
class UsageReport:
    """Every 5 s from the manager of a node, empty ones included: silence means that nothing is known."""

    member: str
    at: float
    period_s: float  # that ``cpu_s`` is of
    usages: tuple[RevisionUsage, ...]
    pools: tuple[PoolUsage, ...] = ()
    memory_budget_bytes: int | None = None  # of the node, for instances; None: it has none
    memory_reserved_bytes: int = 0  # of it, by the limits of what runs


@dataclass(frozen=True)
class TokensUsed:
    """Ids of personal and service tokens that calls came with; each at most once a minute from each member."""

    tokens: tuple[str, ...]
