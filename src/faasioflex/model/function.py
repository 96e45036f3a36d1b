"""What users set of a function, and the records in which the registry keeps it.

``FunctionRecord`` (bucket ``ffx_functions``, key ``ns.name``) is written by users' requests only; its write is the one commit
point of every change. ``RevisionRecord`` (bucket ``ffx_revisions``, key ``ns.name.NUMBER-NONCE``) never changes; it is written
before the function record that refers to it, so a crash between the two leaves an orphan that is collected, never a reference
to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from faasioflex.model.names import FunctionName

RuntimeName = str  # of a folder of runtimes/, or "image"; which there are, the edge checks (manager/languages.py)
Visibility = Literal["private", "authenticated", "public"]
Rollout = Literal["all", "none"]
Change = Literal["registered", "updated", "deleting"]
ScalingMetric = Literal["concurrency", "rate"]
AsyncOrder = Literal["unordered", "fifo-per-key"]
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one instance and of one call. A change makes a new revision."""

    memory_bytes: int = 128 * MIB
    cpu: float = 0.5  # cores; a limit, not applied until the instance is ready, may be overcommitted
    timeout_s: float = 30.0  # to the first byte of the answer, then the longest silence between bytes
    concurrency: int = 10  # calls at once in one instance
    queue: int = 200  # calls that may wait beyond that, per function
    queue_wait_s: float = 10.0
    payload_bytes: int | None = 6 * MIB  # of a request body; None takes any size
    disk_bytes: int = 64 * MIB  # of the private /tmp
    processes: int = 64  # processes and threads of one instance
    max_memory_bytes: int | None = None  # up to which a running instance's memory is raised; None: it stays as it is
    max_cpu: float | None = None  # up to which its cores are raised; None: they stay as they are

    @property
    def most_memory_bytes(self) -> int:
        """What one instance may come to."""
        return max(self.memory_bytes, self.max_memory_bytes or 0)


@dataclass(frozen=True, slots=True)
class ScheduledMinimum:
    """At least ``min_instances`` for ``duration_s`` from every moment that ``cron`` (five fields, in ``timezone``) names."""

    cron: str
    min_instances: int
    duration_s: float
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances there are, and when. Changes in place. The words are those of Knative's autoscaler."""

    min_instances: int = 0
    max_instances: int = 5
    metric: ScalingMetric = "concurrency"
    target: float | None = None  # per instance: calls at once (None: limits.concurrency), or calls per second
    target_utilization: float = 0.7  # share of the target that is aimed at
    cpu_percent: int | None = 80  # of limits.cpu, mean of the instances; None: not looked at
    memory_percent: int | None = 80  # of limits.memory_bytes, mean of the instances; None: not looked at
    latency_p95_ms: float | None = None  # None: not looked at
    queue_per_instance: int | None = 100  # asynchronous calls that wait, per instance; None: not looked at
    stable_window_s: float = 60.0
    panic_window_percent: float = 10.0  # of the stable window
    panic_threshold_percent: float = 200.0  # of what the instances carry, from which on panic begins
    max_up_rate: float = 1000.0  # in one decision at most so many times as many
    max_down_rate: float = 2.0  # in one decision at most divided by that
    cooldown_s: float = 0.0  # fewer only when fewer were enough for so long
    activation_instances: int = 1  # from zero at least so many
    idle_s: float = 300.0  # without a call for so long: down to the minimum
    freeze_s: float | None = None  # an instance without a call for so long is frozen until one comes; None: never
    schedule: tuple[ScheduledMinimum, ...] = ()


