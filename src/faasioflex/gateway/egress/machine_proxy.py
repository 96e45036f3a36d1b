"""The proxy that this machine reaches the world by, as HTTPS_PROXY and NO_PROXY say it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from faasioflex.model.egress import address, canonical


@dataclass(frozen=True)
class MachineProxy:
    """``login`` is ``user:password``."""

    host: str
    port: int
    login: str | None


def machine_proxy(environment: Mapping[str, str], host: str, port: int) -> MachineProxy | None:
    """For a connection to ``host``; None where it is made directly. A proxy that cannot be used (SOCKS) is none."""
    said = {name.lower(): value for name, value in environment.items() if value}
    if _excepted(said.get("no_proxy", ""), host):
        return None
    first, second = ("http_proxy", "https_proxy") if port == 80 else ("https_proxy", "http_proxy")
    url = said.get(first) or said.get("all_proxy") or said.get(second)
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            return None
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return MachineProxy(canonical(parts.hostname), parts.port or 80, login)
    except ValueError:
        return None


def _excepted(listed: str, host: str) -> bool:
    own = address(host)
    for entry in (word.strip().lower() for word in listed.split(",")):
        if entry == "*":
            return True
        name = entry.rpartition(":")[0] if entry.count(":") == 1 else entry
        bare = name.lstrip("*").lstrip(".")
        if bare and (host == bare or host.endswith("." + bare)):
            return True
        if own is not None and "/" in name:
            try:
                if own in ipaddress.ip_network(name, strict=False):
                    return True
            except ValueError:
                continue
    return False
