"""CPU as a proportion, as the Horizontal Pod Autoscaler's: instances x used / threshold
(https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/, algorithm details), and with its tolerance
of a tenth: below the threshold only so many go that the rest stays a tenth below it.
"""

from __future__ import annotations

from faasioflex.autoscaler.samples import Policy, Proposal, Samples, ceil

TOLERANCE = 0.1


def propose(samples: Samples, policy: Policy) -> Proposal | None:
    """None where it is not looked at or not known."""
    threshold, share = policy.scaling.cpu_percent, samples.cpu_share
    if threshold is None or share is None or not samples.instances:
        return None
    percent = 100 * max(share.stable, share.panic)
    if percent > threshold:
        instances = ceil(samples.instances * percent / threshold)
    else:
        instances = min(samples.instances, ceil(samples.instances * percent / (threshold * (1 - TOLERANCE))))
    reason = f"the instances use {percent:.0f} % of their CPU, {threshold} % is the threshold"
    return Proposal(instances, "cpu", round(percent, 1), float(threshold), "percent", reason)
