"""A login for tests of what comes after it: ID tokens are made by hand and believed."""

from __future__ import annotations

import json
from dataclasses import asdict

from faasioflex.identity.port import Identity, LoginAbilities, LoginUser
from faasioflex.model.errors import NotAllowed, NotAuthenticated, TokenExpired


class FakeLogin:
    """``id_token`` makes what ``verify_id_token`` takes; no signature is on it."""

    issuer = "http://login.test"
    abilities = LoginAbilities(users=False, disable=False, device_code=False, password_reset=False)
    problem = None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def id_token(self, subject: str, now: float, groups: tuple[str, ...] = (), *, email: str = "") -> str:
        email = email or f"{subject}@example.test"
        return json.dumps(
            asdict(Identity(self.issuer, subject, email, True, subject.title(), groups, "ffx-cli", now + 300, now))
        )

    async def discovery(self) -> dict[str, object]:
        return {"issuer": self.issuer}

    async def jwks(self) -> dict[str, object]:
        return {"keys": []}

    async def verify_id_token(self, token: str, now: float) -> Identity:
        try:
            said = json.loads(token)
            identity = Identity(**{**said, "groups": tuple(said["groups"])})
        except (ValueError, TypeError, KeyError):
            raise NotAuthenticated("This is no ID token") from None
        if identity.expires_at <= now:
            raise TokenExpired("The ID token has expired")
        return identity

    async def users(self) -> list[LoginUser]:
        raise NotAllowed("This login keeps its people to itself")

    async def create_user(self, email: str, name: str, password: str) -> LoginUser:
        raise NotAllowed("This login keeps its people to itself")

    async def change_user(
        self, subject: str, *, name: str | None = None, password: str | None = None, disabled: bool | None = None
    ) -> LoginUser:
        raise NotAllowed("This login keeps its people to itself")

    async def delete_user(self, subject: str) -> None:
        raise NotAllowed("This login keeps its people to itself")
