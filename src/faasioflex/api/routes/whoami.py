"""Who asks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from faasioflex.api.identity import Caller, Identities, Shown
from faasioflex.api.problems import problems
from faasioflex.api.resource.shapes import Shape, Time
from faasioflex.api.resource.times import rfc3339
from faasioflex.api.resource.tokens import ScopeOut, scope_document
from faasioflex.identity.principal import Principal
from faasioflex.model.identity import PrincipalKind, Role

router = APIRouter(tags=["identity"])


class NatsOut(Shape):
    url: str = Field(description="Where clients connect, with the token as token")
    inbox_prefix: str


class WhoamiOut(Shape):
    kind: PrincipalKind
    id: str
    user: str = Field(description="What functions are told as X-Ffx-User")
    email: str
    name: str
    namespace: str | None = Field(description="Of names without one")
    role: Role | None = Field(description="Everywhere")
    groups: list[str]
    roles: dict[str, list[Role]] = Field(description="By namespace")
    scope: ScopeOut | None = Field(description="Of the token; null: whatever the caller may do")
    expires_at: Time
    nats: NatsOut


@router.get("/whoami", response_model=WhoamiOut, responses=problems(401))
async def whoami(identity: Identities, caller: Caller, shown: Shown) -> Response:
    """What the token says, and what follows from it."""
    return JSONResponse(_document(caller, identity.tokens.expires_at(shown), identity.nats_url))


def _document(caller: Principal, expires_at: float, nats_url: str) -> dict[str, Any]:
    return {
        "kind": caller.kind,
        "id": caller.pid,
        "user": caller.uid,
        "email": caller.email,
        "name": caller.name,
        "namespace": caller.namespace,
        "role": caller.role,
        "groups": sorted(caller.groups),
        "roles": {namespace: sorted(roles) for namespace, roles in sorted(caller.roles.items())},
        "scope": scope_document(caller.scope),
        "expires_at": rfc3339(expires_at),
        "nats": {"url": nats_url, "inbox_prefix": f"_INBOX_{caller.pid}"},
    }
