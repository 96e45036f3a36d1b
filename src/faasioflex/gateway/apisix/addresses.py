"""Where APISIX sends calls: HOST:PORT, names looked up by us, because a script has to tell the invoker from an instance."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

from faasioflex.model.errors import Invalid, Unavailable

Address = tuple[str, int]


@dataclass(frozen=True)
class Parts:
    """Where our own parts listen: IP addresses and ports, sorted, at least one each."""

    api: tuple[Address, ...]
    invoker: tuple[Address, ...]


def is_unix(address: str) -> bool:
    return address.startswith("unix:")


def parse(text: str) -> Address:
    """``host:port``, IPv6 in brackets. Raises: Invalid."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise Invalid(f"{text!r} is not HOST:PORT, where APISIX could send calls")
    return host.strip("[]"), int(port)


async def resolve(text: str) -> tuple[Address, ...]:
    """Raises: Invalid, Unavailable while the name is not known."""
    host, port = parse(text)
    try:
        return ((str(ipaddress.ip_address(host)), port),)
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"The name {host} of {text} cannot be looked up: {error.strerror or error}") from error
    return tuple(sorted({(str(each[4][0]), port) for each in found}))
