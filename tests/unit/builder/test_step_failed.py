"""What people read of a step that failed."""

from __future__ import annotations

from faasioflex.manager.builder.jobs import QUOTED_LINES, Step, StepFailed, StepLimits
from faasioflex.runtime.port import JobEnded

TOOL = Step("fetch packages", (), {}, ())
CHECK = Step("check", (), {}, (), limits=StepLimits(), explains=True, when_slow="see what it does at import")


def _message(step: Step, code: int | None, detail: str, lines: list[str]) -> str:
    return StepFailed(step, JobEnded(code, detail), lines).build_failed().message


def test_a_tools_last_lines_are_quoted() -> None:
    lines = [f"line {number}" for number in range(100)]
    said = _message(TOOL, 2, "ended by itself with exit code 2", lines).splitlines()
    assert said[0] == "fetch packages failed (exit code 2):"
    assert said[1:] == lines[-QUOTED_LINES:]
    assert _message(TOOL, 2, "", []) == "fetch packages failed (exit code 2)"


def test_a_checks_last_line_comes_first() -> None:
    lines = ["Traceback", "  File main.py", "main.py:1: ValueError: no"]
    assert _message(CHECK, 1, "", lines).splitlines() == [lines[2], lines[0], lines[1]]
    assert _message(CHECK, 1, "", []) == "check failed (exit code 1)"
    assert _message(CHECK, 3, "", ["so far"]) == "check failed (exit code 3):\nso far"


def test_advice_about_an_instances_limits_is_given_for_those_only() -> None:
    detail = "used more than its 96 MiB of memory: raise limits.memory_bytes or let it use less"
    assert _message(CHECK, None, detail, []) == f"check failed ({detail})"
    assert _message(TOOL, None, detail, []) == "fetch packages failed (used more than its 96 MiB of memory)"


def test_a_check_without_end_says_where_to_look() -> None:
    slow = "took longer than its 60 s"
    assert _message(CHECK, None, slow, []) == f"check failed ({slow}: see what it does at import)"
    assert _message(CHECK, None, slow, ["so far"]) == f"check failed ({slow}: see what it does at import):\nso far"
    assert _message(TOOL, None, slow, []) == f"fetch packages failed ({slow})"
    assert _message(CHECK, None, "the platform stops", []) == "check failed (the platform stops)"
