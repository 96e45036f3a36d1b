"""Which platform a verb talks to, and the decorator that gives the verb a client of it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from faasioflex.cli.contexts import LOCAL, Context, Contexts
from faasioflex.model.errors import BadRequest

if TYPE_CHECKING:
    from faasioflex.client import Client, RetryPolicy, Target, Token

P = ParamSpec("P")
DEFAULT_URL = "http://127.0.0.1:8080"

Url = Annotated[str | None, typer.Option(envvar="FFX_URL", help="The platform's URL.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the token to use; or the token itself in FFX_TOKEN.")]
Data = Annotated[Path | None, typer.Option(envvar="FFX_DATA", help="Data folder of a platform on this machine.")]


def on_platform(verb: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """Make a verb of a function that takes a client first: adds ``--url``, ``--token-file`` and ``--data``."""

    def run(*, url: str | None, token_file: Path | None, data: Path | None, **arguments: Any) -> None:
        with open_client(resolve(url, token_file, data)) as client:
            verb(client, **arguments)  # type: ignore[call-arg]

    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.signature(verb, eval_str=True, locals={"Client": object})
    parameters = [parameter.replace(kind=keyword) for parameter in list(signature.parameters.values())[1:]]
    shared = (("url", Url), ("token_file", TokenFile), ("data", Data))
    parameters += [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__, run.__doc__, run.__module__ = verb.__name__, verb.__doc__, verb.__module__
    return run


def open_client(target: Target) -> Client:
    """A client of ``target``."""
    # httpx brings a command line of its own, whose imports take longer than everything else here: it is not let in
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    from faasioflex.client.blocking import Client

    return Client(target)


def resolve(url: str | None, token_file: Path | None, data: Path | None) -> Target:
    """The first of: ``url``; the platform that runs in ``data``; the context in use; the one in the default data folder.

    Raises: BadRequest where a file that was named cannot be read.
    """
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    from faasioflex.client.wire import Target

    context = meant(url, data)
    target = Target(
        context.url,
        namespace=context.namespace,
        ca_file=os.environ.get("FFX_CA_FILE") or context.ca_file,
        retry=retries(),
    )
    return dataclasses.replace(target, token=_token(token_file, context, target, logged_in=data is None))


def meant(url: str | None, data: Path | None) -> Context:
    """The context; one without a name of its own for what is none. Raises: BadRequest."""
    contexts = Contexts.load()
    if url:
        named = [one for one in contexts.known.values() if one.url.rstrip("/") == url.rstrip("/")]
        if named:
            return dataclasses.replace(named[0], url=url)
        here = platform_document(data or default_data())  # its certificate and token are known, where it is the one
        return _local(here) if here and here.get("gateway_url") == url.rstrip("/") else Context("", url)
    if contexts.current is not None and not data:
        return contexts.current
    here = platform_document(data or default_data())
    if data and here is None:
        raise BadRequest(f"no platform runs in {data}: start it with 'ffx up --data {data}'")
    return _local(here or {})


def _local(here: dict[str, Any]) -> Context:
    return Context(
        LOCAL, here.get("gateway_url") or DEFAULT_URL, here.get("admin_token_file"), None, here.get("ca_file")
    )


def _token(token_file: Path | None, context: Context, target: Target, *, logged_in: bool) -> Token | None:
    """The first of: ``token_file``; FFX_TOKEN; a login of the context; the context's file.

    ``logged_in`` False: the platform in a data folder that was named is its owner's, whoever logged in elsewhere.
    """
    if token_file is not None or os.environ.get("FFX_TOKEN"):
        return read_token(token_file)
    if logged_in and context.name:
        from faasioflex.cli.signing_in.stored import StoredLogin, token_path

        if token_path(context.name).exists():
            return StoredLogin(context.name, target)
    return read_token(context.token_file) if context.token_file else None


def retries() -> RetryPolicy:
    """A person waits: give up on an address where nobody listens within a second, be patient with a part that restarts."""
    from faasioflex.client.request import RetryPolicy

    return RetryPolicy(attempts=4, first_wait_s=0.1, longest_wait_s=3.0)


def default_data() -> Path:
    """Where ``ffx up`` keeps its data when it is not told."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "faasioflex"


def platform_document(data: Path) -> dict[str, Any] | None:
    """DIR/run/platform.json: there while a platform runs in ``data``."""
    try:
        document = json.loads((data.expanduser() / "run" / "platform.json").read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def read_token(file: str | Path | None) -> Token | None:
    """The file of a token, read anew when its token is over; without one the token of FFX_TOKEN.

    Raises: BadRequest where the file cannot be read.
    """
    if file is None:
        return os.environ.get("FFX_TOKEN") or None
    path = Path(file).expanduser()
    try:
        path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadRequest(f"the token file {file} cannot be read: {why}") from error
    return path
