"""Instances of the Go functions that the conformance suite asks, and builds of others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from faasioflex.runtime.language import language
from support.runtime_instance import FUNCTIONS, RuntimeInstance, run_instance

FIRST_COMPILE_S = 600  # where nothing of Go's library has been compiled yet


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "runtime_go" in item.path.parts:
            item.add_marker(pytest.mark.timeout(FIRST_COMPILE_S))


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """``await start("go-handle", timeout_s=1)``: a ready instance that ends with the test."""
    async with AsyncExitStack() as stack:

        async def one(subject: str, **options: Any) -> RuntimeInstance:
            return await stack.enter_async_context(run_instance(language("go"), FUNCTIONS / subject, **options))

        yield one
