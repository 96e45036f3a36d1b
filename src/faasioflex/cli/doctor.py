"""``ffx doctor``: what this machine can do for the platform."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from faasioflex.cli.output import Output, OutputOption, rows, show
from faasioflex.platform.diagnosis import examine
from faasioflex.platform.settings import Settings
from faasioflex.runtime.capabilities import Finding


def doctor(
    data: Annotated[
        str | None, typer.Option(help="Folder that the platform would use.", metavar="DIR", show_default=False)
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Tell what this machine can do for the platform, with the cures.

    Ends with 1 where something is missing that the platform needs. Changes nothing.

    \b
    Example:
      ffx doctor -o json
    """
    findings = examine(Settings.load({"data": data}))
    works = all(finding.level != "fail" for finding in findings)
    document = {"ok": works, "findings": [dataclasses.asdict(finding) for finding in findings]}
    show(output, document, lambda: _table(findings))
    if not works:
        raise typer.Exit(1)


def _table(findings: list[Finding]) -> None:
    rows(("", "what", "found"), [(f.level, f.name, f.detail) for f in findings], empty="Nothing was looked at.")
    cures = [f for f in findings if f.cure]
    for finding in cures:
        print(f"\n{finding.name}: {finding.cure}")
    if not cures:
        print("\nEverything that the platform needs is there.")
