"""What a verb prints: a table for people, JSON or YAML of the same document for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

# beside the control characters: those that end a line or turn the order of what follows
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
STATE_STYLES = {
    "ready": "green",
    "idle": "cyan",
    "failed": "red",
    "building": "yellow",
    "starting": "yellow",
    "deleting": "magenta",
}


class Output(StrEnum):
    table = "table"
    json = "json"
    yaml = "yaml"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print.")]


def show(output: Output, document: Any, table: Callable[[], None]) -> None:
    """Print ``document`` as ``output`` says; ``table`` prints the form for people."""
    if output is Output.table:
        table()
    elif output is Output.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        import yaml

        print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), end="")


def show_line(output: Output, document: Any, line: str) -> None:
    """One item of a stream: a line of text, a line of JSON, or a YAML document."""
    if output is Output.json:
        line = json.dumps(document, ensure_ascii=False)
    elif output is Output.yaml:
        import yaml

        line = "---\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip()
    print(line, flush=True)


def rows(columns: Sequence[str], lines: Sequence[Sequence[object]], *, empty: str) -> None:
    """A table: drawn on a terminal, plain aligned columns elsewhere. ``empty`` (on stderr) where there are no lines."""
    if not lines:
        print(empty, file=sys.stderr)
        return
    texts = [[cell(value) for value in line] for line in lines]
    if on_terminal():
        _draw(columns, texts)
        return
    widths = [max(len(text) for text in column) for column in zip(columns, *texts, strict=True)]
    for line in ([name.upper() for name in columns], *texts):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values, one a line; those without a value are left out."""
    known = [(name, cell(value)) for name, value in pairs if value not in (None, "", {}, (), [])]
    width = max((len(name) for name, _ in known), default=0) + 1
    for name, value in known:
        print(f"{name + ':':<{width}} {value}")


def cell(value: object) -> str:
    """``value`` as one line of printable text."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items()) or "-"
    return printable(str(value)).replace("\n", " ")


def printable(text: str) -> str:
    """Without control characters: what a function wrote must not steer the terminal, even one that a file is read on later."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def on_terminal() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _draw(columns: Sequence[str], texts: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for line in texts:
        table.add_row(*(Text(text, style=STATE_STYLES.get(text, "")) for text in line))
    Console().print(table)
