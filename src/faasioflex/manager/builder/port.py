"""The builder as the manager sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import BuiltCode


class Builder(Protocol):
    """Builds are content-addressed: two revisions with the same code, runtime and handler share one."""

    def find(self, record: RevisionRecord) -> BuiltCode | None:
        """The finished build on this node, if there is one. Quick: no I/O beyond a look at one folder."""

    async def build(self, record: RevisionRecord, on_line: Callable[[str], None]) -> BuiltCode:
        """Build it; the same build that runs already is joined, not repeated. ``on_line`` gets the log as it is written.

        Raises: BuildFailed (final; the message quotes the tool's last lines), Unavailable (try again later).
        """

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        """Remove builds on this node that none of these needs."""
