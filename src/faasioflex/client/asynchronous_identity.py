"""What the asynchronous client knows of people and what they may."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from faasioflex.client import identity_calls as calls
from faasioflex.client.identity_models import (
    Binding,
    Grant,
    Group,
    Namespace,
    Quota,
    Secret,
    TokenInfo,
    User,
    Whoami,
)
from faasioflex.client.request import Request
from faasioflex.model.names import FunctionName

T = TypeVar("T")
Name = str | FunctionName


class AsyncIdentityMethods(ABC):
    """Lists are read to their end. ``to``: user:EMAIL, user:ID, group:NAME, service:ID or function:NS/NAME."""

    async def whoami(self) -> Whoami:
        """Who the token says that calls. Raises: NotAuthenticated."""
        return await self._send(calls.whoami())

    async def users(self) -> list[User]:
        """Everybody whom the caller may see."""
        return await self._every(calls.users())

    async def user(self, who: str) -> User:
        """By id, e-mail, or ``me``. Raises: NotFound."""
        return await self._send(calls.user(who))

    async def create_user(self, email: str, name: str, *, role: str | None = None, password: str | None = None) -> User:
        """Without a password it is an invitation. Raises: Conflict, Invalid."""
        return await self._send(calls.create_user(email, name, role, password))

    async def change_user(
        self,
        who: str,
        *,
        name: str | None = None,
        role: str | None = None,
        disabled: bool | None = None,
        password: str | None = None,
    ) -> User:
        """Raises: NotFound, Invalid."""
        return await self._send(calls.change_user(who, name, role, disabled, password))

    async def delete_user(self, who: str) -> None:
        """Raises: NotFound."""
        return await self._send(calls.delete_user(who))

    async def groups(self) -> list[Group]:
        """The platform's groups."""
        return await self._every(calls.groups())

    async def group(self, name: str) -> Group:
        """Raises: NotFound."""
        return await self._send(calls.group(name))

    async def put_group(
        self, name: str, *, members: Sequence[str] = (), claims: Sequence[str] = (), description: str = ""
    ) -> Group:
        """Make or replace it; ``members`` are e-mails or ids."""
        return await self._send(calls.put_group(name, members, claims, description))

    async def delete_group(self, name: str) -> None:
        """Raises: NotFound."""
        return await self._send(calls.delete_group(name))

    async def namespaces(self) -> list[Namespace]:
        """Those that the caller may see."""
        return await self._every(calls.namespaces())

    async def namespace(self, name: str) -> Namespace:
        """Raises: NotFound."""
        return await self._send(calls.namespace(name))

    async def put_namespace(self, name: str, *, owners: Sequence[str] = (), description: str = "") -> Namespace:
        """Make or replace it."""
        return await self._send(calls.put_namespace(name, owners, description))

    async def delete_namespace(self, name: str) -> None:
        """Raises: Conflict while it has functions."""
        return await self._send(calls.delete_namespace(name))

    async def bindings(self, namespace: str) -> list[Binding]:
        """Who has which role in the namespace."""
        return await self._every(calls.bindings(namespace))

    async def bind(self, namespace: str, to: str, role: str) -> Binding:
        """Give a role in the namespace."""
        return await self._send(calls.bind(namespace, to, role))

    async def unbind(self, namespace: str, to: str) -> None:
        """Raises: NotFound."""
        return await self._send(calls.unbind(namespace, to))

    async def grants(self, name: Name) -> list[Grant]:
        """Who else may do what with the function."""
        return await self._every(calls.grants(await self.name(name)))

    async def grant(self, name: Name, to: str, verbs: Sequence[str]) -> Grant:
        """Let somebody invoke, read, deploy or administer the function; replaces what they were granted."""
        return await self._send(calls.grant(await self.name(name), to, verbs))

    async def remove_grant(self, name: Name, to: str) -> None:
        """Raises: NotFound."""
        return await self._send(calls.remove_grant(await self.name(name), to))

    async def tokens(self, *, everybodys: bool = False) -> list[TokenInfo]:
        """The caller's personal and service tokens, without their values."""
        return await self._every(calls.tokens(everybodys))

    async def create_token(
        self,
        name: str,
        *,
        kind: str = "personal",
        namespace: str | None = None,
        namespaces: Sequence[str] | None = None,
        functions: Sequence[str] | None = None,
        verbs: Sequence[str] | None = None,
        expires_in_s: float | None = None,
    ) -> TokenInfo:
        """``token`` of the answer is the value, this once."""
        document: dict[str, Any] = {"name": name, "kind": kind, "namespace": namespace, "expires_in_s": expires_in_s}
        document |= {
            key: None if value is None else list(value)
            for key, value in (("namespaces", namespaces), ("functions", functions), ("verbs", verbs))
        }
        return await self._send(calls.create_token(document))

    async def token(self, token_id: str) -> TokenInfo:
        """Raises: NotFound."""
        return await self._send(calls.token(token_id))

    async def revoke_token(self, token_id: str) -> None:
        """Raises: NotFound."""
        return await self._send(calls.revoke_token(token_id))

    async def secrets(self, namespace: str | None = None) -> list[Secret]:
        """Names and versions; values never come back. Default: the caller's own namespace."""
        return await self._every(calls.secrets(await self.space(namespace)))

    async def set_secret(self, name: str, value: str | bytes, *, namespace: str | None = None) -> Secret:
        """Functions that name it see the new value without another deploy."""
        return await self._send(calls.set_secret(await self.space(namespace), name, value))

    async def delete_secret(self, name: str, *, namespace: str | None = None) -> None:
        """Raises: NotFound."""
        return await self._send(calls.delete_secret(await self.space(namespace), name))

    async def rotate_secrets(self, namespace: str | None = None) -> None:
        """Encrypt the namespace's secrets with a new key; their values stay."""
        return await self._send(calls.rotate_secrets(await self.space(namespace)))

    async def quota(self, namespace: str | None = None) -> Quota:
        """The bounds of the namespace, and what of them is used."""
        return await self._send(calls.quota(await self.space(namespace)))

    async def set_quota(self, bounds: Quota, *, namespace: str) -> Quota:
        """Replaces all of them."""
        return await self._send(calls.set_quota(namespace, bounds))

    async def delete_quota(self, namespace: str) -> None:
        """No bounds any more."""
        return await self._send(calls.delete_quota(namespace))

    async def _every(self, page: calls.Paged[T]) -> list[T]:
        found: list[T] = []
        cursor: str | None = None
        while True:
            listed = await self._send(page(cursor))
            found += listed.items
            cursor = listed.next
            if cursor is None:
                return found

    @abstractmethod
    async def _send(self, request: Request[T]) -> T:
        """One request and its answer."""

    @abstractmethod
    async def name(self, name: Name) -> FunctionName:
        """With its namespace."""

    @abstractmethod
    async def space(self, namespace: str | None) -> str:
        """The one that is named, else the caller's own."""
