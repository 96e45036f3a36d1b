"""``ffx invoke``."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.output import Output, OutputOption, show
from faasioflex.cli.units import duration_s
from faasioflex.model.errors import BadRequest, FfxError, FunctionError

if TYPE_CHECKING:
    from faasioflex.client import Client, Invocation

DataOption = Annotated[
    str | None,
    typer.Option("--data", "-d", metavar="DATA|@FILE|-", help="The payload; - is stdin.", show_default=False),
]


@on_platform
def invoke(
    client: Client,
    *,
    name: NameArgument,
    payload: DataOption = None,
    revision: Annotated[int | None, typer.Option(help="Call this revision, whatever the split.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Give up after this long, like 30s.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Over the direct path: body in, body out, byte for byte.")] = False,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="With --raw: 'Name: value'.")] = None,
    method: Annotated[
        str | None, typer.Option("--method", "-X", help="With --raw; default POST with data, else GET.")
    ] = None,
    path: Annotated[str, typer.Option(help="With --raw: what follows the function's URL.")] = "",
    asynchronous: Annotated[bool, typer.Option("--async", help="Queue the call and print its id.")] = False,
    key: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Idempotency key: calls with the same one are one call.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --async: not before; like 10m, or 2026-01-31T12:00:00Z.")
    ] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="With --async: higher ones go first.")] = None,
    order_key: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --async: calls of one key go in order, where that is set.")
    ] = None,
    callback: Annotated[
        str | None, typer.Option(metavar="URL", help="With --async: where the outcome is posted, signed.")
    ] = None,
    callback_secret: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The namespace's secret that signs it; default: its callback key."),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Call a function.

    The payload is JSON; text that is not JSON is sent as a JSON string. The result is printed; -o json prints the whole
    invocation.

    \b
    Examples:
      ffx invoke hello -d '{"name": "Ada"}'
      ffx invoke hello -d @order.json -o json
      ffx invoke mail -d @letter.json --async --after 10m --key letter-17
      tar c photos | ffx invoke resize --raw -d - -H 'Content-Type: application/x-tar' > small.tar
    """
    timeout_s = duration_s(timeout) if timeout else None
    if callback_secret is not None and callback is None:
        raise typer.BadParameter("--callback-secret is for --callback")
    posted = {"url": callback, "secret": callback_secret} if callback_secret else callback
    queued = _queued(key, after, priority, order_key, posted)
    if queued.keys() - {"idempotency_key"} and not asynchronous:
        raise typer.BadParameter("--after, --priority, --order-key and --callback are for --async")
    if raw:
        if asynchronous or key or revision is not None:
            raise typer.BadParameter(
                "--raw goes over the direct path: --async, --key and --revision do not apply there"
            )
        verb = method or ("GET" if payload is None else "POST")
        _direct(client, name, _Call(verb, path, _headers(header or []), _content(payload), timeout_s))
        return
    if header or method or path:
        raise typer.BadParameter("--header, --method and --path are for --raw")
    options: dict[str, Any] = {} if revision is None else {"revision": revision}
    if asynchronous:
        options["mode"] = "async"
    options |= queued
    invocation = client.execute(name, _json(payload), timeout_s=timeout_s, **options)
    if asynchronous:
        show(output, invocation.raw, lambda: print(invocation.invocation_id))
    else:
        report_invocation(invocation, output)


def _queued(
    key: str | None,
    after: str | None,
    priority: int | None,
    order_key: str | None,
    callback: str | dict[str, str | None] | None,
) -> dict[str, Any]:
    """Fields of the request; what was not said is left out."""
    given = {
        "idempotency_key": key,
        "not_before": _moment(after) if after is not None else None,
        "priority": priority,
        "order_key": order_key,
        "callback": callback,
    }
    return {name: value for name, value in given.items() if value is not None}


def _moment(text: str) -> float | str:
    """A duration as seconds, a time as it is: the platform reads it."""
    return text if "T" in text or text.count("-") == 2 else duration_s(text)


def report_invocation(invocation: Invocation, output: Output) -> None:
    """Print the result of a call that ended well, its id where it has not ended.

    Raises: FunctionError (or what the platform says) where it failed.
    """
    show(output, invocation.raw, lambda: _result(invocation))
    if invocation.ended and invocation.status != "succeeded":
        error = invocation.error
        failed = FunctionError(error.message if error else f"the call is {invocation.status}")
        if error:
            vars(failed)["code"] = error.code
        raise failed


def _result(invocation: Invocation) -> None:
    result = invocation.result
    if not invocation.ended:
        print(invocation.invocation_id)
    elif invocation.status != "succeeded":
        return
    elif isinstance(result, dict) and result.keys() == {"base64", "content_type"}:
        sys.stdout.buffer.write(base64.b64decode(result["base64"]))
    elif isinstance(result, str):
        print(result, end="" if result.endswith("\n") else "\n")
    elif result is not None:
        print(json.dumps(result, indent=2, ensure_ascii=False))


def _own_host(client: Client, name: str) -> str:
    """Where functions have a host of their own. Of a function that is not known the call itself tells."""
    try:
        return urlsplit(client.get(name).status.url or "").netloc
    except FfxError:
        return ""


def _direct(client: Client, name: str, call: _Call) -> None:
    host = _own_host(client, name)
    headers = {"Host": host, **call.headers} if host else call.headers
    opened = client.open(
        name, call.path, method=call.method, headers=headers, content=call.content, timeout_s=call.timeout_s
    )
    with opened as (answer, chunks):
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    if answer.status >= 400:
        raise _Refused(f"the answer has status {answer.status}")


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    headers: dict[str, str]
    content: bytes | None
    timeout_s: float | None


class _Refused(FfxError):
    code, status, title = "http-status", 502, "The function answered with an error"


def _content(payload: str | None) -> bytes | None:
    if payload is None:
        return None
    if payload == "-":
        return sys.stdin.buffer.read()
    if not payload.startswith("@"):
        return payload.encode()
    try:
        return Path(payload[1:]).expanduser().read_bytes()
    except OSError as error:
        raise BadRequest(f"{payload[1:]} cannot be read: {error.strerror}") from error


def _json(payload: str | None) -> Any:
    content = _content(payload)
    if content is None:
        return None
    try:
        text = content.decode()
        return json.loads(text)
    except UnicodeDecodeError:
        raise BadRequest("the payload is not text: send bytes with --raw") from None
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise BadRequest(f"the payload starts like JSON and is not: {error}") from None
        return text


def _headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            raise typer.BadParameter(f"{line!r} is not a header: write 'Name: value'")
        headers[key.strip()] = value.strip()
    return headers
