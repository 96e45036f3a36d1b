"""Memory, stepwise and only while calls run: what code holds when nobody calls it, it holds in every instance."""

from __future__ import annotations

from faasioflex.autoscaler.samples import Policy, Proposal, Samples, Trial
from faasioflex.autoscaler.signals.stepwise import Situation, step

CALLED_S = 5.0  # a call was seen so lately


def propose(samples: Samples, policy: Policy, now: float) -> tuple[Proposal | None, Trial | None]:
    threshold = policy.scaling.memory_percent
    if threshold is None:
        return None, None
    called = samples.idle_s is None or samples.idle_s < CALLED_S
    percent = None if samples.memory_share is None else 100 * samples.memory_share
    if not called and samples.memory.memory is None:
        return None, None
    seen = Situation(
        percent if called else None,
        float(threshold),
        samples.instances,
        policy.most,
        policy.scaling.stable_window_s,
        now,
    )
    instances, trial = step(seen, samples.memory.memory)
    if instances is None or trial is None:
        return None, trial
    value = percent if percent is not None else trial.value
    reason = f"the instances use {value:.0f} % of their memory, {threshold} % is the threshold"
    return Proposal(instances, "memory", round(value, 1), float(threshold), "percent", reason), trial
