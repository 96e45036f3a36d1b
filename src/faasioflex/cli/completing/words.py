"""Words for the shell: what there is here, and on the platform in use. Quick and silent: no word is better than a wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 1.0


def runtimes(incomplete: str) -> list[str]:
    """Languages that have a template."""
    from faasioflex.cli.templates import templates

    return [name for name in templates() if name.startswith(incomplete)]


def contexts(incomplete: str) -> list[str]:
    """Names of contexts, and that of the platform on this machine."""
    from faasioflex.cli.contexts import LOCAL, Contexts
    from faasioflex.model.errors import FfxError

    try:
        return [name for name in (*Contexts.load().known, LOCAL) if name.startswith(incomplete)]
    except FfxError:
        return []


def functions(ctx: Any, incomplete: str) -> list[str]:
    """Names on the platform that the line so far means; with their namespace where one is being typed."""
    from faasioflex.model.names import ADMIN_NAMESPACE

    found = _listed(ctx)
    if "/" in incomplete:
        return [name for name in found if name.startswith(incomplete)]
    own = _namespace(ctx) or ADMIN_NAMESPACE
    short = [name.partition("/")[2] if name.startswith(f"{own}/") else name for name in found]
    return [name for name in short if name.startswith(incomplete)]


def namespaces(ctx: Any, incomplete: str) -> list[str]:
    """Namespaces that have functions."""
    found = dict.fromkeys(name.partition("/")[0] for name in _listed(ctx))
    return [name for name in found if name.startswith(incomplete)]


def _namespace(ctx: Any) -> str | None:
    from faasioflex.cli.contexts import Contexts
    from faasioflex.model.errors import FfxError

    if ctx.params.get("url") or os.environ.get("FFX_URL"):
        return None
    try:
        current = Contexts.load().current
    except FfxError:
        return None
    return current.namespace if current else None


def _listed(ctx: Any) -> list[str]:
    """Up to 1,000 functions, one request; none where the platform does not answer at once."""
    from faasioflex.cli.connect import open_client, resolve

    token_file, data = ctx.params.get("token_file"), ctx.params.get("data") or os.environ.get("FFX_DATA")
    url = ctx.params.get("url") or os.environ.get("FFX_URL")
    try:
        with _at_most(PATIENCE_S):
            target = resolve(url, Path(token_file) if token_file else None, Path(data) if data else None)
            with open_client(target) as client:
                return [str(function.function) for function in client.page(limit=1000).items]
    except Exception:
        return []  # whatever it is, the line that is being typed is no place to say it


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises: TimeoutError inside, when they are over. For the main thread of a process that does nothing else."""

    def over(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def samples(ctx: Any, incomplete: str) -> list[str]:
    """Names of the sample requests in the folder that was named, else in this one."""
    from faasioflex.cli.developing.samples import FOLDER, KINDS

    folder = Path(ctx.params.get("folder") or ".") / FOLDER
    found = sorted({path.stem for path in folder.glob("*") if path.suffix in KINDS})
    return [name for name in found if name.startswith(incomplete)]
