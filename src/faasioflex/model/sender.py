"""Web pages of others must not drive a platform that listens on loopback. Pure.

A name that a stranger's DNS points to 127.0.0.1 is refused by its ``Host``, a form or script of another site by its ``Origin``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from urllib.parse import urlsplit

from faasioflex.model.errors import NotAllowed

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def check_sender(method: str, host: str, origin: str | None, hosts: Container[str]) -> None:
    """``hosts``: names of the platform besides loopback ones. Raises: NotAllowed."""
    if not is_own_host(host, hosts):
        raise NotAllowed(f"This platform is not called {ascii(host)[:100]}: use its address, or localhost")
    if origin is not None and method not in _READING and host_of(origin) != host.lower():
        raise NotAllowed("A page of another site may not change anything here")


def host_of(origin: str) -> str | None:
    """``host:port`` of an Origin; None for ``null`` and nonsense."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def is_own_host(host: str, hosts: Container[str]) -> bool:
    """IP addresses, names without a dot (no public name is one) and those of ``hosts``."""
    name = re.sub(r":\d{1,5}$", "", host).strip("[]").lower()
    if "." not in name or name in hosts or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
