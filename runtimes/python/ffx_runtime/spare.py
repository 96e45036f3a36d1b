"""``start.py --spare``: everything that does not depend on a function is done now, then the process waits to be told which one.

What it is told comes once, on descriptor ``TOLD``: a JSON object ``{"argv", "env", "cwd"}``, as if the process was started
so. Where ``argv`` begins as that of this process does, its options go on here; any other program is executed in its place.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time

TOLD = 5
_OWN = ("handler", "asgi", "wsgi", "lifespan", "executable", "program", "child", "problem")
# Modules that many functions import: read once here, they are ready when one of them asks.
_COMMON = (
    *("datetime", "decimal", "uuid", "hashlib", "hmac", "base64", "random", "csv", "html", "string", "tempfile"),
    *("logging", "dataclasses", "typing", "enum", "pathlib", "urllib.request", "email.message", "textwrap", "copy"),
)


def wait() -> list[str]:
    """Returns the options of the function that this process is for. Does not return where it is for another program."""
    channel = socket.socket(fileno=TOLD)
    before = {name.partition(".")[0] for name in sys.modules}
    for name in (*(f"ffx_runtime.{own}" for own in _OWN), *_COMMON):
        if select.select([channel], [], [], 0)[0]:
            break  # somebody waits for us already: the rest is read when it is needed
        with contextlib.suppress(ImportError):  # an interpreter that was built without it
            importlib.import_module(name)
    common = {name.partition(".")[0] for name in sys.modules} - before
    gc.collect()
    gc.freeze()
    told = _told(channel)
    environment: dict[str, str] = told["env"]  # type: ignore[assignment]
    argv: list[str] = told["argv"]  # type: ignore[assignment]
    own = sys.orig_argv[:-1]  # without --spare
    os.chdir(str(told["cwd"]))
    if argv[: len(own)] != own:
        _become(argv, environment)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[1:] = argv[len(own) :]
    _forget(common, sys.argv[1:])
    return sys.argv[1:]


def _told(channel: socket.socket) -> dict[str, object]:
    """Say that we are ready, and read until the other side has said all. Its end without a word is ours."""
    said = bytearray()
    with channel, contextlib.suppress(OSError):
        channel.sendall(b"\n")
        while piece := channel.recv(65536):
            said += piece
    if not said:
        os._exit(0)
    return json.loads(said)  # type: ignore[no-any-return]


def _become(argv: list[str], environment: dict[str, str]) -> None:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; programs expect the default
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(argv[0], argv, environment)  # noqa: S606


def _forget(common: set[str], options: list[str]) -> None:
    """A function's own module of such a name is the one that it imports."""
    code = options[options.index("--code") + 1]
    theirs = {entry.partition(".")[0] for entry in os.listdir(code)} & common
    for name in list(sys.modules):
        if name.partition(".")[0] in theirs:
            del sys.modules[name]
