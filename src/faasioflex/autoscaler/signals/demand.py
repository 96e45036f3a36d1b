"""The metric that ``scaling.metric`` names, and what one instance should carry of it.

As in Knative (https://knative.dev/docs/serving/autoscaling/concurrency/): the target is the soft or hard limit of one instance
times the target utilisation.
"""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.autoscaler.samples import Means, Policy, Proposal, Samples, ceil


@dataclass(frozen=True)
class Demand:
    """``target``: aimed at per instance. ``one_call_fits``: a single call at once never needs a second instance."""

    means: Means
    target: float
    signal: str
    unit: str
    words: str
    one_call_fits: bool = False

    def instances(self, value: float) -> int:
        if self.one_call_fits and 0 < value <= 1:
            return 1
        return ceil(value / self.target)

    def proposal(self, value: float, window_s: float, mode: str = "") -> Proposal:
        reason = f"{value:.1f} {self.words} over {window_s:g} s, {self.target:g} per instance{mode}"
        return Proposal(self.instances(value), self.signal, round(value, 3), self.target, self.unit, reason)


def demand(samples: Samples, policy: Policy) -> Demand:
    """Calls at once, or calls per second."""
    scaling = policy.scaling
    if scaling.metric == "rate" and scaling.target is not None:
        target = round(scaling.target * scaling.target_utilization, 6)
        return Demand(samples.rate, target, "rate", "calls/s", "calls a second")
    whole = scaling.target if scaling.target is not None else float(policy.limits.concurrency)
    target = round(whole * scaling.target_utilization, 6)
    fits = scaling.target is None
    return Demand(samples.at_once, target, "concurrency", "calls", "calls at once", one_call_fits=fits)
