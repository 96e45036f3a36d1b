"""The program that ``ffx up`` becomes: from its settings to its exit code."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import resource
import sys

from faasioflex.model.errors import FfxError
from faasioflex.platform.lock import FolderLock
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import leftovers
from faasioflex.platform.supervisor.console import Console
from faasioflex.platform.supervisor.part_log import PartLog
from faasioflex.platform.supervisor.ports import listen_address
from faasioflex.platform.supervisor.supervisor import Supervisor, prepare_folder

OPEN_FILES = 65_536  # each connection is one; systems set 1024 for programs that use select


def main(arguments: list[str]) -> int:
    """0 after an orderly stop, 1 where the platform did not start (the reason is on stderr)."""
    given = json.loads(arguments[0]) if arguments else {}
    detached = bool(given.pop("detached", False))
    os.umask(0o077)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (most, most)
    )  # each connection is one; the soft limit is for old programs
    try:
        settings = Settings.load(given)
        host = listen_address(settings.host, secure=settings.secure, insecure=settings.insecure_plain_http)
        folder = settings.folder
        prepare_folder(folder)
        lock = FolderLock(folder)
        lock.take()
    except FfxError as error:
        return _failed(error)
    log = PartLog(folder.log / "supervisor.log", settings.log_file_bytes, settings.log_files, lambda _: None)
    console = Console(log)
    try:
        left = leftovers.find(folder)
        if left:
            console.say(f"Ending {len(left)} processes that the platform before left behind", level="warning")
            leftovers.end(left)
        leftovers.remove_sockets(folder)
        console.say(f"FaaSioFlex with its data in {folder.root}")
        if settings.insecure_plain_http and not settings.secure and not ipaddress.ip_address(host).is_loopback:
            console.say(
                "Passwords and tokens travel WITHOUT ENCRYPTION (--insecure-plain-http): whoever listens on the way can use them.",
                level="warning",
            )
        if settings.runtime == "process":
            console.say(
                "Functions run WITHOUT ISOLATION (--runtime process): they can read and change everything that you can. "
                "Only for code that you trust.",
                level="warning",
            )

        def ready(url: str) -> None:
            if detached:
                console.quiet()
            else:
                console.say(f"  functions {url}/f/NAMESPACE/NAME   API {url}/docs   stop with Ctrl-C")

        asyncio.run(Supervisor(settings, host, console).run(ready))
    except FfxError as error:
        console.record(error.message, level="error", code=error.code)
        return _failed(error)
    finally:
        leftovers.remove_sockets(folder)
        leftovers.remove_socket_folder(folder)
        lock.release()
    return 0


def _failed(error: FfxError) -> int:
    print(f"Error: {error.message}\ncode: {error.code}", file=sys.stderr, flush=True)
    return 1
