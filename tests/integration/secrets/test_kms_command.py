"""A master key behind a command of the operator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.secrets.kms import KmsCommand
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.model.errors import Unavailable, WrongState

KMS = """
import os, sys
assert not any(name.startswith("FFX_") for name in os.environ)
line = sys.stdin.readline().strip()
what = sys.argv[1]
if what == "wrap":
    print(line[::-1])
elif what == "unwrap":
    print(line[::-1])
"""


@pytest.fixture
def kms(tmp_path: Path) -> list[str]:
    (tmp_path / "kms.py").write_text(KMS)
    return [sys.executable, str(tmp_path / "kms.py")]


async def test_it_wraps_and_unwraps(kms: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FFX_SECRETS_KEY", "x")
    bus = MemoryBus()
    first = SecretStore(bus, KmsCommand(kms), lambda: 0.0)
    await first.start()
    await first.set("acme", "key", b"value", actor="ada")
    second = SecretStore(bus, KmsCommand(kms), lambda: 0.0)
    await second.start()
    assert await second.values("acme", ["key"]) == {"key": b"value"}
    with pytest.raises(WrongState, match="KMS"):
        await second.keyring.renew_master()


@pytest.mark.parametrize("program", ["exit(3)", "print('not the same')", "print('')"])
async def test_one_that_fails_is_told_and_nothing_is_kept(program: str):
    store = SecretStore(MemoryBus(), KmsCommand([sys.executable, "-c", program]), lambda: 0.0)
    await store.start()
    with pytest.raises(Unavailable):
        await store.set("acme", "key", b"value", actor="ada")
    assert await store.all("acme") == []
