"""DIR/run/platform.json: that a platform runs, where, and its processes (CONTRACT.md 2)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import write_private


@dataclass(frozen=True)
class Announcement:
    """``ca_file``: the authority that signed the gateway's certificate, where it is our own. ``nats_url``: without credentials."""

    gateway_url: str
    nats_url: str
    issuer: str
    ca_file: Path | None

    def write(self, folder: DataFolder, processes: dict[str, int]) -> None:
        """``pid`` is the supervisor's; ``processes`` are what it watches."""
        content = {
            "gateway_url": self.gateway_url,
            "api_url": self.gateway_url,
            "nats_url": self.nats_url,
            "issuer": self.issuer,
            "admin_token_file": str(folder.admin_token),
            "ca_file": str(self.ca_file) if self.ca_file else None,
            "pid": os.getpid(),
            "processes": processes,
        }
        write_private(folder.platform_json, json.dumps(content, indent=2) + "\n")


def issuer_url(url: str) -> str:
    """Of the tokens of the platform that people reach at ``url``."""
    return f"{url}/oidc"


def gateway_url(host: str, port: int, *, secure: bool) -> str:
    """Of "all addresses" that of loopback: for this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is replaced
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{port}"
