"""Modules that asyncio imports and most functions never use: read when something of them is asked for.

``ssl`` and what asyncio builds on it are a sixth of the time in which the runtime starts, and an instance speaks plain HTTP on a
unix socket. Functions see ordinary modules: the first look at one makes it that. importlib's own LazyLoader is not safe where
two threads look at once (before Python 3.12).
"""

import os
import sys
from _thread import RLock
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """A module that has not been executed yet."""

    def __getattr__(self, name: str) -> Any:
        _execute(self, name)
        return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _BY_IMPORT:
            _execute(self, name)
        ModuleType.__setattr__(self, name, value)


_BY_IMPORT = frozenset({"__spec__", "__loader__", "__file__", "__package__", "__cached__", "__class__"})
_turn = RLock()
_running: set[str] = set()


def _execute(module: ModuleType, name: str) -> None:
    """Raises: AttributeError for what a module that is just being executed does not have yet."""
    with _turn:  # who looks meanwhile waits until it is whole
        if not isinstance(module, Later):
            return
        if module.__name__ in _running:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} yet")
        _running.add(module.__name__)
        try:
            spec = module.__spec__
            assert spec is not None and spec.loader is not None  # noqa: S101, PT018
            ModuleType.__setattr__(module, "__class__", _Executing)
            try:
                spec.loader.exec_module(module)
            except BaseException:
                ModuleType.__setattr__(module, "__class__", Later)  # the next look tries again
                raise
            ModuleType.__setattr__(module, "__class__", ModuleType)
        finally:
            _running.discard(module.__name__)


class _Executing(Later):
    """While its code runs it sets its own names; other threads wait for it in ``__getattr__``."""

    def __setattr__(self, name: str, value: Any) -> None:
        ModuleType.__setattr__(self, name, value)


def postpone() -> None:
    """Before asyncio is imported."""
    _put("ssl", None)
    _put("asyncio.sslproto", [os.path.join(os.path.dirname(os.__file__), "asyncio")])


def _put(name: str, path: list[str] | None) -> None:
    spec = PathFinder.find_spec(name, path)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    module = Later(name)
    module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, spec.origin or ""
    module.__package__, module.__cached__ = spec.parent, spec.cached  # type: ignore[attr-defined]
    sys.modules[name] = module


def settle() -> None:
    """After it: what importing a submodule does to its package."""
    import asyncio

    asyncio.sslproto = sys.modules["asyncio.sslproto"]  # type: ignore[attr-defined]
