"""Keys in files, with processes that make them side by side, turn them, and are killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.people import People
from faasioflex.identity.tokens.admin_file import AdminTokenFile
from faasioflex.identity.tokens.issuers import MOST_REMEMBERED, Issuers
from faasioflex.identity.tokens.keys import PUBLISH_S, SigningKeys
from faasioflex.identity.tokens.mint import Mint
from faasioflex.identity.tokens.upkeep import Upkeep
from faasioflex.identity.tokens.verifier import Verifier
from faasioflex.model.errors import NotAuthenticated, Unavailable
from faasioflex.model.identity import Revocation, TokenRecord, TokenScope, TokenUse
from faasioflex.model.names import FunctionName
from support.deadline import eventually

ISSUER = "http://127.0.0.1/oidc"
ENSURE = """
import sys
from pathlib import Path
from faasioflex.identity.tokens.keys import SigningKeys
sys.stdin.read(1)
keys = SigningKeys(Path(sys.argv[1]))
keys.ensure()
print(keys.signing_kid())
"""
HOLD = """
import sys
from pathlib import Path
from faasioflex.identity.tokens import keys
def hang(*_):
    print("inside", flush=True)
    sys.stdin.read()
keys.os.fsync = hang
keys.SigningKeys(Path(sys.argv[1])).ensure()
"""


def python(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def test_processes_that_start_together_make_one_key(tmp_path: Path) -> None:
    folder = tmp_path / "identity" / "keys"
    processes = [python(ENSURE, folder) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0] for process in processes}
    assert len(said) == 1
    assert [path.name for path in folder.glob("*.pem")] == ["1.pem"]
    assert stat.S_IMODE((folder / "1.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_process_that_dies_while_it_makes_a_key_leaves_none(tmp_path: Path) -> None:
    dying = python(HOLD, tmp_path)
    assert dying.stdout is not None
    assert dying.stdout.readline() == "inside\n"
    os.kill(dying.pid, signal.SIGKILL)
    dying.communicate(timeout=60)
    assert not list(tmp_path.glob("*.pem"))
    keys = SigningKeys(tmp_path)
    keys.ensure()
    assert keys.sign({"a": 1}, "JWT")
    assert stat.S_IMODE((tmp_path / "1.pem").stat().st_mode) == 0o600


def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_on(tmp_path: Path) -> None:
    clock = Clock()
    keys, elsewhere = SigningKeys(tmp_path, clock=clock), SigningKeys(tmp_path, clock=clock)
    keys.ensure()
    old = keys.signing_kid()
    mint = Mint(keys, ISSUER)
    verifier = Verifier(elsewhere, lambda: frozenset({ISSUER}), clock=clock)
    before = mint.function(FunctionName("a", "f"), "uid", clock.now).token
    new = keys.rotate(keep_s=900)
    assert [key["kid"] for key in keys.jwks()["keys"]] == [old, new]
    assert keys.signing_kid() == old
    clock.now += PUBLISH_S
    assert keys.signing_kid() == new
    for token in (before, mint.function(FunctionName("a", "f"), "uid", clock.now).token):
        assert verifier.verify(token).pid == "f-a.f"  # the other process looks for the key that it does not know


def test_an_old_key_goes_when_all_that_it_signed_has_ended(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(tmp_path, clock=clock)
    keys.ensure()
    first = keys.signing_kid()
    kids = [first]
    for _ in range(3):
        clock.now += 1000
        kids.append(keys.rotate(keep_s=2500))
    assert first in [
        key["kid"] for key in keys.jwks()["keys"]
    ]  # its last token was signed PUBLISH_S after the second was made
    clock.now += 1000
    kids.append(keys.rotate(keep_s=2500))
    assert [key["kid"] for key in keys.jwks()["keys"]] == kids[1:]
    token = Mint(keys, ISSUER).admin_file(clock.now).token
    assert Verifier(keys, lambda: frozenset({ISSUER}), clock=clock).verify(token).pid == "u-local"


def test_public_keys_tell_nothing_private(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    keys.ensure()
    (key,) = keys.jwks()["keys"]
    assert key.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert (key["alg"], key["use"], key["kty"]) == ("RS256", "sig", "RSA")


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.pem").write_text("damage")
    with pytest.raises(Unavailable, match=r"1\.pem"):
        SigningKeys(tmp_path).ensure()


def test_without_a_key_nothing_is_signed_and_nothing_verified(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path / "none")
    with pytest.raises(Unavailable):
        keys.sign({}, "JWT")
    assert keys.jwks() == {"keys": []}
    assert keys.public("x") is None


def test_issuers_from_before_are_remembered(tmp_path: Path) -> None:
    for port in range(12):
        Issuers(tmp_path / "issuers.json", f"http://127.0.0.1:{port}/oidc").remember()
    held = Issuers(tmp_path / "issuers.json", "http://127.0.0.1:99/oidc")
    assert len(held.known()) == MOST_REMEMBERED + 1
    assert "http://127.0.0.1:11/oidc" in held.known()
    assert "http://127.0.0.1:3/oidc" not in held.known()
    held.remember()
    assert json.loads((tmp_path / "issuers.json").read_text())[0] == "http://127.0.0.1:99/oidc"


async def test_the_admins_token_is_renewed_in_its_file(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(tmp_path / "keys", clock=clock)
    path = tmp_path / "admin.token"
    mint = Mint(keys, ISSUER)
    made = AdminTokenFile(path, people=People(MemoryBus(), clock), keys=keys, mint=mint, clock=clock, look_s=0.01)
    verifier = Verifier(keys, lambda: frozenset({ISSUER}), clock=clock)
    await made.start()
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        seen = [path.read_text()]

        async def renewed() -> None:
            await eventually(lambda: path.exists() and path.read_text() != seen[-1], "another token is in the file")
            seen.append(path.read_text())
            assert verifier.verify(seen[-1]).kind == "admin-file"

        clock.now += 1801  # half of its life
        await renewed()
        keys.rotate(keep_s=3600)
        clock.now += PUBLISH_S
        await renewed()
        path.unlink()
        await renewed()
        assert verifier.verify(seen[-2]).kind == "admin-file"  # the one before still holds
    finally:
        await made.stop()
    assert not path.exists()


async def test_keys_turn_by_themselves_and_what_is_over_goes(tmp_path: Path) -> None:
    clock = Clock()
    bus = MemoryBus(clock)
    keys = SigningKeys(tmp_path / "keys", clock=clock)
    jwks = tmp_path / "jwks.json"
    tokens = bus.bucket("ffx_tokens", TokenRecord)
    uses = bus.bucket("ffx_token_use", TokenUse)
    revoked = bus.bucket("ffx_revoked", Revocation)
    for token_id, ends in (("t-old", clock.now - 8 * 86_400), ("t-new", clock.now + 60)):
        await tokens.put(token_id, TokenRecord(token_id, "personal", "x", "u-1", "a", TokenScope(), 0, ends))
        await uses.put(token_id, TokenUse(clock.now - 3600))
        await revoked.put(f"jti.{token_id}", Revocation(None, ends))
    upkeep = Upkeep(bus, keys, jwks_path=jwks, rotate_after_s=86_400, clock=clock, look_s=0.01)
    await upkeep.start()
    try:
        assert len(json.loads(jwks.read_text())["keys"]) == 1
        clock.now += 86_400
        await eventually(lambda: len(json.loads(jwks.read_text())["keys"]) == 2, "the new key is published")
        left = [entry.key for entry in await tokens.list()]
        assert left == ["t-new"]
        assert [entry.key for entry in await uses.list()] == ["t-new"]
    finally:
        await upkeep.stop()


def test_a_token_of_a_key_that_went_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(tmp_path, clock=clock)
    keys.ensure()
    token = Mint(keys, ISSUER).admin_file(clock.now).token
    keys.rotate(keep_s=0)
    clock.now += PUBLISH_S + 1
    keys.rotate(keep_s=0)
    with pytest.raises(NotAuthenticated, match="key"):
        Verifier(SigningKeys(tmp_path, clock=clock), lambda: frozenset({ISSUER}), clock=clock).verify(token)


async def test_dropping_a_key_voids_what_it_signed_also_where_that_was_verified_before(tmp_path: Path) -> None:
    clock = Clock()
    keys, elsewhere = SigningKeys(tmp_path, clock=clock), SigningKeys(tmp_path, clock=clock)
    keys.ensure()
    mint = Mint(keys, ISSUER)
    verifier = Verifier(elsewhere, lambda: frozenset({ISSUER}), clock=clock)
    token = mint.admin_file(clock.now).token
    verifier.verify(token)
    keys.rotate(keep_s=900, drop=True)
    fresh = mint.admin_file(clock.now).token
    assert verifier.verify(fresh).pid == "u-local"

    def void() -> bool:
        try:
            verifier.verify(token)
        except NotAuthenticated:
            return True
        return False

    await eventually(void, "the token of the dropped key is void", within_s=2)
