"""A login driver with its real issuer, for the suite that every driver passes."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.identity.port import Login
from support.code_flow import CodeFlow


@dataclass(frozen=True)
class World:
    """A started driver, a client of it, and how somebody logs in there."""

    login: Login
    client_id: str
    redirect_uri: str

    async def flow(self) -> CodeFlow:
        return CodeFlow(await self.login.discovery(), self.client_id, self.redirect_uri, step="/local")

    async def id_token(self, email: str, password: str) -> str:
        """Raises: LoginRefused."""
        return str((await (await self.flow()).tokens(email, password))["id_token"])
