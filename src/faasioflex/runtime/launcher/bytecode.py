"""Bytecode of the runtimes that are written in Python, made before the first instance starts.

Inside a sandbox their folder is read-only: without it every start would compile some thirty modules again, a third of the time
that a first call takes.
"""

from __future__ import annotations

import compileall
from contextlib import suppress
from pathlib import Path

from faasioflex.runtime.language import language, languages
from faasioflex.runtime.launcher.journal import log


def compile_runtimes(folder: Path | None = None) -> None:
    """Compile what is new in the runtimes' folders (default: the installed ones); a folder that cannot be written is told."""
    for each in sorted({language(name, folder).folder for name in languages(folder)}):
        if not compileall.compile_dir(each, quiet=2):
            log.warning("runtime is not compiled: its instances start slower", extra={"folder": str(each)})
        for made in each.rglob("__pycache__"):
            _open(made, 0o055)
            for file in made.glob("*.pyc"):
                _open(file, 0o044)


def _open(path: Path, bits: int) -> None:
    """Whatever the umask: instances run as other uids, and what they cannot read they compile again."""
    with suppress(PermissionError, FileNotFoundError):  # of who installed the platform; made anew just now
        mode = path.stat().st_mode
        if mode & bits != bits:
            path.chmod(mode | bits)
