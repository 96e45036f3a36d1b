"""What the function manager says of a function (bucket ``ffx_status``, key ``ns.name``, written by it alone)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from faasioflex.model.function import FunctionRecord

RevisionState = Literal["building", "starting", "ready", "idle", "failed"]
FunctionState = Literal["building", "starting", "ready", "idle", "failed", "deleting"]


@dataclass(frozen=True, slots=True)
class RevisionStatus:
    """``ready``: at least one ready instance; ``idle``: was ready, has none now and starts on a call."""

    state: RevisionState
    message: str | None = None  # what is wrong, in words that say what to do
    build_s: float | None = None
    first_ready_at: float | None = None  # None until it was healthy once; only then may it take traffic
    ready_instances: int = 0


@dataclass(frozen=True, slots=True)
class FunctionStatus:
    function_uid: str
    revisions: dict[int, RevisionStatus] = field(default_factory=dict)
    change: Literal["", "deployed", "failed", "scaled"] = ""  # what this write was; becomes the event
    change_data: dict[str, str | int | float | None] = field(default_factory=dict)


def traffic(record: FunctionRecord, status: FunctionStatus | None) -> dict[int, int]:
    """The split that is in force: number -> percent, sums to 100, or {} while nothing was ever ready.

    The newest revision of ``record.rollouts`` that has been healthy once takes all; else the explicit split; else, where the
    only healthy ones were deployed without traffic, nothing serves.
    """
    known: Mapping[int, RevisionStatus] = status.revisions if status and status.function_uid == record.uid else {}
    for number in sorted(record.rollouts, reverse=True):
        revision = known.get(number)
        if revision is not None and revision.first_ready_at is not None:
            return {number: 100}
    return dict(record.split)


def serving(record: FunctionRecord, status: FunctionStatus | None) -> int | None:
    """The revision with the largest share of the traffic, the newest of equals; None while nothing serves."""
    shares = traffic(record, status)
    return max(shares, key=lambda number: (shares[number], number)) if shares else None


@dataclass(frozen=True, slots=True)
class ScaleDecision:
    """Why a revision should have ``to`` instances: ``signal`` measured ``value`` against ``threshold`` (both in ``unit``).

    ``signal``: concurrency, rate, cpu, memory, latency, queue, minimum, maximum, schedule, idle, asked-for, blind …
    """

    before: int
    to: int
    signal: str
    value: float | None
    threshold: float | None
    unit: str
    reason: str  # the same in a sentence
    at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class DesiredScale:
    """How many instances a function's revisions should have now (bucket ``ffx_scale``, written by the autoscaler alone)."""

    function_uid: str
    instances: dict[int, int]  # revision -> wanted instances; a revision that is not named wants none
    reason: str  # in words: which signal, its value, its threshold
    decided_at: float
    decisions: dict[int, ScaleDecision] = field(default_factory=dict)  # the newest that changed something, per revision
    requested_at: float | None = None  # of the newest ScaleRequest that is carried out

    @property
    def newest(self) -> tuple[int, ScaleDecision] | None:
        """The last decision that changed something, with its revision."""
        return max(self.decisions.items(), key=lambda item: (item[1].at, item[0]), default=None)
