"""What a call asks of the cache: whether it may be answered from there at all, and under which key.

A key is a digest of everything that an answer may depend on, so it says nothing and is short however long the request is:
the function as it was registered, its revision, its policy, who may be given the answer, what the policy names, and the fields
that frameworks look at without a policy naming them, which are the classical ways to poison a cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from faasioflex.invoker.cache.rules import Wish, wish
from faasioflex.invoker.call import Call
from faasioflex.invoker.http1.head import Headers
from faasioflex.model.function import CachePolicy
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

SAFE = frozenset({"GET", "HEAD"})
WITH_BODY = frozenset({"POST", "QUERY"})  # kept where the key holds the body; PUT, PATCH and DELETE never are
CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS", "QUERY", "TRACE"})
# A part of an answer, or a call that is only to be made in a certain state: the function's to answer.
NOT_FROM_HERE = frozenset({b"range", b"if-range", b"if-match", b"if-unmodified-since"})
CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
# Often reflected in answers (links, redirects, other routes), so they are part of every key.
ALWAYS = (
    b"host",
    b"origin",
    b"forwarded",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-forwarded-port",
    b"x-forwarded-scheme",
    b"x-forwarded-server",
    b"x-host",
    b"x-original-host",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-http-host-override",
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
)

Regime = tuple[str, str, CachePolicy]  # function's uid, visibility, policy without its lifetime


@dataclass(frozen=True)
class Question:
    """``primary``: of the answers to this, whatever they vary by. ``uri``: of what the call is about, for whoever changes it.

    ``shared``: whoever asks the same may be given the answer. ``head``: without the body.
    """

    function: FunctionName
    regime: Regime
    revision: int
    primary: bytes
    uri: bytes
    shared: bool
    head: bool
    wish: Wish
    ttl_s: float
    fields: Headers  # as the function sees them, who calls included


def regime_of(route: FunctionRoute) -> Regime | None:
    """Answers kept under another one are not given any more; None: nothing is kept."""
    return None if route.cache is None or route.deleting else _regime(route, route.cache)


def _regime(route: FunctionRoute, policy: CachePolicy) -> Regime:
    return route.function_uid, route.visibility, CachePolicy(0.0, policy.key, policy.shared)


def unanswerable(call: Call, policy: CachePolicy) -> str | None:
    """Why a call is the function's alone, in the words of RFC 9211; None: it is not."""
    if call.method not in SAFE and not (call.method in WITH_BODY and "body" in policy.key):
        return "method"
    # Where a POST's condition does not hold the answer is 412, which is the function's to say (RFC 9110, 13.1.2).
    conditions = NOT_FROM_HERE | CONDITIONS if call.method == "POST" else NOT_FROM_HERE
    if call.upgrade is not None or any(name.lower() in conditions for name, _ in call.headers):
        return "bypass"
    if call.body.declared and "body" not in policy.key:
        return "bypass"
    return None


def question(call: Call, route: FunctionRoute, policy: CachePolicy, revision: int) -> Question:
    """Of a call that is answerable and whose body, where it counts, has been read whole."""
    regime = _regime(route, policy)
    fields = [*call.headers, *call.caller.headers]
    path, _, query = call.target.path.partition("?")
    everybody = policy.shared or route.visibility == "public"
    sent = _by_name(call.headers)
    persons = [b"authorization"] if call.keeps_authorization else []
    persons += [] if policy.shared else [b"cookie"]
    own = [(name, sent[name]) for name in persons if name in sent]
    parts = [*map(str.encode, (regime[0], regime[1], str(revision), *sorted(policy.key), str(policy.shared)))]
    if not everybody:
        principal = call.caller.principal
        parts += [
            principal.pid.encode(),
            principal.function_uid.encode(),
            *(value for field in call.caller.headers for value in field),
        ]
    for name, value in own:
        parts += [name, value]
    for part in policy.key:
        parts.append(part.encode())
        if part == "method":
            parts.append(b"GET" if call.method == "HEAD" else call.method.encode())
        elif part == "path":
            parts.append(path.encode("utf-8", "surrogateescape"))
        elif part == "query":
            parts.append(query.encode("utf-8", "surrogateescape"))
        elif part == "body":
            parts += [b"=" if call.body.declared else b"-", call.body.whole or b""]
            parts.append(sent.get(b"content-type", b""))
        else:
            parts.append(_told(sent, part.removeprefix("header:").encode()))
    parts += [_told(sent, name) for name in ALWAYS]
    return Question(
        call.target.function,
        regime,
        revision,
        digest(parts),
        uri_of(call, policy),
        everybody and not own,
        call.method == "HEAD",
        wish(call.headers),
        policy.ttl_s,
        fields,
    )


def uri_of(call: Call, policy: CachePolicy) -> bytes:
    """What a call is about: what the policy leaves out of it does not count."""
    path, _, query = call.target.path.encode("utf-8", "surrogateescape").partition(b"?")
    return digest([path if "path" in policy.key else b"", query if "query" in policy.key else b""])


def secondary(primary: bytes, vary: Collection[bytes], fields: Headers) -> bytes:
    """The key of one of the answers that vary by these request fields."""
    if not vary:
        return primary
    by_name = _by_name(fields)
    return digest([primary, *(part for name in vary for part in (name, _told(by_name, name)))])


def digest(parts: Iterable[bytes]) -> bytes:
    """No two lists have the same."""
    return hashlib.sha256(b"".join([b"%d:%b" % (len(part), part) for part in parts])).digest()


def _by_name(fields: Headers) -> dict[bytes, bytes]:
    """By lower-case name; the values of several fields of one name in their order."""
    found: dict[bytes, bytes] = {}
    for written, value in fields:
        name = written.lower()
        found[name] = found[name] + b"\n" + value if name in found else value
    return found


def _told(fields: dict[bytes, bytes], name: bytes) -> bytes:
    """A field that is not there is another than an empty one."""
    value = fields.get(name)
    return b"-" if value is None else b"=" + value
