"""Which sandboxes of an installation are instances, as seen from outside: others wait for a function still."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from faasioflex.platform.folder import DataFolder


def in_use(data: Path) -> dict[str, str]:
    """``FFX_INSTANCE`` in the environment of its processes, and the name of its function, of every instance."""
    where = DataFolder.at(data).launcher_socket
    pool = _ask(where, "pool") or {"used": {}}
    instances = {one["id"]: one["function"]["name"] for one in _ask(where, "observe")}
    return {pool["used"].get(identifier, identifier): name for identifier, name in instances.items()}


def waiting(data: Path) -> int:
    """How many sandboxes wait for a function now."""
    pool = _ask(DataFolder.at(data).launcher_socket, "pool")
    return sum(pool["spares"].values()) if pool else 0


def _ask(where: Path, operation: str) -> Any:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(where))
        connection.sendall(json.dumps({"id": 1, "op": operation}).encode() + b"\n")
        with connection.makefile("rb") as answers:
            return json.loads(answers.readline())["ok"]
