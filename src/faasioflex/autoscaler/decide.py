"""How many instances a revision should have: a pure function of what was seen, the policy and the time.

The concurrency rule of Knative's Pod Autoscaler (https://knative.dev/docs/serving/autoscaling/kpa-specific/): a stable
window of 60 s, and a panic window of 6 s that takes over when it asks for twice of what is there; never down in panic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from faasioflex.model.function import Scaling

STABLE_S = 60.0
PANIC_S = 6.0
PANIC_RATIO = 2.0


@dataclass(frozen=True)
class Samples:
    """Calls at once (in progress and waiting): means over the windows. ``idle_s``: since the last call; None while one runs.

    ``blind``: somebody who should report does not.
    """

    stable: float
    panic: float
    instances: int
    idle_s: float | None
    blind: bool
    panicking_until: float | None = None


@dataclass(frozen=True)
class Policy:
    """``concurrency``: calls at once that an instance takes."""

    scaling: Scaling
    concurrency: int


@dataclass(frozen=True)
class Decision:
    """``reason`` in words: which signal, its value, its threshold."""

    instances: int
    reason: str
    panicking_until: float | None = None


def decide(samples: Samples, policy: Policy, now: float) -> Decision:
    """Between ``min_instances`` and ``max_instances``; never less than now while blind, in panic or while calls run."""
    scaling = policy.scaling
    most = max(1, scaling.max_instances)
    least = min(scaling.min_instances, most)
    target = max(policy.concurrency * scaling.target_utilization, 1.0)
    if samples.blind:
        return Decision(min(max(samples.instances, least), most), "no reports: stays as it is", samples.panicking_until)
    if samples.idle_s is not None and samples.idle_s >= scaling.idle_s:
        # Whatever the windows remember: nobody has called for as long as the function's owner allows.
        return Decision(least, f"no call for {scaling.idle_s:g} s" + (f"; at least {least}" if least else ""))
    for_panic = math.ceil(samples.panic / target)
    panicking_until = samples.panicking_until
    if for_panic >= PANIC_RATIO * max(samples.instances, 1):
        panicking_until = now + STABLE_S
    if panicking_until is not None and panicking_until > now:
        wanted = max(for_panic, samples.instances)
        reason = f"{samples.panic:.1f} calls at once in {PANIC_S:.0f} s, {target:.1f} per instance (panic)"
    else:
        panicking_until = None
        wanted = math.ceil(samples.stable / target)
        reason = f"{samples.stable:.1f} calls at once in {STABLE_S:.0f} s, {target:.1f} per instance"
    if wanted < 1:
        wanted = 1 if samples.instances else 0
        reason = f"called in the last {scaling.idle_s:g} s"
    bounded = min(max(wanted, least), most)
    if bounded != wanted:
        reason += f"; bounded to {least}..{most}"
    return Decision(bounded, reason, panicking_until)
