"""A call and its outcome (bucket ``ffx_invocations``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

InvocationState = Literal["queued", "running", "succeeded", "failed", "dead", "cancelled"]


@dataclass(frozen=True)
class CallError:
    code: str
    message: str
    http_status: int | None = None  # what the function answered, where it did


@dataclass(frozen=True)
class CalledBy:
    """``uid`` of the principal, and how people read it."""

    uid: str
    name: str


@dataclass(frozen=True)
class Invocation:
    """``result`` is JSON, text, or ``{"base64", "content_type"}`` for other bytes. ``principal`` None: nobody, or not known."""

    invocation_id: str
    function: str  # ns/name
    revision: int | None
    status: InvocationState
    result: Any
    error: CallError | None
    attempts: int
    created_at: float  # seconds since the epoch
    started_at: float | None
    finished_at: float | None
    duration_ms: float | None
    principal: CalledBy | None = None
    asynchronous: bool = False
    not_before: float | None = None  # seconds since the epoch; queued: earlier it is not run
    redrive_of: str | None = None  # the dead call that this one repeats
    result_object: str | None = None  # where the result is, in the object store ffx_results, when it is over 1 MiB


ENDED = frozenset[InvocationState]({"succeeded", "failed", "dead", "cancelled"})


def invocation_document(call: Invocation) -> dict[str, Any]:
    """What people and programs are answered: times in RFC 3339, nothing that is the platform's own business."""
    return {
        "invocation_id": call.invocation_id,
        "function": call.function,
        "revision": call.revision,
        "status": call.status,
        "result": call.result,
        "error": asdict(call.error) if call.error is not None else None,
        "attempts": call.attempts,
        "created_at": _moment(call.created_at),
        "started_at": _moment(call.started_at),
        "finished_at": _moment(call.finished_at),
        "duration_ms": call.duration_ms,
        "not_before": _moment(call.not_before),
        "redrive_of": call.redrive_of,
    }


def _moment(time: float | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
