"""The 95th percentile of how long calls took, stepwise: a function that is slow by itself does not get more instances."""

from __future__ import annotations

from faasioflex.autoscaler.samples import Policy, Proposal, Samples, Trial
from faasioflex.autoscaler.signals.stepwise import Situation, step


def propose(samples: Samples, policy: Policy, now: float) -> tuple[Proposal | None, Trial | None]:
    threshold = policy.scaling.latency_p95_ms
    if threshold is None:
        return None, None
    seen = Situation(samples.p95_ms, threshold, samples.instances, policy.most, policy.scaling.stable_window_s, now)
    instances, trial = step(seen, samples.memory.latency)
    if instances is None or trial is None:
        return None, trial
    value = samples.p95_ms if samples.p95_ms is not None else trial.value
    reason = f"5 % of the calls take longer than {value:.0f} ms, {threshold:g} ms is the threshold"
    return Proposal(instances, "latency", round(value, 1), threshold, "ms", reason), trial
