"""Asynchronous calls that wait and may run now, as a proportion: so many per instance."""

from __future__ import annotations

from faasioflex.autoscaler.samples import Policy, Proposal, Samples, ceil


def propose(samples: Samples, policy: Policy) -> Proposal | None:
    """None where it is not looked at or nothing waits."""
    each = policy.scaling.queue_per_instance
    if each is None or not samples.queued:
        return None
    reason = f"{samples.queued} asynchronous calls wait, {each} per instance"
    return Proposal(ceil(samples.queued / each), "queue", float(samples.queued), float(each), "calls", reason)
