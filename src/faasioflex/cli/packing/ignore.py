"""Which files of a folder stay at home: patterns as in .gitignore, from ``.ffxignore`` and a list of our own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from faasioflex.model.errors import BadRequest

IGNORE_FILE = ".ffxignore"
# a pattern of the folder's .ffxignore that starts with ! takes any of these back
DEFAULT_PATTERNS = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "__pycache__",
    "*.pyc",
    "node_modules",
    "go.work",  # of the machine it was written on: the platform brings its own library
    "go.work.sum",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".idea",
    ".vscode",
    ".DS_Store",
    ".env",  # secrets belong into the platform, not into code
    ".env.*",
    "/.ffxignore",
    "/function.yaml",  # sent beside the code: a change of, say, a label must not make a new revision
)


class Ignore:
    """The last pattern that matches decides; what is in a folder that stays at home stays too.

    Raises: BadRequest for a line that is no pattern.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        from pathspec import GitIgnoreSpec

        try:
            self._spec = GitIgnoreSpec.from_lines([*DEFAULT_PATTERNS, *lines])
        except ValueError as error:
            raise BadRequest(f"{IGNORE_FILE} has a line that is no pattern: {error}") from error

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What ``folder/.ffxignore`` says, over the list of our own."""
        try:
            # a byte order mark would be part of the first pattern, which then matches nothing
            return cls((folder / IGNORE_FILE).read_text("utf-8-sig").splitlines())
        except (FileNotFoundError, IsADirectoryError):
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"{folder / IGNORE_FILE} cannot be read: {error}") from error

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether ``path`` (relative, with slashes) stays at home, its parent folders aside."""
        return self._spec.match_file(f"{path}/" if folder else path)
