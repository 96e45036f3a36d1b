"""A table that stays on the terminal and is read again and again."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleDimensions, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from faasioflex.cli.load import COLUMNS, KEYS, Order, alert_text, full_name, line, ordered
from faasioflex.cli.output import STATE_STYLES, cell, printable
from faasioflex.model.errors import FfxError

if TYPE_CHECKING:
    from faasioflex.client import Alert, FunctionMetrics

# columns of a terminal from which on there is room for a figure; the others always have it
FROM_WIDTH = {
    "p50 ms": 110, "waiting": 110, "cold starts": 120, "queued": 120, "cpu limit": 150, "memory limit": 150,
}  # fmt: skip
MOST_ALERTS = 3  # that are shown; of the rest it is said how many there are
SHORT = {"instances": "inst", "in progress": "busy"}
_SORTED_COLUMN = {
    Order.calls: "calls/s", Order.name: "name", Order.instances: "instances", Order.p95: "p95 ms", Order.errors: "errors",
    Order.cpu: "cpu", Order.memory: "memory", Order.progress: "in progress", Order.waiting: "waiting",
    Order.queued: "queued", Order.starts: "cold starts",
}  # fmt: skip
Look = tuple[list["FunctionMetrics"], Sequence["Alert"]]


def watch(read: Callable[[], Look], order: Order, every_s: float) -> None:
    """Until q or Ctrl-C. A platform that does not answer is said so under the last figures that there are."""
    found: list[FunctionMetrics] = []
    alerts: Sequence[Alert] = ()
    trouble = ""
    with Live(console=Console(), screen=True, auto_refresh=False) as live, _keys() as next_key:
        while True:
            try:
                (found, alerts), trouble = read(), ""
            except FfxError as error:
                trouble = error.message
            until = time.monotonic() + every_s
            while True:
                live.update(_picture(found, order, trouble, live.console.size, alerts), refresh=True)
                key = next_key(until - time.monotonic())
                if key is None:
                    break
                if key == "q":
                    return
                order = KEYS.get(key, order)


def _picture(
    found: list[FunctionMetrics], order: Order, trouble: str, size: ConsoleDimensions, alerts: Sequence[Alert] = ()
) -> RenderableType:
    by = _SORTED_COLUMN[order]
    shown = [column for column in COLUMNS if size.width >= FROM_WIDTH.get(column, 0) or column == by]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in shown:
        style = "bold underline" if column == by else "bold"
        justify: JustifyMethod = "left" if column in ("name", "state") else "right"
        # where there is no room for all, it is the names that are folded
        table.add_column(SHORT.get(column, column), header_style=style, justify=justify, no_wrap=column != "name")
    told = [Text(printable(text), style="bold red", no_wrap=True, overflow="ellipsis") for text in _told(alerts)]
    alarmed = {alert.function for alert in alerts}
    room = max(size.height - 4 - len(told), 1)
    for one in ordered(found, order)[:room]:
        cells = dict(zip(COLUMNS, line(one), strict=True))
        texts = [cell(cells[column]) for column in shown]
        row = [Text(text, style=STATE_STYLES.get(text, "")) for text in texts]
        if full_name(one) in alarmed:
            row[0].stylize("bold red")
        table.add_row(*row)
    left = len(found) - room
    head = f"{time.strftime('%H:%M:%S')}  {len(found)} functions" + (f", {left} more below" if left > 0 else "")
    keys = Text(head + f"   order: {' '.join(KEYS)}   q ends", style="dim")
    return Group(keys, Text(trouble, style="bold red"), *told, table)


def _told(alerts: Sequence[Alert]) -> list[str]:
    left = len(alerts) - MOST_ALERTS
    more = [f"{left} more alerts: ffx events shows them"] if left > 0 else []
    return [*(alert_text(alert) for alert in alerts[:MOST_ALERTS]), *more]


@contextmanager
def _keys() -> Iterator[Callable[[float], str | None]]:
    """A function that waits so many seconds for a key; None where none came."""
    if not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def next_key(seconds: float) -> str | None:
        ready, _, _ = select.select([descriptor], [], [], max(seconds, 0))
        return os.read(descriptor, 1).decode(errors="ignore") if ready else None

    tty.setcbreak(descriptor)
    try:
        yield next_key
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(seconds: float) -> None:
    time.sleep(max(seconds, 0))
