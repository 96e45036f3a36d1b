"""Who made a queued call, when it comes to run it: as the directory knows them now."""

from __future__ import annotations

from faasioflex.identity.badge import Badge
from faasioflex.identity.directory import Directory
from faasioflex.identity.principal import ANONYMOUS
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.invocation import CalledBy
from faasioflex.model.queue import QueuedCall

MOST_KNOWN = 10_000
ANYBODY = CalledBy("", "anonymous")


class Callers:
    """Who is gone, disabled or cut off since may not do it any more; that a token has ended meanwhile does not matter."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[tuple[str, str, str], tuple[float, Caller]] = {}
        directory.listen(self._known.clear)

    def of(self, call: QueuedCall) -> Caller:
        """What held for a call of theirs holds for later ones too, as long as nothing changes in the directory."""
        if not call.pid:
            return NOBODY
        key = (call.pid, call.principal.uid, call.caller_function_uid)
        known = self._known.get(key)
        if known is not None and known[0] <= call.accepted_at:
            return known[1]
        badge = Badge(call.pid, call.principal.uid, "", call.accepted_at, call.caller_function_uid)
        try:
            caller = Caller(self._directory.principal(badge.claims, call.accepted_at))
        except NotAuthenticated as error:
            return Caller(ANONYMOUS, error)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = (call.accepted_at, caller)
        return caller


def called_by(caller: Caller) -> CalledBy:
    principal = caller.principal
    return ANYBODY if principal.kind == "anonymous" else CalledBy(principal.uid, principal.display)
