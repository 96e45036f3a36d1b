"""A table that stays on the terminal and is read again and again."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from faasioflex.cli.load import COLUMNS, KEYS, Order, line, ordered
from faasioflex.cli.output import STATE_STYLES, cell
from faasioflex.model.errors import FfxError

if TYPE_CHECKING:
    from faasioflex.client import FunctionMetrics

_SORTED_COLUMN = {
    Order.calls: "calls/s", Order.name: "name", Order.instances: "instances", Order.p95: "p95 ms", Order.errors: "errors",
    Order.cpu: "cpu", Order.memory: "memory", Order.progress: "in progress",
}  # fmt: skip


def watch(read: Callable[[], list[FunctionMetrics]], order: Order, every_s: float) -> None:
    """Until q or Ctrl-C. A platform that does not answer is said so under the last figures that there are."""
    found: list[FunctionMetrics] = []
    trouble = ""
    with Live(console=Console(), screen=True, auto_refresh=False) as live, _keys() as next_key:
        while True:
            try:
                found, trouble = read(), ""
            except FfxError as error:
                trouble = error.message
            until = time.monotonic() + every_s
            while True:
                live.update(_picture(found, order, trouble, live.console.height), refresh=True)
                key = next_key(until - time.monotonic())
                if key is None:
                    break
                if key == "q":
                    return
                order = KEYS.get(key, order)


def _picture(found: list[FunctionMetrics], order: Order, trouble: str, height: int) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        sorted_by = column == _SORTED_COLUMN[order]
        table.add_column(
            column, header_style="bold underline" if sorted_by else "bold",
            justify="left" if column in ("name", "state") else "right", no_wrap=True,
        )  # fmt: skip
    room = max(height - 5, 1)
    for one in ordered(found, order)[:room]:
        texts = [cell(value) for value in line(one)]
        table.add_row(*(Text(text, style=STATE_STYLES.get(text, "")) for text in texts))
    left = len(found) - room
    head = f"{time.strftime('%H:%M:%S')}  {len(found)} functions" + (f", {left} more below" if left > 0 else "")
    return Group(
        Text(head + "   order: c n i p e u m g   q ends", style="dim"), table, Text(trouble, style="bold red")
    )  # fmt: skip


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
