"""Every driver passes this suite: the launcher's sandboxes and its plain processes.

Sandboxes of its pool pass all of it too; here the parts run that could tell them apart (tests/security/sandbox has the rest).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.launcher import World, launched

POOL_BYTES = 96 * 2**20
POOLED = ("test_driver_files", "test_driver_end")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" in metafunc.fixturenames:
        pooled = ["pool"] if metafunc.module.__name__.rpartition(".")[2] in POOLED else []
        metafunc.parametrize("world", ["sandbox", "process", *pooled], indirect=True)


@pytest.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    pooled = request.param == "pool"
    async with launched("sandbox" if pooled else request.param, pool_bytes=POOL_BYTES if pooled else 0) as made:
        yield made
