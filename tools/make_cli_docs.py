"""Write docs/cli.md from the code of the verbs. With --check: end with 1 where the file is not what it would write."""

from __future__ import annotations

import os
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

os.environ["COLUMNS"] = "100"  # before the help is laid out: the file must not depend on a terminal

from typer.main import get_command

from faasioflex.cli.lazy import load
from faasioflex.cli.main import app
from faasioflex.cli.verbs import VERBS

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD = """# The command `ffx`

<!-- Written by tools/make_cli_docs.py from the code: change the verbs' help instead. -->

`-o table|json|yaml` on what reads. `--url` or `FFX_URL` names the platform, else it is the one whose data folder is given with
`--data` or `FFX_DATA`, else the context in use (`ffx context`), else the one that runs on this machine. A token comes from
`--token-file`, else from `FFX_TOKEN`, else from `ffx login`, else from the context's file; on this machine the platform's own is used
where nobody logged in. It is never an argument. NAME is `name` (in your own namespace) or `namespace/name`. `NO_COLOR` and output that
is no terminal are plain.

Exit codes: 0 done; 1 the request failed, with a sentence and its `code` on stderr; 2 wrong usage; 130 interrupted.
"""


def document() -> str:
    """The whole file."""
    root = get_command(app)
    context = root.make_context("ffx", [], resilient_parsing=True, max_content_width=100)
    parts = [HEAD]
    for section, verbs in groupby(VERBS, key=lambda verb: verb.section):
        parts.append(f"\n## {section}\n")
        for verb in verbs:
            command = load(verb)
            parts.append(_help(command, f"{verb.name}", context))
            inner: dict[str, Any] = getattr(command, "commands", {})
            if inner:
                own = command.make_context(verb.name, [], parent=context, resilient_parsing=True)
                parts.extend(_help(each, f"{verb.name} {name}", own) for name, each in inner.items())
    return "".join(parts)


def _help(command: Any, title: str, parent: Any) -> str:
    context = command.make_context(title.rpartition(" ")[2], [], parent=parent, resilient_parsing=True)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"\n### ffx {title}\n\n```\n{text}\n```\n"


def main() -> None:
    text = document()
    if "--check" in sys.argv[1:]:
        same = TARGET.exists() and TARGET.read_text() == text
        sys.exit(0 if same else f"{TARGET} is not what the code says: run {sys.argv[0]}")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
