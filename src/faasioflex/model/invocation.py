"""A call and its outcome (bucket ``ffx_invocations``)."""

from __future__ import annotations

from dataclasses import dataclass
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
