from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.platform_process import Platform, processes_with


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Sockets lie in it, so its name is short."""
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_platform(short_folder: Path) -> Iterator[Callable[..., Platform]]:
    """Makes platforms on one folder; ends them all and checks that nothing of them is left."""
    data = short_folder / "d"
    made: list[Platform] = []

    def make(*options: str) -> Platform:
        made.append(Platform(data, *options))
        return made[-1]

    yield make
    for platform in made:
        platform.end()
    assert processes_with(data) == {}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """One for the tests that leave it running."""
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    found = Platform(folder / "d")
    try:
        yield found.start()
    finally:
        found.end()
    assert processes_with(found.data) == {}
    shutil.rmtree(folder, ignore_errors=True)
