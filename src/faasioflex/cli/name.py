"""The argument NAME of the verbs on one function, and the option --namespace of those on several."""

from __future__ import annotations

from typing import Annotated

import typer

from faasioflex.cli.completing.words import functions, namespaces

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The function: name, or namespace/name.",
        show_default=False,
        autocompletion=functions,
    ),
]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Only of this namespace.", autocompletion=namespaces)
]
