"""Exit codes in words."""

from __future__ import annotations

import signal

from faasioflex.model.instance import EndReason
from faasioflex.runtime.isolation import RETIRED, Verdict


def of_exit(code: int) -> Verdict:
    """``code`` as shells and bubblewrap give it: 128 + n for signal n."""
    if code == RETIRED:
        return Verdict("retired", "asked to be replaced: a handler did not return", code)
    if 128 < code <= 128 + 64:
        return of_signal(code - 128)
    return Verdict("exit", f"ended by itself with exit code {code}", code)


def of_signal(number: int) -> Verdict:
    try:
        name = f" ({signal.Signals(number).name})"
    except ValueError:
        name = ""
    reason: EndReason = "killed" if number == signal.SIGKILL else "signal"
    return Verdict(reason, f"ended by signal {number}{name}", 128 + number)
