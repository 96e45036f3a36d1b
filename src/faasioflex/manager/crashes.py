"""What follows for a revision when one of its instances ended by itself: a pause, a message, perhaps the end of hope."""

from __future__ import annotations

from faasioflex.manager.backoff import KILLED_COUNTS, crash_backoff_s, ended_backoff_s
from faasioflex.manager.plan import START_ATTEMPTS
from faasioflex.manager.state import RevisionState, TrackedInstance
from faasioflex.model.errors import StartFailed
from faasioflex.model.instance import InstanceEnded

STABLE_S = 3.0  # an instance that served that long did not crash at its start
LONGEST_HOLD_S = 2.0  # calls wait for a next start that soon; they fail where it comes later


def crashed(revision: RevisionState, one: TrackedInstance, event: InstanceEnded, now: float) -> StartFailed | None:
    """Change ``revision``; returns what calls that wait for it are to be told, None where they go on waiting."""
    if event.reason == "lost":
        revision.attempts, revision.ends, revision.retry_at = 0, 0, None  # the launcher died, not the function
        return None
    served = event.was_ready and revision.first_ready_at is not None
    if served:
        stable = one.ready_at is not None and now - one.ready_at >= STABLE_S
        revision.attempts, revision.ends = 0, 1 if stable else revision.ends + 1
        delay_s = ended_backoff_s(revision.ends, killed=event.reason == "killed")
    else:
        revision.attempts += 1
        if event.reason == "killed" and revision.first_ready_at is not None:
            revision.attempts = min(revision.attempts, KILLED_COUNTS)  # somebody ended it: no fault of its own
        delay_s = crash_backoff_s(revision.attempts)
    revision.retry_at = now + delay_s if delay_s else None
    tail = "\n".join(event.last_lines[-10:])
    words = event.detail + (f"; its last log lines:\n{tail}" if tail else "; it wrote no log")
    if revision.first_ready_at is None:
        revision.message = f"it does not start: {words}"
        if revision.attempts >= START_ATTEMPTS:
            revision.failed = True
            return StartFailed(revision.message)
    elif served:
        if revision.ends > 1:
            revision.message = f"it ended {revision.ends} times in a row, each soon after it was ready: {words}"
    else:
        revision.message = f"it ended before it was ready ({revision.attempts} in a row): {words}"
        hopeless = event.reason != "killed" and revision.attempts >= START_ATTEMPTS
        if hopeless or delay_s > LONGEST_HOLD_S:
            return StartFailed(revision.message)
    return None
