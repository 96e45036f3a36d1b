"""Personal and service tokens: made, listed, renamed, revoked.

A personal token acts as who made it, within its scope. A service token is a principal of its own, which does what its scope
says; so whoever makes one must be an admin of every namespace in it. Neither reaches further than its maker does.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.policy import Resource, allowed
from faasioflex.identity.principal import PERSONAL_PREFIX, SERVICE_PREFIX, Principal
from faasioflex.identity.tokens.mint import Mint
from faasioflex.model.errors import Conflict, FieldError, Invalid, NotAllowed, NotAuthenticated, NotFound
from faasioflex.model.identity import GrantVerb, TokenRecord, TokenScope, TokenUse, Told
from faasioflex.model.names import FunctionName, is_name

DAY_S = 86_400.0
DEFAULT_S, SHORTEST_S, LONGEST_S = 90 * DAY_S, 60.0, 366 * DAY_S
MOST_TOKENS = 100  # of one owner
MOST_NAMED = 50  # namespaces or functions in a scope
LONGEST_NAME = 100
_ID = re.compile(f"({PERSONAL_PREFIX}|{SERVICE_PREFIX})[0-9a-f]{{24}}", re.ASCII)


@dataclass(frozen=True)
class WantedToken:
    kind: Literal["personal", "service"]
    name: str
    namespace: str | None = None
    namespaces: tuple[str, ...] | None = None
    functions: tuple[str, ...] | None = None
    verbs: tuple[GrantVerb, ...] | None = None
    expires_in_s: float | None = None


@dataclass(frozen=True)
class ListedToken:
    record: TokenRecord
    last_used_at: float | None


class LongLivedTokens:
    def __init__(self, bus: Bus, directory: Directory, mint: Mint, clock: Callable[[], float]) -> None:
        self._tokens: Bucket[TokenRecord] = bus.bucket(buckets.TOKENS.name, TokenRecord)
        self._uses: Bucket[TokenUse] = bus.bucket(buckets.TOKEN_USE.name, TokenUse)
        self._directory = directory
        self._mint = mint
        self._clock = clock

    async def create(self, principal: Principal, wanted: WantedToken) -> tuple[TokenRecord, str]:
        """The record and the token, which is kept nowhere. Raises: Invalid, NotAllowed, Unavailable."""
        _check_name(wanted.name)
        _require(principal, "make tokens", principal.uid)
        now = self._clock()
        lives_s = DEFAULT_S if wanted.expires_in_s is None else wanted.expires_in_s
        if not SHORTEST_S <= lives_s <= LONGEST_S:
            raise _wrong("/expires_in_s", f"Must be {SHORTEST_S:g} to {LONGEST_S:g} seconds (366 days)")
        scope = _scope(principal, wanted)
        namespace = principal.namespace or ""
        if wanted.kind == "service":
            namespace = _check_service(principal, wanted, scope)
        elif wanted.namespace is not None:
            raise _wrong("/namespace", "A personal token is of your own namespace: leave it out")
        if sum(entry.value.owner == principal.uid for entry in await self._tokens.list()) >= MOST_TOKENS:
            raise NotAllowed(f"You have {MOST_TOKENS} tokens, the most that one may have: revoke one that is not used")
        prefix = SERVICE_PREFIX if wanted.kind == "service" else PERSONAL_PREFIX
        token_id = prefix + secrets.token_hex(12)
        record = TokenRecord(
            token_id, wanted.kind, wanted.name, principal.uid, namespace, scope, now, float(int(now + lives_s))
        )
        record, token = self._signed(replace(record, told=Told("created", principal.uid)), now)
        await self._tokens.create(token_id, record)
        await self._directory.learn(token_id)
        return record, token

    async def list(self, principal: Principal, *, everybody: bool = False) -> list[ListedToken]:
        """Own ones, or all. Raises: NotAllowed."""
        if everybody:
            if not allowed(principal, "read", Resource("token")):
                raise NotAllowed("Only admins and auditors see everybody's tokens: leave all out for your own")
        else:
            _require(principal, "list tokens", principal.uid, "read")
        uses = {entry.key: entry.value.last_used_at for entry in await self._uses.list()}
        found = [entry.value for entry in await self._tokens.list()]
        return [
            ListedToken(record, uses.get(record.token_id))
            for record in sorted(found, key=lambda one: one.token_id)
            if everybody or record.owner == principal.uid
        ]

    async def get(self, principal: Principal, token_id: str) -> ListedToken:
        """Raises: NotFound also for one that ``principal`` may not read."""
        entry = await self._find(principal, token_id)
        use = await self._uses.get(token_id)
        return ListedToken(entry.value, use.value.last_used_at if use is not None else None)

    async def rename(self, principal: Principal, token_id: str, name: str) -> TokenRecord:
        """Raises: NotFound, NotAllowed, Invalid."""
        _check_name(name)
        while True:
            entry = await self._find(principal, token_id)
            _require(principal, "rename this token", entry.value.owner)
            renamed = replace(entry.value, name=name, told=Told("updated", principal.uid))
            try:
                await self._tokens.update(token_id, renamed, entry.revision)
            except Conflict:
                continue
            return renamed

    async def revoke(self, principal: Principal, token_id: str) -> None:
        """With effect everywhere as soon as the directories have seen it. Raises: NotFound, NotAllowed."""
        entry = await self._find(principal, token_id)
        _require(principal, "revoke this token", entry.value.owner)
        await self.remove(token_id)

    async def remove(self, token_id: str) -> None:
        """Whoever asks."""
        await self._tokens.delete(token_id)
        await self._uses.delete(token_id)

    async def remove_of(self, owner: str) -> None:
        """All personal tokens of a person who is gone. Their services belong to namespaces and stay."""
        for entry in await self._tokens.list():
            if entry.value.owner == owner and entry.value.kind == "personal":
                await self.remove(entry.key)

    def _signed(self, record: TokenRecord, now: float) -> tuple[TokenRecord, str]:
        """The token, and the record with what it says of its owner."""
        if record.kind == "service":
            return record, self._mint.service(record, now).token
        user = self._directory.users.entries.get(record.owner)
        if user is None:
            raise NotAuthenticated("Your account is new here: log in at the platform, then make the token")
        groups = self._directory.groups_of(record.owner, user.value.claimed_groups)
        record = replace(record, groups=tuple(sorted(groups)), email=user.value.email)
        return record, self._mint.personal(record, user.value, groups, now).token

    async def _find(self, principal: Principal, token_id: str) -> Entry[TokenRecord]:
        entry = await self._tokens.get(token_id) if _ID.fullmatch(token_id) else None
        if entry is None or not _may(principal, "read", entry.value.owner):
            raise NotFound(f"There is no token {ascii(token_id)[:60]} that you may see")
        return entry


def _may(principal: Principal, verb: Literal["read", "admin"], owner: str) -> bool:
    return principal.kind == "user" and allowed(principal, verb, Resource("token", owner=owner))


def _require(principal: Principal, what: str, owner: str, verb: Literal["read", "admin"] = "admin") -> None:
    if not _may(principal, verb, owner):
        raise NotAllowed(f"You may not {what} with this token: log in, or use one whose scope has the verb admin")


def _scope(principal: Principal, wanted: WantedToken) -> TokenScope:
    """Checked, sorted, and within the scope of the token that asks. Raises: Invalid, NotAllowed."""
    namespaces, functions, verbs = wanted.namespaces, wanted.functions, wanted.verbs
    for field, listed in (("namespaces", namespaces), ("functions", functions), ("verbs", verbs)):
        if listed is not None and not 0 < len(listed) <= MOST_NAMED:
            raise _wrong(f"/{field}", f"Name 1 to {MOST_NAMED}, or leave it out for all")
    for name in namespaces or ():
        if not is_name(name):
            raise _wrong("/namespaces", f"{ascii(name)[:60]} is not the name of a namespace")
    if functions is not None:
        try:
            functions = tuple(sorted({str(FunctionName.parse(one, principal.namespace or "")) for one in functions}))
        except Invalid as error:
            raise _wrong("/functions", error.message) from None
        outside = [one for one in functions if namespaces is not None and one.split("/")[0] not in namespaces]
        if outside:
            raise _wrong("/functions", f"{outside[0]} is in none of the namespaces that the token is for")
    made = TokenScope(
        tuple(sorted(set(namespaces))) if namespaces is not None else None,
        functions,
        tuple(sorted(set(verbs))) if verbs is not None else None,
    )
    if not _holds(principal.scope, made):
        raise NotAllowed("The new token would reach further than the one that you make it with")
    return made


def _holds(outer: TokenScope, inner: TokenScope) -> bool:
    """Whether everything in ``inner`` is in ``outer``."""
    pairs = ((outer.namespaces, inner.namespaces), (outer.functions, inner.functions), (outer.verbs, inner.verbs))
    return all(held is None or (named is not None and set(named) <= set(held)) for held, named in pairs)


def _check_service(principal: Principal, wanted: WantedToken, scope: TokenScope) -> str:
    """The namespace that the service is of. Raises: Invalid, NotAllowed."""
    if scope.namespaces is None:
        raise _wrong("/namespaces", "A service needs the namespaces that it is for")
    if scope.verbs is None:
        raise _wrong("/verbs", "A service needs the verbs that it is for: invoke, read, deploy, admin")
    namespace = wanted.namespace or scope.namespaces[0]
    if namespace not in scope.namespaces:
        raise _wrong("/namespace", "Must be one of the namespaces")
    for name in scope.namespaces:
        if not allowed(principal, "admin", Resource("namespace", name, name)):
            raise NotAllowed(f"You are no admin of the namespace {name}, so you make no service for it")
    return namespace


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise _wrong("/name", f"Must be 1 to {LONGEST_NAME} characters that can be printed")


def _wrong(pointer: str, sentence: str) -> Invalid:
    return Invalid(f"{pointer}: {sentence}", errors=(FieldError(pointer, sentence),))
