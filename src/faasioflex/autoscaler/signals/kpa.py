"""The rule of Knative's Pod Autoscaler (KPA) for the metric: https://knative.dev/docs/serving/autoscaling/kpa-specific/ and
https://github.com/knative/serving, pkg/autoscaler/scaling.

The stable window's mean decides. When the panic window's mean asks for ``panic_threshold_percent`` of the instances that are
ready, panic begins: for a stable window the larger of both means decides, and nothing goes down.

Ours beside it: calls that go on waiting (``waiting``) begin a panic too. What they ask for themselves stays only until the panic
window has seen the same: a backlog says how many calls are here now, not how many will be. And a mean close to the
boundary between two numbers of instances stays with the larger one.
"""

from __future__ import annotations

from dataclasses import replace

from faasioflex.autoscaler.samples import Memory, Policy, Proposal, Samples
from faasioflex.autoscaler.signals.demand import Demand, demand
from faasioflex.autoscaler.signals.waiting import propose as for_waiting

TOLERANCE = (
    0.05  # of the mean; the KPA has none and flaps where the load is close to what a number of instances carries
)
PRESSED_WINDOWS = 2.0  # panic windows for which room for waiting calls stays


def propose(samples: Samples, policy: Policy, now: float) -> tuple[Proposal, Memory]:
    """What the metric and the waiting calls ask for, and the memory with the state of panic."""
    scaling, memory = policy.scaling, samples.memory
    wanted = demand(samples, policy)
    panic_s = max(scaling.stable_window_s * scaling.panic_window_percent / 100, 1.0)
    best = _steady(wanted.proposal(wanted.means.stable, scaling.stable_window_s), wanted, samples.there)
    quick = wanted.instances(wanted.means.panic)
    pressed = for_waiting(samples, policy)
    lacks = pressed is not None and pressed.instances > max(samples.instances, 1)
    if memory.panicking_until is not None and memory.panicking_until <= now:
        memory = replace(memory, panicking_until=None, panic_instances=0)
    if lacks or quick >= scaling.panic_threshold_percent / 100 * max(samples.instances, 1):
        begun = samples.there if memory.panicking_until is None else memory.panic_instances
        memory = replace(memory, panicking_until=now + scaling.stable_window_s, panic_instances=begun)
    if memory.panicking_until is not None:
        if quick > best.instances:
            best = wanted.proposal(wanted.means.panic, panic_s, " (panic)")
        most = max(memory.panic_instances, best.instances)
        if most > best.instances:
            reason = f"{best.reason}; nothing goes down for the next {memory.panicking_until - now:.0f} s"
            best = replace(best, instances=most, reason=reason)
        memory = replace(memory, panic_instances=most)
    return _with_room(best, pressed if lacks else None, memory, PRESSED_WINDOWS * panic_s, now)


def _steady(best: Proposal, wanted: Demand, there: int) -> Proposal:
    """Down only where a little more load would not bring it up again at once."""
    value = wanted.means.stable
    if best.instances >= there or value <= 1:
        return best
    least = min(wanted.instances(value * (1 + TOLERANCE)), there)
    if least <= best.instances:
        return best
    return replace(best, instances=least, reason=f"{best.reason}; not less for so little")


def _with_room(
    best: Proposal, pressed: Proposal | None, memory: Memory, stays_s: float, now: float
) -> tuple[Proposal, Memory]:
    """Room for calls that wait, now and for a while."""
    if memory.pressed and memory.pressed_until <= now:
        memory = replace(memory, pressed=0)
    if pressed is not None and pressed.instances >= memory.pressed:
        memory = replace(memory, pressed=pressed.instances, pressed_until=now + stays_s)
        return (pressed if pressed.instances > best.instances else best), memory
    if memory.pressed > best.instances:
        reason = f"{best.reason}; room for calls that waited stays another {memory.pressed_until - now:.0f} s"
        best = replace(best, instances=memory.pressed, reason=reason)
    return best, memory
