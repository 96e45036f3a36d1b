"""Which files of a folder stay at home: patterns as in .gitignore, from ``.ffxignore`` and a list of our own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

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
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".idea",
    ".vscode",
    ".DS_Store",
    ".env",  # secrets belong into the platform, not into code
    "/.ffxignore",
    "/function.yaml",  # sent beside the code: a change of, say, a label must not make a new revision
)


@dataclass(frozen=True)
class Pattern:
    expression: re.Pattern[str]
    folders_only: bool
    keeps: bool


class Ignore:
    """The last pattern that matches decides; what is in a folder that stays at home stays too."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._patterns = [pattern for line in (*DEFAULT_PATTERNS, *lines) if (pattern := _pattern(line))]

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether ``path`` (relative, with slashes) stays at home, its parent folders aside."""
        for pattern in reversed(self._patterns):
            if (folder or not pattern.folders_only) and pattern.expression.fullmatch(path):
                return not pattern.keeps
        return False


def _pattern(line: str) -> Pattern | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    keeps, text = text.startswith("!"), text.removeprefix("!").removeprefix("\\")
    folders_only, text = text.endswith("/"), text.rstrip("/")
    anchored, text = "/" in text, text.removeprefix("/")
    expression = _expression(text) if anchored else f"(?:.*/)?{_expression(text)}"
    return Pattern(re.compile(expression, re.DOTALL), folders_only, keeps)


def _expression(glob: str) -> str:
    """A glob as a regular expression: ``*`` and ``?`` stop at a slash, ``**`` does not."""
    made = ""
    for token in re.findall(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?[^\]/]+\]|.", glob, re.DOTALL):
        match token:
            case "**/":
                made += "(?:.*/)?"
            case "/**":
                made += "/.+"
            case "**":
                made += ".*"
            case "*":
                made += "[^/]*"
            case "?":
                made += "[^/]"
            case _ if token.startswith("[") and len(token) > 1:
                made += "[" + token[1:-1].replace("\\", "\\\\").replace("!", "^", 1) + "]"
            case _:
                made += re.escape(token)
    return made
