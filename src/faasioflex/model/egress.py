"""What a function may reach: the entries of ``network.egress``, read and matched. Pure.

An entry is ``host``, ``host:port``, ``*.host``, ``*.host:port``, ``*`` or ``*:port``; a host is a name or an address. Everything
is compared in one canonical form, so no other spelling (case, trailing dot, mapped IPv6) gets round an entry; addresses in the
forms that only ``inet_aton`` knows (``2130706433``, ``0x7f.1``, ``0177.0.0.1``) are neither names nor addresses here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Kind = Literal["name", "address", "below", "any"]
Match = Literal["named", "wild"]

MOST_ENTRIES = 100
# A wildcard without a port is for the web; «host» alone is for that and whatever usually listens on a host that one names.
WEB_PORTS = (80, 443)
USUAL_PORTS = (
    22, 80, 389, 443, 465, 587, 636, 993, 1433, 1521, 1883, 3000, 3306, 4222, 5000, 5432, 5671, 5672, 6379, 6380, 8000,
    8080, 8123, 8443, 8883, 9000, 9042, 9092, 9093, 9200, 11211, 26257, 27017,
)  # fmt: skip

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME = 253
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True)
class Destination:
    """``host`` is canonical; that of ``below`` is what stands after ``*.``, of ``any`` it is empty."""

    kind: Kind
    host: str
    ports: tuple[int, ...]

    def match(self, host: str, port: int) -> Match | None:
        """``host`` as :func:`canonical` gives it. ``named``: the entry names this host and no other."""
        if port not in self.ports:
            return None
        if self.kind == "any":
            return "wild"
        if self.kind == "below":
            return "wild" if host.endswith("." + self.host) else None
        return "named" if host == self.host else None


def parse(entry: str) -> Destination:
    """Raises: ValueError with a sentence for people."""
    if "://" in entry or "/" in entry or "?" in entry or "@" in entry:
        raise ValueError(f"{entry!r} is not a host: leave out scheme, user and path, like api.example.org:443")
    if entry != entry.strip() or any(char.isspace() or ord(char) < 33 for char in entry):
        raise ValueError(f"{entry!r} holds a space or a control character")
    host, port = _split(entry)
    if host == "*":
        return Destination("any", "", (port,) if port else WEB_PORTS)
    if host.startswith("*."):
        below = canonical(host[2:])
        if address(below) is not None:
            raise ValueError(f"{entry!r}: nothing is below an address; name it without *.")
        return Destination("below", below, (port,) if port else WEB_PORTS)
    if "*" in host:
        raise ValueError(f"{entry!r}: a * stands alone or for everything below a name, like *.example.org")
    name = canonical(host)
    found = address(name)
    why = _no_host(found) if found else None
    if why:
        raise ValueError(f"{entry!r} is {why}, not that of a host: nothing can be reached there")
    return Destination("address" if found else "name", name, (port,) if port else USUAL_PORTS)


def parse_all(entries: Iterable[str]) -> tuple[Destination, ...]:
    """Raises: ValueError."""
    return tuple(parse(entry) for entry in entries)


def match(destinations: Iterable[Destination], host: str, port: int) -> Match | None:
    """The best that any of them says of a canonical host."""
    found = {each.match(host, port) for each in destinations}
    return "named" if "named" in found else "wild" if "wild" in found else None


def canonical(host: str) -> str:
    """A name in lower case and ASCII without its trailing dot, or an address as ``ipaddress`` writes it, never a mapped one.

    Raises: ValueError with a sentence, for what is neither.
    """
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError(f"[{host}] is not an IPv6 address")
    if ":" in host:
        return str(_ipv6(host))
    name = host if host.isascii() else _to_ascii(host)
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return str(_ipv4(name))
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{host!r} is not the name of a host")
    return name


def address(host: str) -> Address | None:
    """The address that a canonical host is, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _no_host(found: Address) -> str | None:
    if found.is_unspecified or found in _THIS_NETWORK:
        return "an unspecified address"
    if found.is_multicast:
        return "a multicast address"
    return "the broadcast address" if found == _BROADCAST else None


def shown(host: str, port: int) -> str:
    """For people: ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(entry: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"(\[[^\]]*\])(?::(.*))?", entry)
    if bracketed:
        host, port = bracketed.groups()
    elif entry.count(":") == 1:
        host, port = entry.split(":")
    else:
        host, port = entry, None
    if port is None:
        return host, None
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError(f"{entry!r}: a port is a number from 1 to 65535")
    return host, int(port)


def _ipv4(text: str) -> Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is an address in an unusual form: write it like 10.1.2.3") from None


def _ipv6(text: str) -> Address:
    try:
        found = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv6 address: write it like [2001:db8::1]:443") from None
    if found.scope_id is not None:
        raise ValueError(f"{text!r}: an address with a zone is of one link only")
    return found.ipv4_mapped or found


def _to_ascii(name: str) -> str:
    import idna  # its tables are large, such names few

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{name!r} is not the name of a host: {error}") from None
