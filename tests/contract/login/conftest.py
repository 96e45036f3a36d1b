"""The drivers of the login, each with its real issuer running. A test gets all of them in turn."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from faasioflex.identity.dex.login import DexLogin
from faasioflex.identity.dex.passwords import DexAddress
from faasioflex.identity.oidc.id_token import Expected
from support.dex import CLIENT, REDIRECT, Dex, program
from support.embedded_login import embedded_login
from support.login_world import World


@pytest.fixture(scope="module")
def real_dex() -> Iterator[Dex]:
    found = program()
    if isinstance(found, str):
        pytest.skip(f"Dex cannot be built here: {found}")
    dex = Dex(found)
    yield dex.start()
    dex.end()


@asynccontextmanager
async def _dex(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    dex: Dex = request.getfixturevalue("real_dex")
    expected = Expected(dex.issuer, frozenset({CLIENT}))
    login = DexLogin(expected, folder / "keys.json", DexAddress(dex.grpc), folder / "disabled.json", cost=10)
    await login.start()
    try:
        yield World(login, CLIENT, REDIRECT)
    finally:
        await login.stop()


@asynccontextmanager
async def _embedded(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with embedded_login(folder) as login:
        yield World(login, "ffx-cli", "http://127.0.0.1:5/callback")


WORLDS = {"embedded": _embedded, "dex": _dex}


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: AbstractAsyncContextManager[World] = WORLDS[request.param](tmp_path, request)
    async with made as found:
        yield found


@pytest.fixture
def email() -> str:
    """Nobody's yet."""
    return f"someone-{secrets.token_hex(6)}@example.test"


@pytest.fixture
def password() -> str:
    return secrets.token_urlsafe(18)
