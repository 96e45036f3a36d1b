"""Who is connected to a unix socket that we listen on, as the kernel's table says it."""

from __future__ import annotations

from pathlib import Path

_TABLE = Path("/proc/net/unix")
_FLAGS, _PATH = 3, 7  # columns
_LISTENS = 0x10000


def connections(socket: Path, table: str | None = None) -> int | None:
    """Connections to ``socket``, also those that wait to be accepted. None where the system has no such table.

    ``table``: the text of /proc/net/unix, for tests.
    """
    if table is None:
        try:
            table = _TABLE.read_text("utf-8", "surrogateescape")
        except OSError:
            return None
    wanted, found = str(socket), 0
    for line in table.splitlines():
        if line.endswith(wanted):
            fields = line.split(maxsplit=_PATH)
            if len(fields) > _PATH and fields[_PATH] == wanted and not int(fields[_FLAGS], 16) & _LISTENS:
                found += 1
    return found
