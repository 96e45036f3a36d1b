"""Bytecode of the runtimes that are written in Python, made before the first instance starts.

Inside a sandbox their folder is read-only: without it every start would compile some thirty modules again, a third of the time
that a first call takes.
"""

from __future__ import annotations

import compileall
from pathlib import Path

from faasioflex.runtime.language import language, languages
from faasioflex.runtime.launcher.journal import log


def compile_runtimes(folder: Path | None = None) -> None:
    """Compile what is new in the runtimes' folders (default: the installed ones); a folder that cannot be written is told."""
    for each in sorted({language(name, folder).folder for name in languages(folder)}):
        if not compileall.compile_dir(each, quiet=2):
            log.warning("runtime is not compiled: its instances start slower", extra={"folder": str(each)})
