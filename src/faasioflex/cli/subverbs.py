"""What verbs with verbs of their own have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from faasioflex.cli.completing.words import namespaces


def group_of_verbs(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        rich_markup_mode=None,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )


OwnNamespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="The namespace; default: your own.", autocompletion=namespaces),
]
NamespaceArgument = Annotated[
    str, typer.Argument(metavar="NAMESPACE", help="The namespace.", show_default=False, autocompletion=namespaces)
]
To = Annotated[str, typer.Option("--to", metavar="WHO", help="user:EMAIL, group:NAME, service:ID or function:NS/NAME.")]
