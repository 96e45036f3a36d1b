"""How much an archive may hold, counted while it is read: what its headers say is never believed."""

from __future__ import annotations

from faasioflex.model.errors import PayloadTooLarge

MIB = 1024 * 1024
MAX_PACKED_BYTES = 50 * MIB
MAX_UNPACKED_BYTES = 256 * MIB
MAX_ENTRIES = 10_000
CHUNK_BYTES = 256 * 1024


class Budget:
    """Counts entries and bytes of one archive.

    Raises: PayloadTooLarge as soon as one is over its limit.
    """

    def __init__(self, max_bytes: int = MAX_UNPACKED_BYTES, max_entries: int = MAX_ENTRIES) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self.bytes = 0
        self.entries = 0

    def entry(self) -> None:
        """One more file, folder or link."""
        self.entries += 1
        if self.entries > self._max_entries:
            raise PayloadTooLarge(
                f"The archive has more than {self._max_entries} entries: leave out what the function does not need"
            )

    def take(self, count: int) -> None:
        """``count`` more unpacked bytes."""
        self.bytes += count
        if self.bytes > self._max_bytes:
            raise PayloadTooLarge(
                f"The archive unpacks to more than {self._max_bytes // MIB} MiB: leave out what the function does not need"
            )


def check_packed(size_bytes: int) -> None:
    """Raises: PayloadTooLarge where the archive as sent is over the limit."""
    if size_bytes > MAX_PACKED_BYTES:
        raise PayloadTooLarge(f"The archive is larger than {MAX_PACKED_BYTES // MIB} MiB")
