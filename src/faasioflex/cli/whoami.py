"""``ffx whoami``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, facts, show

if TYPE_CHECKING:
    from faasioflex.client import Client, Whoami


@on_platform
def whoami(client: Client, output: OutputOption = Output.table) -> None:
    """Show who you are to the platform, and what for.

    -o json tells where NATS is as well, and the inbox prefix that is yours there.

    \b
    Examples:
      ffx whoami
      ffx whoami -o json
    """
    who = client.whoami()
    show(output, who.raw, lambda: _facts(client, who))


def _facts(client: Client, who: Whoami) -> None:
    scope = who.scope
    facts(
        [
            ("platform", client.target.url),
            ("who", who.email or who.name or who.id),
            ("kind", who.kind),
            ("id", who.id),
            ("namespace", who.namespace),
            ("role", who.role),
            ("groups", ", ".join(who.groups)),
            ("roles", {name: "+".join(roles) for name, roles in who.roles.items()}),
            ("only namespaces", ", ".join(scope.namespaces) if scope and scope.namespaces is not None else None),
            ("only functions", ", ".join(scope.functions) if scope and scope.functions is not None else None),
            ("only verbs", ", ".join(scope.verbs) if scope and scope.verbs is not None else None),
            ("token ends", who.expires_at),
        ]
    )
