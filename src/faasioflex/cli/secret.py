"""``ffx secret``: what functions may know and nobody reads back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, rows, show
from faasioflex.cli.subverbs import OwnNamespace, group_of_verbs
from faasioflex.model.errors import BadRequest

if TYPE_CHECKING:
    from faasioflex.client import Client

app = group_of_verbs(
    "Keep passwords and keys for functions: encrypted, and never shown again.\n\n"
    "A function that names one (secrets: [NAME] in function.yaml) reads it with context.secret(NAME), the new value too.\n\n"
    "\b\nExamples:\n  ffx secret set db-password\n  ffx secret list\n"
)
NameOf = Annotated[str, typer.Argument(metavar="NAME", help="The secret.", show_default=False)]


@app.command("set")
@on_platform
def set_secret(
    client: Client,
    name: NameOf,
    source: Annotated[
        str | None,
        typer.Argument(metavar="-|@FILE", help="Where the value is, byte for byte; without it you are asked."),
    ] = None,
    namespace: OwnNamespace = None,
    output: OutputOption = Output.table,
) -> None:
    """Set a secret's value, or change it: functions see the new one without a deploy.

    The value is no argument, which other people on the machine could read.

    \b
    Examples:
      ffx secret set db-password
      printf %s "$PASSWORD" | ffx secret set db-password -
      ffx secret set tls-key @server.key
    """
    value = _value(source)
    try:
        text: str | bytes = value.decode()
    except UnicodeDecodeError:
        text = value
    secret = client.set_secret(name, text, namespace=namespace)
    show(output, secret.raw, lambda: print(f"{secret.name} is set: version {secret.version}"))


@app.command("list")
@on_platform
def list_secrets(client: Client, namespace: OwnNamespace = None, output: OutputOption = Output.table) -> None:
    """List secrets, without their values.

    \b
    Example:
      ffx secret list
    """
    found = client.secrets(namespace)
    lines = [(one.name, one.version, one.updated_at, one.updated_by) for one in found]
    empty = "No secrets: 'ffx secret set NAME' makes one."
    show(output, [one.raw for one in found], lambda: rows(("name", "version", "updated", "by"), lines, empty=empty))


@app.command()
@on_platform
def delete(client: Client, name: NameOf, namespace: OwnNamespace = None) -> None:
    """Delete a secret; functions that name it do not see it any more.

    \b
    Example:
      ffx secret delete db-password
    """
    client.delete_secret(name, namespace=namespace)
    print(f"Deleted {name}")


@app.command()
@on_platform
def rotate(client: Client, namespace: OwnNamespace = None) -> None:
    """Encrypt the secrets of a namespace with a new key; their values stay.

    \b
    Example:
      ffx secret rotate --namespace shop
    """
    client.rotate_secrets(namespace)
    print(f"The secrets of {client.space(namespace)} have a new key")


@app.command("callback-key")
@on_platform
def callback_key(client: Client, namespace: OwnNamespace = None, output: OutputOption = Output.table) -> None:
    """Print what callbacks are signed with that name no secret, for whoever verifies them.

    \b
    Example:
      ffx secret callback-key --namespace shop
    """
    found = client.callback_key(namespace)
    show(output, {"key": found.key, "previous": list(found.previous)}, lambda: print(found.key))


def _value(source: str | None) -> bytes:
    """Raises: BadRequest, typer.BadParameter."""
    if source is None:
        if not sys.stdin.isatty():
            raise typer.BadParameter("no terminal to ask at: give - to read standard input, or @FILE")
        return str(typer.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)).encode()
    if source == "-":
        return sys.stdin.buffer.read()
    if not source.startswith("@"):
        raise typer.BadParameter(
            "a value is no argument, which others could read: give - to read standard input, or @FILE"
        )
    try:
        return Path(source[1:]).expanduser().read_bytes()
    except OSError as error:
        raise BadRequest(f"{source[1:]} cannot be read: {error.strerror}") from error
