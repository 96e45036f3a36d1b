"""The one place that picks drivers: what each part is given. Imports of a part happen here only when it is wanted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faasioflex.bus.port import Bus
from faasioflex.model.callback import parse_callback_hosts
from faasioflex.model.names import FunctionName
from faasioflex.platform.apisix import apisix_settings, require_tcp
from faasioflex.platform.envoy import envoy_settings
from faasioflex.platform.observing import announced, thresholds_of, traces_of
from faasioflex.platform.parts.host import Host
from faasioflex.platform.parts.part import HeardFrom, Part
from faasioflex.platform.proof import proof_of
from faasioflex.platform.settings import Settings, parse_hosts

if TYPE_CHECKING:
    from faasioflex.gateway.port import Gateway


def wire(host: Host, names: Sequence[str], bus: Bus, settings: Settings) -> None:
    """Make the parts and add them to ``host``. Where the API is without the invoker, it also tells whether that is heard."""
    for name in names:
        host.add(name, _MAKERS[name](host, bus, settings))
    if settings.login != "embedded" and {"api", "gateway", "invoker"} & set(names):
        host.add("login", _login(bus, settings))
    if "api" in names:
        host.add("identity", _identity(bus, settings))
        host.add("nats-users", _nats_users(bus, settings))
    if "api" in names and "invoker" not in names:
        host.add("invoker", HeardFrom(bus, "invoker.local"))


def _api(host: Host, bus: Bus, settings: Settings) -> Part:
    from faasioflex.api.server import ApiPart
    from faasioflex.platform.parts.identity import api_identity

    folder = settings.folder
    return ApiPart(
        bus,
        api_identity(bus, settings),
        socket_path=folder.api_socket,
        invoker_socket=folder.invoker_socket,
        readiness=host.readiness,
        functions_url=settings.functions_url(os.environ.get("FFX_GATEWAY_URL", "")),
        hosts=settings.host_names,
        pids=lambda: announced(folder.platform_json),
        thresholds=thresholds_of(settings),
    )


def _manager(_host: Host, bus: Bus, settings: Settings) -> Part:
    from faasioflex.manager.builder.service import LocalBuilder
    from faasioflex.manager.capacity.budget import machine_budget
    from faasioflex.manager.capacity.weights import parse_weights
    from faasioflex.manager.service import FunctionManager
    from faasioflex.platform.parts.identity import process_identity
    from faasioflex.platform.parts.secrets import secret_store
    from faasioflex.runtime.driver import LauncherDriver
    from faasioflex.runtime.egress.plan import PLATFORM_URL
    from faasioflex.runtime.registries import machine_registries

    require_tcp(settings)
    folder = settings.folder
    driver = LauncherDriver(folder.launcher_socket)
    registries = machine_registries(os.environ, Path.home())
    more_hosts = parse_hosts(settings.build_egress)
    builder = LocalBuilder(bus, driver, folder.builds, registries, more_hosts=more_hosts)
    url = PLATFORM_URL if settings.runtime == "sandbox" else os.environ.get("FFX_GATEWAY_URL")
    mint = process_identity(bus, settings).mint

    def mint_token(function: FunctionName, uid: str, now: float) -> tuple[str, float]:
        made = mint.function(function, uid, now)
        return made.token, made.expires_at

    return FunctionManager(
        bus,
        driver,
        builder,
        platform_url=url,
        secrets=secret_store(bus, settings),
        mint=mint_token,
        memory_budget_bytes=settings.memory_budget_bytes or machine_budget() - settings.pool_memory_bytes,
        weights=parse_weights(settings.memory_weights),
    )


def _gateway(_host: Host, bus: Bus, settings: Settings) -> Part:
    from faasioflex.gateway.controller import GatewayController
    from faasioflex.platform.parts.identity import process_identity

    shared = process_identity(bus, settings)
    proof = proof_of(json.loads(settings.folder.nats_credentials.read_text())["password"])
    driver = _apisix(settings, proof) if settings.gateway == "apisix" else _envoy(settings, proof)
    return GatewayController(bus, driver, shared.directory, shared.trusted_issuers, used=shared.uses.record_use)


def _envoy(settings: Settings, proof: str) -> Gateway:
    from faasioflex.gateway.envoy.driver import EnvoyGateway

    return EnvoyGateway(envoy_settings(settings, settings.host, settings.port, proof=proof))


def _apisix(settings: Settings, proof: str) -> Gateway:
    from faasioflex.gateway.apisix.driver import ApisixGateway

    return ApisixGateway(apisix_settings(settings, proof))


def _autoscaler(_host: Host, bus: Bus, _settings: Settings) -> Part:
    from faasioflex.autoscaler.service import Autoscaler

    return Autoscaler(bus)


def _relay(_host: Host, bus: Bus, _settings: Settings) -> Part:
    from faasioflex.bus.relay import EventRelay

    return EventRelay(bus)


def _invoker(_host: Host, bus: Bus, settings: Settings) -> Part:
    from faasioflex.invoker.bounds import Bounds
    from faasioflex.invoker.queue.options import MESSAGE_MARGIN, QueueBounds
    from faasioflex.invoker.service import Invoker
    from faasioflex.platform.parts.identity import process_identity

    password = json.loads(settings.folder.nats_credentials.read_text())["password"]
    identity = process_identity(bus, settings)
    return Invoker(
        bus,
        settings.folder.invoker_socket,
        bounds=Bounds(cache_bytes=settings.result_cache_bytes),
        queue=QueueBounds(
            per_function=settings.queue_per_function,
            longest_call=settings.nats_max_payload_bytes - MESSAGE_MARGIN,
        ),
        proof=proof_of(password),
        traces=traces_of(settings),
        authenticate=identity.authenticate,
        directory=identity.directory,
        callback_hosts=parse_callback_hosts(settings.callback_hosts),
        hosts=settings.host_names,
        url=settings.url(os.environ.get("FFX_GATEWAY_URL", "")) if settings.functions_host else "",
    )


def _identity(bus: Bus, settings: Settings) -> Part:
    from faasioflex.platform.parts.identity import IdentityPart

    return IdentityPart(bus, settings)


def _login(bus: Bus, settings: Settings) -> Part:
    from faasioflex.platform.parts.identity import process_identity
    from faasioflex.platform.parts.login import LoginPart

    login = process_identity(bus, settings).login
    assert login is not None  # noqa: S101 - it is not the embedded one
    return LoginPart(login)


def _nats_users(bus: Bus, settings: Settings) -> Part:
    from faasioflex.identity.nats.service import Access, NatsUsers
    from faasioflex.platform.parts.identity import process_identity

    given = json.loads(settings.folder.nats_credentials.read_text())
    access = Access(**{name: given[name] for name in Access.__dataclass_fields__})
    shared = process_identity(bus, settings)
    return NatsUsers(bus, access, shared.verifier, shared.directory)


_MAKERS: dict[str, Callable[[Host, Bus, Settings], Part]] = {
    "api": _api,
    "manager": _manager,
    "gateway": _gateway,
    "autoscaler": _autoscaler,
    "relay": _relay,
    "invoker": _invoker,
}
