"""The process of an instance: ``start.py --code FOLDER [--deps FOLDER] [--exec] [--check]``.

``--exec`` runs a program per call; with ``--interpreter PROGRAM --default FILE`` a script of that language, which a check
reads with ``--syntax OPTION`` of its interpreter.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ffx_runtime.capture import Streams
from ffx_runtime.context import Cancelled
from ffx_runtime.leaving import leave
from ffx_runtime.loading import CannotLoad, Loaded, load, prepare_path
from ffx_runtime.report import Report
from ffx_runtime.server import Server
from ffx_runtime.settings import Settings, take
from ffx_runtime.watch import WatchedSelector

if TYPE_CHECKING:
    from collections.abc import Callable

    from ffx_runtime.style import Style

WITH_VALUE = frozenset({"--code", "--deps", "--interpreter", "--default", "--syntax"})
SWITCH_INTERVAL_S = 0.0005  # a thread that computes lets the server's loop in this often


def main(arguments: list[str]) -> int:
    """Check, or serve until the end of the process; the exit code."""
    options = _options(arguments)
    code = Path(options["--code"]).resolve()
    deps = Path(options["--deps"]).resolve() if options.get("--deps") else None
    settings = take(dict(os.environ), code, deps)
    report = Report(settings.report_fd)
    streams = Streams(report)
    try:
        make_style = _prepare(settings, streams, options)
    except CannotLoad as error:
        os.write(2, f"{error.trace}{error}\n".encode("utf-8", "backslashreplace"))
        return 1
    if "--check" in options:
        return 0
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # what is loaded now lives as long as the process
    loop = asyncio.SelectorEventLoop(WatchedSelector())
    asyncio.set_event_loop(loop)
    serving = loop.create_task(_serve(settings, report, streams, make_style))
    while not serving.done():
        try:
            loop.run_until_complete(serving)
        except Cancelled:
            continue  # raised for a call that ended at that moment
    leave(serving.result())
    return 0


async def _serve(settings: Settings, report: Report, streams: Streams, make_style: Callable[[Server], Style]) -> int:
    server = Server(settings, report, streams)
    return await server.serve(make_style(server))


def _prepare(settings: Settings, streams: Streams, options: dict[str, str]) -> Callable[[Server], Style]:
    """Load the function. What it prints meanwhile is part of the log; in a check it is part of the build's."""
    if "--exec" in options:
        from ffx_runtime.executable import ExecStyle
        from ffx_runtime.program import find_program, find_script

        os.chdir(settings.code)
        interpreter, handler = options.get("--interpreter"), settings.handler or options.get("--default")
        if interpreter and handler:
            program = find_script(settings.code, handler, interpreter, options.get("--syntax"))
        else:
            program = find_program(settings.code, handler)
        return lambda server: ExecStyle(server, program)
    if "--check" not in options:
        streams.install()
    prepare_path(settings.code, settings.deps)
    loaded = load(settings.code, settings.handler)
    return lambda server: _style(server, loaded)


def _style(server: Server, loaded: Loaded) -> Style:
    if loaded.kind == "asgi":
        from ffx_runtime.asgi import AsgiStyle

        return AsgiStyle(server, loaded.target)
    if loaded.kind == "wsgi":
        from ffx_runtime.wsgi import WsgiStyle

        return WsgiStyle(server, loaded.target)
    from ffx_runtime.handler import HandlerStyle

    return HandlerStyle(server, loaded.target)


def _options(arguments: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = iter(arguments)
    for one in rest:
        found[one] = next(rest, "") if one in WITH_VALUE else ""
    return found
