"""The machine's own toolchains: programs in PATH, asked for their version once per process."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from faasioflex.runtime.toolchain.need import Need
from faasioflex.runtime.toolchain.toolchain import Toolchain

_VERSION = re.compile(r"(?<![\d.])(\d+\.\d+(?:\.\d+)?(?:(?:a|b|rc)\d+)?)(?![\d.])")
_ANSWERS_WITHIN_S = 20.0
_ALL_MAY_RUN = 0o005


def of_machine(need: Need) -> Toolchain | None:
    """The first in PATH that is suitable."""
    return _look(need, os.environ.get("PATH", ""))


@cache
def _look(need: Need, path: str) -> Toolchain | None:
    seen: set[Path] = set()
    for folder in path.split(os.pathsep):
        if not os.path.isabs(folder):
            continue
        program = (Path(folder) / Path(need.program).name).resolve()
        if program in seen or not program.is_file():
            continue
        seen.add(program)
        root = _root(need, program)
        if root is None:
            continue
        version = version_of(need, program)
        if version is not None and need.suits(version):
            return Toolchain(need.name, version, root, fetched=False, parts=need.parts)
    return None


def version_of(need: Need, program: Path) -> str | None:
    """What it says of itself; None where it cannot be run or says nothing."""
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LD_LIBRARY_PATH"}}
    try:
        done = subprocess.run(
            [program, *need.version_argv],
            env={
                **environment,
                "GOTOOLCHAIN": "local",
            },  # a Go that answers for another one would not be the one we use
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_ANSWERS_WITHIN_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_version(done.stdout) if done.returncode == 0 else None


def read_version(output: str) -> str | None:
    """``v24.19.0``, ``go version go1.27.3 linux/amd64`` -> the number."""
    found = _VERSION.search(output.replace("go version go", "").replace("-rc.", "rc"))
    return found[1] if found else None


def _root(need: Need, program: Path) -> Path | None:
    """Its folder, if the program lies there as in an unpacked release, with all parts, and every uid may run it.

    A wrapper in some ``~/bin`` is none: functions would see that home.
    """
    tail = Path(need.program).parts
    if program.parts[-len(tail) :] != tail or program.stat().st_mode & _ALL_MAY_RUN != _ALL_MAY_RUN:
        return None
    root = Path(*program.parts[: -len(tail)])
    complete = all((root / part).exists() for part in need.parts)
    return root if complete and root != Path(root.anchor) else None
