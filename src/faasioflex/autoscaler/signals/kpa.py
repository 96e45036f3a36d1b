"""The rule of Knative's Pod Autoscaler (KPA) for the metric: https://knative.dev/docs/serving/autoscaling/kpa-specific/ and
https://github.com/knative/serving, pkg/autoscaler/scaling.

The stable window's mean decides. When the panic window's mean asks for ``panic_threshold_percent`` of the instances that are
ready, or calls wait and go on waiting, panic begins: for a stable window the larger of both decides, and nothing goes down.
"""

from __future__ import annotations

from dataclasses import replace

from faasioflex.autoscaler.samples import Memory, Policy, Proposal, Samples
from faasioflex.autoscaler.signals.demand import demand
from faasioflex.autoscaler.signals.waiting import propose as for_waiting


def propose(samples: Samples, policy: Policy, now: float) -> tuple[Proposal, Memory]:
    """What the metric asks for, and the memory with the state of panic."""
    scaling, memory = policy.scaling, samples.memory
    wanted = demand(samples, policy)
    panic_s = max(scaling.stable_window_s * scaling.panic_window_percent / 100, 1.0)
    stable = wanted.proposal(wanted.means.stable, scaling.stable_window_s)
    quick = wanted.proposal(wanted.means.panic, panic_s, " (panic)")
    pressed = for_waiting(samples, policy)
    if pressed is not None and pressed.instances > quick.instances:
        quick = pressed
    if memory.panicking_until is not None and memory.panicking_until <= now:
        memory = replace(memory, panicking_until=None, panic_instances=0)
    ready = max(samples.instances, 1)
    over = quick.instances >= scaling.panic_threshold_percent / 100 * ready
    if over or (pressed is not None and pressed.instances > ready):
        memory = replace(memory, panicking_until=now + scaling.stable_window_s)
    if memory.panicking_until is None:
        return stable, memory
    best = quick if quick.instances > stable.instances else stable
    most = max(memory.panic_instances, samples.there)
    if best.instances >= most:
        return best, replace(memory, panic_instances=best.instances)
    reason = f"{best.reason}; nothing goes down for the next {memory.panicking_until - now:.0f} s"
    return replace(best, instances=most, reason=reason), replace(memory, panic_instances=most)
