from __future__ import annotations

import json

import pytest

from faasioflex.platform.supervisor.console import readable


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (json.dumps({"level": "info", "event": "call", "timestamp": "t"}), None),
        (
            json.dumps(
                {"level": "warning", "event": "instance ended", "instance": "i-1", "timestamp": "t", "part": "x"}
            ),
            ("warning", "instance ended instance=i-1"),
        ),
        ("[12] 2026/01/02 03:04:05.678901 [INF] Server is ready", None),
        ("[12] 2026/01/02 03:04:05.678901 [ERR] disk full", ("ERR", "disk full")),
        ("2026-01-02T03:04:05.678Z warning main something odd", ("warning", "something odd")),
        ("2026-01-02T03:04:05.678Z info main all is well", None),
        ("[12] 2026/01/02 03:04:05.678901 [WRN] Plaintext passwords detected, use nkeys or bcrypt", None),
        ("Traceback (most recent call last):", None),
        ("{not json", None),
    ],
)
def test_people_see_warnings_only(line: str, shown: tuple[str, str] | None) -> None:
    assert readable(line) == shown
