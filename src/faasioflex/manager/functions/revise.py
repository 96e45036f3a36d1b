"""From what is wanted to the next record: which changes make a revision, which revisions are kept. Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from faasioflex.model.function import FunctionRecord, FunctionSpec, RevisionRecord, Rollout, Source
from faasioflex.model.status import FunctionStatus, traffic

KEPT_REVISIONS = 50


@dataclass(frozen=True)
class Wanted:
    """Everything a user wants of a function. ``rollout`` None: not said, which is ``all`` for what is new."""

    spec: FunctionSpec
    source: Source
    rollout: Rollout | None = None


@dataclass(frozen=True)
class Step:
    """The record to write, and the revision to write before it (None where everything changed in place)."""

    record: FunctionRecord
    revision: tuple[str, RevisionRecord] | None


def first(wanted: Wanted, actor: str, now: float) -> Step:
    """The record of a new function."""
    record = FunctionRecord(
        uid=secrets.token_hex(16),
        spec=wanted.spec,
        source=wanted.source,
        latest=0,
        revisions={},
        rollouts=(),
        split={},
        created_at=now,
        updated_at=now,
        change="registered",
    )
    return _with_revision(record, wanted, None, actor, now)


def following(
    record: FunctionRecord, wanted: Wanted, status: FunctionStatus | None, actor: str, now: float
) -> Step | None:
    """What the change makes of ``record``; None where it changes nothing.

    A newest revision that failed is tried again, as a new one, where «all» is asked for by word: what it failed of may
    have been this machine.
    """
    newest = status.revisions.get(record.latest) if status is not None else None
    again = wanted.rollout == "all" and newest is not None and newest.state == "failed"
    if again or _makes_revision(record, wanted):
        changed = replace(record, spec=wanted.spec, source=wanted.source, updated_at=now, change="updated")
        return _with_revision(changed, wanted, status, actor, now)
    rollouts = record.rollouts
    if wanted.rollout == "all" and record.latest not in rollouts:
        rollouts = (*rollouts, record.latest)  # asked for by word: the newest revision takes the traffic after all
    if wanted.spec == record.spec and rollouts == record.rollouts:
        return None
    return Step(replace(record, spec=wanted.spec, rollouts=rollouts, updated_at=now, change="updated"), None)


def _makes_revision(record: FunctionRecord, wanted: Wanted) -> bool:
    old, new = record.spec, wanted.spec
    return record.source != wanted.source or (
        old.runtime,
        old.handler,
        old.env,
        old.secrets,
        old.limits,
        old.network,
    ) != (
        new.runtime,
        new.handler,
        new.env,
        new.secrets,
        new.limits,
        new.network,
    )


def _with_revision(
    record: FunctionRecord, wanted: Wanted, status: FunctionStatus | None, actor: str, now: float
) -> Step:
    spec, number = record.spec, record.latest + 1
    rollout: Rollout = wanted.rollout or "all"
    revision = RevisionRecord.of(
        spec,
        number,
        record.source,
        function_uid=record.uid,
        rollout=rollout,
        created_at=now,
        created_by=actor,
    )
    key = f"{record.function.key}.{number}-{secrets.token_hex(4)}"
    serving = set(traffic(record, status)) | set(record.split)
    revisions = _kept({**record.revisions, number: key}, serving)
    rollouts = tuple(one for one in record.rollouts if one in revisions)
    made = replace(
        record,
        latest=number,
        revisions=revisions,
        rollouts=(*rollouts, number) if rollout == "all" else rollouts,
    )
    return Step(made, (key, revision))


def _kept(revisions: dict[int, str], serving: set[int]) -> dict[int, str]:
    """The newest ones and those with traffic. The manager collects records and code that nothing refers to any more."""
    newest = set(sorted(revisions)[-KEPT_REVISIONS:])
    return {number: key for number, key in sorted(revisions.items()) if number in newest or number in serving}
