"""Values that must not be in a log, whole, in lines that were cut, and after they were changed."""

from __future__ import annotations

import pytest

from faasioflex.runtime.launcher.masking import Masking

SECRET = "correct horse battery staple"
PIECE = 16 * 1024


def _masking(*values: bytes) -> Masking:
    made = Masking()
    made.hide(values)
    return made


def test_a_value_is_hidden_wherever_it_stands():
    masking = _masking(SECRET.encode(), b"hunter2!")
    assert masking.masked("stdout", f"a {SECRET}, {SECRET} and hunter2!.") == "a ***, *** and ***."
    assert masking.masked("stdout", "nothing of it") == "nothing of it"


def test_what_is_short_is_left_alone():
    masking = _masking(b"abc", b"12345")
    assert masking.masked("stdout", "abc 12345") == "abc 12345"


def test_the_longer_of_two_is_hidden_whole():
    masking = _masking(b"secret", b"secret-and-more")
    assert masking.masked("stdout", "secret-and-more secret") == "*** ***"


def test_each_line_of_a_value_is_hidden():
    masking = _masking(b"-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n")
    assert masking.masked("stdout", "  MIIEvQIBADANBg") == "  ***"
    assert masking.masked("stdout", "-----BEGIN KEY-----\\nMIIEvQIBADANBg") == "***\\n***"


def test_what_it_was_before_is_hidden_still():
    masking = _masking(b"the old value")
    masking.hide([b"the new value"])
    assert masking.masked("stdout", "the old value, the new value") == "***, ***"


@pytest.mark.parametrize("shown", range(1, len(SECRET)))
def test_a_value_that_is_cut_between_two_pieces_shows_neither_half(shown: int):
    masking = _masking(SECRET.encode())
    line = "x" * (PIECE - shown) + SECRET + " and more"
    first, second = masking.masked("stdout", line[:PIECE]), masking.masked("stdout", line[PIECE:])
    assert first == "x" * (PIECE - shown) + "***"
    assert second == "*** and more"


def test_streams_are_cut_apart():
    masking = _masking(SECRET.encode())
    masking.masked("stdout", "x" * PIECE)
    assert masking.masked("stderr", "staple") == "staple"


def test_a_very_long_value_is_hidden_in_parts():
    value = "".join(chr(ord("a") + number % 26) for number in range(5000))
    assert value[100:1000] not in _masking(value.encode()).masked("stdout", value)
