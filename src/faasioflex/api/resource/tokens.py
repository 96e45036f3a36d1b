"""Personal and service tokens in requests and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from faasioflex.api.resource.limits import Strict
from faasioflex.api.resource.shapes import Shape, Time
from faasioflex.api.resource.times import rfc3339
from faasioflex.identity.tokens.long_lived import (
    DEFAULT_S,
    LONGEST_NAME,
    LONGEST_S,
    MOST_NAMED,
    SHORTEST_S,
    WantedToken,
)
from faasioflex.model.identity import GrantVerb, TokenRecord, TokenScope, UserRecord

TokenName = Annotated[
    str, Field(min_length=1, max_length=LONGEST_NAME, description="For people to tell it from others")
]
Names = Annotated[list[Annotated[str, Field(max_length=81)]], Field(min_length=1, max_length=MOST_NAMED)]


class TokenIn(Strict):
    """A token as users ask for it. What is left out of a personal token's scope is not narrowed."""

    name: TokenName
    kind: Literal["personal", "service"] = Field(
        "personal", description="personal acts as you; service is a principal of its own"
    )
    namespace: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Of a service; default: the first of its namespaces"
    )
    namespaces: Names | None = Field(None, description="It reaches these alone; a service has to say")
    functions: Names | None = Field(None, description="It reaches these alone, as ns/name")
    verbs: Annotated[list[GrantVerb], Field(min_length=1, max_length=4)] | None = Field(
        None, description="It may do these alone; a service has to say"
    )
    expires_in_s: Annotated[float, Field(ge=SHORTEST_S, le=LONGEST_S)] | None = Field(
        None, description=f"Default {DEFAULT_S:g}, which is 90 days; at most 366 days"
    )

    def wanted(self) -> WantedToken:
        return WantedToken(
            self.kind,
            self.name,
            self.namespace,
            tuple(self.namespaces) if self.namespaces is not None else None,
            tuple(self.functions) if self.functions is not None else None,
            tuple(self.verbs) if self.verbs is not None else None,
            self.expires_in_s,
        )


class RenameIn(Strict):
    name: TokenName


class ScopeOut(Shape):
    namespaces: list[str] | None
    functions: list[str] | None
    verbs: list[GrantVerb] | None


class TokenOut(Shape):
    id: str
    kind: Literal["personal", "service"]
    name: str
    owner: str = Field(description="E-mail of who made it, else their id")
    owner_id: str
    namespace: str
    scope: ScopeOut | None = Field(description="null: whatever its owner may do")
    created_at: Time
    expires_at: Time
    last_used_at: Time | None = Field(description="At most a minute old")


class NewTokenOut(TokenOut):
    token: str = Field(description="The token itself, this once")


class TokenPage(Shape):
    items: list[TokenOut]
    next: str | None


def scope_document(scope: TokenScope) -> dict[str, Any] | None:
    """None where nothing is narrowed."""
    if scope.everything:
        return None
    return {
        "namespaces": list(scope.namespaces) if scope.namespaces is not None else None,
        "functions": list(scope.functions) if scope.functions is not None else None,
        "verbs": list(scope.verbs) if scope.verbs is not None else None,
    }


def token_document(record: TokenRecord, owner: UserRecord | None, last_used_at: float | None) -> dict[str, Any]:
    """Without the token, which is kept nowhere."""
    return {
        "id": record.token_id,
        "kind": record.kind,
        "name": record.name,
        "owner": (owner.email if owner is not None else "") or record.owner,
        "owner_id": record.owner,
        "namespace": record.namespace,
        "scope": scope_document(record.scope),
        "created_at": rfc3339(record.created_at),
        "expires_at": rfc3339(record.expires_at),
        "last_used_at": rfc3339(last_used_at) if last_used_at is not None else None,
    }
