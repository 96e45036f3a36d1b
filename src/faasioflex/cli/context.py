"""``ffx context``: named platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from faasioflex.cli.completing.words import contexts
from faasioflex.cli.contexts import LOCAL, Context, Contexts
from faasioflex.cli.output import Output, OutputOption, facts, rows, show
from faasioflex.model.errors import BadRequest
from faasioflex.model.names import is_name

app = typer.Typer(
    help="Name the platforms you work with and switch between them.\n\n"
    f"The context '{LOCAL}' is always there: the platform on this machine.\n\n"
    "\b\nExamples:\n  ffx context create lab --url https://lab.example:8443\n  ffx context use lab\n",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
NameOf = Annotated[
    str, typer.Argument(metavar="NAME", help="The context.", show_default=False, autocompletion=contexts)
]


@app.command()
def create(
    *,
    name: NameOf,
    url: Annotated[str, typer.Option(help="The platform's URL.")],
    token_file: Annotated[Path | None, typer.Option(help="File with the token to use there.")] = None,
    namespace: Annotated[str | None, typer.Option(help="The namespace of names without one.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Certificates to trust there, PEM.")] = None,
    use: Annotated[bool, typer.Option("--use", help="Switch to it as well.")] = False,
) -> None:
    """Name a platform, or change what a name stands for.

    \b
    Example:
      ffx context create lab --url https://lab.example:8443 --token-file ~/.lab-token --use
    """
    if not is_name(name) or name == LOCAL:
        raise typer.BadParameter(f"{name!r} cannot name a context: use a-z, 0-9 and '-', and not '{LOCAL}'")
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is not a URL: write https://host:port")
    absolute = {
        key: str(path.expanduser().absolute())
        for key, path in (("token_file", token_file), ("ca_file", ca_file))
        if path
    }
    contexts = Contexts.load().with_context(Context(name, url, namespace=namespace, **absolute))
    (contexts.using(name) if use else contexts).save()
    print(f"Context {name} is {url}" + (", and in use" if use else f": 'ffx context use {name}' switches to it"))


@app.command("use")
def use_context(name: NameOf) -> None:
    """Switch to a context.

    \b
    Examples:
      ffx context use lab
      ffx context use local
    """
    Contexts.load().using(None if name == LOCAL else name).save()
    print(f"Context {name} is in use")


@app.command("list")
def list_contexts(output: OutputOption = Output.table) -> None:
    """List the contexts; the one in use has a star.

    \b
    Example:
      ffx context list
    """
    contexts = Contexts.load()
    documents = [_document(context, contexts) for context in contexts.known.values()]
    local = {"name": LOCAL, "url": "(the platform on this machine)", "in_use": contexts.current is None}
    lines = [("*" if one["in_use"] else " ", one["name"], one["url"]) for one in (local, *documents)]
    show(output, documents, lambda: rows(("", "name", "url"), lines, empty=""))


@app.command("delete")
def delete_context(name: NameOf) -> None:
    """Forget a context.

    \b
    Example:
      ffx context delete lab
    """
    Contexts.load().without(name).save()
    print(f"Forgot context {name}")


@app.command("show")
def show_context(
    name: Annotated[str | None, typer.Argument(help="Default: the one in use.", autocompletion=contexts)] = None,
    output: OutputOption = Output.table,
) -> None:
    """Show a context.

    \b
    Example:
      ffx context show
    """
    contexts = Contexts.load()
    context = contexts.get(name) if name and name != LOCAL else contexts.current
    if context is None:
        raise BadRequest(f"the context in use is '{LOCAL}', the platform on this machine: 'ffx status' shows it")
    document = _document(context, contexts)
    show(output, document, lambda: facts(list(document.items())))


def _document(context: Context, contexts: Contexts) -> dict[str, Any]:
    return {
        "name": context.name,
        "url": context.url,
        "namespace": context.namespace,
        "token_file": context.token_file,
        "ca_file": context.ca_file,
        "in_use": contexts.used == context.name,
    }
