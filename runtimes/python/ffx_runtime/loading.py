"""Finding what to serve in a function's code."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ffx_runtime.style import trace

Kind = Literal["handler", "asgi", "wsgi"]
DEFAULT_MODULE = "main"


class CannotLoad(Exception):
    """The code cannot be served. ``str()`` is one line of the form ``file:line: what is wrong: what to do``; ``trace`` may be ""."""

    def __init__(self, message: str, shown: str = "") -> None:
        super().__init__(" ".join(message.splitlines()))
        self.trace = shown


@dataclass(frozen=True)
class Loaded:
    kind: Kind
    target: Callable[..., Any]


def prepare_path(code: Path, deps: Path | None) -> None:
    """What a function can import: its code, the standard library, its dependencies."""
    sys.path.insert(0, str(code))
    if deps is not None and deps.is_dir():
        sys.path.append(str(deps))
        if any(deps.glob("*.pth")):
            import site

            site.addsitedir(str(deps))
    os.chdir(code)


def load(code: Path, handler: str | None) -> Loaded:
    """Import the function's module and find its handler: ``handler`` or ``main:handle``, else ``main:app``.

    Raises: CannotLoad.
    """
    module_name, _, attribute = (handler or DEFAULT_MODULE).partition(":")
    module = _import(code, module_name)
    if attribute:
        target = _attribute(module, attribute)
        if target is None:
            raise CannotLoad(
                f"{_file(code, module)}: there is no {attribute!r}: define it, or name another in `handler`"
            )
        return _loaded(code, module, attribute, target)
    for name in ("handle", "app"):
        target = getattr(module, name, None)
        if target is not None:
            return _loaded(code, module, name, target)
    raise CannotLoad(
        f"{_file(code, module)}: there is neither `handle` nor `app`: define `def handle(event, context)`, "
        "or name what to call in `handler` (module:name)"
    )


def _import(code: Path, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except SyntaxError as error:
        file = _relative(code, error.filename or name)
        raise CannotLoad(f"{file}:{error.lineno}: {type(error).__name__}: {error.msg}", trace(error)) from error
    except ModuleNotFoundError as error:
        if error.name == name:
            raise CannotLoad(f"{name}.py is missing: the handler is in no module of that name") from error
        where = _where(code, error)
        raise CannotLoad(
            f"{where}: {type(error).__name__}: {error}: add it to requirements.txt or pyproject.toml", trace(error)
        ) from error
    except BaseException as error:
        raise CannotLoad(f"{_where(code, error)}: {type(error).__name__}: {error}", trace(error)) from error


def _attribute(module: Any, path: str) -> Any:
    target = module
    for name in path.split("."):
        target = getattr(target, name, None)
    return target


def _loaded(code: Path, module: Any, name: str, target: Any) -> Loaded:
    where = _file(code, module, target)
    if not callable(target):
        raise CannotLoad(f"{where}: {name!r} is a {type(target).__name__}: it must be a function or an application")
    kind = _kind(name, target)
    if kind is None:
        raise CannotLoad(
            f"{where}: {name!r} has other parameters: use (event, context), ASGI's (scope, receive, send) or WSGI's "
            "(environ, start_response)"
        )
    if inspect.isclass(target):
        raise CannotLoad(f"{where}: {name!r} is a class: make an instance of it")
    return Loaded(kind, target)


def _kind(name: str, target: Any) -> Kind | None:
    """Two parameters are a handler or WSGI, three are ASGI; which of the first two is told by names. None: neither."""
    is_app = name.rpartition(".")[2] in ("app", "application")
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # made in C: it cannot be asked
        return "wsgi" if is_app else "handler"
    takes_two, takes_three = _binds(signature, 2), _binds(signature, 3)
    if takes_three and not takes_two:
        return "asgi"
    if not takes_two:
        return None
    if takes_three and is_app:  # takes anything: a wrapped application
        call = target if inspect.isroutine(target) else type(target).__call__
        return "asgi" if inspect.iscoroutinefunction(call) else "wsgi"
    first = next(iter(signature.parameters), "")
    is_wsgi = first in ("environ", "env") or ((is_app or not inspect.isroutine(target)) and first != "event")
    return "wsgi" if is_wsgi else "handler"


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _file(code: Path, module: Any, target: Any = None) -> str:
    file = _relative(code, getattr(module, "__file__", None) or module.__name__)
    line = getattr(getattr(target, "__code__", None), "co_firstlineno", None)
    return f"{file}:{line}" if line is not None else file


def _where(code: Path, error: BaseException) -> str:
    """Where in the function's own code the error came from: its innermost frame there."""
    found = "main.py"
    traced = error.__traceback__
    while traced is not None:
        file = traced.tb_frame.f_code.co_filename
        if file.startswith(f"{code}{os.sep}"):
            found = f"{_relative(code, file)}:{traced.tb_lineno}"
        traced = traced.tb_next
    return found


def _relative(code: Path, file: str) -> str:
    return file.removeprefix(f"{code}{os.sep}")
