"""The shapes of answers, for the OpenAPI document (answers are built by ``answer`` and not validated again)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from faasioflex.model.function import AsyncOrder, Rollout, RuntimeName, ScalingMetric, Visibility
from faasioflex.model.invocation import InvocationState
from faasioflex.model.status import FunctionState, RevisionState

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Percent = Annotated[int, Field(ge=0, le=100)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LimitsOut(Shape):
    memory_bytes: int
    cpu: float
    timeout_s: float
    concurrency: int
    queue: int
    queue_wait_s: float
    payload_bytes: int | None
    disk_bytes: int
    processes: int
    max_memory_bytes: int | None
    max_cpu: float | None


class ScheduledMinimumOut(Shape):
    cron: str
    min_instances: int
    duration_s: float
    timezone: str


class ScalingOut(Shape):
    min_instances: int
    max_instances: int
    metric: ScalingMetric
    target: float | None
    target_utilization: float
    cpu_percent: int | None
    memory_percent: int | None
    latency_p95_ms: float | None
    queue_per_instance: int | None
    stable_window_s: float
    panic_window_percent: float
    panic_threshold_percent: float
    max_up_rate: float
    max_down_rate: float
    cooldown_s: float
    activation_instances: int
    idle_s: float
    freeze_s: float | None
    schedule: list[ScheduledMinimumOut]


class AsyncOut(Shape):
    max_attempts: int
    max_age_s: float
    backoff_s: float
    retry_on: list[str]
    concurrency: int | None
    order: AsyncOrder
    result_ttl_s: float


class CacheOut(Shape):
    ttl_s: float
    key: list[str]
    shared: bool


class NetworkOut(Shape):
    egress: list[str]


class CorsOut(Shape):
    allow_origins: list[str]
    allow_methods: list[str]
    allow_headers: list[str]
    expose_headers: list[str]
    allow_credentials: bool
    max_age_s: int


class RateLimitOut(Shape):
    calls_per_minute: int | None
    per_caller_per_minute: int | None
    burst: int | None


class CodeOut(Shape):
    sha256: str = Field(description="Of the code's canonical tar: the same files, the same digest")
    size_bytes: int = Field(description="Of all files, unpacked")


class ImageOut(Shape):
    image: str
    digest: str | None


class LatestOut(Shape):
    revision: int
    state: RevisionState
    message: str | None


class ScaleOut(Shape):
    """The newest decision of the autoscaler that changed something."""

    revision: int
    before: int = Field(alias="from", description="Instances that were wanted before")
    to: int
    signal: str = Field(
        description="concurrency, rate, waiting, cpu, memory, latency, queue, minimum, maximum, schedule, idle, asked-for or blind"
    )
    value: float | None = Field(description="What was measured")
    threshold: float | None = Field(description="Against what it was held")
    unit: str = Field(description="Of both: calls, calls/s, percent, ms, seconds or instances")
    reason: str = Field(description="The same in words")
    at: Time


class StatusOut(Shape):
    state: FunctionState = Field(description="Of what serves")
    revision: int | None = Field(description="The newest that became ready")
    latest: LatestOut = Field(description="The newest of all")
    traffic: dict[str, Percent] = Field(description="Revision -> percent of the calls; {} while nothing serves")
    ready_instances: int
    url: str
    message: str | None = Field(description="What is wrong, in words that say what to do")
    created_at: Time
    updated_at: Time
    build_s: float | None = Field(description="How long the newest revision's build took")
    scale: ScaleOut | None = Field(description="Why there are so many instances; null before the first change")


class FunctionOut(Shape):
    namespace: str
    name: str
    runtime: RuntimeName
    handler: str | None
    visibility: Visibility
    env: dict[str, str]
    secrets: list[str]
    limits: LimitsOut
    scaling: ScalingOut
    network: NetworkOut
    cors: CorsOut | None
    rate_limit: RateLimitOut | None
    asynchronous: AsyncOut = Field(alias="async")
    cache: CacheOut | None
    labels: dict[str, str]
    description: str
    source: CodeOut | ImageOut
    status: StatusOut


class FunctionPage(Shape):
    items: list[FunctionOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class RevisionOut(Shape):
    revision: int
    state: RevisionState
    message: str | None
    created_at: Time
    created_by: str
    source: CodeOut | ImageOut
    traffic_percent: Percent
    ready_instances: int
    build_s: float | None
    rollout: Rollout
    runtime: RuntimeName
    handler: str | None
    env: dict[str, str]
    secrets: list[str]
    limits: LimitsOut
    network: NetworkOut


class RevisionPage(Shape):
    items: list[RevisionOut] = Field(description="Newest first")


class CallErrorOut(Shape):
    code: str
    message: str
    http_status: int | None


class InvocationOut(Shape):
    invocation_id: str
    function: str
    revision: int | None
    status: InvocationState
    result: Any = Field(description='JSON, text, or {"base64", "content_type"}')
    error: CallErrorOut | None
    attempts: int
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    duration_ms: float | None
    not_before: Time | None = Field(description="Of a queued call: earlier it is not run")
    redrive_of: str | None = Field(description="The dead call that this one repeats")


class LogLineOut(Shape):
    time: Time
    revision: int
    instance: str
    stream: Literal["stdout", "stderr", "platform"]
    request_id: str | None
    message: str


class FieldErrorOut(Shape):
    pointer: str = Field(description='RFC 6901; "" is the whole document, /query/NAME a parameter')
    message: str


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable word for programs")
    request_id: str
    errors: list[FieldErrorOut] | None = None
