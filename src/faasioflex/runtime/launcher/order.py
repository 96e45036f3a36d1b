"""From what the manager asks for to what a box runs: places, environment, limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faasioflex.model.errors import StartFailed
from faasioflex.model.function import Limits
from faasioflex.model.instance import InstanceSpec
from faasioflex.runtime import language as languages
from faasioflex.runtime.egress.messages import Guest
from faasioflex.runtime.egress.plan import PLATFORM_URL
from faasioflex.runtime.isolation import Order, Shown
from faasioflex.runtime.language import INSIDE, Language
from faasioflex.runtime.launcher import folders
from faasioflex.runtime.launcher.pool.shape import Shape
from faasioflex.runtime.port import JobSpec
from faasioflex.runtime.toolchain import Toolchain, find

LISTENER, REPORT = 3, 4  # descriptors that an instance is handed
_MACHINE_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_PATH = "/usr/local/bin:/usr/bin:/bin"


def of_instance(spec: InstanceSpec, language: Language, data: Path, *, relayed: bool) -> Order:
    """Without the folder of its files, see :func:`with_files`. ``relayed``: an egress relay serves its network.

    Raises: StartFailed where a folder of the build is not there, or its egress list cannot be read.
    """
    guest = Guest(spec.id, spec.network.egress, platform=spec.platform_url == PLATFORM_URL) if relayed else None
    toolchain = _toolchain(language)
    places = INSIDE.of(spec.code.deps, toolchain)
    shown = [*_language(language, toolchain), Shown(_existing(spec.code.code), INSIDE.code)]
    if spec.code.deps is not None:
        shown.append(Shown(_existing(spec.code.deps), "/ffx/deps"))
    config = {
        "runtime": spec.runtime,
        "handler": spec.handler,
        "timeout_s": spec.limits.timeout_s,
        "concurrency": spec.limits.concurrency,
        "payload_bytes": spec.limits.payload_bytes,
        "memory_bytes": spec.limits.most_memory_bytes,  # a runtime bounds its heap once; its limit may be raised while it runs
        "cpu": spec.limits.cpu,
    }
    platform = {
        **_marks(data, spec.id),
        "LISTEN_FDS": "1",
        "FFX_REPORT_FD": str(REPORT),
        "FFX_CONFIG": json.dumps(config),
        "FFX_NAMESPACE": spec.function.namespace,
        "FFX_FUNCTION": spec.function.name,
        "FFX_REVISION": str(spec.revision),
        "FFX_SECRETS_DIR": f"{folders.INSIDE}/{folders.SECRETS}",
    }
    if folders.TOKEN in spec.files:
        platform["FFX_TOKEN_FILE"] = f"{folders.INSIDE}/{folders.TOKEN}"
    if spec.platform_url is not None:
        platform["FFX_URL"] = spec.platform_url
    return Order(
        id=spec.id,
        argv=tuple(language.start_argv(places, spec.limits.most_memory_bytes)),
        env={**_defaults(), **_proxies(guest), **language.environment_for(places), **spec.env, **platform},
        cwd=INSIDE.code,
        shown=tuple(shown),
        memory_bytes=spec.limits.memory_bytes,
        disk_bytes=spec.limits.disk_bytes,
        processes=spec.limits.processes,
        cpu=spec.limits.cpu,
        guest=guest,
    )


def with_files(made: Order, files: Path) -> Order:
    """``files``: the folder of its token and secrets."""
    return replace(made, shown=(*made.shown, Shown(files, folders.INSIDE)))


def of_spare(identifier: str, shape: Shape, data: Path, files: Path, rooms: Sequence[Shown], *, relayed: bool) -> Order:
    """A sandbox that waits for a function; ``rooms``: what it shows where the code will be.

    Raises: StartFailed where the language's toolchain is not there.
    """
    kind = languages.language(shape.language)
    toolchain = _toolchain(kind)
    places = INSIDE.of(None, toolchain)
    guest = Guest(identifier, (), platform=shape.platform) if relayed else None
    return Order(
        id=identifier,
        argv=tuple(kind.spare_argv(places, shape.memory_bytes)),
        env={**_defaults(), **_proxies(guest), **kind.environment_for(places), **_marks(data, identifier)},
        cwd="/",
        shown=(*_language(kind, toolchain), *rooms, Shown(files, folders.INSIDE)),
        memory_bytes=shape.memory_bytes,
        disk_bytes=shape.disk_bytes,
        processes=shape.processes,
        cpu=Limits().cpu,
        patient=True,
        guest=guest,
    )


def has_toolchain(name: str) -> bool:
    """Whether all that instances of a language need is on this machine; builds fetch it."""
    need = languages.language(name).run_toolchain
    return need is None or find(need) is not None


def of_job(job: JobSpec, language: Language | None, data: Path, *, relayed: bool) -> Order:
    """Raises: StartFailed where a folder to be shown is not there."""
    guest = None
    own = dict(job.env)
    if relayed and job.network:
        proxies = {name: own.pop(name) for name in job.env if name.lower() in _MACHINE_PROXIES}
        guest = Guest(job.id, job.egress, fetch=True, proxies=proxies)
    shown = _language(language, _toolchain(language)) if language else []
    shown += [Shown(_existing(bind.source), bind.target, bind.writable) for bind in job.binds]
    return Order(
        id=job.id,
        argv=job.argv,
        env={**_defaults(), **own, **_proxies(guest), **_marks(data, job.id)},
        cwd=job.cwd,
        shown=tuple(shown),
        memory_bytes=job.memory_bytes,
        disk_bytes=job.disk_bytes,
        processes=job.processes,
        cpu=None,
        guest=guest,
    )


def _proxies(guest: Guest | None) -> dict[str, str]:
    if guest is None:
        return {}
    try:
        return guest.plan.environment
    except ValueError as error:
        raise StartFailed(f"network.egress cannot be read: {error}") from error


def _language(language: Language, toolchain: Toolchain | None) -> list[Shown]:
    own = [Shown(folder, str(folder)) for folder in language.host_folders]
    if toolchain is not None:
        own += [Shown(source, target) for source, target in toolchain.shown]
    return [Shown(_existing(language.folder), INSIDE.runtime), *own]


def _toolchain(language: Language) -> Toolchain | None:
    """What the language's instances need of this machine; the builder has fetched it where it was not there."""
    need = language.run_toolchain
    if need is None:
        return None
    toolchain = find(need)
    if toolchain is None:
        raise StartFailed(f"{need.name} {need.version} is not on this machine any more: deploy again, which fetches it")
    return toolchain


def _defaults() -> dict[str, str]:
    return {"PATH": _PATH, "HOME": "/tmp", "TMPDIR": "/tmp"}  # noqa: S108  (inside, private)


def _marks(data: Path, identifier: str) -> dict[str, str]:
    """By these a later start finds what an earlier launcher left."""
    return {"FFX_DATA": str(data), "FFX_INSTANCE": identifier}


def _existing(path: Path) -> Path:
    if not path.exists():
        raise StartFailed(f"{path} is not there: build the revision again")
    return path
