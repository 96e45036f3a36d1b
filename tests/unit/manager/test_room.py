"""plan() within the quota of a namespace: nothing is started that does not fit, and who waits is told which quota it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.manager.plan import FunctionView, Hold, InstanceView, RevisionView, Start, plan
from faasioflex.manager.room import Room
from faasioflex.model.function import Scaling
from faasioflex.model.identity import Quota

MIB = 1024 * 1024


def view(room: Room | None, wanted: int = 3, running: int = 0) -> FunctionView:
    revision = RevisionView(1, "done", was_ready=True, wanted=wanted, memory_bytes=100 * MIB)
    instances = tuple(InstanceView(f"i-{number}", 1, True, False, 900.0) for number in range(running))
    return FunctionView(False, Scaling(max_instances=20), {1: 100}, (revision,), instances, 1000.0, room)


@pytest.mark.parametrize(
    ("quota", "instances", "memory_bytes", "starts", "why"),
    [
        (Quota(), 50, 5000 * MIB, 3, None),
        (Quota(instances=3), 0, 0, 3, None),
        (Quota(instances=3), 1, 100 * MIB, 2, "may have 3 instances and 3 run"),
        (Quota(instances=3), 7, 100 * MIB, 0, "may have 3 instances and 7 run"),
        (Quota(instances=0), 0, 0, 0, "may have 0 instances and 0 run"),
        (Quota(memory_bytes=300 * MIB), 0, 0, 3, None),
        (Quota(memory_bytes=299 * MIB), 0, 0, 2, f"may take {299 * MIB} bytes of memory, take {200 * MIB}"),
        (Quota(instances=1, memory_bytes=10 * MIB), 0, 0, 0, "quota 'memory_bytes' raised"),
    ],
)
def test_what_fits_is_started(quota: Quota, instances: int, memory_bytes: int, starts: int, why: str | None) -> None:
    steps = plan(view(Room("acme", quota, instances, memory_bytes)))
    assert [step for step in steps if isinstance(step, Start)] == [Start(1)] * starts
    held = [step.why for step in steps if isinstance(step, Hold)]
    assert len(held) == (why is not None)
    assert all(why in text and "acme" in text for text in held if why)


@given(
    instances=st.integers(0, 30),
    held_mib=st.integers(0, 3000),
    most=st.none() | st.integers(0, 30),
    most_mib=st.none() | st.integers(0, 3000),
    wanted=st.integers(0, 20),
    running=st.integers(0, 20),
)
def test_never_more_than_the_quota(
    *, instances: int, held_mib: int, most: int | None, most_mib: int | None, wanted: int, running: int
) -> None:
    quota = Quota(instances=most, memory_bytes=most_mib * MIB if most_mib is not None else None)
    steps = plan(view(Room("acme", quota, instances, held_mib * MIB), wanted, running))
    starts = sum(isinstance(step, Start) for step in steps)
    if starts:
        assert most is None or instances + starts <= most
        assert most_mib is None or held_mib + 100 * starts <= most_mib
    missing = max(0, max(1, wanted) - running) if wanted else max(0, wanted - running)
    assert starts == missing or any(isinstance(step, Hold) for step in steps)
