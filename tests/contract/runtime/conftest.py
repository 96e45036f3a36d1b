"""``subject`` is each kind of function in turn; ``start`` runs instances of it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from support.runtime_instance import RuntimeInstance, run_instance

FIRST_COMPILE_S = 600
OF_THE_SERVER = ("test_bodies", "test_ending", "test_limits")  # nothing in them depends on how code is loaded


def _subjects() -> Any:
    """This folder is no package: its table is loaded by path, once."""
    name = "contract_runtime_subjects"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("subjects.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``subject`` is every kind of function, or with ``@pytest.mark.parametrize`` whatever that says."""
    if "subject" not in metafunc.fixturenames:
        return
    table = _subjects()
    marker = metafunc.definition.get_closest_marker("needs")
    found = table.that_can(*marker.args) if marker else table.SUBJECTS
    if metafunc.module.__name__.rpartition(".")[2] in OF_THE_SERVER:
        found = [one for one in found if not one.like_another]
    marked = [pytest.param(one, marks=_marks(one), id=table.name_of(one)) for one in found]
    metafunc.parametrize("subject", marked)


def _marks(subject: Any) -> list[pytest.MarkDecorator]:
    """The first test of a compiled language compiles; on a new machine, the language's whole library."""
    compiled = subject.runtime.toolchain is not None and subject.runtime.toolchain.when == "build"
    return [pytest.mark.timeout(FIRST_COMPILE_S)] if compiled else []


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """``await start(subject, timeout_s=1)``: a ready instance that ends with the test."""
    async with AsyncExitStack() as stack:

        async def one(subject: Any, **options: Any) -> RuntimeInstance:
            context: AbstractAsyncContextManager[RuntimeInstance] = run_instance(
                subject.runtime, subject.code, **options
            )
            return await stack.enter_async_context(context)

        yield one
