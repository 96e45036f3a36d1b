"""Values that must not be in a log: what is written of them there is ``***``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

SHORTEST = 6  # what is shorter would take ordinary words out of lines
MASK = "***"
_MOST_REMEMBERED = 512
_LONGEST_PIECE_BYTES = 16 * 1024
_LONGEST_PART = 1024
_NEARLY = 64  # a piece that was cut in the middle of a character is a little shorter


class Masking:
    """``hide`` may be called again; what a function was given before is hidden still, for it may have it still."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._pattern: re.Pattern[str] | None = None
        self._cut: dict[str, bool] = {}  # stream -> its last piece ended where a line was cut

    def hide(self, values: Iterable[bytes]) -> None:
        """Each line of each value that is long enough; the newest are remembered."""
        for value in values:
            for line in value.decode(errors="replace").splitlines():
                for text in _parts(line.strip()):
                    self._values.pop(text, None)
                    self._values[text] = None
        surplus = len(self._values) - _MOST_REMEMBERED
        for text in list(islice(self._values, max(surplus, 0))):
            del self._values[text]
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def masked(self, stream: str, piece: str) -> str:
        """A line, or a piece of one that was too long: then a value may begin in this one and end in the next."""
        if self._pattern is None:
            return piece
        was_cut, is_cut = self._cut.get(stream, False), len(piece.encode()) >= _LONGEST_PIECE_BYTES - _NEARLY
        self._cut[stream] = is_cut
        shown = self._pattern.sub(MASK, piece)
        if was_cut:
            shown = self._without_end(shown)
        return self._without_beginning(shown) if is_cut else shown

    def _without_beginning(self, shown: str) -> str:
        """Hide what at the end of a piece may be the beginning of a value."""
        most = max((_overlap(shown, value) for value in self._values), default=0)
        return shown[: len(shown) - most] + MASK if most else shown

    def _without_end(self, shown: str) -> str:
        most = max((_overlap(value, shown) for value in self._values), default=0)
        return MASK + shown[most:] if most else shown


def _parts(line: str) -> list[str]:
    """The line, in parts where it is very long: looking for what was cut takes the square of their length."""
    parts = [line[start : start + _LONGEST_PART] for start in range(0, len(line), _LONGEST_PART)]
    return [part for part in parts if len(part) >= SHORTEST]


def _overlap(left: str, right: str) -> int:
    """How many characters the end of ``left`` has in common with the beginning of ``right``."""
    for length in range(min(len(left), len(right)), 0, -1):
        if left.endswith(right[:length]):
            return length
    return 0
