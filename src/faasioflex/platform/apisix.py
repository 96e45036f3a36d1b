"""The APISIX in front, out of the platform's settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from faasioflex.model.errors import Invalid

if TYPE_CHECKING:
    from faasioflex.gateway.apisix.settings import ApisixSettings

DRIVERS = ("envoy", "apisix")
EXPORTER_PORT = 9091  # APISIX's own default
METRICS_PATH = "/apisix/prometheus/metrics"
DISCOVERY_PATH = "/oidc/.well-known/openid-configuration"


class GatewaySettings(Protocol):
    """Those of ``Settings`` that are looked at."""

    @property
    def gateway(self) -> str: ...
    @property
    def apisix_admin(self) -> str: ...
    @property
    def apisix_key_file(self) -> str | None: ...
    @property
    def apisix_metrics(self) -> str: ...
    @property
    def apisix_discovery(self) -> str: ...
    @property
    def apisix_api(self) -> str: ...
    @property
    def apisix_invoker(self) -> str: ...
    @property
    def functions_host(self) -> str | None: ...
    @property
    def runtime(self) -> str: ...


def gateway_problems(settings: GatewaySettings) -> Iterator[tuple[str, str]]:
    """Name of the setting, and a sentence."""
    if settings.gateway not in DRIVERS:
        yield "gateway", f"must be one of {', '.join(DRIVERS)}"
    for name in ("apisix_admin", "apisix_metrics", "apisix_discovery"):
        url = getattr(settings, name)
        if url and not _is_url(url):
            yield name, "must be a URL like http://127.0.0.1:9180"
    for name in ("apisix_api", "apisix_invoker"):
        host, _, port = getattr(settings, name).rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            yield name, "must be HOST:PORT, like 127.0.0.1:8001"
    if settings.gateway == "apisix":
        if not settings.apisix_admin:
            yield "apisix_admin", "where is APISIX's Admin API? Like http://127.0.0.1:9180"
        if not settings.apisix_key_file:
            yield "apisix_key_file", "which file holds the key of APISIX's Admin API?"


def require_tcp(settings: GatewaySettings) -> None:
    """Before instances are started. Raises: Invalid where the gateway could not reach them."""
    if settings.gateway == "apisix" and settings.runtime != "docker":
        raise Invalid(
            f"APISIX cannot send calls to unix sockets, and on those instances of --runtime {settings.runtime} listen. Use "
            "--runtime docker, or the gateway envoy."
        )


def apisix_settings(settings: GatewaySettings, proof: str) -> ApisixSettings:
    from faasioflex.gateway.apisix.settings import ApisixSettings

    admin = urlsplit(settings.apisix_admin)
    host = f"[{admin.hostname}]" if admin.hostname and ":" in admin.hostname else admin.hostname
    return ApisixSettings(
        admin_url=settings.apisix_admin.rstrip("/"),
        key_file=Path(settings.apisix_key_file or ""),
        api=settings.apisix_api,
        invoker=settings.apisix_invoker,
        discovery=settings.apisix_discovery or f"http://{settings.apisix_api}{DISCOVERY_PATH}",
        metrics_url=settings.apisix_metrics or f"http://{host}:{EXPORTER_PORT}{METRICS_PATH}",
        proof=proof,
        functions_host=settings.functions_host,
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
