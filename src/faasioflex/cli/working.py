"""Signs of life on stderr while something takes long; silence where stderr is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

SHOWN_FROM_BYTES = 1024 * 1024


def stderr_is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner beside ``what``."""
    if not stderr_is_terminal():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def telling(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner beside ``what`` under the lines that are said through the function it yields."""
    if not stderr_is_terminal():
        yield say
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.status(what):
        yield console.print


def say(text: str) -> None:
    """A line on stderr: progress is for people, stdout for what was asked for."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def shown_while_read(file: IO[bytes], size: int, what: str) -> Iterator[IO[bytes]]:
    """``file`` with a progress bar over its ``size`` bytes, where there is enough to wait for."""
    if size < SHOWN_FROM_BYTES or not stderr_is_terminal():
        yield file
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=size)
        yield cast(IO[bytes], _Counted(file, lambda at: progress.update(task, completed=at)))


class _Counted:
    """A file that tells how far it was read."""

    def __init__(self, file: IO[bytes], told: Any) -> None:
        self._file, self._told = file, told

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._told(self._file.tell())
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
