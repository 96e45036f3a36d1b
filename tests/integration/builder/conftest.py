"""The real builder on a real launcher in sandbox mode, the bus in memory, and a package registry of the test's own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.runtime.driver import LauncherDriver
from support.building import Building
from support.egress import RelayProcess
from support.launcher import LauncherProcess
from support.package_index import PackageIndex


@pytest.fixture(scope="session")
def launcher() -> Iterator[LauncherProcess]:
    """One for all of these tests: builds leave nothing in it."""
    data = Path(tempfile.mkdtemp(prefix="ffx-", dir="/tmp")).resolve()
    relay = RelayProcess(data)
    made = LauncherProcess(data, "sandbox", "--egress", str(relay.socket))
    asyncio.run(relay.start())
    asyncio.run(made.start())
    yield made
    made.stop()
    relay.stop()
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with PackageIndex() as made:
        yield made


@pytest.fixture
async def building(launcher: LauncherProcess, index: PackageIndex) -> AsyncIterator[Building]:
    folder = Path(tempfile.mkdtemp(prefix="ffx-b-", dir="/tmp")).resolve()
    driver = LauncherDriver(launcher.socket)
    made = Building(MemoryBus(), driver, folder / "builds", index)
    yield made
    await driver.close()
    made.assert_tidy()
    shutil.rmtree(folder)
