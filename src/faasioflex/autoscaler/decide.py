"""How many instances a revision should have: a pure function of what was seen, the policy and the time.

Each signal proposes a number, the largest wins (as in Kubernetes' Horizontal Pod Autoscaler with several metrics); then come
the bounds, in this order: rate limits, cooldown, what is held while little has been seen, blindness, idleness, minimum and
maximum. ``signals/kpa`` has the rule for the metric itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

from faasioflex.autoscaler.samples import Decision, Memory, Policy, Proposal, Samples, ceil
from faasioflex.autoscaler.signals import cpu, kpa, latency, memory, queue


def decide(samples: Samples, policy: Policy, now: float) -> Decision:
    """Between the minimum and ``max_instances``. Properties that hold for all input are in tests/unit/autoscaler."""
    wanted, kept = needed(samples, policy, now)
    wanted = _rate_limited(wanted, samples, policy)
    wanted, kept = _cooled_down(wanted, kept, policy, now)
    idle = _is_idle(samples, policy, wanted)
    wanted, kept = _from_zero(wanted, kept, samples, policy, now)
    if not idle:
        wanted = _held(wanted, kept, samples, policy, now)
    else:
        seconds = policy.scaling.idle_s
        reason = f"no call for {seconds:g} s"
        wanted = Proposal(0, "idle", round(samples.idle_s or 0.0, 1), seconds, "seconds", reason)
        kept = replace(kept, held=0, panicking_until=None, panic_instances=0, latency=None, memory=None)
    wanted = _bounded(wanted, samples, policy)
    stays = samples.quiet and not idle and wanted.instances == samples.instances and kept.empty(now)
    return Decision(wanted.instances, wanted, kept, idle, stays)


def needed(samples: Samples, policy: Policy, now: float) -> tuple[Proposal, Memory]:
    """The largest proposal, the first of equals, and what the signals remember."""
    best, kept = kpa.propose(samples, policy, now)
    by_latency, latency_trial = latency.propose(samples, policy, now)
    by_memory, memory_trial = memory.propose(samples, policy, now)
    for other in (cpu.propose(samples, policy), by_memory, by_latency, queue.propose(samples, policy)):
        if other is not None and other.instances > best.instances:
            best = other
    if latency_trial is not kept.latency or memory_trial is not kept.memory:
        kept = replace(kept, latency=latency_trial, memory=memory_trial)
    return best, kept


def _rate_limited(wanted: Proposal, samples: Samples, policy: Policy) -> Proposal:
    """In one decision at most times ``max_up_rate`` and divided by ``max_down_rate``, of the ready ones (one counts for none)."""
    ready = max(samples.instances, 1)
    most, least = ceil(ready * policy.scaling.max_up_rate), math.floor(ready / policy.scaling.max_down_rate)
    bounded = min(max(wanted.instances, least), most)
    if bounded == wanted.instances:
        return wanted
    word = "max_up_rate" if bounded < wanted.instances else "max_down_rate"
    return replace(wanted, instances=bounded, reason=f"{wanted.reason}; {word} allows {bounded} at once")


def _cooled_down(wanted: Proposal, kept: Memory, policy: Policy, now: float) -> tuple[Proposal, Memory]:
    """Knative's scale-down-delay: the most that was needed in the last ``cooldown_s``."""
    cooldown_s = policy.scaling.cooldown_s
    if not cooldown_s:
        return wanted, replace(kept, needs=()) if kept.needs else kept
    older = [one for one in kept.needs if one[0] > now - cooldown_s and one[1] > wanted.instances]
    needs = (*older, (now, wanted.instances))
    most = needs[0][1]
    if most > wanted.instances:
        wanted = replace(
            wanted, instances=most, reason=f"{wanted.reason}; {most} were needed in the last {cooldown_s:g} s"
        )
    return wanted, replace(kept, needs=needs)


def _is_idle(samples: Samples, policy: Policy, wanted: Proposal) -> bool:
    """Whatever the windows remember; but not against the cooldown, nor against calls that wait in the queue."""
    if samples.blind or samples.idle_s is None or samples.idle_s < policy.scaling.idle_s or samples.queued:
        return False
    return not policy.scaling.cooldown_s or samples.idle_s >= policy.scaling.cooldown_s


def _from_zero(wanted: Proposal, kept: Memory, samples: Samples, policy: Policy, now: float) -> tuple[Proposal, Memory]:
    """``activation_instances``, and for a stable window: the windows say little until then."""
    activation = policy.scaling.activation_instances
    if samples.desired or wanted.instances < 1 or activation <= 1 or samples.instances > 1:
        return wanted, kept
    held = replace(kept, held=max(kept.held, activation), held_until=now + policy.scaling.stable_window_s)
    if activation <= wanted.instances:
        return wanted, held
    return replace(wanted, instances=activation, reason=f"{wanted.reason}; from zero at least {activation}"), held


def _held(wanted: Proposal, kept: Memory, samples: Samples, policy: Policy, now: float) -> Proposal:
    """What may not go yet, because too little is known or because somebody called a moment ago."""
    scaling = policy.scaling
    if samples.blind and wanted.instances < samples.there:
        # Also when it is blind in one eye only: what the other one does not see may be the load.
        return Proposal(samples.there, "blind", None, None, "", "not all reports of calls come in: nothing goes down")
    if samples.usage_lost and wanted.instances < samples.there and _looks_at_usage(policy):
        return Proposal(samples.there, "blind", None, None, "", "no report of CPU and memory: nothing goes down")
    if kept.held_until > now and wanted.instances < kept.held:
        reason = f"{wanted.reason}; {kept.held} stay until a whole window of {scaling.stable_window_s:g} s was seen"
        return replace(wanted, instances=kept.held, reason=reason)
    if wanted.instances < 1 and (samples.there or samples.idle_s is None):
        return replace(wanted, instances=1, reason=f"{wanted.reason}; called in the last {scaling.idle_s:g} s")
    return wanted


def _looks_at_usage(policy: Policy) -> bool:
    return policy.scaling.cpu_percent is not None or policy.scaling.memory_percent is not None


def _bounded(wanted: Proposal, samples: Samples, policy: Policy) -> Proposal:
    """The minimums and ``max_instances``. What is decided for a bound alone says so."""
    most, least = policy.most, policy.least
    if wanted.instances < least:
        scheduled = policy.scheduled >= least > policy.scaling.min_instances
        signal, words = ("schedule", "by the schedule") if scheduled else ("minimum", "min_instances")
        reason = f"at least {least} ({words}); else: {wanted.reason}"
        return Proposal(least, signal, float(wanted.instances), float(least), "instances", reason)
    if wanted.instances > most:
        if most < samples.there:
            reason = f"at most {most} (max_instances); else: {wanted.reason}"
            return Proposal(most, "maximum", float(wanted.instances), float(most), "instances", reason)
        return replace(wanted, instances=most, reason=f"{wanted.reason}; at most {most} (max_instances)")
    return wanted
