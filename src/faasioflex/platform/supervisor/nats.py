"""nats-server: its configuration, credentials of one run, and how to see that it serves."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass

from faasioflex.platform import binaries
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import write_private
from faasioflex.platform.settings import Settings

HOST = "127.0.0.1"
USER = "platform"
CONFIG = "nats.conf"
INFO_WITHIN_S = 2.0


@dataclass(frozen=True)
class NatsRun:
    """One start of the platform: where its nats-server listens and the password that only this run has."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @property
    def url_with_credentials(self) -> str:
        return f"nats://{USER}:{self.password}@{HOST}:{self.port}"


def new_run(port: int) -> NatsRun:
    """A run with a fresh password of 192 random bits."""
    return NatsRun(port, secrets.token_urlsafe(24))


def write(folder: DataFolder, settings: Settings, run: NatsRun) -> list[str]:
    """Write the configuration and ``nats.json``, both 0600; returns the command, which holds no secret."""
    config = folder.run / CONFIG
    write_private(config, render(folder, settings, run))
    write_private(folder.nats_credentials, json.dumps({"url": run.url, "user": USER, "password": run.password}) + "\n")
    return [str(binaries.nats_server()), "--config", str(config)]


def remove(folder: DataFolder) -> None:
    """The files with the password of a run that is over."""
    folder.nats_credentials.unlink(missing_ok=True)
    (folder.run / CONFIG).unlink(missing_ok=True)


def render(folder: DataFolder, settings: Settings, run: NatsRun) -> str:
    """The configuration file.

    An account of the platform's own holds JetStream from the start: data lies under the account's name, and users get an
    account beside it later. Sync interval: docs/adr/0007-durability.md.
    """
    interval = settings.nats_sync_interval_s
    sync = "always" if interval == 0 else f'"{max(1, round(interval * 1000))}ms"'
    return f"""\
# Written at every start of the platform.
server_name: faasioflex
listen: {json.dumps(f"{HOST}:{run.port}")}
max_payload: {settings.nats_max_payload_bytes}
max_pending: {4 * settings.nats_max_payload_bytes}
max_connections: 4096
# A peer that is gone is seen within 30 s; on loopback a dead one closes its connection at once.
ping_interval: "10s"
ping_max: 2
write_deadline: "10s"
# SIGTERM ends it at once: the parts that use it are stopped before it.
lame_duck_grace_period: "0s"
lame_duck_duration: "30s"
jetstream {{
  store_dir: {json.dumps(str(folder.nats))}
  max_memory_store: {settings.nats_max_memory_bytes}
  max_file_store: {settings.nats_max_file_bytes}
  sync_interval: {sync}
}}
accounts {{
  PLATFORM {{
    jetstream: enabled
    users: [{{user: {json.dumps(USER)}, password: {json.dumps(run.password)}}}]
  }}
  SYS {{}}
}}
system_account: SYS
"""


async def serves(run: NatsRun) -> bool:
    """Whether it takes connections and has recovered its JetStream (it says so in its first line)."""
    try:
        async with asyncio.timeout(INFO_WITHIN_S):
            reader, writer = await asyncio.open_connection(HOST, run.port)
            try:
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return line.startswith(b"INFO ") and bool(json.loads(line[5:]).get("jetstream"))
