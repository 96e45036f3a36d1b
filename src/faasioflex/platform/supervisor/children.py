"""The processes of an embedded platform: commands, environments, how each shows that it serves, how long each may take to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from faasioflex.gateway.envoy import bootstrap
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.manager.secrets.master import ENVIRONMENT_NAME
from faasioflex.platform import binaries
from faasioflex.platform.envoy import envoy_settings
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.parts.secrets import take_from_environment
from faasioflex.platform.proof import proof_of
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import nats
from faasioflex.platform.supervisor.child import ChildSpec
from faasioflex.platform.supervisor.probe import accepts, accepts_packets, request
from faasioflex.platform.supervisor.spawn import PART_VARIABLE
from faasioflex.platform.supervisor.tls import CertificateFiles

# An end takes at most 3 s of draining and the sum of the slowest of each group, which is below the contract's 15 s:
# envoy, then control and invoker, then the launcher with its sandboxes and the egress relay, then nats-server.
STOP_S = {"envoy": 1.0, "invoker": 3.0, "control": 3.0, "launcher": 4.0, "egress": 3.0, "nats": 3.0}


@dataclass(frozen=True)
class Plan:
    """In the order of starting."""

    store: ChildSpec
    parts: tuple[ChildSpec, ...]
    gateway: ChildSpec

    @property
    def all(self) -> tuple[ChildSpec, ...]:
        return (self.store, *self.parts, self.gateway)


def plan(
    settings: Settings, host: str, port: int, certificate: CertificateFiles | None, run: nats.NatsRun, *, url: str
) -> Plan:
    """Everything that ``ffx up`` starts; ``url``: how others reach the platform.

    The gateway comes last: once its port is bound, the platform is there.
    """
    folder = settings.folder
    files = (certificate.chain, certificate.key) if certificate else None
    python = (sys.executable, "-P")  # -P: never import from the working folder
    ours = _environment(settings, url)

    def part(
        name: str, command: tuple[str, ...], ready: Callable[[], Awaitable[bool]], more: Mapping[str, str] | None = None
    ) -> ChildSpec:
        return ChildSpec(
            name, lambda: list(command), ours | {PART_VARIABLE: name} | dict(more or {}), ready, STOP_S[name]
        )

    launcher: tuple[str, ...] = (
        *(*python, "-m", "faasioflex.runtime.launcher", "--mode", settings.runtime, "--parent", str(os.getpid())),
        *("--data", str(folder.root), "--socket", str(folder.launcher_socket)),
    )
    egress = (
        *(*python, "-m", "faasioflex.gateway.egress", "--parent", str(os.getpid()), "--allow", settings.egress_allow),
        *("--socket", str(folder.egress_socket), "--platform", str(folder.functions_socket)),
        *("--folder", str(folder.egress), "--envoy", str(binaries.envoy())),
    )
    if settings.memory_folder:
        launcher += ("--memory", settings.memory_folder)
    sandboxed = settings.runtime == "sandbox"  # else functions have the network of the platform's user
    if sandboxed:
        launcher += ("--egress", str(folder.egress_socket), "--pool", str(settings.pool_memory_bytes))
    served = (*python, "-m", "faasioflex.platform.parts")
    return Plan(
        store=ChildSpec(
            "nats",
            partial(nats.write, folder, settings, run),
            _bare(folder) | {PART_VARIABLE: "nats"},
            partial(nats.serves, run),
            STOP_S["nats"],
        ),
        parts=(
            *([part("egress", egress, partial(accepts_packets, folder.egress_socket))] if sandboxed else []),
            part("launcher", launcher, partial(accepts, folder.launcher_socket)),
            part("control", (*served, "control"), partial(_answers, folder), _master_key()),
            part("invoker", (*served, "invoker"), partial(accepts, folder.invoker_socket)),
        ),
        gateway=ChildSpec(
            "envoy",
            partial(_envoy_command, envoy_settings(settings, host, port, files, proof_of(run.password))),
            _bare(folder) | {PART_VARIABLE: "envoy"},
            partial(_live, folder),
            STOP_S["envoy"],
        ),
    )


def _envoy_command(envoy: EnvoySettings) -> list[str]:
    return bootstrap.command(envoy, binaries.envoy())


def _environment(settings: Settings, url: str) -> dict[str, str]:
    """Ours: what the user has (proxies, package indexes, PATH for the tools of builds), and the settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FFX_", "PYTHON"))}
    return kept | settings.to_environment() | {"FFX_GATEWAY_URL": url, "PYTHONUNBUFFERED": "1"}


def _master_key() -> dict[str, str]:
    """Of secrets, where the environment has it: for the process that needs it, and no other."""
    text = take_from_environment()
    return {ENVIRONMENT_NAME: text} if text else {}


def _bare(folder: DataFolder) -> dict[str, str]:
    """Of a server that needs nothing from the user."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "FFX_DATA": str(folder.root)}


async def _answers(folder: DataFolder) -> bool:
    answer = await request(folder.api_socket, "/healthz")
    return answer is not None and answer.status == 200


async def _live(folder: DataFolder) -> bool:
    """Envoy has its configuration and its workers listen."""
    answer = await request(folder.envoy_admin_socket, "/ready")
    return answer is not None and answer.status == 200
