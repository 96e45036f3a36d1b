"""How the command says that something failed: on stderr, one sentence, the code, and what to do next."""

from __future__ import annotations

import sys

from faasioflex.model.errors import FfxError

HINTS = {
    "unreachable": "Start it with 'ffx up', or name another one with --url or 'ffx context use'.",
    "function-not-found": "'ffx list' shows the functions there are.",
    "revision-not-found": "'ffx revisions NAME' shows the revisions there are.",
    "build-failed": "'ffx build-log NAME' shows the whole log.",
    "start-failed": "'ffx logs NAME' shows what the function wrote.",
    "not-authenticated": "'ffx login' logs you in; --token-file and FFX_TOKEN take a token.",
    "token-expired": "'ffx login' logs you in again.",
    "token-revoked": "'ffx login' logs you in again.",
    "not-allowed": "'ffx whoami' shows what you are; an owner can 'ffx grant' you more.",
    "conflict": "Run the command again.",
    "queue-full": "Try again later, or raise limits.queue or scaling.max_instances.",
}


def report(error: FfxError) -> None:
    """Write ``error`` to stderr: message, wrong fields, hint, ``code`` and the request id where there is one."""
    lines = [f"Error: {error.message}"]
    unsaid = [field for field in error.errors if field.message not in error.message]
    lines += [f"  {field.pointer or '(whole document)'}: {field.message}" for field in unsaid]
    if hint := HINTS.get(error.code):
        lines.append(f"Hint: {hint}")
    request_id = getattr(error, "request_id", None)
    lines.append(f"code: {error.code}" + (f"  request id: {request_id}" if request_id else ""))
    _write("\n".join(lines))


def report_unexpected(error: Exception) -> None:
    """A mistake of ours: what it is, and how to get the traceback."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _write(f"Error: {what}\nHint: this should not happen; FFX_DEBUG=1 shows where.\ncode: internal")


def _write(text: str) -> None:
    try:
        print(text, file=sys.stderr)
    except BrokenPipeError:
        return
