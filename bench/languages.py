"""The languages that are measured: their functions, and the server that people would write without a platform.

A language comes in by an entry in ``LANGUAGES``; where it cannot be built on this machine it is left out with a line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faasioflex.runtime.language import language, runtimes_folder
from faasioflex.runtime.toolchain import ensure

APPS = Path(__file__).with_name("apps")
Command = tuple[list[str], dict[str, str]]  # argument list (the address comes last), environment


@dataclass(frozen=True)
class App:
    """One way to write the echo. ``alone``: also measured without the platform."""

    name: str
    files: dict[str, str]
    alone: bool = True
    same_as_bare: bool = False  # the very program that the bare server runs


@dataclass(frozen=True)
class Language:
    """``bare(folder)`` gives the command of the bare server, which may be compiled into ``folder``; its name is for tables.

    The first of ``apps`` stands for the language where one does.
    """

    name: str
    apps: tuple[App, ...]
    bare_name: str = ""
    bare: Callable[[Path], Command] | None = None
    goal: float | None = None  # calls per second of a runtime alone, by those of the bare server


def _uvicorn(_folder: Path) -> Command:
    packages = runtimes_folder() / "python" / "_packages"
    path = os.pathsep.join(str(each) for each in (APPS, packages))
    return [sys.executable, str(APPS / "uvicorn_echo.py")], {"PYTHONPATH": path}


def _node_http(_folder: Path) -> Command:
    return [str(_tool("node")), str(APPS / "http_echo.mjs")], {}


def _go_http(folder: Path) -> Command:
    program = folder / "http_echo"
    env = {"GOCACHE": str(folder / "go-cache"), **os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    if "HOME" in os.environ:
        env.pop("GOCACHE")  # Go's own place, where the next run finds the standard library compiled
    argv = [str(_tool("go")), "build", "-o", str(program), str(APPS / "http_echo.go")]
    subprocess.run(argv, env=env, check=True, capture_output=True, timeout=300)
    return [str(program)], {}


def _tool(name: str) -> Path:
    """The program that the platform itself uses for this language: the machine's, or the one it fetched."""
    need = language(name).toolchain
    if need is None:
        raise RuntimeError(f"the runtime {name} names no toolchain")
    return ensure(need, lambda _line: None).root / need.program


_ASGI = (APPS / "asgi_echo.py").read_text()
_HANDLER = "def handle(event, context):\n    return event.body\n"
_ASYNC = "async def handle(event, context):\n    return event.body\n"
_NODE = "export async function handle(event) {\n  return event.body;\n}\n"
_GO = """package function

import (
	"context"

	"faasioflex.dev/faasioflex"
)

func Handle(ctx context.Context, event faasioflex.Event) (any, error) {
	return event.Body, nil
}
"""

LANGUAGES = (
    Language(
        "python",
        (
            App("handler", {"main.py": _HANDLER}),
            App("async handler", {"main.py": _ASYNC}),
            App("ASGI", {"main.py": _ASGI}, same_as_bare=True),
        ),
        "uvicorn",
        _uvicorn,
        goal=0.7,
    ),
    Language("node", (App("handler", {"index.mjs": _NODE}),), "node http", _node_http, goal=0.8),
    Language("go", (App("handler", {"function.go": _GO}),), "net/http", _go_http, goal=0.8),
    Language("exec", (App("program", {"echo.sh": "#!/bin/sh\nexec cat\n"}, alone=False),)),
)
