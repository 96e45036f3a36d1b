"""``ffx version``."""

from __future__ import annotations

from importlib.metadata import version as version_of
from pathlib import Path

from faasioflex.cli.connect import Data, Url, open_client, resolve
from faasioflex.cli.output import Output, OutputOption, facts, show
from faasioflex.model.errors import FfxError


def version(url: Url = None, data: Data = None, output: OutputOption = Output.table) -> None:
    """Show the version of this command and of the platform.

    \b
    Example:
      ffx version
    """
    document = {"command": version_of("faasioflex"), "platform": _platform(url, data)}
    pairs = [("command", document["command"]), ("platform", document["platform"] or "not running")]
    show(output, document, lambda: facts(pairs))


def _platform(url: str | None, data: Path | None) -> str | None:
    try:
        with open_client(resolve(url, None, data)) as client:
            return client.version().version
    except FfxError:
        if url or data:
            raise
        return None
