"""Words for the shell: what there is here, and on the platform in use. Quick and silent: no word is better than a wait."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

PATIENCE_S = 1.0
KEPT_S = 5.0  # several TABs in a row ask once


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
    found = _listed(ctx)
    if "/" in incomplete:
        return [name for name in found if name.startswith(incomplete)]
    own = _own_namespace(ctx)
    short = [name.partition("/")[2] if name.startswith(f"{own}/") else name for name in found]
    return [name for name in short if name.startswith(incomplete)]


def namespaces(ctx: Any, incomplete: str) -> list[str]:
    """Namespaces that have functions."""
    found = dict.fromkeys(name.partition("/")[0] for name in _listed(ctx))
    return [name for name in found if name.startswith(incomplete)]


def _own_namespace(ctx: Any) -> str:
    """Of names without one: the context's, else what the token says. Nobody is asked."""
    from faasioflex.client.tokens import Bearer, namespace_of
    from faasioflex.model.names import ADMIN_NAMESPACE

    try:
        target = _target(ctx)
        found = target.namespace or (None if callable(target.token) else namespace_of(Bearer(target.token).now()))
        if found is None and callable(target.token):
            from faasioflex.cli.signing_in.stored import load

            tokens = load(_meant(ctx).name)
            found = namespace_of(tokens.access_token) if tokens else None
    except Exception:
        found = None  # whatever it is, the line that is being typed is no place to say it
    return found or ADMIN_NAMESPACE


def _named(ctx: Any) -> tuple[str | None, Path | None, Path | None]:
    """URL, token file and data folder of the line so far."""
    url = ctx.params.get("url") or os.environ.get("FFX_URL")
    token_file, data = ctx.params.get("token_file"), ctx.params.get("data") or os.environ.get("FFX_DATA")
    return url, Path(token_file) if token_file else None, Path(data) if data else None


def _target(ctx: Any) -> Any:
    from faasioflex.cli.connect import resolve

    return resolve(*_named(ctx))


def _meant(ctx: Any) -> Any:
    from faasioflex.cli.connect import meant

    url, _, data = _named(ctx)
    return meant(url, data)


def _listed(ctx: Any) -> list[str]:
    """Up to 1,000 functions; none where the platform does not answer at once."""
    url, _, data = _named(ctx)
    found = remembered(_kept(url, str(data) if data else None), KEPT_S)
    if found is None:
        try:
            with _at_most(PATIENCE_S):
                found = _asked(ctx)
        except Exception:
            return []  # whatever it is, the line that is being typed is no place to say it
        remember(_kept(url, str(data) if data else None), found)
    return found


def _asked(ctx: Any) -> list[str]:
    from faasioflex.cli.connect import open_client

    target = _target(ctx)
    from faasioflex.client.request import NO_RETRY

    with open_client(replace(target, retry=NO_RETRY)) as client:
        return [str(function.function) for function in client.page(limit=1000).items]


def _kept(url: str | None, data: str | None) -> Path:
    """A file for what is meant: the platform named, else that of the context in use."""
    from faasioflex.cli.contexts import Contexts
    from faasioflex.model.errors import FfxError

    try:
        context = Contexts.load().used
    except FfxError:
        context = None
    meant = hashlib.sha256(json.dumps([url, str(data or ""), context]).encode()).hexdigest()[:16]
    home = os.environ.get("FFX_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "faasioflex")
    return Path(home, "completion", meant)


def remembered(file: Path, kept_s: float) -> list[str] | None:
    """What was written there in the last ``kept_s``."""
    try:
        if not 0 <= time.time() - file.stat().st_mtime < kept_s:
            return None
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) else None


def remember(file: Path, names: list[str]) -> None:
    """For the next key press; without it the platform is asked again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(names))
        new.replace(file)
    except OSError:
        return


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

    # while an option's value is being typed, arguments before it are not parsed yet
    folder = Path(ctx.args[0] if ctx.args else ctx.params.get("folder") or ".") / FOLDER
    found = sorted({path.stem for path in folder.glob("*") if path.suffix in KINDS})
    return [name for name in found if name.startswith(incomplete)]
