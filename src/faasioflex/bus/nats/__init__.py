"""The bus on a real NATS server with JetStream."""

from __future__ import annotations

from pathlib import Path

from faasioflex.bus.nats.bus import TIMEOUT_S, NatsBus
from faasioflex.bus.nats.connection import Connection
from faasioflex.bus.nats.watch import RESYNC_S

__all__ = ["NatsBus", "connect"]


async def connect(
    url: str,
    user: str,
    password: str,
    *,
    name: str,
    wait_s: float = 10.0,
    timeout_s: float = TIMEOUT_S,
    resync_s: float = RESYNC_S,
    inbox_prefix: str = "_INBOX",
    certificate: Path | None = None,
) -> NatsBus:
    """Connect as ``user``; ``name`` is seen in the server's monitoring.

    Waits ``wait_s`` for the server. Later, an operation waits ``timeout_s`` for a server that is away before it raises
    Unavailable; watches wait for ever and compare themselves with the server every ``resync_s``.

    ``certificate``: of the server, where it speaks TLS; read again for each connection.

    Raises: Unavailable.
    """
    connection = Connection(
        url, user, password, name=name, inbox_prefix=inbox_prefix, timeout_s=timeout_s, certificate=certificate
    )
    await connection.start(wait_s)
    return NatsBus(connection, resync_s=resync_s)
