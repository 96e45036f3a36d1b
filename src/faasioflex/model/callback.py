"""Where outcomes may be posted: which URLs are taken, and which of this machine's neighbours the operator opens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from faasioflex.model.addresses import why_forbidden
from faasioflex.model.egress import Destination, address, canonical, match, parse_all, shown

LONGEST_URL = 2000
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class CallbackTarget:
    """``host`` is canonical (see model/egress)."""

    url: str
    host: str
    port: int


def parse_callback_hosts(text: str) -> tuple[Destination, ...]:
    """The setting ``callback_hosts``: ``host``, ``host:port`` or ``*.host``, separated by spaces or commas.

    Raises: ValueError with a sentence.
    """
    found = parse_all(text.replace(",", " ").split())
    if any(each.kind == "any" for each in found):
        raise ValueError("* would open every private address to callbacks: name hosts")
    return found


def check_url(url: str, allowed: Sequence[Destination]) -> CallbackTarget:
    """What the URL itself tells; the addresses of a name are looked at when it is called.

    Raises: ValueError with a sentence.
    """
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"Must be a URL of at most {LONGEST_URL} printable ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("Must be a URL like https://example.org/path") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("Must be a URL that begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("Must not hold a user or password: callbacks are signed instead")
    if parts.fragment or "#" in url:
        raise ValueError("Must not hold a fragment (#...), which no server sees")
    if port == 0:
        raise ValueError("A port is a number from 1 to 65535")
    host = canonical(parts.hostname)  # Raises: ValueError
    target = CallbackTarget(url, host, port or PORTS[parts.scheme])
    found = address(host)
    why = why_forbidden(found) if found is not None else _why_name(host)
    if why is not None and not is_allowed(target, allowed):
        raise ValueError(f"{host} is {why}: {ALLOW.format(where=shown(host, target.port))}")
    return target


def is_allowed(target: CallbackTarget, allowed: Sequence[Destination]) -> bool:
    """Whether the operator has opened this host, whatever its address."""
    return match(allowed, target.host, target.port) is not None


ALLOW = "no callback goes there unless the operator names it in the setting callback_hosts, like {where}"


def _why_name(host: str) -> str | None:
    return "this host" if host == "localhost" or host.endswith(".localhost") else None
