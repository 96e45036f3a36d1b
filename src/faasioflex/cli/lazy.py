"""A Typer group whose commands are imported only when they are run, completed or asked for their help."""

from __future__ import annotations

import difflib
from importlib import import_module
from itertools import groupby
from typing import Any

import typer
from typer.core import TyperGroup

from faasioflex.cli.verbs import VERBS, Verb


def load(verb: Verb) -> Any:
    """The Typer command of ``verb``. Imports its module."""
    module_name, _, attribute = verb.target.partition(":")
    target = getattr(import_module(module_name), attribute)
    if not isinstance(target, typer.Typer):
        app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
        app.command(verb.name)(target)
        target = app
    command = typer.main.get_command(target)
    command.name = verb.name
    return command


_BY_NAME = {verb.name: verb for verb in VERBS}


class VerbGroup(TyperGroup):
    """``list_commands`` and the help come from :data:`VERBS`; a command is made when it is looked up."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_BY_NAME)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        verb = _BY_NAME.get(cmd_name)
        return load(verb) if verb else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in _BY_NAME and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], _BY_NAME, n=2)
            meant = f" Did you mean {' or '.join(near)}?" if near else " 'ffx --help' lists them."
            ctx.fail(f"There is no verb {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section, verbs in groupby(VERBS, key=lambda verb: verb.section):
            with formatter.section(section):
                formatter.write_dl([(verb.name, verb.summary) for verb in verbs])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        from typer._click.shell_completion import CompletionItem

        return [CompletionItem(v.name, help=v.summary) for v in VERBS if v.name.startswith(incomplete)]
