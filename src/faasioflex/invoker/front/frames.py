"""Where WebSocket frames begin and end in a stream of bytes (RFC 6455, 5.2): enough to put a close frame between two of them."""

from __future__ import annotations

GOING_AWAY = (1001).to_bytes(2, "big")
CLOSE_TO_CLIENT = b"\x88\x02" + GOING_AWAY
CLOSE_TO_SERVER = b"\x88\x82\x00\x00\x00\x00" + GOING_AWAY  # masked, as clients must; with a mask of zeros


class FrameTracker:
    """Keeps a frame's header at most, whatever the size of the frame."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    @property
    def at_boundary(self) -> bool:
        """Whether everything so far is whole frames."""
        return not self._header and not self._left

    def rewind(self) -> None:
        """What came behind the last whole frame was not passed on."""
        self._header, self._left = b"", 0

    def feed(self, data: bytes) -> int:
        """Take note of what was read. Returns how many bytes of it end with a whole frame (0: none does)."""
        at, boundary = 0, 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
            else:
                self._header += data[at : at + 1]
                at += 1
                size = _size(self._header)
                if size is not None:
                    self._header = b""
                    self._left = size
            if self.at_boundary:
                boundary = at
        return boundary


def _size(header: bytes) -> int | None:
    """Bytes that follow a whole header (mask and payload), None while it is not whole."""
    if len(header) < 2:
        return None
    masked, short = header[1] & 0x80, header[1] & 0x7F
    extended = {126: 2, 127: 8}.get(short, 0)
    if len(header) < 2 + extended:
        return None
    payload = int.from_bytes(header[2 : 2 + extended], "big") if extended else short
    return payload + (4 if masked else 0)
