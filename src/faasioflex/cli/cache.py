"""``ffx cache``: answers of functions that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.subverbs import group_of_verbs
from faasioflex.cli.working import working

if TYPE_CHECKING:
    from faasioflex.client import Client

app = group_of_verbs(
    "Forget kept answers of a function.\n\n"
    "Functions with 'cache' in their function.yaml have answers that are given again without a call.\n\n"
    "\b\nExample:\n  ffx cache purge hello\n"
)


@app.callback()
def cache() -> None:
    """Forget kept answers of a function."""


@app.command()
@on_platform
def purge(client: Client, name: NameArgument) -> None:
    """Forget the kept answers of a function; the next calls reach it.

    \b
    Example:
      ffx cache purge hello
    """
    function = client.name(name)
    with working(f"Forgetting answers of {function}"):
        gone = client.purge_cache(function)
    print(f"Forgot {gone} kept {'answer' if gone == 1 else 'answers'} of {function}")
