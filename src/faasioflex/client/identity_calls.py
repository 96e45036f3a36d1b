"""The calls about people and what they may, as :class:`Request` values."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from faasioflex.client.identity_models import (
    Binding,
    Grant,
    Group,
    Listed,
    Namespace,
    Quota,
    Secret,
    TokenInfo,
    User,
    Whoami,
)
from faasioflex.client.read import BadAnswer, read
from faasioflex.client.request import Request, Response
from faasioflex.model.names import FunctionName

T = TypeVar("T")
Paged = Callable[[str | None], Request[Listed[T]]]  # of a cursor


def whoami() -> Request[Whoami]:
    return Request("GET", "/whoami", _as(Whoami))


def users() -> Paged[User]:
    return _list("/users", User)


def user(who: str) -> Request[User]:
    return Request("GET", _at("/users", who), _as(User))


def create_user(email: str, name: str, role: str | None, password: str | None) -> Request[User]:
    return Request("POST", "/users", _as(User), json=_given(email=email, name=name, role=role, password=password))


def change_user(
    who: str, name: str | None, role: str | None, disabled: bool | None, password: str | None
) -> Request[User]:
    wanted = _given(name=name, role=role, disabled=disabled, password=password)
    return Request("PUT", _at("/users", who), _as(User), json=wanted)


def delete_user(who: str) -> Request[None]:
    return _delete(_at("/users", who))


def groups() -> Paged[Group]:
    return _list("/groups", Group)


def group(name: str) -> Request[Group]:
    return Request("GET", _at("/groups", name), _as(Group))


def put_group(name: str, members: Sequence[str], claims: Sequence[str], description: str) -> Request[Group]:
    document = {"members": list(members), "claims": list(claims), "description": description}
    return Request("PUT", _at("/groups", name), _as(Group), json=document)


def delete_group(name: str) -> Request[None]:
    return _delete(_at("/groups", name))


def namespaces() -> Paged[Namespace]:
    return _list("/namespaces", Namespace)


def namespace(name: str) -> Request[Namespace]:
    return Request("GET", _at("/namespaces", name), _as(Namespace))


def put_namespace(name: str, owners: Sequence[str], description: str) -> Request[Namespace]:
    document = {"owners": list(owners), "description": description}
    return Request("PUT", _at("/namespaces", name), _as(Namespace), json=document)


def delete_namespace(name: str) -> Request[None]:
    return _delete(_at("/namespaces", name))


def bindings(name: str) -> Paged[Binding]:
    return _list(f"{_at('/namespaces', name)}/bindings", Binding)


def bind(name: str, to: str, role: str) -> Request[Binding]:
    return Request("PUT", _at(f"{_at('/namespaces', name)}/bindings", to), _as(Binding), json={"role": role})


def unbind(name: str, to: str) -> Request[None]:
    return _delete(_at(f"{_at('/namespaces', name)}/bindings", to))


def grants(name: FunctionName) -> Paged[Grant]:
    return _list(f"{_function(name)}/grants", Grant)


def grant(name: FunctionName, to: str, verbs: Sequence[str]) -> Request[Grant]:
    return Request("PUT", _at(f"{_function(name)}/grants", to), _as(Grant), json={"verbs": list(verbs)})


def remove_grant(name: FunctionName, to: str) -> Request[None]:
    return _delete(_at(f"{_function(name)}/grants", to))


def tokens(everybodys: bool) -> Paged[TokenInfo]:
    return _list("/tokens", TokenInfo, {"all": "true"} if everybodys else {})


def create_token(document: Mapping[str, Any]) -> Request[TokenInfo]:
    return Request("POST", "/tokens", _as(TokenInfo), json=_given(**document))


def token(token_id: str) -> Request[TokenInfo]:
    return Request("GET", _at("/tokens", token_id), _as(TokenInfo))


def revoke_token(token_id: str) -> Request[None]:
    return _delete(_at("/tokens", token_id))


def secrets(name: str) -> Paged[Secret]:
    return _list(f"{_at('/namespaces', name)}/secrets", Secret)


def set_secret(namespace_name: str, name: str, value: str | bytes) -> Request[Secret]:
    document = {"value": value} if isinstance(value, str) else {"value_base64": base64.b64encode(value).decode()}
    return Request("PUT", _at(f"{_at('/namespaces', namespace_name)}/secrets", name), _as(Secret), json=document)


def delete_secret(namespace_name: str, name: str) -> Request[None]:
    return _delete(_at(f"{_at('/namespaces', namespace_name)}/secrets", name))


def rotate_secrets(namespace_name: str) -> Request[None]:
    return Request("POST", f"{_at('/namespaces', namespace_name)}/secrets/rotate", lambda _: None)


def quota(name: str) -> Request[Quota]:
    return Request("GET", f"{_at('/namespaces', name)}/quota", _as(Quota))


def set_quota(name: str, bounds: Quota) -> Request[Quota]:
    document = {key: value for key, value in dataclasses.asdict(bounds).items() if key not in ("used", "raw")}
    return Request("PUT", f"{_at('/namespaces', name)}/quota", _as(Quota), json=document)


def delete_quota(name: str) -> Request[None]:
    return _delete(f"{_at('/namespaces', name)}/quota")


def _function(name: FunctionName) -> str:
    return f"/functions/{name.namespace}/{name.name}"


def _at(collection: str, item: str) -> str:
    return f"{collection}/{quote(item, safe=':@')}"


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _delete(path: str) -> Request[None]:
    return Request("DELETE", path, lambda _: None)


def _as(kind: type[T]) -> Any:
    return lambda response: read(kind, response.json())


def _list(path: str, kind: type[T], query: Mapping[str, str] | None = None) -> Paged[T]:
    def parse(response: Response) -> Listed[T]:
        document = response.json()
        items = document.get("items") if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise BadAnswer("/items is missing from the answer")
        return Listed(tuple(read(kind, item) for item in items), document.get("next"))

    def page(cursor: str | None) -> Request[Listed[T]]:
        return Request("GET", path, parse, query={**(query or {}), **({"cursor": cursor} if cursor else {})})

    return page
