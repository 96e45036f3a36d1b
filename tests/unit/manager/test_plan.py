"""plan(): tables for the rules, properties for any view."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.manager.capacity.desk import NodeRoom
from faasioflex.manager.plan import (
    Build,
    Drain,
    FunctionView,
    Hold,
    InstanceView,
    LookAgain,
    Remove,
    RevisionView,
    Start,
    Step,
    plan,
)
from faasioflex.manager.room import Room
from faasioflex.model.function import MIB, Scaling
from faasioflex.model.identity import Quota

NOW = 1000.0


def revision(number: int = 1, **changes: object) -> RevisionView:
    return replace(RevisionView(number=number, build="done", was_ready=True), **changes)  # type: ignore[arg-type]


def instance(name: str, number: int = 1, **changes: object) -> InstanceView:
    made = InstanceView(id=name, revision=number, ready=True, draining=False, started_at=900.0)
    return replace(made, **changes)  # type: ignore[arg-type]


def view(**changes: object) -> FunctionView:
    made = FunctionView(
        deleting=False, scaling=Scaling(), traffic={1: 100}, revisions=(revision(),), instances=(), now=NOW
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "seen", "steps"),
    [
        ("new code is built", view(traffic={}, revisions=(revision(was_ready=False, build="none"),)), [Build(1)]),
        (
            "a build that could not be made now waits",
            view(traffic={}, revisions=(revision(was_ready=False, build="none", retry_at=NOW + 15),)),
            [LookAgain(NOW + 15)],
        ),
        (
            "a build that runs is left alone",
            view(traffic={}, revisions=(revision(was_ready=False, build="running"),)),
            [],
        ),
        ("what is built is started once", view(traffic={}, revisions=(revision(was_ready=False),)), [Start(1)]),
        (
            "what starts is not started again",
            view(traffic={}, revisions=(revision(was_ready=False),), instances=(instance("a", ready=False),)),
            [],
        ),
        ("what failed stays down", view(traffic={}, revisions=(revision(was_ready=False, failed=True),)), []),
        ("a failed build starts nothing", view(traffic={}, revisions=(revision(was_ready=False, build="failed"),)), []),
        ("an idle function stays idle", view(revisions=(revision(wanted=0),)), []),
        (
            "a wake starts one",
            view(revisions=(revision(wanted=0, wake_until=NOW + 5),)),
            [Start(1), LookAgain(NOW + 5)],
        ),
        ("an old wake does nothing", view(revisions=(revision(wanted=0, wake_until=NOW - 5),)), []),
        ("the autoscaler's word", view(revisions=(revision(wanted=3),)), [Start(1), Start(1), Start(1)]),
        (
            "never above max",
            view(scaling=Scaling(max_instances=2), revisions=(revision(wanted=9),), instances=(instance("a"),)),
            [Start(1)],
        ),
        ("min counts without a word of the autoscaler", view(scaling=Scaling(min_instances=2)), [Start(1), Start(1)]),
        (
            "min counts against its word",
            view(scaling=Scaling(min_instances=1), revisions=(revision(wanted=0),)),
            [Start(1)],
        ),
        (
            "down: what does not serve goes first, then the youngest",
            view(
                revisions=(revision(wanted=1),),
                instances=(
                    instance("old"),
                    instance("young", started_at=950.0),
                    instance("starting", ready=False, started_at=10.0),
                ),
            ),
            [Drain("starting"), Drain("young")],
        ),
        (
            "a draining one neither counts nor is drained again",
            view(revisions=(revision(wanted=1),), instances=(instance("a", draining=True),)),
            [Start(1)],
        ),
        (
            "after the traffic moved the old one goes",
            view(
                traffic={2: 100},
                revisions=(revision(1), revision(2, wanted=1)),
                instances=(instance("a"), instance("b", 2)),
            ),
            [Drain("a")],
        ),
        (
            "before it moves the old one stays",
            view(
                revisions=(revision(1, wanted=1), revision(2, was_ready=False)),
                instances=(instance("a"), instance("b", 2, ready=False)),
            ),
            [],
        ),
        (
            "and keeps them when those are gone",
            view(
                traffic={2: 100},
                revisions=(revision(1), revision(2)),
                instances=(instance("a", draining=True), instance("b", 2), instance("c", 2, ready=False)),
            ),
            [],
        ),
        (
            "a fresh revision gets as many as it replaces",
            view(
                traffic={2: 100},
                revisions=(revision(1), revision(2)),
                instances=(instance("a"), instance("b"), instance("c", 2)),
            ),
            [Start(2), Drain("a"), Drain("b")],
        ),
        ("a crash loop waits", view(revisions=(revision(wanted=1, retry_at=NOW + 3),)), [LookAgain(NOW + 3)]),
        ("and starts when its time has come", view(revisions=(revision(wanted=1, retry_at=NOW - 1),)), [Start(1)]),
        (
            "a canary without traffic stays warm for a while",
            view(
                revisions=(revision(1, wanted=1), revision(2, checked_until=NOW + 9)),
                instances=(instance("a"), instance("b", 2)),
            ),
            [LookAgain(NOW + 9)],
        ),
        (
            "a healthy one comes to as many as are always kept before the traffic moves",
            view(
                scaling=Scaling(min_instances=3),
                revisions=(revision(1, wanted=1), revision(2, was_ready=False, healthy=True)),
                instances=(instance("a"), instance("b"), instance("c"), instance("d", 2)),
            ),
            [Start(2), Start(2)],
        ),
        (
            "what others need the memory of goes while nobody calls it",
            view(revisions=(revision(wanted=2, wake_until=NOW + 5, ceiling=0),), instances=(instance("a"),)),
            [Drain("a"), LookAgain(NOW + 5)],
        ),
        (
            "but not what is always kept",
            view(
                scaling=Scaling(min_instances=1),
                revisions=(revision(wanted=2, ceiling=0),),
                instances=(instance("a"), instance("b", started_at=950.0)),
            ),
            [Drain("b")],
        ),
        (
            "nor what the schedule asks for",
            view(
                revisions=(revision(wanted=2, ceiling=0, scheduled=2),),
                instances=(instance("a"), instance("b")),
            ),
            [],
        ),
        (
            "no more than the node's memory has room for",
            view(revisions=(revision(wanted=4, memory_bytes=100 * MIB),), node=NodeRoom(250 * MIB, 1000 * MIB)),
            [Start(1), Start(1), Hold(1, NodeRoom(50 * MIB, 1000 * MIB).why_not(100 * MIB) or "", node=True)],
        ),
        (
            "the namespace's quota is named first",
            view(
                revisions=(revision(wanted=1, memory_bytes=100 * MIB),),
                room=Room("acme", Quota(instances=0), 0, 0),
                node=NodeRoom(0, 0),
            ),
            [Hold(1, Room("acme", Quota(instances=0), 0, 0).why_not(0) or "")],
        ),
        ("a delete drains", view(deleting=True, instances=(instance("a"),)), [Drain("a")]),
        ("a delete waits for what drains", view(deleting=True, instances=(instance("a", draining=True),)), []),
        ("a delete ends with the record", view(deleting=True), [Remove()]),
        (
            "an instance of a revision that is gone goes",
            view(revisions=(), instances=(instance("a", 7),)),
            [Drain("a")],
        ),
    ],
)
def test_rules(what: str, seen: FunctionView, steps: list[Step]) -> None:
    assert plan(seen) == steps, what


numbers = st.integers(1, 4)
moments = st.one_of(st.none(), st.floats(NOW - 100, NOW + 100))
revisions = st.builds(
    RevisionView,
    number=numbers,
    build=st.sampled_from(["none", "running", "done", "failed"]),
    was_ready=st.booleans(),
    failed=st.booleans(),
    retry_at=moments,
    wake_until=moments,
    wanted=st.one_of(st.none(), st.integers(0, 20)),
    checked_until=moments,
    memory_bytes=st.just(100),
    healthy=st.booleans(),
    ceiling=st.one_of(st.none(), st.none(), st.integers(0, 3)),
)
instances = st.builds(
    InstanceView,
    id=st.uuids().map(str),
    revision=numbers,
    ready=st.booleans(),
    draining=st.booleans(),
    started_at=st.floats(0, NOW),
)
views = st.builds(
    FunctionView,
    deleting=st.booleans(),
    scaling=st.builds(Scaling, min_instances=st.integers(0, 5), max_instances=st.integers(1, 8)),
    traffic=st.dictionaries(numbers, st.just(50), max_size=2),
    revisions=st.lists(revisions, max_size=4, unique_by=lambda one: one.number).map(tuple),
    instances=st.lists(instances, max_size=12, unique_by=lambda one: one.id).map(tuple),
    now=st.just(NOW),
    node=st.one_of(st.none(), st.builds(NodeRoom, st.integers(-500, 1000), st.just(1000))),
)


def carried_out(seen: FunctionView, steps: list[Step]) -> FunctionView:
    """The view after the steps have begun."""
    built = {step.revision for step in steps if isinstance(step, Build)}
    drained = {step.instance for step in steps if isinstance(step, Drain)}
    started = tuple(
        InstanceView(f"new-{index}", step.revision, ready=False, draining=False, started_at=NOW)
        for index, step in enumerate(steps)
        if isinstance(step, Start)
    )
    node = seen.node
    return replace(
        seen,
        node=replace(node, free_bytes=node.free_bytes - 100 * len(started)) if node is not None else None,
        revisions=tuple(replace(one, build="running") if one.number in built else one for one in seen.revisions),
        instances=tuple(replace(one, draining=True) if one.id in drained else one for one in seen.instances) + started,
    )


@settings(max_examples=200)
@given(views)
def test_planning_again_repeats_nothing_but_looking(seen: FunctionView) -> None:
    steps = [step for step in plan(seen) if not isinstance(step, LookAgain | Remove)]
    again = [step for step in plan(carried_out(seen, steps)) if not isinstance(step, LookAgain | Remove)]
    # What replaces drained instances of other revisions no longer counts them: it may shrink, it never grows.
    assert not [step for step in again if isinstance(step, Build | Start)]


@settings(max_examples=200)
@given(views)
def test_bounds(seen: FunctionView) -> None:
    steps = plan(seen)
    live = [one for one in seen.instances if not one.draining]
    drained = [step.instance for step in steps if isinstance(step, Drain)]
    assert len(drained) == len(set(drained))
    assert set(drained) <= {one.id for one in live}
    for one in seen.revisions:
        starts = sum(1 for step in steps if isinstance(step, Start) and step.revision == one.number)
        mine = sum(1 for other in live if other.revision == one.number)
        assert starts == 0 or starts + mine <= max(1, seen.scaling.max_instances)
        if starts:
            assert one.build == "done"
            assert not one.failed
            assert not seen.deleting
    if seen.node is not None:
        assert 100 * sum(isinstance(step, Start) for step in steps) <= max(0, seen.node.free_bytes)
    if any(isinstance(step, Remove) for step in steps):
        assert seen.deleting
        assert not seen.instances


@settings(max_examples=150)
@given(views)
def test_a_woken_revision_is_never_drained_to_nothing(seen: FunctionView) -> None:
    drained = {step.instance for step in plan(seen) if isinstance(step, Drain)}
    for one in seen.revisions:
        woken = one.was_ready and not one.failed and one.build != "failed" and (one.wake_until or 0) > NOW
        woken = woken and one.ceiling is None  # a wake takes it away
        mine = [other for other in seen.instances if other.revision == one.number and not other.draining]
        if woken and mine and not seen.deleting:
            assert [other for other in mine if other.id not in drained]
