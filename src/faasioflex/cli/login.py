"""``ffx login`` and ``ffx logout``."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from faasioflex.cli.connect import Data, Url, meant, open_client, retries
from faasioflex.cli.contexts import LOCAL, Context, Contexts
from faasioflex.cli.output import printable
from faasioflex.cli.working import say
from faasioflex.model.names import is_name

if TYPE_CHECKING:
    from faasioflex.client import Target

PLAIN_WARNING = (
    "Warning: {url} is not https: whoever listens on the way can use what you log in with. "
    "Ask for a platform with TLS, or reach it through an SSH tunnel."
)


def login(
    url: Url = None,
    data: Data = None,
    device: Annotated[
        bool, typer.Option("--device", help="Show a code to enter in a browser anywhere, also where one is here.")
    ] = False,
    ca_file: Annotated[
        str | None, typer.Option(help="Certificates to trust there, PEM; kept with the context.", metavar="FILE")
    ] = None,
) -> None:
    """Log in to a platform and keep the tokens for the next commands.

    It opens a browser; where there is none, or with --device, it shows a code to enter in a browser anywhere. Tokens are kept
    in ~/.config/faasioflex/tokens, for you only, and renewed by themselves. A --url that is no context yet becomes one.

    \b
    Examples:
      ffx login
      ffx login --url https://lab.example:8443 --device
    """
    from faasioflex.cli.signing_in.oauth import discover
    from faasioflex.cli.signing_in.stored import StoredLogin, save

    context = _named(meant(url, data), ca_file)
    target = _target(context)
    if target.base.scheme == "http" and target.base.host not in ("127.0.0.1", "localhost", "::1"):
        say(PLAIN_WARNING.format(url=context.url))
    endpoints = discover(target)

    def tell(text: str) -> None:
        say(printable(text))

    if device or endpoints.authorization is None or not _has_browser():
        from faasioflex.cli.signing_in.device import by_device

        tokens = by_device(target, endpoints, tell)
    else:
        from faasioflex.cli.signing_in.browser import by_browser

        tokens = by_browser(target, endpoints, tell)
    if context.name != LOCAL:
        Contexts.load().with_context(context).using(context.name).save()
    save(context.name, tokens)
    with open_client(dataclasses.replace(target, token=StoredLogin(context.name, target))) as client:
        who = client.whoami()
    print(f"Logged in to {context.url} as {who.email or who.id}: your namespace is {who.namespace}")


def logout(url: Url = None, data: Data = None) -> None:
    """End the login here: its tokens are revoked and forgotten.

    \b
    Examples:
      ffx logout
      ffx logout --url https://lab.example:8443
    """
    from faasioflex.cli.signing_in.oauth import TokenEndpoint
    from faasioflex.cli.signing_in.stored import forget, load
    from faasioflex.client.errors import Unreachable

    context = meant(url, data)
    tokens = load(context.name) if context.name else None
    if tokens is None:
        print(f"Nobody is logged in to {context.url}.", file=sys.stderr)
        return
    endpoint = TokenEndpoint(_target(context))
    try:
        for token in (tokens.refresh_token, tokens.access_token):
            if token is not None:
                endpoint.revoke(token)
    except Unreachable as error:
        say(f"The tokens are forgotten here, but not revoked: {error.message}")
    forget(context.name)
    print(f"Logged out of {context.url}")


def _has_browser() -> bool:
    from faasioflex.cli.signing_in.browser import has_browser

    return has_browser()


def _named(context: Context, ca_file: str | None) -> Context:
    """With a name to keep it by: of a new one that of its host."""
    if not context.name:
        name = re.sub(r"[^a-z0-9]+", "-", (urlsplit(context.url).hostname or "").lower()).strip("-")[:40].strip("-")
        name = name if is_name(name) else f"at-{name}"[:40].strip("-")
        with contextlib.suppress(KeyError):
            if Contexts.load().known[name].url != context.url:
                name = f"{name[:34]}-{urlsplit(context.url).port or 443}"
        context = dataclasses.replace(context, name=name)
    return dataclasses.replace(context, ca_file=ca_file) if ca_file else context


def _target(context: Context) -> Target:
    import os

    from faasioflex.client.wire import Target

    ca_file = os.environ.get("FFX_CA_FILE") or context.ca_file
    return Target(context.url, namespace=context.namespace, ca_file=ca_file, retry=retries())
