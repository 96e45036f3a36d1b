"""Sums of what instances use."""

from __future__ import annotations

from faasioflex.manager.usage import by_revision, of_pools
from faasioflex.model.instance import Instance
from faasioflex.model.messages import PoolUsage, RevisionUsage
from faasioflex.model.names import FunctionName
from faasioflex.runtime.port import PoolFigures


def instance(id: str, name: str = "a", revision: int = 1, *, frozen: bool = False) -> Instance:
    where = f"unix:/{id}"
    return Instance(
        id, FunctionName("acme", name), "u", revision, where, "ready", 0.0, memory_bytes=100, cpu=0.5, frozen=frozen
    )


def usage(name: str, revision: int, count: int, memory_bytes: int, cpu_s: float) -> RevisionUsage:
    limits = {"memory_limit_bytes": count * 100, "cpu_limit": count * 0.5, "states": {"ready": count}}
    return RevisionUsage("acme", name, revision, count, memory_bytes, cpu_s, **limits)  # type: ignore[arg-type]


def test_memory_is_summed_and_cpu_is_what_came_since() -> None:
    instances = [instance("x"), instance("y"), instance("z", revision=2), instance("w", "b")]
    used = {"x": (10, 5.0), "y": (20, 7.5), "z": (1, 1.0), "w": (2, 3.0)}
    before = {"x": (99, 4.0), "y": (99, 7.0), "z": (99, 1.0), "w": (99, 0.0)}
    assert by_revision(instances, used, before) == (
        usage("a", 1, 2, 30, 1.5),
        usage("a", 2, 1, 1, 0.0),
        usage("b", 1, 1, 2, 3.0),
    )


def test_a_new_instance_used_all_of_it_since_and_at_the_first_look_nobody_did() -> None:
    used = {"x": (10, 5.0)}
    assert by_revision([instance("x")], used, {})[0].cpu_s == 5.0
    assert by_revision([instance("x")], used, None)[0].cpu_s == 0.0


def test_counters_never_run_backwards_and_what_is_gone_is_left_out() -> None:
    assert by_revision([instance("x")], {"x": (1, 2.0)}, {"x": (1, 3.0)})[0].cpu_s == 0.0
    assert by_revision([instance("x")], {}, {}) == ()
    assert by_revision([], {"x": (1, 2.0)}, {}) == ()


def test_instances_by_state_and_their_limits_together() -> None:
    instances = [instance("x"), instance("y", frozen=True), instance("z")]
    (found,) = by_revision(instances, {one.id: (1, 1.0) for one in instances}, None, leaving={"z"})
    assert found.states == {"ready": 1, "frozen": 1, "draining": 1}
    assert (found.memory_limit_bytes, found.cpu_limit) == (300, 1.5)


def test_of_pools_what_came_since_is_told_and_all_of_one_that_began_again() -> None:
    before = {"python": PoolFigures(2, 10, 3), "node": PoolFigures(1, 5, 5)}
    now = {"python": PoolFigures(1, 14, 3), "node": PoolFigures(0, 2, 1), "go": PoolFigures(1, 1, 0)}
    assert of_pools(now, before) == (PoolUsage("go", 1, 1, 0), PoolUsage("node", 0, 2, 1), PoolUsage("python", 1, 4, 0))
