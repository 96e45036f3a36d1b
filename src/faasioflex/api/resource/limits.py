"""The nested objects of the function resource: bounds of instances and calls, network."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from faasioflex.model.egress import MOST_ENTRIES, parse
from faasioflex.model.function import MIB, Limits, Network

GIB = 1024 * MIB
_DEFAULT = Limits()


class Strict(BaseModel):
    """Every edge model: unknown fields refused, no «"5"» for 5, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LimitsIn(Strict):
    """Bounds of one instance and of one call. A change makes a new revision."""

    memory_bytes: int = Field(
        _DEFAULT.memory_bytes, ge=32 * MIB, le=256 * GIB, description="Memory of one instance, budgeted"
    )
    cpu: float = Field(
        _DEFAULT.cpu,
        ge=0.05,
        le=256,
        description="Cores; a limit that may be overcommitted, not applied until the instance is ready",
    )
    timeout_s: float = Field(
        _DEFAULT.timeout_s,
        ge=0.1,
        le=3600,
        description="To the first byte of the answer, then the longest silence between bytes",
    )
    concurrency: int = Field(_DEFAULT.concurrency, ge=1, le=1000, description="Calls at once in one instance")
    queue: int = Field(_DEFAULT.queue, ge=0, le=10_000, description="Calls that may wait beyond that; the rest get 429")
    queue_wait_s: float = Field(_DEFAULT.queue_wait_s, ge=0, le=600, description="The longest wait of such a call")
    payload_bytes: int | None = Field(
        _DEFAULT.payload_bytes, ge=0, le=64 * GIB, description="Largest request body; null takes any size, streamed"
    )
    disk_bytes: int = Field(_DEFAULT.disk_bytes, ge=MIB, le=64 * GIB, description="Size of the private /tmp")
    processes: int = Field(_DEFAULT.processes, ge=4, le=4096, description="Processes and threads of one instance")
    max_memory_bytes: int | None = Field(
        None,
        ge=32 * MIB,
        le=256 * GIB,
        description="Up to which a running instance's memory is raised; null: not at all",
    )
    max_cpu: float | None = Field(
        None, ge=0.05, le=256, description="Cores up to which a running instance's are raised; null: not at all"
    )

    @model_validator(mode="after")
    def _ordered(self) -> LimitsIn:
        if self.max_memory_bytes is not None and self.max_memory_bytes < self.memory_bytes:
            raise PydanticCustomError("order", "max_memory_bytes is below memory_bytes: raise it or lower memory_bytes")
        if self.max_cpu is not None and self.max_cpu < self.cpu:
            raise PydanticCustomError("order", "max_cpu is below cpu: raise it or lower cpu")
        return self

    def value(self) -> Limits:
        return Limits(**dict(self))


def _destination(entry: str) -> str:
    try:
        parse(entry)
    except ValueError as error:
        raise PydanticCustomError("destination", "{why}", {"why": str(error)}) from None
    return entry


Destination = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_destination)]


class NetworkIn(Strict):
    """What instances may reach."""

    egress: list[Destination] = Field(
        default_factory=list,
        max_length=MOST_ENTRIES,
        description="host, host:port, *.host or * (with :port), names or addresses; private addresses only where the "
        "operator allows them and they are named one by one",
    )

    def value(self) -> Network:
        return Network(tuple(self.egress))
