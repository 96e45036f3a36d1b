"""The argument NAME of the verbs on one function."""

from __future__ import annotations

from typing import Annotated

import typer

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The function: name, or namespace/name.", show_default=False)
]
