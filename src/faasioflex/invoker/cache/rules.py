"""Which answers are kept, for how long, and when a kept one may be given (RFC 9111, with the function's policy above it). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.invoker.cache.directives import Directives, cache_control, date_of
from faasioflex.invoker.http1.framing import Framing
from faasioflex.invoker.http1.head import BadMessage, ResponseHead, content_length

# Heuristically cacheable (RFC 9110, 15.1), less 405, 414 and 501, which tell of a request and not of a resource.
KEPT = frozenset({200, 203, 204, 300, 301, 308, 404, 410})
KEPT_WHERE_SAID = frozenset({302, 307})  # with a lifetime of the answer's own
MOST_VARY = 32  # fields: each is looked at in every call, and kept
# An open stream has no end, and what it says is for who listens now.
NEVER_KEPT_TYPES = (b"text/event-stream", b"multipart/x-mixed-replace")


@dataclass(frozen=True)
class Terms:
    """Of an answer that may be kept. ``vary``: lower-case names of request fields that it depends on."""

    lifetime_s: float  # since it was made, before it has to be looked at again
    stale_s: float  # after that it may be given while a newer one is fetched
    vary: tuple[bytes, ...]


def terms(head: ResponseHead, framing: Framing, *, ttl_s: float, shared: bool, now: float) -> Terms | None:
    """None: it must not be kept. ``shared``: whoever asks may be given it. ``now``: seconds since the epoch."""
    said = cache_control(head.headers)
    own = _own_lifetime_s(head, said, shared=shared, now=now)
    vary = _vary(head)
    if not _may_be_kept(head, framing, said, shared=shared, has_lifetime=own is not None):
        return None
    if b"*" in vary or len(vary) > MOST_VARY:
        return None
    lifetime_s = min(ttl_s, own) if own is not None else ttl_s
    if "no-cache" in said:
        lifetime_s = 0.0
    stale_s = 0.0
    if not {"must-revalidate", "proxy-revalidate", "no-cache", "s-maxage"} & set(said.values):
        stale_s = said.seconds("stale-while-revalidate") or 0.0
    if lifetime_s <= 0 and not stale_s and not _can_be_checked(head):
        return None
    return Terms(lifetime_s, stale_s, vary)


def _may_be_kept(head: ResponseHead, framing: Framing, said: Directives, *, shared: bool, has_lifetime: bool) -> bool:
    if head.status not in KEPT and not (head.status in KEPT_WHERE_SAID and has_lifetime):
        return False
    if "no-store" in said or (shared and "private" in said) or head.get(b"set-cookie") is not None:
        return False
    if head.get(b"content-range") is not None or framing.ends_with_connection:  # in part, or perhaps in part
        return False
    return not (head.get(b"content-type") or b"").strip().lower().startswith(NEVER_KEPT_TYPES)


def _vary(head: ResponseHead) -> tuple[bytes, ...]:
    names = set(head.tokens(b"vary"))
    if head.get(b"content-encoding") is not None:
        names.add(b"accept-encoding")  # forgotten by many, and wrong for whoever cannot decode it
    return tuple(sorted(names))


def _own_lifetime_s(head: ResponseHead, said: Directives, *, shared: bool, now: float) -> float | None:
    if shared and (given := said.seconds("s-maxage")) is not None:
        return given
    if (given := said.seconds("max-age")) is not None:
        return given
    expires = head.get(b"expires")
    if expires is None:
        return None
    at = date_of(expires)
    made = date_of(head.get(b"date"))
    return max(0.0, at - (made if made is not None else now)) if at is not None else 0.0


def _can_be_checked(head: ResponseHead) -> bool:
    return head.get(b"etag") is not None or date_of(head.get(b"last-modified")) is not None


def declared_bytes(head: ResponseHead) -> int | None:
    """Of the body; None where it is not said."""
    try:
        return content_length(head.headers)
    except BadMessage:
        return None


def age_of(head: ResponseHead) -> float:
    """Seconds that the answer says it is old already."""
    value = (head.get(b"age") or b"0").partition(b",")[0].strip()  # of several the first (RFC 9111, 5.1)
    return float(value[:10]) if value.isdigit() else 0.0


@dataclass(frozen=True)
class Wish:
    """What a request asks of a cache."""

    store: bool  # False: neither give a kept answer nor keep this one
    kept: bool  # False: no kept answer without asking the function
    only_kept: bool  # rather nothing than a call
    max_age_s: float | None
    min_fresh_s: float


def wish(headers: list[tuple[bytes, bytes]]) -> Wish:
    said = cache_control(headers)
    pragma = not said.values and any(
        name.lower() == b"pragma" and b"no-cache" in value.lower() for name, value in headers
    )
    return Wish(
        store="no-store" not in said,
        kept="no-cache" not in said and not pragma,
        only_kept="only-if-cached" in said,
        max_age_s=said.seconds("max-age"),
        min_fresh_s=said.seconds("min-fresh") or 0.0,
    )
