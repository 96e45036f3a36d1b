"""``scaling`` of the function resource: how many instances there are, and when. Changes in place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from faasioflex.api.resource.limits import Strict
from faasioflex.model.function import Scaling, ScalingMetric, ScheduledMinimum

_SCALE = Scaling()
MOST_SCHEDULES = 20


def _cron(text: str) -> str:
    try:
        CronSim(text, datetime.now(UTC))
    except CronSimError as error:
        raise PydanticCustomError(
            "cron", "Must be minute, hour, day, month and weekday, like «0 8 * * MON-FRI»: {why}", {"why": str(error)}
        ) from None
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("timezone", "Must be a time zone's name, like Europe/Madrid") from None
    return text


class ScheduledMinimumIn(Strict):
    """More instances at certain times, before the calls come."""

    cron: Annotated[str, StringConstraints(min_length=9, max_length=200), AfterValidator(_cron)] = Field(
        description="When it begins: minute, hour, day, month, weekday"
    )
    min_instances: int = Field(ge=1, le=1000)
    duration_s: float = Field(ge=60, le=7 * 86_400, description="How long it lasts")
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_timezone)] = "UTC"

    def value(self) -> ScheduledMinimum:
        return ScheduledMinimum(**dict(self))


class ScalingIn(Strict):
    """How many instances there are, and when. Changes in place."""

    min_instances: int = Field(_SCALE.min_instances, ge=0, le=1000, description="Always ready")
    max_instances: int = Field(_SCALE.max_instances, ge=1, le=1000)
    metric: ScalingMetric = Field(_SCALE.metric, description="What is counted: calls at once, or calls per second")
    target: float | None = Field(
        _SCALE.target, gt=0, le=100_000, description="Of the metric, per instance; null: limits.concurrency"
    )
    target_utilization: float = Field(
        _SCALE.target_utilization, ge=0.05, le=1, description="Share of the target that is aimed at"
    )
    cpu_percent: int | None = Field(
        _SCALE.cpu_percent, ge=1, le=100, description="More instances above this share of limits.cpu; null: never"
    )
    memory_percent: int | None = Field(
        _SCALE.memory_percent,
        ge=1,
        le=100,
        description="More instances above this share of limits.memory_bytes; null: never",
    )
    latency_p95_ms: float | None = Field(
        _SCALE.latency_p95_ms, ge=1, le=3_600_000, description="More instances when 5 % of the calls take longer"
    )
    queue_per_instance: int | None = Field(
        _SCALE.queue_per_instance, ge=1, le=1_000_000, description="Asynchronous calls that wait, per instance"
    )
    stable_window_s: float = Field(_SCALE.stable_window_s, ge=6, le=3600, description="That means are taken over")
    panic_window_percent: float = Field(_SCALE.panic_window_percent, ge=1, le=100, description="Of the stable window")
    panic_threshold_percent: float = Field(
        _SCALE.panic_threshold_percent, ge=110, le=1000, description="Of what the instances carry: panic begins there"
    )
    max_up_rate: float = Field(_SCALE.max_up_rate, gt=1, le=1000, description="At most so many times as many at once")
    max_down_rate: float = Field(_SCALE.max_down_rate, gt=1, le=1000, description="At most divided by that at once")
    cooldown_s: float = Field(_SCALE.cooldown_s, ge=0, le=3600, description="Fewer only when fewer did for so long")
    activation_instances: int = Field(_SCALE.activation_instances, ge=1, le=1000, description="From zero, at least")
    idle_s: float = Field(
        _SCALE.idle_s, ge=1, le=30 * 86_400, description="Without calls for so long, instances above the minimum stop"
    )
    freeze_s: float | None = Field(
        _SCALE.freeze_s,
        ge=0.5,
        le=86_400,
        description="An instance without calls for so long is frozen until one comes; null: never",
    )
    schedule: list[ScheduledMinimumIn] = Field(
        default_factory=list, max_length=MOST_SCHEDULES, description="More instances at certain times"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ScalingIn:
        if self.max_instances < self.min_instances:
            raise PydanticCustomError("order", "max_instances is below min_instances: raise it or lower min_instances")
        if any(one.min_instances > self.max_instances for one in self.schedule):
            raise PydanticCustomError("order", "max_instances is below a scheduled min_instances: raise it")
        if self.metric == "rate" and self.target is None:
            raise PydanticCustomError("target", "metric rate needs a target: calls per second that one instance takes")
        if self.freeze_s is not None and self.freeze_s >= self.idle_s:
            raise PydanticCustomError("order", "freeze_s is not below idle_s: an instance would be gone before")
        return self

    def value(self) -> Scaling:
        return Scaling(**{**dict(self), "schedule": tuple(one.value() for one in self.schedule)})
