"""``ffx deploy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faasioflex.cli.completing.words import functions, runtimes
from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, show
from faasioflex.cli.show_function import address
from faasioflex.cli.units import duration_s, pairs, size_bytes
from faasioflex.cli.working import say, telling
from faasioflex.model.errors import BuildFailed, DeadlineExceeded, StartFailed

if TYPE_CHECKING:
    from faasioflex.cli.deploying.follow import Outcome
    from faasioflex.cli.deploying.send import Sent
    from faasioflex.client import Client, Function


@on_platform
def deploy(
    client: Client,
    *,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The function's folder; default: this one.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="NAME or NAMESPACE/NAME; default: function.yaml, else the folder's.", autocompletion=functions
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            help="python, node, go, exec …; default: function.yaml, else by the files.", autocompletion=runtimes
        ),
    ] = None,
    handler: Annotated[str | None, typer.Option(help="What to load, like main:handle.")] = None,
    image: Annotated[str | None, typer.Option(help="Deploy this image instead of a folder.")] = None,
    env: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Environment; repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Label; repeatable.")] = None,
    min_instances: Annotated[int | None, typer.Option("--min", min=0, help="Instances that always run.")] = None,
    max_instances: Annotated[int | None, typer.Option("--max", min=1, help="Instances at most.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory of an instance, like 128M.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Longest call, like 30s.")] = None,
    no_traffic: Annotated[
        bool, typer.Option("--no-traffic", help="Start and check the revision, send it no calls.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it runs, showing the build.")] = True,
    wait_for: Annotated[str, typer.Option(metavar="TIME", help="The longest wait.")] = "120s",
    output: OutputOption = Output.table,
) -> None:
    """Create or update a function from a folder.

    The folder's function.yaml says what the function is; flags go over it. Without one, flags change only what they name.
    Files named in .ffxignore stay at home.

    \b
    Examples:
      ffx deploy hello
      ffx deploy --name acme/hello --env GREETING=hi --memory 256M --min 1
      ffx deploy hello --no-traffic
    """
    from faasioflex.cli.deploying.follow import follow
    from faasioflex.cli.deploying.plan import Wishes, plan
    from faasioflex.cli.deploying.send import send

    changes: dict[str, Any] = {
        "runtime": runtime,
        "handler": handler,
        "env": pairs(env or [], "--env"),
        "labels": pairs(label or [], "--label"),
        "limits": {
            "memory_bytes": size_bytes(memory) if memory else None,
            "timeout_s": duration_s(timeout) if timeout else None,
        },
        "scaling": {"min_instances": min_instances, "max_instances": max_instances},
    }
    wait_s = duration_s(wait_for)
    planned = plan(folder, Wishes(name, image, no_traffic, changes), lambda: client.space(None))
    sent = send(client, planned)
    if not wait or not (sent.new_revision or _is_unfinished(sent.after)):
        _finish(client, sent, sent.after, output)
        return
    say(_what_happens(sent))
    with telling(f"Waiting for {sent.after.function}") as tell:
        outcome = follow(client, sent.after, wait_s, tell)
    if outcome is None:
        raise DeadlineExceeded(
            f"{sent.after.function} is not ready after {wait_s:g} s: it goes on; 'ffx get {sent.after.function}' shows how far it is"
        )
    _refuse_failed(outcome)
    _finish(client, sent, outcome.function, output)


def _is_unfinished(function: Function) -> bool:
    return function.status.latest is not None and function.status.latest.state in ("building", "starting")


def _what_happens(sent: Sent) -> str:
    latest = sent.after.status.latest
    number = latest.revision if latest else "?"
    return f"{'Creating' if sent.before is None else 'Updating'} {sent.after.function}: revision {number}"


def _refuse_failed(outcome: Outcome) -> None:
    """Raises: BuildFailed or StartFailed where it failed; the latter's message has the function's last lines."""
    if outcome.state != "failed":
        return
    lines = (outcome.message or "the revision failed").splitlines()
    if outcome.was_built:
        raise StartFailed("\n".join(lines))
    quotes = len(lines) > 1 and lines[0].endswith(":")  # a tool's words; else the first line says all
    raise BuildFailed(f"{lines[0]} {lines[-1].strip()}" if quotes else lines[0])  # its log was shown whole


def _finish(client: Client, sent: Sent, function: Function, output: Output) -> None:
    show(output, function.raw, lambda: _summary(client, sent, function))
    latest, traffic = function.status.latest, function.status.traffic
    if latest is not None and latest.state in ("ready", "idle") and traffic and latest.revision not in traffic:
        command = f"ffx traffic {function.function} {latest.revision}=100"
        say(f"Note: revision {latest.revision} serves nobody. It gets no calls yet; '{command}' sends them.")


def _summary(client: Client, sent: Sent, function: Function) -> None:
    status = function.status
    latest = status.latest.revision if status.latest else status.revision
    state = status.latest.state if status.latest else status.state
    if sent.unchanged:
        print(f"Nothing changed: {function.function} stays at revision {latest}, {state}")
        if state == "failed" and status.latest:
            say(f"It failed before: {status.latest.message}")
    elif not sent.new_revision:
        print(f"{function.function} is changed in place: revision {latest}, {state}")
    else:
        print(f"{function.function} is {state}: revision {latest}")
    url = address(client, function)
    print(f"URL:      {url}")
    print(f"Call it:  {_call(client, function, url)}")


def _call(client: Client, function: Function, url: str) -> str:
    """A command that calls it as whoever deploys: with curl where no token is needed or a file has it."""
    payload, token = _quoted(json.dumps({"name": "Ada"})), client.target.token
    if function.visibility == "public":
        return f"curl -d {payload} {url}"
    if isinstance(token, Path):
        return f'curl -d {payload} -H "Authorization: Bearer $(cat {_quoted(str(token))})" {url}'
    return f"ffx invoke {function.function} -d {payload}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
