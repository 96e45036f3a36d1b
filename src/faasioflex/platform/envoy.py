"""The embedded Envoy's settings out of the platform's."""

from __future__ import annotations

from pathlib import Path

from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.platform.observing import tracing_of
from faasioflex.platform.settings import Settings


def envoy_settings(
    settings: Settings, host: str, port: int, certificate: tuple[Path, Path] | None = None, proof: str = ""
) -> EnvoySettings:
    """``certificate``: chain and key. The gateway controller needs neither it nor ``proof``, host and port."""
    folder = settings.folder
    chain, key = certificate or (None, None)
    return EnvoySettings(
        folder=folder.envoy,
        ads_socket=folder.ads_socket,
        api_socket=folder.api_socket,
        invoker_socket=folder.invoker_socket,
        admin_socket=folder.envoy_admin_socket,
        functions_socket=folder.functions_socket if settings.runtime == "sandbox" else None,
        host=host,
        port=port,
        tls_cert=chain,
        tls_key=key,
        functions_host=settings.functions_host,
        proof=proof,
        tracing=tracing_of(settings),
    )
