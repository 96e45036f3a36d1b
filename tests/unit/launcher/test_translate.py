from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.runtime.isolation import Shown
from faasioflex.runtime.process.isolation import translate
from faasioflex.runtime.verdicts import of_exit, of_signal

SHOWN = (
    Shown(Path("/data/builds/x"), "/ffx/code"),
    Shown(Path("/opt/runtime"), "/ffx/runtime"),
    Shown(Path("/data/job"), "/job", writable=True),
    Shown(Path("/data/inner"), "/job/inner"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/ffx/code", "/data/builds/x"),
        ("/ffx/code/main.py", "/data/builds/x/main.py"),
        ("--path=/ffx/code:/ffx/runtime/lib", "--path=/data/builds/x:/opt/runtime/lib"),
        ("/ffx/codex", "/ffx/codex"),
        ("/home/ffx/code", "/home/ffx/code"),
        ("/job/inner/a /job/b", "/data/inner/a /data/job/b"),
        ("echo > /job/x;", "echo > /data/job/x;"),
    ],
)
def test_paths_inside_become_the_host_s(text: str, expected: str) -> None:
    assert translate(text, SHOWN) == expected


@pytest.mark.parametrize(
    ("code", "reason", "word"),
    [
        (0, "exit", "code 0"),
        (75, "retired", "replaced"),
        (137, "killed", "SIGKILL"),
        (139, "signal", "SIGSEGV"),
        (200, "exit", "200"),
    ],
)
def test_exit_codes_in_words(code: int, reason: str, word: str) -> None:
    verdict = of_exit(code)
    assert (verdict.reason, verdict.exit_code) == (reason, code)
    assert word in verdict.detail


def test_a_signal_without_a_name_is_its_number() -> None:
    assert of_signal(60).detail == "ended by signal 60"
