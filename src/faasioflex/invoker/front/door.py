"""Who comes to the invoker's socket, and for what: by a token, or by the gateway's word where it proves itself."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from aiohttp import web

from faasioflex.identity.authenticator import Authenticate
from faasioflex.identity.badge import Badge
from faasioflex.identity.directory import Directory
from faasioflex.identity.principal import ANONYMOUS, Principal
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.invoker.front.request import call_of
from faasioflex.invoker.target import from_headers, from_path
from faasioflex.model.errors import NotAuthenticated, TokenExpired

PROOF_HEADER = "x-ffx-proof"
PID_HEADER, USER_HEADER, JTI_HEADER = "x-ffx-pid", "x-ffx-user", "x-ffx-jti"
ASKED_AGAIN_S = 1.0  # a record that is not there is not asked for again within
MOST_ASKED = 10_000


class Door:
    """``proof``: with it the gateway's fields ``x-ffx-*`` are believed, without it they mean nothing; "" believes nobody."""

    def __init__(
        self, authenticate: Authenticate, directory: Directory, proof: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._authenticate = authenticate
        self._directory = directory
        self._proof = proof.encode()
        self._clock = clock
        self._asked: dict[str, float] = {}

    def is_gateway(self, request: web.BaseRequest) -> bool:
        """Whether it carries the proof: a call that the gateway has let through and its instances had no room for."""
        shown = request.headers.getall(PROOF_HEADER, [])
        return bool(self._proof) and len(shown) == 1 and hmac.compare_digest(shown[0].encode(), self._proof)

    async def read(self, request: web.BaseRequest, request_id: str) -> Call:
        """The call that a request means. Raises: NotFound, FunctionNotFound, NotAuthenticated, Unavailable."""
        headers = request.headers
        if self.is_gateway(request) and (name := headers.get("x-ffx-function")) is not None:
            namespace, revision = headers.get("x-ffx-namespace", ""), headers.get("x-ffx-revision")
            call = call_of(request, from_headers(request.raw_path, namespace, name, revision), request_id)
            call.caller = self._told(request)
            call.keeps_authorization = call.caller is NOBODY
            return call
        call = call_of(request, from_path(request.raw_path), request_id)
        call.caller, call.keeps_authorization = await self.caller(request)
        return call

    async def caller(self, request: web.BaseRequest) -> tuple[Caller, bool]:
        """Who shows which token; and whether the Authorization is none of ours, so the function's own business.

        Raises: NotAuthenticated where it is there more than once; Unavailable.
        """
        shown = request.headers.getall("Authorization", [])
        if len(shown) > 1:
            raise NotAuthenticated("Send one Authorization header, not several")
        try:
            principal = await self._authenticated(shown)
        except NotAuthenticated as error:
            return Caller(refused=error), not (error.pid or isinstance(error, TokenExpired))
        return Caller(principal), principal.kind == "anonymous"

    async def _authenticated(self, shown: list[str]) -> Principal:
        """What was made a moment ago (an account, a token) may not have come here yet: the leader knows."""
        try:
            return self._authenticate.bearer(shown)
        except NotAuthenticated as error:
            now = self._clock()
            if not error.pid or now < self._asked.get(error.pid, 0.0):
                raise
            if len(self._asked) >= MOST_ASKED:
                self._asked.clear()
            self._asked[error.pid] = now + ASKED_AGAIN_S
            await self._directory.learn(error.pid)
        return self._authenticate.bearer(shown)

    def _told(self, request: web.BaseRequest) -> Caller:
        """By the gateway, which has verified the token; the directory says who that is now."""
        pid = request.headers.get(PID_HEADER, "")
        if not pid:
            return NOBODY
        now = self._clock()
        badge = Badge(pid, request.headers.get(USER_HEADER, pid), request.headers.get(JTI_HEADER, ""), now)
        return caller_of(self._directory, badge, now)


def caller_of(directory: Directory, badge: Badge, now: float) -> Caller:
    """Whose badge it is; anonymous where it does not hold any more."""
    try:
        return Caller(directory.principal(badge.claims, now))
    except NotAuthenticated as error:
        return Caller(ANONYMOUS, error)
