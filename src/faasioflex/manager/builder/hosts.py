"""Which hosts a fetching step may reach, from the addresses of registries: entries as of ``network.egress``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from faasioflex.model.egress import canonical, shown
from faasioflex.runtime.registries import Registries

PYPI, NPM, GO_PROXY, GO_SUMS = (
    "https://pypi.org/simple",
    "https://registry.npmjs.org",
    "https://proxy.golang.org",
    "https://sum.golang.org",
)
# Where the well-known registries keep their files.
_FILES = {"pypi.org": ("https://files.pythonhosted.org",), "proxy.golang.org": ("https://storage.googleapis.com",)}
_PORTS = {"http": 80, "https": 443}


def entries(addresses: Iterable[str]) -> tuple[str, ...]:
    """Of ``https://…`` (also ``name=https://…``); what is no such address is left out: a tool will say so itself."""
    found: dict[str, None] = {}
    for address in addresses:
        for url in re.findall(r"https?://\S+", address):
            found |= dict.fromkeys(_entries(url))
    return tuple(found)


def _entries(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host = canonical(parts.hostname or "")
        own = shown(host, parts.port or _PORTS[parts.scheme])
    except ValueError:
        return []
    return [own, *(entry for more in _FILES.get(host, ()) for entry in _entries(more))]


def of_pip(registries: Registries) -> tuple[str, ...]:
    return entries([registries.default or PYPI, *registries.extra, *registries.links])


def of_npm(settings: Iterable[str]) -> tuple[str, ...]:
    """``settings``: lines like ``registry = "https://…"`` and ``@scope:registry = "https://…"``."""
    found = {name.strip(): value for name, _, value in (line.partition("=") for line in settings)}
    named = [value.strip().strip('"') for name, value in found.items() if name.endswith("registry")]
    return entries([*named, *([] if "registry" in found else [NPM])])


def of_go(environment: Mapping[str, str]) -> tuple[str, ...]:
    """GOPROXY (``https://a,https://b|direct``) and GOSUMDB (``name``, or ``name https://…``)."""
    proxies = environment.get("GOPROXY") or GO_PROXY
    name, _, sums = (environment.get("GOSUMDB") or "").partition(" ")
    if not sums and name != "off":
        sums = f"https://{name.partition('+')[0]}" if name else GO_SUMS
    return entries([*re.split(r"[,|]", proxies), sums])
