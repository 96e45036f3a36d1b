"""``ffx token``: personal and service tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, cell, rows, show
from faasioflex.cli.subverbs import group_of_verbs
from faasioflex.cli.units import duration_s
from faasioflex.cli.working import say
from faasioflex.model.errors import BadRequest

if TYPE_CHECKING:
    from faasioflex.client import Client, Scope, TokenInfo

app = group_of_verbs(
    "Make tokens for programs, list and revoke them.\n\n"
    "A personal token acts as you; a service token is somebody of its own. The value is shown once.\n\n"
    "\b\nExamples:\n  ffx token create ci --namespace shop --verb deploy --expires 30d --out ci.token\n  ffx token list\n"
)


@app.command()
@on_platform
def create(
    client: Client,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)],
    service: Annotated[bool, typer.Option("--service", help="Of a service, not of yours.")] = False,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="It reaches this one only; repeatable.")
    ] = None,
    function: Annotated[
        list[str] | None, typer.Option(metavar="NS/NAME", help="It reaches this one only; repeatable.")
    ] = None,
    verb: Annotated[
        list[str] | None, typer.Option(help="It may do this only: invoke, read, deploy, admin; repeatable.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends, like 12h or 30d. [90d]", metavar="TIME")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the value into this file (0600), not to the screen.", metavar="FILE")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Make a token. Its value is printed this once.

    \b
    Examples:
      ffx token create laptop
      ffx token create ci --service --namespace shop --verb deploy --expires 30d --out ci.token
    """
    descriptor = None if out is None else _new_file(out)
    try:
        made = client.create_token(
            name,
            kind="service" if service else "personal",
            namespaces=namespace or None,
            functions=[str(client.name(each)) for each in function] if function else None,
            verbs=verb or None,
            expires_in_s=duration_s(expires) if expires else None,
        )
        if descriptor is not None:
            os.write(descriptor, f"{made.token}\n".encode())
    except BaseException:
        if out is not None:
            out.unlink(missing_ok=True)
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)
    say(f"Token {made.id} ({made.kind}) {made.name}: until {cell(made.expires_at)}, {_scope(made.scope)}")
    if out is not None:
        say(f"Its value is in {out}: use it with --token-file {out}")
        document = {key: value for key, value in made.raw.items() if key != "token"}
        show(output, document, lambda: None)
        return
    show(output, made.raw, lambda: print(made.token))


@app.command("list")
@on_platform
def list_tokens(
    client: Client,
    everybodys: Annotated[bool, typer.Option("--all", help="Everybody's: for admins and auditors.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """List your tokens, without their values.

    \b
    Example:
      ffx token list
    """
    found = client.tokens(everybodys=everybodys)
    show(output, [one.raw for one in found], lambda: _rows(found))


@app.command()
@on_platform
def revoke(
    client: Client,
    tokens: Annotated[
        list[str], typer.Argument(metavar="ID...", help="As 'ffx token list' shows.", show_default=False)
    ],
) -> None:
    """Revoke tokens: within two seconds nothing takes them any more.

    \b
    Example:
      ffx token revoke t-0123456789abcdef
    """
    for token_id in tokens:
        client.revoke_token(token_id)
        print(f"Revoked {token_id}")


def _new_file(path: Path) -> int:
    """Made before the token, which could be shown nowhere else. Raises: BadRequest."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadRequest(f"{path} cannot be made: {error.strerror}") from error


def _rows(found: list[TokenInfo]) -> None:
    lines = [
        (one.id, one.kind, one.name, _scope(one.scope), one.expires_at, one.last_used_at or "never") for one in found
    ]
    rows(
        ("id", "kind", "name", "for", "expires", "last used"),
        lines,
        empty="No tokens: 'ffx token create NAME' makes one.",
    )


def _scope(scope: Scope | None) -> str:
    if scope is None:
        return "everything"
    what = ", ".join(scope.verbs) if scope.verbs is not None else "everything"
    where = scope.functions or scope.namespaces or ()
    return f"{what} on {', '.join(where)}" if where else what
