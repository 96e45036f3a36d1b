"""The kernel's table of unix sockets."""

from __future__ import annotations

from pathlib import Path

from faasioflex.runtime.launcher.connected import connections

TABLE = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 25640 /data/run/i/i-1.sock
0000000000000000: 00000003 00000000 00000000 0001 03 25641 /data/run/i/i-1.sock
0000000000000000: 00000003 00000000 00000000 0001 02 25642 /data/run/i/i-1.sock
0000000000000000: 00000003 00000000 00000000 0001 03 25643
0000000000000000: 00000003 00000000 00000000 0001 03 25644 /other/data/run/i/i-1.sock
0000000000000000: 00000002 00000000 00010000 0001 01 25645 /data/run/i/i-2.sock
"""


def test_connections_are_counted_also_those_that_wait_and_not_the_listener() -> None:
    assert connections(Path("/data/run/i/i-1.sock"), TABLE) == 2
    assert connections(Path("/data/run/i/i-2.sock"), TABLE) == 0
    assert connections(Path("/data/run/i/i-3.sock"), TABLE) == 0
