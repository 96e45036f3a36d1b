"""The shapes of figures and alerts in answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from faasioflex.api.resource.shapes import Shape, Time
from faasioflex.model.alert import AlertKind, AlertState
from faasioflex.model.status import FunctionState


class LatencyOut(Shape):
    """Milliseconds to the end of the answer, within 1 ms below 10 and 14 % above; null without calls."""

    p50: float | None
    p95: float | None
    p99: float | None


class ColdStartOut(Shape):
    """Milliseconds that the first call waited for a start; null without cold starts."""

    p50: float | None
    p95: float | None


class CacheUseOut(Shape):
    hits: int
    misses: int
    hit_ratio: float | None = Field(description="Hits of all that were looked for; null while there were none")


class PointOut(Shape):
    """What a step of a series holds. Of what goes up and down it is the highest that was seen."""

    at: Time = Field(description="Its beginning")
    calls_per_s: float
    error_rate: float
    p50_ms: float | None
    p95_ms: float | None
    cold_starts: int
    refused: int
    cpu: float
    instances: float
    in_progress: float
    waiting: float
    queued: float
    memory_bytes: float


Points = Annotated[
    list[PointOut], Field(default_factory=list, description="Oldest first; there with step_s alone", min_length=0)
]


class WindowOut(Shape):
    """Calls count when they have been answered, each once; figures are at most some seconds behind."""

    window_s: float = Field(description="That the figures are of: what was asked for, at least 10 and at most 3600")
    calls_per_s: float
    error_rate: float = Field(description="Share of answers of 500 and above, 0 where there were no calls")
    answers: dict[str, int] = Field(description="2xx, 3xx, 4xx, 5xx -> calls")
    latency_ms: LatencyOut
    refused: int = Field(description="Calls that were sent away because no place was left")
    in_progress: int
    waiting: int
    cpu: float | None = Field(description="Cores that instances use; null while nobody tells")
    cpu_limit: float | None = Field(description="Cores that they may use together now; null while nobody tells")
    memory_bytes: int | None = Field(description="Of instances together; null while nobody tells")
    memory_limit_bytes: int | None = Field(description="That they may use together now; null while nobody tells")
    instances_by_state: dict[str, int] = Field(description="starting, ready, frozen, draining -> instances")
    cold_starts: int = Field(description="Starts of instances that calls waited for")
    cold_start_ms: ColdStartOut
    crashes: int = Field(description="Instances that ended unwanted")
    queued: int = Field(description="Asynchronous calls that may run and wait")
    delayed: int = Field(description="Asynchronous calls that may not run yet")
    oldest_s: float = Field(description="How long the oldest that may run has waited")
    retries: int
    dead_letters: int
    cache: CacheUseOut
    alerts: list[AlertKind] = Field(description="Kinds of those that fire")
    step_s: float | None = Field(default=None, description="Of the points: what was asked for, or what is kept")
    points: Points


class MetricsOut(WindowOut):
    instances: int = Field(description="Ready ones")


class FunctionMetricsOut(MetricsOut):
    namespace: str
    name: str
    state: FunctionState = Field(description="As in the resource's status")


class MetricsPage(Shape):
    items: list[FunctionMetricsOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class PoolOut(Shape):
    """``hits`` and ``misses`` since the API started."""

    size: int
    hits: int
    misses: int


class ProcessOut(Shape):
    resident_bytes: int
    cpu_s: float
    open_fds: int | None


class DecisionsOut(Shape):
    signal: str
    direction: str
    count: int = Field(description="Since the API started")


class PlatformMetricsOut(WindowOut):
    functions: dict[str, int] = Field(description="State -> functions")
    revisions: int
    memory_budget_bytes: int | None = Field(description="Of the machine, for instances; null while nobody tells")
    memory_reserved_bytes: int | None = Field(description="Of it, by the limits of what runs")
    pools: dict[str, PoolOut] = Field(description="By language")
    processes: dict[str, ProcessOut] = Field(description="The platform's own, by name")
    scale_decisions: list[DecisionsOut]


class AlertOut(Shape):
    kind: AlertKind
    function: str | None = Field(description="ns/name; null: of the platform")
    state: AlertState
    value: float = Field(description="When it began")
    threshold: float
    unit: str
    since: Time
    message: str


class AlertList(Shape):
    items: list[AlertOut] = Field(description="In the order in which they began")