@dataclass(frozen=True, slots=True)
class AsyncPolicy:
    """Of asynchronous calls: how often, how long, how many at once. Changes in place; calls that wait go by what is set now."""

    max_attempts: int = 3
    max_age_s: float = 6 * 3600.0  # since it was accepted (or since not_before); then it is dead
    backoff_s: float = 1.0  # before the second attempt; doubled each time, with jitter, up to five minutes
    retry_on: tuple[str, ...] = ("error", "5xx", "408", "425", "429")  # statuses, classes; error: it did not answer
    concurrency: int | None = None  # of the queue's calls at once; None: what max_instances carry
    order: AsyncOrder = "unordered"
    result_ttl_s: float = 86_400.0  # so long an outcome is kept


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Answers that are given again without a call. Changes in place."""

    ttl_s: float  # at most; an answer's own Cache-Control may say less
    key: tuple[str, ...] = ("method", "path", "query")  # or body, or header:NAME
    shared: bool = False  # one caller may be given what another asked for; public functions always


@dataclass(frozen=True, slots=True)
class Network:
    egress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often it may be called over HTTP. Changes in place. None: no bound."""

    calls_per_minute: int | None = None  # by all callers together
    per_caller_per_minute: int | None = None  # by one caller; without a token: from one address
    burst: int | None = None  # calls that may come at once after a pause; None: a minute's


@dataclass(frozen=True, slots=True)
class Cors:
    """Which other sites' pages may call it from a browser. Changes in place."""

    allow_origins: tuple[str, ...]  # https://host[:port], or * for all
    allow_methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_s: int = 600


@dataclass(frozen=True, slots=True)
class CodeSource:
    """Code in the object store ``ffx_code`` under ``sha256`` (of the canonical tar, see manager/archive)."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ImageSource:
    image: str
    digest: str | None = None


Source = CodeSource | ImageSource


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """Everything users set, with defaults filled in; ``source`` is stored beside it, never in it."""

    namespace: str
    name: str
    runtime: RuntimeName
    handler: str | None = None
    visibility: Visibility = "private"
    env: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    limits: Limits = Limits()
    scaling: Scaling = Scaling()
    network: Network = Network()
    cors: Cors | None = None
    rate_limit: RateLimit | None = None
    asynchronous: AsyncPolicy = AsyncPolicy()  # «async» outside, which is a keyword here
    cache: CachePolicy | None = None
    labels: dict[str, str] = field(default_factory=dict)
    description: str = ""

    @property
    def function(self) -> FunctionName:
        return FunctionName(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """Immutable: code and the configuration that instances run with."""

    function_uid: str
    namespace: str
    name: str
    number: int
    runtime: RuntimeName
    handler: str | None
    env: dict[str, str]
    secrets: tuple[str, ...]
    limits: Limits
    network: Network
    source: Source
    rollout: Rollout
    created_at: float  # seconds since the epoch
    created_by: str

    @classmethod
    def of(
        cls,
        spec: FunctionSpec,
        number: int,
        source: Source,
        *,
        function_uid: str,
        rollout: Rollout,
        created_at: float,
        created_by: str,
    ) -> RevisionRecord:
        """What of a function's specification makes a revision."""
        return cls(
            function_uid=function_uid,
            namespace=spec.namespace,
            name=spec.name,
            number=number,
            runtime=spec.runtime,
            handler=spec.handler,
            env=spec.env,
            secrets=spec.secrets,
            limits=spec.limits,
            network=spec.network,
            source=source,
            rollout=rollout,
            created_at=created_at,
            created_by=created_by,
        )

    @property
    def function(self) -> FunctionName:
        return FunctionName(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """``ffx scale NAME N``: wanted at once, whatever the load; the scaler goes on from there."""

    instances: int
    at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    uid: str  # new at every registration: a name that was deleted and taken again is another function
    spec: FunctionSpec  # its revision fields are those of ``latest``
    source: Source
    latest: int  # number of the newest revision
    revisions: dict[int, str]  # number -> key in ffx_revisions; those that are kept
    rollouts: tuple[int, ...]  # revisions that take all traffic once ready, newer than the last explicit split
    split: dict[int, int]  # the last explicit traffic split, {} where none was set: number -> percent, sums to 100
    created_at: float
    updated_at: float
    change: Change  # what this write was; the event relay turns it into a CloudEvent
    scale: ScaleRequest | None = None

    @property
    def function(self) -> FunctionName:
        return self.spec.function

    @property
    def deleting(self) -> bool:
        """Its instances are drained; the manager removes the record when they are gone."""
        return self.change == "deleting"
