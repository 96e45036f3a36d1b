"""CPU as a proportion, as the Horizontal Pod Autoscaler's: what is used / threshold
(https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/, algorithm details), and with its tolerance
of a tenth: below the threshold only so many go that the rest stays a tenth below it.
"""

from __future__ import annotations

from faasioflex.autoscaler.samples import Policy, Proposal, Samples, ceil

TOLERANCE = 0.1


def propose(samples: Samples, policy: Policy) -> Proposal | None:
    """None where it is not looked at or not known."""
    threshold, used = policy.scaling.cpu_percent, samples.cpu_used
    if threshold is None or used is None or not samples.instances:
        return None
    # Not a share of those that are there now: that was measured when there were fewer, or more.
    whole = max(used.stable, used.panic)
    percent = 100 * whole / samples.instances
    if percent > threshold:
        instances = ceil(100 * whole / threshold)
    else:
        instances = min(samples.instances, ceil(100 * whole / (threshold * (1 - TOLERANCE))))
    reason = f"the instances use {percent:.0f} % of their CPU, {threshold} % is the threshold"
    return Proposal(instances, "cpu", round(percent, 1), float(threshold), "percent", reason)
