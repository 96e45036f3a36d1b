"""What follows from an attempt: an outcome, or another attempt. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from faasioflex.model.function import AsyncPolicy
from faasioflex.model.invocation import CallError, InvocationState

LONGEST_BACKOFF_S = 300.0
JITTER = 0.5  # a pause is between half of what was reckoned and all of it

Kind = Literal["answered", "silent", "refused", "postponed"]


@dataclass(frozen=True)
class Attempted:
    """``answered``: with a status. ``silent``: it had the call and did not answer, or does not start. ``refused``: for good, by
    the platform. ``postponed``: the platform could not hand it over just now, which is no attempt.

    ``status``: of the answer. ``error`` None: it succeeded. ``began``, ``ended``: epoch seconds.
    """

    kind: Kind
    began: float
    ended: float
    revision: int | None = None
    status: int | None = None
    result: Any = None
    error: CallError | None = None
    retry_after_s: float | None = None
    size: int = 0  # bytes of the answer's body


@dataclass(frozen=True)
class Ends:
    state: InvocationState


@dataclass(frozen=True)
class Again:
    """``at``: epoch seconds. ``counts``: whether it was an attempt."""

    at: float
    counts: bool


def follow_up(
    policy: AsyncPolicy, tried: Attempted, attempts: int, dies_at: float, chance: float, *, pause_s: float = 1.0
) -> Ends | Again:
    """``attempts``: that have ended, this one among them. ``chance``: in [0, 1). ``pause_s``: of what was postponed."""
    if tried.kind == "postponed":
        at = tried.ended + pause_s * (1 - JITTER * chance)
        return Again(at, counts=False) if at < dies_at else Ends("dead")
    if tried.error is None:
        return Ends("succeeded")
    if tried.kind == "refused" or not _tried_again(policy.retry_on, tried.kind, tried.status):
        return Ends("failed")
    at = tried.ended + max(backoff_s(policy, attempts, chance), tried.retry_after_s or 0.0)
    return Again(at, counts=True) if attempts < policy.max_attempts and at < dies_at else Ends("dead")


def backoff_s(policy: AsyncPolicy, attempts: int, chance: float) -> float:
    """Doubled each time up to five minutes, or to what is set where that is more."""
    most = max(LONGEST_BACKOFF_S, policy.backoff_s)
    return float(min(policy.backoff_s * 2 ** min(attempts - 1, 40), most) * (1 - JITTER * chance))


def _tried_again(retry_on: Sequence[str], kind: Kind, status: int | None) -> bool:
    if kind == "silent" or status is None:
        return "error" in retry_on
    return str(status) in retry_on or f"{status // 100}xx" in retry_on


def retry_after_s(value: bytes | None, now: float) -> float | None:
    """Of a Retry-After field: seconds, or a date; None where it says nothing that can be read."""
    text = (value or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
