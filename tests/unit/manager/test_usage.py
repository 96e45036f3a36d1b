"""Sums of what instances use."""

from __future__ import annotations

from faasioflex.manager.usage import by_revision
from faasioflex.model.instance import Instance
from faasioflex.model.messages import RevisionUsage
from faasioflex.model.names import FunctionName


def instance(id: str, name: str = "a", revision: int = 1) -> Instance:
    return Instance(id, FunctionName("acme", name), "u", revision, f"unix:/{id}", "ready", 0.0)


def test_memory_is_summed_and_cpu_is_what_came_since() -> None:
    instances = [instance("x"), instance("y"), instance("z", revision=2), instance("w", "b")]
    used = {"x": (10, 5.0), "y": (20, 7.5), "z": (1, 1.0), "w": (2, 3.0)}
    before = {"x": (99, 4.0), "y": (99, 7.0), "z": (99, 1.0), "w": (99, 0.0)}
    assert by_revision(instances, used, before) == (
        RevisionUsage("acme", "a", 1, 2, 30, 1.5),
        RevisionUsage("acme", "a", 2, 1, 1, 0.0),
        RevisionUsage("acme", "b", 1, 1, 2, 3.0),
    )


def test_a_new_instance_used_all_of_it_since_and_at_the_first_look_nobody_did() -> None:
    used = {"x": (10, 5.0)}
    assert by_revision([instance("x")], used, {})[0].cpu_s == 5.0
    assert by_revision([instance("x")], used, None)[0].cpu_s == 0.0


def test_counters_never_run_backwards_and_what_is_gone_is_left_out() -> None:
    assert by_revision([instance("x")], {"x": (1, 2.0)}, {"x": (1, 3.0)})[0].cpu_s == 0.0
    assert by_revision([instance("x")], {}, {}) == ()
    assert by_revision([], {"x": (1, 2.0)}, {}) == ()
