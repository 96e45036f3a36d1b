"""What of ``ffx_routes`` the gateway is told."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.gateway import table as route_table
from faasioflex.gateway.port import RouteTable
from faasioflex.gateway.table import LONGEST_START_S
from faasioflex.identity.access import Access
from faasioflex.model.function import CachePolicy, Cors, Limits
from faasioflex.model.names import FunctionName
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute

LIMITS = Limits(timeout_s=7, queue_wait_s=3, payload_bytes=11, concurrency=2)


def endpoint(name: str, *, draining: bool = False) -> Endpoint:
    return Endpoint(name, f"unix:/s/{name}", draining)


def route(traffic: dict[int, int], *, deleting: bool = False, **revisions: list[Endpoint]) -> FunctionRoute:
    made = {int(number[1:]): RevisionRoute(LIMITS, tuple(endpoints)) for number, endpoints in revisions.items()}
    return FunctionRoute("uid", "private", traffic, made, deleting=deleting)


def build(routes: dict[str, FunctionRoute], revision: int) -> RouteTable:
    return route_table.build(routes, revision, lambda name, _: Access(pids=frozenset({f"u-of-{name.name}"})))


def test_a_live_function_with_its_bounds() -> None:
    table = build({"acme.hello": route({3: 100}, r3=[endpoint("b"), endpoint("a")])}, 42)
    assert table.revision == 42
    (function,) = table.functions
    assert function.function == FunctionName("acme", "hello")
    assert function.access == Access(pids=frozenset({"u-of-hello"}))
    (revision,) = function.revisions
    assert (revision.number, revision.percent) == (3, 100)
    assert revision.addresses == ("unix:/s/a", "unix:/s/b"), "sorted, so that the order they came in changes nothing"
    assert (revision.timeout_s, revision.payload_bytes, revision.concurrency) == (7, 11, 2)
    assert revision.hold_s == 3 + LONGEST_START_S


def test_functions_are_sorted_by_namespace_and_name() -> None:
    routes = {key: route({1: 100}, r1=[endpoint("a")]) for key in ("b.a", "a.b", "a.a-b", "a.a")}
    assert [str(each.function) for each in build(routes, 1).functions] == ["a/a", "a/a-b", "a/b", "b/a"]


def test_what_has_no_live_instance_no_traffic_or_is_going_is_left_to_the_invoker() -> None:
    routes = {
        "acme.idle": route({1: 100}, r1=[]),
        "acme.draining": route({1: 100}, r1=[endpoint("a", draining=True)]),
        "acme.nothing-serves": route({}, r1=[endpoint("a")]),
        "acme.deleting": route({1: 100}, deleting=True, r1=[endpoint("a")]),
        "acme.unknown-share": route({1: 50, 2: 50}, r1=[endpoint("a")]),
    }
    assert build(routes, 5).functions == ()


def test_a_draining_instance_gets_nothing_new() -> None:
    table = build({"acme.a": route({1: 100}, r1=[endpoint("a"), endpoint("b", draining=True)])}, 1)
    assert table.functions[0].revisions[0].addresses == ("unix:/s/a",)


def test_a_frozen_instance_gets_nothing_until_it_is_thawed_and_alone_leaves_the_function_to_the_invoker() -> None:
    frozen = Endpoint("b", "unix:/s/b", frozen=True)
    table = build({"acme.a": route({1: 100}, r1=[endpoint("a"), frozen])}, 1)
    assert table.functions[0].revisions[0].addresses == ("unix:/s/a",)
    assert build({"acme.a": route({1: 100}, r1=[frozen])}, 1).functions == ()


def test_a_share_without_instances_stays_with_no_addresses() -> None:
    table = build({"acme.a": route({1: 90, 2: 10}, r1=[endpoint("a")], r2=[])}, 1)
    assert [(each.number, each.percent, each.addresses) for each in table.functions[0].revisions] == [
        (1, 90, ("unix:/s/a",)),
        (2, 10, ()),
    ]


def test_a_ready_revision_without_traffic_is_in_the_table_and_an_idle_one_is_not() -> None:
    table = build({"acme.a": route({2: 100}, r1=[], r2=[endpoint("a")], r3=[endpoint("b")])}, 1)
    assert [(each.number, each.percent) for each in table.functions[0].revisions] == [(2, 100), (3, 0)]


def test_a_function_with_kept_answers_is_always_the_invokers() -> None:
    made = replace(route({1: 100}, r1=[endpoint("a")]), cache=CachePolicy(60.0))
    assert build({"acme.a": made}, 1).functions == ()
    (function,) = build({"acme.a": replace(made, cors=Cors(("https://a.example",)))}, 1).functions
    assert function.revisions == ()
