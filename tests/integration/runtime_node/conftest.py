"""Node functions written by the tests, and instances of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from faasioflex.runtime.language import language
from support.runtime_instance import RuntimeInstance, run_check, run_instance

Run = Callable[..., Awaitable[RuntimeInstance]]
Check = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """``await run({"index.mjs": "…"}, timeout_s=1)``: a ready instance that ends with the test."""
    async with AsyncExitStack() as stack:

        async def one(files: dict[str, str], **options: Any) -> RuntimeInstance:
            return await stack.enter_async_context(run_instance(language("node"), write(tmp_path, files), **options))

        yield one


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """``await check({"index.mjs": "…"})``: exit code and output of the check that a build makes."""

    async def one(files: dict[str, str], handler: str | None = None) -> tuple[int, str]:
        return await run_check(language("node"), write(tmp_path, files), handler=handler)

    return one


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder
