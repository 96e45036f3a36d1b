"""Where WebSocket frames end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.front.frames import CLOSE_TO_CLIENT, CLOSE_TO_SERVER, FrameTracker


def frame(payload: bytes, masked: bool) -> bytes:
    mask = b"\x01\x02\x03\x04" if masked else b""
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        return bytes([0x82, bit | len(payload)]) + mask + payload
    if len(payload) < 65536:
        return bytes([0x82, bit | 126]) + len(payload).to_bytes(2, "big") + mask + payload
    return bytes([0x82, bit | 127]) + len(payload).to_bytes(8, "big") + mask + payload


frames = st.lists(st.tuples(st.sampled_from([0, 1, 125, 126, 300, 65535, 65536]), st.booleans()), max_size=5)


@settings(deadline=None, max_examples=50)
@given(frames, st.integers(1, 70000))
def test_boundaries_are_found_whatever_the_pieces(sizes: list[tuple[int, bool]], step: int) -> None:
    stream, ends = b"", {0}
    for size, masked in sizes:
        stream += frame(b"\x82" * size, masked)
        ends.add(len(stream))
    tracker = FrameTracker()
    step = max(step, len(stream) // 500)
    for at in range(0, len(stream), step):
        piece = stream[at : at + step]
        whole = tracker.feed(piece)
        inside = [end for end in ends if at < end <= at + len(piece)]
        assert whole == (max(inside) - at if inside else 0)
        assert tracker.at_boundary is (at + len(piece) in ends)


def test_our_close_frames_are_whole_frames() -> None:
    for closing in (CLOSE_TO_CLIENT, CLOSE_TO_SERVER):
        assert FrameTracker().feed(closing) == len(closing)
        assert closing.endswith(b"\x03\xe9")
