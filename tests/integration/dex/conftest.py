"""A platform whose people log in at a real Dex: with passwords that Dex keeps, or by LDAP from a real slapd."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.dex import CLIENT, Dex, ldap_connector, program
from support.platform_process import Platform
from support.slapd import ADMIN, BASE, Slapd, programs

PEOPLE = {
    "ana": ("Ana Perez", "ana@example.test", "the-secret-of-ana"),
    "ben": ("Ben Ruiz", "ben@example.test", "the-secret-of-ben"),
}
GROUPS = {"data": ["ana"], "everybody": ["ana", "ben"]}
FIRST_ADMIN = "boss@example.test"


@dataclass(frozen=True)
class Place:
    platform: Platform
    dex: Dex


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    built = program()
    if isinstance(built, str):
        pytest.skip(f"Dex cannot be built here: {built}")
    slapd_program = programs()
    if slapd_program is None:
        pytest.skip("slapd is not installed (apt-get install slapd)")
    slapd = Slapd(slapd_program, PEOPLE, GROUPS)
    dex = Dex(built, connectors=[ldap_connector(slapd.address, BASE, ADMIN, slapd.password)])
    try:
        dex.start()
        with tempfile.TemporaryDirectory(prefix="ffx-dexed-", dir="/tmp") as folder:
            config = Path(folder) / "ffx.toml"
            config.write_text(
                f'login = "dex"\nlogin_issuer = "{dex.issuer}"\nlogin_client_id = "{CLIENT}"\n'
                f'dex_grpc = "{dex.grpc}"\nadmin_emails = ["{FIRST_ADMIN}"]\n'
            )
            platform = Platform(Path(folder) / "data", "--config", str(config))
            try:
                platform.start()
                yield Place(platform, dex)
            finally:
                platform.end()
    finally:
        dex.end()
        slapd.end()
