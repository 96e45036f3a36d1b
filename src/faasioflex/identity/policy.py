"""The one policy: ``allowed(principal, verb, resource)``. Pure; the API, the invoker, NATS and the gateway's rules all use it.

What is not allowed here is denied. The tables below are the whole of it:

* ``BY_ROLE``: what a role gives, in a namespace (by ownership or a binding) or everywhere (a person's own role).
* ``BY_GRANT``: what a grant on one function gives, and what a verb in a token's scope leaves.
* ``BY_VISIBILITY``: what everybody may, or everybody who is signed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from faasioflex.identity.principal import Principal
from faasioflex.model.function import Visibility
from faasioflex.model.identity import Grant, GrantVerb, Role, TokenScope

Kind = Literal["function", "namespace", "secret", "quota", "user", "group", "token", "platform"]
Verb = Literal["see", "read", "observe", "invoke", "operate", "deploy", "admin"]
"""see: know that it exists. read: its resource. observe: logs, results, payloads. operate: scale, traffic, rollback, quotas.
deploy: register, change, delete, set secrets. admin: who may what."""

VERBS: tuple[Verb, ...] = ("see", "read", "observe", "invoke", "operate", "deploy", "admin")
KINDS: tuple[Kind, ...] = ("function", "namespace", "secret", "quota", "user", "group", "token", "platform")
OF_NAMESPACE: frozenset[Kind] = frozenset({"function", "namespace", "secret", "quota"})

Permissions = Mapping[Kind, frozenset[Verb]]
_EVERY = frozenset(VERBS)
_READ = frozenset[Verb]({"see", "read"})

BY_ROLE: Mapping[Role, Permissions] = {
    "admin": dict.fromkeys(KINDS, _EVERY),
    "operator": {
        "function": _READ | {"operate"},
        "namespace": _READ,
        "quota": _READ | {"operate"},
        "user": _READ,
        "group": _READ,
        "platform": _READ | {"operate"},
    },
    "developer": {
        "function": _READ | {"observe", "invoke", "operate", "deploy"},
        "namespace": _READ,
        "secret": _READ | {"deploy"},
        "quota": _READ,
    },
    "invoker": {"function": frozenset({"see", "invoke"}), "namespace": frozenset({"see"})},
    "auditor": {
        **dict.fromkeys(KINDS, _READ),
        "function": _READ | {"observe"},
    },
}
# In a namespace nobody gets more than this: its admin is not one of people, of groups or of the platform.
IN_NAMESPACE: Mapping[Role, Permissions] = {
    role: {
        kind: verbs - ({"operate", "admin"} if kind == "quota" else frozenset())
        for kind, verbs in permissions.items()
        if kind in OF_NAMESPACE
    }
    for role, permissions in BY_ROLE.items()
}
# The roles that hold everywhere; a developer or invoker is one in namespaces only.
EVERYWHERE: frozenset[Role] = frozenset({"admin", "operator", "auditor"})

BY_GRANT: Mapping[GrantVerb, frozenset[Verb]] = {
    "invoke": frozenset({"see", "invoke"}),
    "read": _READ | {"observe"},
    "deploy": _READ | {"observe", "invoke", "operate", "deploy"},
    "admin": _EVERY,
}
BY_VISIBILITY: Mapping[Visibility, frozenset[Verb]] = {
    "private": frozenset(),
    "authenticated": frozenset({"see", "invoke"}),  # for those who are signed in
    "public": frozenset({"see", "invoke"}),  # for everybody
}


@dataclass(frozen=True)
class Resource:
    """What is acted on. ``name`` None: all of the kind in ``namespace``, so what is to be made. ``owner``: uid, of a token or user."""

    kind: Kind
    namespace: str | None = None
    name: str | None = None
    visibility: Visibility = "private"
    grants: tuple[Grant, ...] = ()
    owner: str | None = None

    @property
    def function(self) -> str:
        return f"{self.namespace}/{self.name}"


def allowed(principal: Principal, verb: Verb, resource: Resource) -> bool:
    """Whether ``principal`` may do ``verb`` to ``resource``."""
    return verb in permitted(principal, resource)


def permitted(principal: Principal, resource: Resource) -> frozenset[Verb]:
    """Everything that ``principal`` may do to ``resource``."""
    found: frozenset[Verb] = frozenset()
    if resource.kind == "function":
        if resource.visibility == "public" or principal.kind != "anonymous":
            found |= BY_VISIBILITY[resource.visibility]
        subjects = principal.subjects
        for grant in resource.grants:
            if grant.to in subjects:
                found = found.union(*(BY_GRANT[verb] for verb in grant.verbs))
    if principal.kind == "user":
        found |= _by_roles(principal, resource)
    if resource.owner is not None and resource.owner == principal.uid:
        found |= _READ | ({"admin"} if resource.kind == "token" else frozenset())
    if principal.kind == "service":
        # a service is a principal of its own: it may what its scope names, and what it is granted
        return _within(principal, resource) if _named(principal, resource) else found
    return found & _within(principal, resource)


def _by_roles(principal: Principal, resource: Resource) -> frozenset[Verb]:
    found: frozenset[Verb] = frozenset()
    if principal.role in EVERYWHERE:
        found |= BY_ROLE[principal.role].get(resource.kind, frozenset())
    if resource.kind in OF_NAMESPACE and resource.namespace is not None:
        for role in principal.roles.get(resource.namespace, frozenset()):
            found |= IN_NAMESPACE[role].get(resource.kind, frozenset())
    return found


def _named(principal: Principal, resource: Resource) -> bool:
    """Whether a service's scope names the resource: its functions where it lists some, else its namespaces."""
    scope = principal.scope
    if resource.kind == "function" and scope.functions is not None:
        return resource.name is not None and resource.function in scope.functions
    if scope.functions is not None:
        return False
    return (
        resource.kind in OF_NAMESPACE
        and scope.namespaces is not None
        and resource.namespace is not None
        and resource.namespace in scope.namespaces
    )


def _within(principal: Principal, resource: Resource) -> frozenset[Verb]:
    """What the scope of the token leaves."""
    scope = principal.scope
    if scope.everything:
        return _EVERY
    if not _reached(scope, resource):
        return _visible_to_all(resource)
    if scope.verbs is None:
        return _EVERY
    left = frozenset[Verb]().union(*(BY_GRANT[verb] for verb in scope.verbs))
    if resource.kind not in OF_NAMESPACE:
        return left if "admin" in scope.verbs else left & _READ
    if resource.kind == "quota" or (resource.kind == "namespace" and principal.kind == "service"):
        return left & _READ  # a token for deploying sets no bounds, and a service appoints nobody
    return left


def _reached(scope: TokenScope, resource: Resource) -> bool:
    """Whether the scope's functions and namespaces hold the resource."""
    if scope.functions is not None and (resource.kind != "function" or resource.function not in scope.functions):
        return False
    of_namespace = resource.kind in OF_NAMESPACE
    return scope.namespaces is None or (of_namespace and resource.namespace in scope.namespaces)


def _visible_to_all(resource: Resource) -> frozenset[Verb]:
    """What nobody needs a token for stays open, whatever token is shown."""
    if resource.kind == "function" and resource.visibility == "public":
        return BY_VISIBILITY["public"]
    return frozenset()
