"""What the platform tells an instance by its environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
_PRIVATE = ("FFX_CONFIG", "FFX_REPORT_FD", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


@dataclass(frozen=True)
class Settings:
    code: Path
    deps: Path | None
    handler: str | None
    timeout_s: float
    concurrency: int
    payload_bytes: int | None  # None takes any size
    namespace: str
    function: str
    revision: int
    listen_fd: int | None
    port: int | None
    socket: str | None
    report_fd: int | None


def take(environment: dict[str, str], code: Path, deps: Path | None) -> Settings:
    """Read the settings, and take those out of ``environment`` that are no business of the function.

    Raises: ValueError, KeyError for an environment that no platform wrote.
    """
    config = json.loads(environment.get("FFX_CONFIG", "{}"))
    report = environment.get("FFX_REPORT_FD")
    listens = int(environment.get("LISTEN_FDS", "0")) > 0
    made = Settings(
        code=code,
        deps=deps,
        handler=config.get("handler"),
        timeout_s=float(config.get("timeout_s", 30)),
        concurrency=int(config.get("concurrency", 10)),
        payload_bytes=config.get("payload_bytes", 6 * MIB),
        namespace=environment.get("FFX_NAMESPACE", "local"),
        function=environment.get("FFX_FUNCTION", "function"),
        revision=int(environment.get("FFX_REVISION", "0")),
        listen_fd=3 if listens else None,
        port=int(environment["PORT"]) if environment.get("PORT") else None,
        socket=environment.get("FFX_SOCKET"),
        report_fd=int(report) if report else None,
    )
    for name in _PRIVATE:
        environment.pop(name, None)
        os.environ.pop(name, None)
    return made
