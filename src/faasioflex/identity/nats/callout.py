"""The auth callout: nats-server asks us about every client that is none of our parts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from faasioflex.bus.port import Asked
from faasioflex.identity.authenticator import LONGEST_TOKEN
from faasioflex.identity.badge import Badge
from faasioflex.identity.nats.nkeys import AccountKey, read
from faasioflex.identity.nats.people import Known
from faasioflex.identity.nats.rights import Rights
from faasioflex.identity.port import TokenVerifier
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import FfxError, NotAuthenticated
from faasioflex.model.messages import USERS_ACCOUNT

log = structlog.get_logger(__name__)
SUBJECT = "$SYS.REQ.USER.AUTH"
AUDIENCE = "nats-authorization-request"
MOST_SUBSCRIPTIONS = 1000  # of one connection


class Callout:
    """Answers one request after the other; ``answer`` is a handler of the bus."""

    def __init__(
        self, key: AccountKey, verifier: TokenVerifier, known: Known, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._verifier = verifier
        self._known = known
        self._clock = clock

    async def answer(self, asked: Asked) -> bytes | None:
        """The server's request, verified; the client's token, verified; then what the client may do. None: it is not the server's."""
        try:
            request = read(asked.data.decode())
            if request.get("aud") != AUDIENCE or request.get("sub") != self._key.public:
                raise ValueError("not for us")
            wanted = request["nats"]
            server, nkey, options = str(wanted["server_id"]["id"]), str(wanted["user_nkey"]), wanted["connect_opts"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("a request for authorization cannot be read", reason=str(error))
            return None
        try:
            said: dict[str, Any] = {"jwt": await self._let_in(nkey, options)}
        except FfxError as error:
            log.info("a NATS client is refused", code=error.code, reason=error.message)
            said = {"error": error.message}
        except Exception:
            log.exception("a NATS client could not be checked")
            said = {"error": "It cannot be told now who this is: connect again"}
        response = {"type": "authorization_response", "version": 2, **said}
        return self._key.sign({"sub": nkey, "aud": server, "nats": response}, self._clock()).encode()

    async def _let_in(self, nkey: str, options: dict[str, Any]) -> str:
        token = _token(options)
        if self._known.problem is not None:
            raise NotAuthenticated("Identity is being read: connect again")
        claims = self._verifier.verify(token)
        now = self._clock()
        principal = await self._known.principal(claims, now)
        rights = self._known.rights(principal)
        badge = badge_of(principal, rights, claims.issued_at)
        user = {"sub": nkey, "aud": USERS_ACCOUNT, "name": badge.text, "exp": int(claims.expires_at)}
        return self._key.sign({**user, "nats": _permissions(rights)}, now)


def badge_of(principal: Principal, rights: Rights, issued_at: float) -> Badge:
    digests = f"{rights.own_digest}.{rights.open_digest}"
    return Badge(principal.pid, principal.uid, principal.jti, issued_at, principal.function_uid, digests)


def _permissions(rights: Rights) -> dict[str, Any]:
    return {
        "type": "user",
        "version": 2,
        "subs": MOST_SUBSCRIPTIONS,
        "data": -1,
        "payload": -1,
        "pub": {"allow": list(rights.publish)},
        "sub": {"allow": [*rights.own, *rights.open]},
    }


def _token(options: dict[str, Any]) -> str:
    """Where clients put it: ``token``, or the password of any user, or ``jwt``. Raises: NotAuthenticated."""
    for field in ("auth_token", "pass", "jwt"):
        text = options.get(field)
        if isinstance(text, str) and text:
            if len(text) > LONGEST_TOKEN:
                raise NotAuthenticated("The token is too long to be one of this platform")
            return text
    raise NotAuthenticated("Connect with a platform token (option token)")
