"""One function: from what is watched of its revisions to what is wanted of them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from faasioflex.autoscaler.decide import decide
from faasioflex.autoscaler.samples import Decision, Policy, Proposal
from faasioflex.autoscaler.watched import Asked, Watched
from faasioflex.model.function import FunctionRecord, Limits, ScaleRequest
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale, ScaleDecision

ASKED_S = 10.0  # for what a person asked to be done; then the load counts again


@dataclass(frozen=True)
class View:
    """``known``: what was decided before. ``request``: of a person, not carried out yet. ``sighted_since``: see ``Sight``."""

    record: FunctionRecord
    route: FunctionRoute
    known: DesiredScale | None
    request: ScaleRequest | None
    scheduled: int
    sighted_since: float | None
    usage_lost: bool
    now: float


@dataclass(frozen=True)
class Verdict:
    """``rests``: nobody calls, and there is exactly what there should be. ``stays_until``: that is so until it counts as idle."""

    why: dict[int, Proposal]
    rests: bool
    stays_until: float | None = None

    @property
    def instances(self) -> dict[int, int]:
        return {number: proposal.instances for number, proposal in self.why.items()}


def verdict(view: View, watched: dict[int, Watched]) -> Verdict:
    """Of every revision that has instances or a share of the traffic. ``watched`` is brought up to date; others are forgotten."""
    why: dict[int, Proposal] = {}
    rests, stays = view.sighted_since is not None, True
    idle_at: list[float] = []
    for number in set(watched) - set(view.route.revisions):
        del watched[number]
    for number, revision in view.route.revisions.items():
        serves = view.route.traffic.get(number, 0) > 0
        if not serves and not revision.live:
            watched.pop(number, None)
            continue
        live = len(revision.live)
        if (one := watched.get(number)) is None:
            one = watched[number] = Watched(view.now)
        asked = None
        if view.request is not None or one.asked is not None:
            asked = _asked(view, one, [endpoint.instance for endpoint in revision.live], serves=serves)
        if asked is not None:
            why[number] = asked
            rests = stays = False
            continue
        decision = _decide(view, number, revision.limits, one, live, serves=serves)
        one.memory = decision.memory
        why[number] = decision.why
        rests = rests and decision.idle and decision.instances == live
        stays = stays and (decision.stays or (decision.idle and decision.instances == live))
        if not decision.idle:
            idle_at.append(one.active_at + max(view.record.spec.scaling.idle_s, view.record.spec.scaling.cooldown_s))
    nothing = not any(proposal.instances for proposal in why.values())
    empty = not any(revision.live for revision in view.route.revisions.values())
    asked_for = any(one.asked is not None for one in watched.values())
    rests = rests or (nothing and empty and view.request is None and not asked_for)
    return Verdict(why, rests, min(idle_at) if stays and idle_at else None)


def _asked(view: View, watched: Watched, live: list[str], *, serves: bool) -> Proposal | None:
    """What a person asked for, until the manager has done it: calls that come meanwhile do not keep an instance that is to go."""
    scaling, now = view.record.spec.scaling, view.now
    if view.request is not None and (serves or not view.request.instances):
        asked = min(view.request.instances, max(1, scaling.max_instances))
        watched.forget(now if asked else now - scaling.idle_s)
        watched.asked = Asked(asked, frozenset(live), now + ASKED_S)
    elif watched.asked is None:
        return None
    elif not _counts(watched.asked, watched, live, now):
        if not watched.asked.instances and not live:
            watched.forget(now - scaling.idle_s)
        watched.asked = None
        return None
    asked = watched.asked.instances
    return Proposal(asked, "asked-for", float(asked), None, "instances", f"{asked} were asked for")


def _counts(asked: Asked, watched: Watched, live: list[str], now: float) -> bool:
    """Where none was to be left, also while those that go finish their calls: for the next call a wake starts one."""
    if not asked.instances and not live:
        return watched.only_runs
    return now < asked.until and len(asked.live.intersection(live)) > asked.instances


def _decide(view: View, number: int, limits: Limits, watched: Watched, live: int, *, serves: bool) -> Decision:
    scaling, now = view.record.spec.scaling, view.now
    desired = view.known.instances.get(number) if view.known else None
    since = view.sighted_since
    if since is not None and (watched.since is None or watched.since < since):
        # Seen for the first time, or again: nothing goes down before a window is full.
        begun = now if watched.since is None else since
        watched.begin(begun, _there(view.known, live, desired, serves=serves), begun + scaling.stable_window_s)
    watched.sample(now, scaling.stable_window_s)
    samples = watched.samples(now, scaling, live, desired, blind=since is None, usage_lost=view.usage_lost)
    return decide(samples, Policy(scaling, limits, serves, view.scheduled), now)


def _there(known: DesiredScale | None, live: int, desired: int | None, *, serves: bool) -> int:
    """A revision that is new in the traffic needs what the one that it replaces had."""
    if desired is None and serves and known is not None:
        return max(live, *known.instances.values(), 0)
    return max(live, desired or 0)


def request_of(record: FunctionRecord, known: DesiredScale | None) -> ScaleRequest | None:
    """The one that is not carried out yet."""
    done_at = 0.0
    if known is not None:
        done_at = known.decided_at if known.requested_at is None else known.requested_at
    return record.scale if record.scale is not None and record.scale.at > done_at else None


def writes(view: View, found: Verdict) -> list[DesiredScale]:
    """What to store, in order: one write for each revision that changes, so that each is an event of its own.

    A request that changes nothing is stored too: it is done.
    """
    known, wanted, now = view.known, found.instances, view.now
    before = dict(known.instances) if known else {}
    decisions = {number: one for number, one in (known.decisions if known else {}).items() if number in wanted}
    if before == wanted and view.request is None:
        return []
    reason = "; ".join(f"revision {number}: {why.reason}" for number, why in found.why.items())
    requested_at = view.record.scale.at if view.record.scale is not None else 0.0
    made: list[DesiredScale] = []
    for number, why in sorted(found.why.items()):
        count = before.get(number, len(view.route.revisions[number].live))
        if count != why.instances:
            words = (why.signal, why.value, why.threshold, why.unit, why.reason)
            decisions = {**decisions, number: ScaleDecision(count, why.instances, *words, now)}
            before = {**before, number: why.instances}
            made.append(DesiredScale(view.record.uid, before, reason, now, decisions, requested_at))
    if made:
        made[-1] = replace(made[-1], instances=wanted)  # what is not called any more goes with it: no event of its own
    elif before != wanted or view.request is not None:
        made.append(DesiredScale(view.record.uid, wanted, reason, now, decisions, requested_at))
    return made
