"""Write docs/settings.md from the table in ``faasioflex.platform.settings``; ``--check`` only tells whether it is up to date."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from faasioflex.platform.settings import ENVIRONMENT_PREFIX, Settings

TARGET = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """\
# Settings of a platform

Written by `tools/make_settings_docs.py`. Each can stand in the file of `ffx up --config FILE` (TOML, or YAML by its ending;
`FFX_CONFIG_FILE` names one too) under its name, in the environment as in the second column, and some are options of `ffx up`.
Options win over the environment, that over the file. Paths in a file are relative to the file.

| setting | environment | default | unit | why |
|---|---|---|---|---|
"""


def render() -> str:
    lines = []
    for item in dataclasses.fields(Settings):
        default = "" if item.default in {"", None} else f"`{item.default}`"
        unit, reason = item.metadata["unit"], item.metadata["reason"]
        lines.append(f"| `{item.name}` | `{ENVIRONMENT_PREFIX}{item.name.upper()}` | {default} | {unit} | {reason} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            0 if TARGET.read_text() == render() else f"{TARGET.name} is out of date: run tools/make_settings_docs.py"
        )
    TARGET.write_text(render())
