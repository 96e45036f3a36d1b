"""``ffx status``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from faasioflex.cli.connect import Data, TokenFile, Url, default_data, open_client, platform_document, resolve
from faasioflex.cli.output import Output, OutputOption, facts, show


def status(
    url: Url = None, token_file: TokenFile = None, data: Data = None, output: OutputOption = Output.table
) -> None:
    """Show whether the platform runs, and its parts.

    Ends with 1 where it does not run, or not all of it.

    \b
    Examples:
      ffx status
      ffx status -o json
    """
    target = resolve(url, token_file, data)
    with open_client(target) as client:
        ready, version = client.readyz(), client.version()
    here = platform_document(data or default_data())
    processes = here["processes"] if here and here.get("gateway_url") == target.url else None
    document = {
        "url": target.url,
        "ready": ready.ok,
        "version": version.version,
        "readyz": ready.raw,
        "processes": processes,
    }
    show(output, document, lambda: _table(document, data))
    if not ready.ok:
        raise typer.Exit(1)


def _table(document: dict[str, Any], data: Path | None) -> None:
    processes = document["processes"] or {}
    problems = {key: value for key, value in _problems(document["readyz"]).items() if value}
    facts(
        [
            ("url", document["url"]),
            ("ready", "yes" if document["ready"] else "no"),
            ("version", document["version"]),
            ("data", (data or default_data()) if processes else None),
            *((f"process {name}", f"pid {pid}") for name, pid in processes.items()),
            *((f"not ready: {name}", why) for name, why in problems.items()),
        ]
    )


def _problems(readyz: dict[str, Any]) -> dict[str, Any]:
    """What /readyz says of each part: part -> why it is not ready, None where it is."""
    parts = readyz.get("parts", {})
    problems = dict(parts) if isinstance(parts, dict) else {}
    if detail := readyz.get("detail"):
        problems["platform"] = detail
    return problems
