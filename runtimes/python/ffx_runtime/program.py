"""Which file of an exec function is the program, and how it is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ffx_runtime.loading import CannotLoad

BINARY = (b"\x7fELF",) if sys.platform != "darwin" else (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


@dataclass(frozen=True)
class Program:
    argv: tuple[str, ...]


def find_program(code: Path, handler: str | None) -> Program:
    """The file that ``handler`` names, else the only file, else the only one that is executable.

    A script that is not executable is started by the interpreter of its ``#!`` line: code is read-only where it runs.
    Raises: CannotLoad.
    """
    path = _named(code, handler) if handler else _only(code)
    name = path.relative_to(code)
    interpreter = _interpreter(path)
    if interpreter is not None:
        found = shutil.which(interpreter[-1] if Path(interpreter[0]).name == "env" else interpreter[0])
        if found is None:
            raise CannotLoad(
                f"{name}:1: the interpreter {interpreter[-1]} is not there: use one of the sandbox, or bring a binary"
            )
    if os.access(path, os.X_OK):
        if interpreter is None and not _is_binary(path):
            raise CannotLoad(
                f"{name}: the kernel cannot run it, it is no binary of this system and has no #! line: add #!/bin/sh (or "
                "another interpreter) as its first line, or deploy it with runtime: bash"
            )
        return Program((str(path),))
    if interpreter is None:
        raise CannotLoad(f"{name}: is not executable and has no #! line: build a program, or begin the script with #!")
    return Program((*interpreter, str(path)))


def find_script(code: Path, handler: str, interpreter: str, syntax: str | None = None) -> Program:
    """The file ``handler``, run by ``interpreter`` ("bash", "awk -f"), whatever its ``#!`` line or its modes say.

    ``syntax``: the interpreter's option that reads a script without running it; given, a script with mistakes is refused.
    Raises: CannotLoad.
    """
    path = _named(code, handler)
    name, *options = interpreter.split()
    program = shutil.which(name)
    if program is None:
        raise CannotLoad(f"{name} is not on this machine: install it where the platform runs")
    if syntax is not None:
        read = subprocess.run([program, syntax, str(path)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if read.returncode != 0:
            said = read.stderr.decode("utf-8", "replace").replace(f"{code}{os.sep}", "")
            raise CannotLoad(next(iter(said.splitlines()), f"{handler}: {name} cannot read it"), said)
    return Program((program, *options, str(path)))


def _named(code: Path, handler: str) -> Path:
    path = (code / handler).resolve()
    if not path.is_relative_to(code) or not path.is_file():
        raise CannotLoad(f"{handler}: there is no such file: name the program in `handler`")
    return path


def _only(code: Path) -> Path:
    files = sorted(path for path in code.rglob("*") if path.is_file())
    executable = [path for path in files if os.access(path, os.X_OK)]
    for candidates in (files, executable):
        if len(candidates) == 1:
            return candidates[0]
    raise CannotLoad(
        f"there are {len(files)} files and {len(executable)} of them executable: name the program in `handler`"
    )


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in BINARY


def _interpreter(path: Path) -> tuple[str, ...] | None:
    """The ``#!`` line in the kernel's reading: the interpreter and at most one argument."""
    with path.open("rb") as file:
        line = file.readline(256)
    if not line.startswith(b"#!"):
        return None
    parts = line[2:].decode("utf-8", "replace").strip().split(None, 1)
    return tuple(parts) or None
