"""``ffx top``: what is shown, in which order, on which width."""

from __future__ import annotations

import pytest
from rich.console import Console, ConsoleDimensions

from faasioflex.cli.live import _picture
from faasioflex.cli.load import COLUMNS, KEYS, Order, instances, line, number, ordered
from faasioflex.client import Alert, FunctionMetrics

FOUND = [
    FunctionMetrics(namespace="a", name="quiet", state="idle", instances=0, calls_per_s=0.0, cpu=None),
    FunctionMetrics(namespace="a", name="busy", state="ready", instances=2, calls_per_s=1234.5, cpu=0.5),
    FunctionMetrics(namespace="a", name="also-quiet", state="idle", instances=0, calls_per_s=0.0, memory_bytes=2**20),
]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order.calls, ["busy", "also-quiet", "quiet"]),
        (Order.name, ["also-quiet", "busy", "quiet"]),
        (Order.memory, ["also-quiet", "busy", "quiet"]),
        (Order.cpu, ["busy", "also-quiet", "quiet"]),
    ],
)
def test_the_highest_comes_first_and_the_unknown_last(order: Order, names: list[str]) -> None:
    assert [one.name for one in ordered(FOUND, order)] == names


def test_a_line_has_a_cell_for_each_column() -> None:
    assert all(len(line(one)) == len(COLUMNS) for one in FOUND)
    assert [number(value) for value in (None, 0.0, 0.01234, 99.96, 1234.5)] == ["-", "0", "0.0123", "100", "1234"]


def test_cpu_has_the_same_decimals_in_each_line() -> None:
    at = COLUMNS.index("cpu")
    cells = [
        line(FunctionMetrics(namespace="a", name="b", state="ready", instances=1, cpu=cpu))[at]
        for cpu in (3.7e-05, 0.5, 12.0)
    ]
    assert cells == ["0.000", "0.500", "12.000"]


@pytest.mark.parametrize("width", [80, 140])
def test_it_fits_the_terminal(width: int) -> None:
    console = Console(width=width, height=24)
    with console.capture() as captured:
        console.print(_picture(FOUND, Order.calls, "", ConsoleDimensions(width, 24)))
    text = captured.get()
    assert all(f"a/{one.name}" in text for one in FOUND)
    assert "…" not in text
    assert ("cold starts" in text) is (width == 140)


def test_what_has_no_room_is_counted() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(_picture(FOUND, Order.calls, "nothing answers", ConsoleDimensions(80, 5)))
    assert "2 more below" in captured.get()
    assert "nothing answers" in captured.get()


def test_instances_by_state() -> None:
    def cell(count: int, **states: int) -> str:
        return instances(FunctionMetrics(instances=count, instances_by_state=states))

    assert [cell(0), cell(2, ready=2), cell(2, ready=2, starting=1), cell(2, frozen=2, draining=1), cell(1, frozen=2)] == [
        "0", "2", "2+1s", "0+2f+1d", "0+2f",
    ]  # fmt: skip


def test_each_order_has_a_key_and_its_column_is_there_on_any_width() -> None:
    assert set(KEYS.values()) == set(Order)
    for order in Order:
        console = Console(width=80, height=24)
        with console.capture() as captured:
            console.print(_picture(FOUND, order, "", ConsoleDimensions(80, 24)))
        assert {Order.starts: "cold starts", Order.queued: "queued", Order.waiting: "waiting"}.get(order, "") in (
            captured.get().splitlines()[2]
        ), order


def test_alerts_stand_above_the_table_and_too_many_are_counted() -> None:
    alerts = [Alert("overload", "a/busy", message=f"message {number}") for number in range(5)]
    console = Console(width=140, height=24)
    with console.capture() as captured:
        console.print(_picture(FOUND, Order.calls, "", ConsoleDimensions(140, 24), alerts))
    text = captured.get()
    assert "overload a/busy: message 2" in text
    assert "message 3" not in text
    assert "2 more alerts" in text
