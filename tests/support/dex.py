"""A real Dex: built once from its sources, started with a configuration of the test's own, in memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.nats_server import free_port

ROOT = Path(__file__).resolve().parents[2]
CLIENT = "faasioflex"
REDIRECT = "http://127.0.0.1:5/callback"  # nobody listens there: the test reads the code from the redirect
STARTED_WITHIN_S = 30.0


@cache
def program() -> Path | str:
    """The path; else why there is none."""
    built = subprocess.run(
        [sys.executable, ROOT / "tools/go_program", "dex"], capture_output=True, text=True, check=False, timeout=900
    )
    return Path(built.stdout.strip()) if built.returncode == 0 else built.stderr.strip()[-500:]


class Dex:
    """``more``: of its configuration, beside the password database. ``stop`` and ``start`` again: the same address, new keys."""

    def __init__(self, program: Path, **more: Any) -> None:
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="ffx-dex-")
        web, grpc = free_port(), free_port()
        self.issuer = f"http://127.0.0.1:{web}/dex"
        self.grpc = f"127.0.0.1:{grpc}"
        self.config: dict[str, Any] = {
            "issuer": self.issuer,
            "storage": {"type": "memory"},
            "web": {"http": f"127.0.0.1:{web}"},
            "grpc": {"addr": self.grpc},
            "enablePasswordDB": True,
            "oauth2": {"skipApprovalScreen": True},
            "staticClients": [
                {"id": CLIENT, "name": "FaaSioFlex", "public": True, "redirectURIs": [REDIRECT]},
                {"id": "other", "name": "Another", "public": True, "redirectURIs": [REDIRECT]},
            ],
            **more,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Dex:
        """Return when it answers."""
        folder = Path(self._folder.name)
        (folder / "dex.yaml").write_text(yaml.safe_dump(self.config))
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", folder / "dex.yaml"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not self._answers():
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, (folder / "log").read_text()
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)

    def end(self) -> None:
        self.stop()
        self._folder.cleanup()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.issuer}/.well-known/openid-configuration", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False


def ldap_connector(address: str, base: str, admin: str, password: str) -> Mapping[str, Any]:
    """As in deploy/dex/ldap.yaml."""
    return {
        "type": "ldap",
        "id": "ldap",
        "name": "LDAP",
        "config": {
            "host": address,
            "insecureNoSSL": True,
            "bindDN": admin,
            "bindPW": password,
            "userSearch": {
                "baseDN": f"ou=people,{base}",
                "filter": "(objectClass=inetOrgPerson)",
                "username": "uid",
                "idAttr": "entryUUID",
                "emailAttr": "mail",
                "nameAttr": "cn",
            },
            "groupSearch": {
                "baseDN": f"ou=groups,{base}",
                "filter": "(objectClass=groupOfNames)",
                "userMatchers": [{"userAttr": "DN", "groupAttr": "member"}],
                "nameAttr": "cn",
            },
        },
    }
