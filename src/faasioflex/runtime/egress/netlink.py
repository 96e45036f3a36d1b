"""Give the loopback of the network namespace that we are in another address. Linux only."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct

_RTM_NEWADDR = 20
_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NO_DUPLICATE_CHECK = 0x02  # of IPv6: it would be unusable for a second
_LOOPBACK = 1  # the index of lo, which a new namespace has first
_NLMSG_ERROR = 2


def add_address(address: str) -> None:
    """As a host of its own (/32, /128). Raises: OSError."""
    packed = ipaddress.ip_address(address).packed
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    body = struct.pack("=BBBBi", family, len(packed) * 8, _NO_DUPLICATE_CHECK, 0, _LOOPBACK)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    head = struct.pack("=IHHII", 16 + len(body), _RTM_NEWADDR, _REQUEST | _ACK | _CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(head + body)
        answer = kernel.recv(4096)
    kind = struct.unpack_from("=H", answer, 4)[0]
    code = -struct.unpack_from("=i", answer, 16)[0] if kind == _NLMSG_ERROR else 0
    if code:
        raise OSError(code, f"{address} on the sandbox's loopback: {os.strerror(code)}")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value
