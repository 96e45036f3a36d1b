"""``ffx up``: start the platform on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from faasioflex.model.errors import Invalid, NotSupportedYet
from faasioflex.platform.apisix import require_tcp
from faasioflex.platform.diagnosis import require_sandboxes
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.lock import FolderInUse, holder
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor.ports import listen_address

SUPERVISOR = "faasioflex.platform.supervisor"


def up(  # noqa: PLR0917 - one parameter per option
    data: Annotated[
        str | None, typer.Option(help="Folder of everything the platform keeps.", metavar="DIR", show_default=False)
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]", metavar="ADDR")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one and keeps it. [8080]", metavar="N")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready, and leave it running.")] = False,
    runtime: Annotated[
        str | None, typer.Option(help="Where functions run: sandbox, docker, process. [sandbox]", metavar="NAME")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, TOML or YAML.", metavar="FILE", dir_okay=False)] = None,
    tls_cert: Annotated[str | None, typer.Option(help="Certificate chain, PEM.", metavar="FILE")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Its private key, PEM.", metavar="FILE")] = None,
    tls: Annotated[
        str | None, typer.Option(help="self-signed: a certificate of the platform's own.", metavar="self-signed")
    ] = None,
    insecure_plain_http: Annotated[
        bool | None,
        typer.Option(
            "--insecure-plain-http",
            help="Off loopback without TLS: whoever listens on the way reads passwords and tokens.",
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(help="How people reach the platform, also through a proxy in front of it.", metavar="URL"),
    ] = None,
    functions_host: Annotated[
        str | None,
        typer.Option(help="A host name of the functions' own: they answer on it, and nowhere else.", metavar="NAME"),
    ] = None,
) -> None:
    """Start the platform on this machine.

    It stays in the foreground and stops with Ctrl-C, unless --detach is given; 'ffx down' stops it from elsewhere.
    The first start on a folder prints the one-time password of its admin; it is kept nowhere. Off loopback it needs TLS.
    Every option can stand in the file of --config or in the environment as FFX_NAME.

    \b
    Examples:
      ffx up --data ./platform --port 0 --detach
      ffx up --host 0.0.0.0 --tls self-signed --public-url https://lab.example.org:8080
      ffx up --tls self-signed --functions-host functions.example.org
    """
    flags: dict[str, Any] = {
        "data": data,
        "host": host,
        "port": port,
        "runtime": runtime,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls": tls,
        "insecure_plain_http": insecure_plain_http,
        "public_url": public_url,
        "functions_host": functions_host,
    }
    settings = Settings.load(flags, file=config or _config_of_environment())
    if settings.runtime == "docker":
        raise NotSupportedYet("The runtime docker is not supported yet. Use --runtime sandbox.")
    if settings.gateway != "envoy":
        require_tcp(settings)
        raise Invalid(
            "'ffx up' brings its own Envoy. APISIX is told by 'ffx serve gateway --gateway apisix': docs/apisix.md."
        )
    listen_address(settings.host, secure=settings.secure, insecure=settings.insecure_plain_http)
    folder = settings.folder
    pid = holder(folder)
    if pid is not None:
        raise FolderInUse(folder, pid)
    if settings.runtime == "sandbox":
        require_sandboxes()
    environment = {n: v for n, v in os.environ.items() if n not in {"FFX_PART"}} | settings.to_environment()
    command = [sys.executable, "-P", "-m", SUPERVISOR]
    if not detach:
        sys.stdout.flush()
        # the same process goes on, without what the command line took in memory
        os.execve(command[0], command, environment)  # noqa: S606 - an argument list, no shell
    _detach([*command, json.dumps({"detached": True})], environment, folder)


def _detach(command: list[str], environment: dict[str, str], folder: DataFolder) -> None:
    """Start it in a session of its own and show what it says until it is ready, or has failed: then exit 1."""
    child = subprocess.Popen(
        command,
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    for line in child.stderr or ():  # ends when the platform is ready and lets go of the pipe, or when it ends
        sys.stderr.write(line.decode(errors="replace"))
    try:
        url = json.loads(folder.platform_json.read_text())["gateway_url"]
    except (OSError, ValueError, KeyError):
        raise typer.Exit(child.wait() or 1) from None
    print(url)


def _config_of_environment() -> Path | None:
    name = os.environ.get("FFX_CONFIG_FILE")
    if name and not Path(name).is_file():
        raise Invalid(f"FFX_CONFIG_FILE names {name}, which is not a file.")
    return Path(name) if name else None
