"""Calls that found no place in any instance and go on waiting: those that are here need room now.

This is ours: the panic window's mean (6 s) takes seconds to see a step that calls in a buffer show at once. One report with
waiting calls is a moment, unless more wait than the instances take altogether; two, half a second apart, are a lack.
"""

from __future__ import annotations

from faasioflex.autoscaler.samples import Policy, Proposal, Samples, ceil


def propose(samples: Samples, policy: Policy) -> Proposal | None:
    """None while nobody waits for long."""
    room = samples.instances * policy.limits.concurrency
    calls = max(samples.pressed, samples.crowd if samples.waiting > room else 0)
    if calls <= room:
        return None
    target = round(policy.limits.concurrency * policy.scaling.target_utilization, 6)
    instances = 1 if calls == 1 else ceil(calls / target)
    reason = f"{calls} calls at once where {samples.instances} instances have room for {room}: some wait"
    return Proposal(instances, "waiting", float(calls), float(room), "calls", reason)
