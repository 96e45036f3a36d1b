"""nats-server: its configuration, credentials of one run, and how to see that it serves."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faasioflex.model.errors import Invalid
from faasioflex.model.messages import CALL_SUBJECT, EVENTS_SUBJECT, QUEUE_SUBJECT, USERS_ACCOUNT
from faasioflex.platform import binaries, nats_issuer
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import write_private
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor.ports import reached_at
from faasioflex.platform.supervisor.tls import CertificateFiles

HOST = "127.0.0.1"
USER = "platform"
CALLOUT_USER, SYSTEM_USER = "callout", "system"
LONGEST_CALL_S = 24 * 3600  # an answer that comes later finds nobody
AUTHORIZATION_S = 3  # for the callout to answer; who is not answered comes again
CONFIG = "nats.conf"
INFO_WITHIN_S = 2.0
LOOK_EVERY_S = 1.0


def _password() -> str:
    """192 random bits."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class NatsRun:
    """One start of the platform: where its nats-server listens and the passwords that only this run has."""

    port: int
    password: str = field(repr=False)
    callout_password: str = field(default_factory=_password, repr=False)
    system_password: str = field(default_factory=_password, repr=False)
    host: str = HOST
    chain: Path | None = None  # certificate and key, where it speaks TLS
    key: Path | None = None

    @property
    def reached_at(self) -> str:
        """The address under which parts and clients connect."""
        return reached_at(self.host)

    @property
    def url(self) -> str:
        return f"{'tls' if self.chain else 'nats'}://{_authority(self.reached_at, self.port)}"


def new_run(port: int, host: str = HOST, certificate: CertificateFiles | None = None) -> NatsRun:
    """A run with fresh passwords. Off loopback it speaks TLS only. Raises: Invalid where there is no certificate then."""
    if ipaddress.ip_address(host).is_loopback:
        return NatsRun(port, _password(), host=host)
    if certificate is None:
        raise Invalid(
            f"On {host} others could read the tokens that NATS clients show. Use --tls-cert FILE --tls-key FILE, or --tls "
            "self-signed: NATS shows the gateway's certificate then. Or leave nats_host out, which is loopback."
        )
    return NatsRun(port, _password(), host=host, chain=certificate.chain, key=certificate.key)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def write(folder: DataFolder, settings: Settings, run: NatsRun) -> list[str]:
    """Write the configuration and ``nats.json``, both 0600; returns the command, which holds no secret. Raises: Unavailable."""
    config = folder.run / CONFIG
    issuer = nats_issuer.prepare(folder)
    write_private(config, render(folder, settings, run, issuer.public))
    credentials = {
        "url": run.url,
        "user": USER,
        "password": run.password,
        "callout_user": CALLOUT_USER,
        "callout_password": run.callout_password,
        "system_user": SYSTEM_USER,
        "system_password": run.system_password,
        "issuer_seed": issuer.seed,
        "certificate": str(run.chain) if run.chain else None,
    }
    write_private(folder.nats_credentials, json.dumps(credentials) + "\n")
    return [str(binaries.nats_server()), "--config", str(config)]


def remove(folder: DataFolder) -> None:
    """The files with the password of a run that is over."""
    folder.nats_credentials.unlink(missing_ok=True)
    (folder.run / CONFIG).unlink(missing_ok=True)


def render(folder: DataFolder, settings: Settings, run: NatsRun, issuer: str) -> str:
    """The configuration file. ``issuer``: public key of who lets users in.

    PLATFORM is ours and alone has JetStream. Everybody else is asked about at the callout (AUTH) and lands in USERS, which has
    nothing but what it imports: calls, with what the server knows of the caller (share), and events. What lies in the
    queue's stream has a subject that is not exported.
    Sync interval: docs/adr/0007-durability.md.
    """
    interval = settings.nats_sync_interval_s
    sync = "always" if interval == 0 else f'"{max(1, round(interval * 1000))}ms"'
    return f"""\
# Written at every start of the platform.
server_name: faasioflex
listen: {json.dumps(_authority(run.host, run.port))}
{_tls(run)}\
max_payload: {settings.nats_max_payload_bytes}
max_pending: {4 * settings.nats_max_payload_bytes}
max_connections: 4096
# A client shows its token in one line, which is up to 8 KiB.
max_control_line: 16384
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
    users: [{_user(USER, run.password)}]
    exports: [
      {{service: "{CALL_SUBJECT}.>", accounts: [{USERS_ACCOUNT}], threshold: "{LONGEST_CALL_S}s"}}
      {{service: "{QUEUE_SUBJECT}.*.*", accounts: [{USERS_ACCOUNT}]}}
      {{stream: "{EVENTS_SUBJECT}.>", accounts: [{USERS_ACCOUNT}]}}
    ]
  }}
  {USERS_ACCOUNT} {{
    imports: [
      {{service: {{account: PLATFORM, subject: "{CALL_SUBJECT}.>"}}, share: true}}
      {{service: {{account: PLATFORM, subject: "{QUEUE_SUBJECT}.*.*"}}, share: true}}
      {{stream: {{account: PLATFORM, subject: "{EVENTS_SUBJECT}.>"}}}}
    ]
  }}
  AUTH {{ users: [{_user(CALLOUT_USER, run.callout_password)}] }}
  SYS {{ users: [{_user(SYSTEM_USER, run.system_password)}] }}
}}
system_account: SYS
authorization {{
  timeout: {AUTHORIZATION_S}
  auth_callout {{
    issuer: {issuer}
    account: AUTH
    auth_users: [{USER}, {CALLOUT_USER}, {SYSTEM_USER}]
  }}
}}
"""


def _tls(run: NatsRun) -> str:
    if run.chain is None:
        return ""
    return f"tls {{ cert_file: {json.dumps(str(run.chain))}, key_file: {json.dumps(str(run.key))}, timeout: 5 }}\n"


def _user(name: str, password: str) -> str:
    return f"{{user: {json.dumps(name)}, password: {json.dumps(password)}}}"


async def serves(run: NatsRun) -> bool:
    """Whether it takes connections and has recovered its JetStream (it says so in its first line)."""
    try:
        async with asyncio.timeout(INFO_WITHIN_S):
            reader, writer = await asyncio.open_connection(run.reached_at, run.port)
            try:
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return line.startswith(b"INFO ") and bool(json.loads(line[5:]).get("jetstream"))


async def reload_when_replaced(run: NatsRun, pid: Callable[[], int | None]) -> None:
    """For ever: have the server read its certificate again when the file is another. Parts trust the one that is in the file."""
    if run.chain is None:
        return
    seen = run.chain.stat().st_mtime_ns
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        with contextlib.suppress(OSError):
            now, server = run.chain.stat().st_mtime_ns, pid()
            if now != seen and server is not None:
                os.kill(server, signal.SIGHUP)
                seen = now
