"""A small platform for the clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.small_platform import SmallPlatform


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallPlatform]:
    with SmallPlatform(tmp_path_factory.mktemp("p")) as small:
        yield small
