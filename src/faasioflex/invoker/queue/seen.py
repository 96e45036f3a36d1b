"""Which messages of a stream are known, where most of them were stored here."""

from __future__ import annotations


class Seen:
    """``up_to``: nothing at or before that sequence is unknown."""

    def __init__(self) -> None:
        self.up_to = 0
        self._beyond: set[int] = set()

    def __contains__(self, sequence: int) -> bool:
        return sequence <= self.up_to or sequence in self._beyond

    def note(self, sequence: int) -> None:
        """This one is known."""
        if sequence > self.up_to:
            self._beyond.add(sequence)
            self._advance()

    def reached(self, sequence: int) -> None:
        """All that is left of those up to here is known."""
        if sequence > self.up_to:
            self.up_to = sequence
            self._beyond = {each for each in self._beyond if each > sequence}
            self._advance()

    def _advance(self) -> None:
        while self.up_to + 1 in self._beyond:
            self.up_to += 1
            self._beyond.discard(self.up_to)
