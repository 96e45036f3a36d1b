"""Who made a queued call, when it comes to run it: as the directory knows them now."""

from __future__ import annotations

from faasioflex.identity.badge import Badge
from faasioflex.identity.directory import Directory
from faasioflex.identity.principal import ANONYMOUS
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.invocation import CalledBy
from faasioflex.model.queue import QueuedCall

ANYBODY = CalledBy("", "anonymous")


def caller_of_queued(directory: Directory, call: QueuedCall) -> Caller:
    """Who is gone, disabled or cut off since may not do it any more; that a token has ended meanwhile does not matter."""
    if not call.pid:
        return NOBODY
    badge = Badge(call.pid, call.principal.uid, "", call.accepted_at, call.caller_function_uid)
    try:
        return Caller(directory.principal(badge.claims, call.accepted_at))
    except NotAuthenticated as error:
        return Caller(ANONYMOUS, error)


def called_by(caller: Caller) -> CalledBy:
    principal = caller.principal
    return ANYBODY if principal.kind == "anonymous" else CalledBy(principal.uid, principal.display)
