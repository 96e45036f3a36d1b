"""The sandboxed steps of a Go build. Fetching has the network and only go.mod files; compiling has the code and no network."""

from __future__ import annotations

from pathlib import Path

from faasioflex.manager.builder import hosts
from faasioflex.manager.builder.go.settings import GoSettings
from faasioflex.manager.builder.jobs import MIB, Step, StepLimits, read_only, writable
from faasioflex.runtime.language import INSIDE, interpreter
from faasioflex.runtime.port import Bind
from faasioflex.runtime.toolchain import Toolchain

STEPS, RUNTIME, CACHE, MODULES, FOLDER = "/ffx/steps", "/ffx/go", "/ffx/cache", "/ffx/modules", "/ffx/mod"
PREPARE, NETRC, CERTIFICATES = "/ffx/bin/prepare", "/ffx/netrc", "/ffx/certificates.pem"
_SCRIPT = f"{STEPS}/go_steps.py"
_SEEDING = StepLimits(timeout_s=800.0, memory_bytes=2048 * MIB)  # a whole standard library, on a slow machine
_ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's private tmpfs
    "GOENV": "off",
    "GOWORK": "off",
    "GOTOOLCHAIN": "local",
    "GO111MODULE": "on",
    "GOTELEMETRY": "off",
    "CGO_ENABLED": "0",
}
_OFFLINE = {"GOPROXY": "off", "GOSUMDB": "off", "GOFLAGS": "", "GOCACHE": CACHE}


def seed(toolchain: Toolchain, runtime: Path, cache: Path, program: Path) -> Step:
    """Fill ``cache``; the program that looks at code comes out at ``program``."""
    argv = _argv("seed", toolchain)
    binds = (*_shown(toolchain, runtime), writable(cache, CACHE))
    title = f"compile the standard library of {toolchain.words} (first use)"
    return Step(title, argv, {**_ENVIRONMENT, **_OFFLINE}, binds, output=program, limits=_SEEDING)


def fetch(
    toolchain: Toolchain, runtime: Path, *, modules: Path, folder: Path, settings: GoSettings, netrc: Path
) -> Step:
    """``netrc``: a copy of the settings' one that the sandbox can read."""
    argv = _argv("fetch", toolchain, MODULES, FOLDER)
    binds = [*_shown(toolchain, runtime), writable(modules, MODULES), writable(folder, FOLDER)]
    env = {**_ENVIRONMENT, "GOMODCACHE": MODULES, **settings.environment}
    if settings.netrc is not None:
        binds.append(read_only(netrc, NETRC))
        env["NETRC"] = NETRC
    if settings.certificates is not None:
        binds.append(read_only(settings.certificates, CERTIFICATES))
        env["SSL_CERT_FILE"] = CERTIFICATES
    return Step("fetch modules", argv, env, tuple(binds), reaches=hosts.of_go(settings.environment), explains=True)


def build(
    toolchain: Toolchain,
    runtime: Path,
    *,
    code: Path,
    prepare: Path,
    cache: Path,
    layer: Path | None,
    handler: str | None,
    program: Path,
) -> Step:
    """``layer``: what was fetched, None where nothing is asked for."""
    folder = FOLDER if layer is not None else INSIDE.code
    argv = _argv("build", toolchain, INSIDE.code, PREPARE, folder, handler or "")
    binds = [*_shown(toolchain, runtime), read_only(code, INSIDE.code), read_only(prepare, PREPARE)]
    binds.append(writable(cache, CACHE))
    env = {**_ENVIRONMENT, **_OFFLINE}
    if layer is not None:
        binds += [read_only(layer / "modules", MODULES), read_only(layer / "mod", FOLDER)]
        env["GOMODCACHE"] = MODULES
    title = f"compile with {toolchain.words}"
    return Step(title, argv, env, tuple(binds), output=program, cwd=INSIDE.code, explains=True)


def _argv(task: str, toolchain: Toolchain, *rest: str) -> tuple[str, ...]:
    return (str(interpreter()), "-I", _SCRIPT, task, f"{toolchain.inside}/bin/go", RUNTIME, *rest)


def _shown(toolchain: Toolchain, runtime: Path) -> tuple[Bind, ...]:
    steps = read_only(Path(__file__).with_name("in_sandbox"), STEPS)
    return (steps, read_only(runtime, RUNTIME), *(read_only(source, target) for source, target in toolchain.shown))
