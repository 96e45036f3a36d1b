"""A real OpenLDAP server with a folder and a port of its own: people and groups as a company has them."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from support.nats_server import free_port

BASE = "dc=example,dc=test"
ADMIN = f"cn=admin,{BASE}"
SCHEMA = Path("/etc/ldap/schema")
STARTED_WITHIN_S = 20.0


def programs() -> Path | None:
    """slapd; None where it is not installed."""
    found = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    return Path(found) if found and (SCHEMA / "inetorgperson.schema").exists() else None


class Slapd:
    """``people``: uid -> (name, e-mail, password). ``groups``: name -> uids."""

    def __init__(
        self, program: Path, people: Mapping[str, tuple[str, str, str]], groups: Mapping[str, Sequence[str]]
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ffx-ldap-", dir="/tmp"))
        self.password = secrets.token_urlsafe(12)
        self.address = f"127.0.0.1:{free_port()}"
        (self.folder / "data").mkdir()
        config, ldif = self.folder / "slapd.conf", self.folder / "all.ldif"
        config.write_text(_config(self.folder, self.password))
        config.chmod(0o600)
        ldif.write_text(_ldif(people, groups))
        added = subprocess.run(
            [program.with_name("slapadd"), "-f", config, "-l", ldif],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert added.returncode == 0, added.stderr
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-f", config, "-h", f"ldap://{self.address}", "-d", "0"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not self._answers():
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, (self.folder / "log").read_text()
            time.sleep(0.02)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(15)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        host, _, port = self.address.partition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), 1):
            return True
        return False


def _config(folder: Path, password: str) -> str:
    schemas = "\n".join(f"include {SCHEMA}/{name}.schema" for name in ("core", "cosine", "inetorgperson"))
    return f"""{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
database mdb
maxsize 16777216
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {password}
directory {folder}/data
"""


def _ldif(people: Mapping[str, tuple[str, str, str]], groups: Mapping[str, Sequence[str]]) -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups",
    ]
    for uid, (name, email, password) in people.items():
        entries.append(
            f"dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\n"
            f"sn: {name.split()[-1]}\nmail: {email}\nuserPassword: {password}"
        )
    for group, members in groups.items():
        listed = "\n".join(f"member: uid={uid},ou=people,{BASE}" for uid in members)
        entries.append(f"dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {group}\n{listed}")
    return "\n\n".join(entries) + "\n"
