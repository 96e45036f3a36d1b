"""What the platform answers, typed. ``raw`` is the whole document as it came, for fields that this client does not know."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from faasioflex.model.function import Limits, Network, Scaling
from faasioflex.model.names import FunctionName


@dataclass(frozen=True)
class Source:
    """Code (``sha256``, ``size_bytes``) or an image (``image``, ``digest``)."""

    sha256: str | None = None
    size_bytes: int | None = None
    image: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Latest:
    """The newest revision of all, whatever became of it."""

    revision: int
    state: str
    message: str | None = None


@dataclass(frozen=True)
class Scale:
    """Why there should be ``to`` instances: ``signal`` measured ``value`` against ``threshold`` (both in ``unit``)."""

    to: int
    signal: str
    reason: str  # the same in words
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    revision: int | None = None
    at: datetime | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def before(self) -> int | None:
        """How many there should have been before («from» in the document, which is a keyword here)."""
        found = self.raw.get("from")
        return found if isinstance(found, int) else None


@dataclass(frozen=True)
class Status:
    """``state`` is of what serves: building, starting, ready, idle, failed or deleting."""

    state: str
    revision: int | None = None
    latest: Latest | None = None
    traffic: dict[int, int] = field(default_factory=dict)
    ready_instances: int = 0
    url: str | None = None
    message: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    build_s: float | None = None
    scale: Scale | None = None  # the newest decision that changed how many instances there should be


@dataclass(frozen=True)
class Function:
    namespace: str
    name: str
    runtime: str
    status: Status
    handler: str | None = None
    visibility: str = "private"
    env: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    scaling: Scaling = field(default_factory=Scaling)
    network: Network = field(default_factory=Network)
    labels: dict[str, str] = field(default_factory=dict)
    description: str = ""
    source: Source | None = None
    etag: str | None = None  # of what users set; goes into If-Match
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def function(self) -> FunctionName:
        return FunctionName(self.namespace, self.name)


@dataclass(frozen=True)
class Revision:
    revision: int
    state: str
    message: str | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    source: Source | None = None
    traffic_percent: int = 0
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Page:
    """One page of functions; ``next`` is the cursor of the following one, None at the end."""

    items: tuple[Function, ...]
    next: str | None = None


@dataclass(frozen=True)
class LogLine:
    """``stream`` is stdout, stderr or platform."""

    message: str
    time: datetime | None = None
    revision: int | None = None
    instance: str | None = None
    stream: str = "stdout"
    request_id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Latency:
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class Metrics:
    """Over the window that was asked for; what cannot be measured is None."""

    calls_per_s: float | None = None
    error_rate: float | None = None
    latency_ms: Latency | None = None
    in_progress: float | None = None
    waiting: float | None = None
    instances: int | None = None
    cpu: float | None = None
    memory_bytes: float | None = None
    cold_starts: float | None = None
    cold_start_ms: Latency | None = None
    instances_by_state: dict[str, int] = field(default_factory=dict)
    cpu_limit: float | None = None
    memory_limit_bytes: float | None = None
    refused: int | None = None
    crashes: int | None = None
    queued: int | None = None
    delayed: int | None = None
    oldest_s: float | None = None
    retries: int | None = None
    dead_letters: int | None = None
    alerts: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class FunctionMetrics(Metrics):
    """Those of one of many functions; ``state`` as in its status."""

    namespace: str = ""
    name: str = ""
    state: str = ""


@dataclass(frozen=True)
class MetricsPage:
    """``next`` is the cursor of the following page, None at the end."""

    items: tuple[FunctionMetrics, ...]
    next: str | None = None


@dataclass(frozen=True)
class Alert:
    """One that fires. ``function``: ns/name, None where it is of the platform."""

    kind: str
    function: str | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    since: datetime | None = None
    message: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class AlertList:
    items: tuple[Alert, ...]


@dataclass(frozen=True)
class CallError:
    code: str = "function-error"
    message: str = ""
    http_status: int | None = None


@dataclass(frozen=True)
class Invocation:
    """A call and its outcome. ``status``: queued, running, succeeded, failed, dead or cancelled."""

    invocation_id: str
    status: str
    function: str | None = None
    revision: int | None = None
    result: Any = None
    error: CallError | None = None
    attempts: int = 1
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: float | None = None
    not_before: datetime | None = None
    redrive_of: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status not in ("queued", "running")


@dataclass(frozen=True)
class DeadLetter(Invocation):
    """A call that was given up. ``payload``, ``method`` and ``path`` where one is asked for alone."""

    last_error: str | None = None
    died_at: datetime | None = None
    method: str | None = None
    path: str | None = None
    payload: Any = None


@dataclass(frozen=True)
class DeadLetterPage:
    """``next`` is the cursor of the following page, None at the end."""

    items: tuple[DeadLetter, ...]
    next: str | None = None


@dataclass(frozen=True)
class Redriven:
    """``left``: dead letters that found no room in the queue, so they are there still."""

    redriven: int
    left: int = 0


@dataclass(frozen=True)
class CallbackKey:
    """What callbacks are signed with: ``whsec_`` and base64. ``previous`` ones still sign, for a day after a rotation."""

    key: str = field(repr=False)
    previous: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Event:
    """A CloudEvent."""

    id: str
    type: str
    source: str = ""
    subject: str | None = None
    time: datetime | None = None
    data: Any = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Health:
    """``ok`` is the answer's status; ``raw`` says which part is not ready, and why."""

    ok: bool
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Version:
    version: str
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Answer:
    """What a function answered on the direct path, byte for byte. ``headers`` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
