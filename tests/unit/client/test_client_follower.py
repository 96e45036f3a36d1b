"""A followed stream goes on after its connection broke: nothing is missed, nothing comes twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.client import Unreachable, Unreadable, calls
from faasioflex.client.follower import PATIENCE_ATTEMPTS, Follower
from faasioflex.client.models import LogLine
from faasioflex.client.request import Lines
from faasioflex.model.errors import FunctionNotFound, Invalid, Unavailable
from faasioflex.model.names import FunctionName

BROKEN = Unreachable("it broke")


def _follower(follow: bool = True, tail: int | None = None) -> Follower[LogLine]:
    request = calls.logs(FunctionName("a", "b"), build=False, follow=follow, since=None, revision=None, tail=tail)
    return Follower(Lines(request, LogLine, follow))


def _text(number: int) -> str:
    return json.dumps({"time": f"2030-01-31T12:00:{number % 60:02}.000Z", "message": f"line {number}"})


def _messages(follower: Follower[LogLine], texts: list[str]) -> list[str]:
    return [line.message for line in follower.items(texts)]


def test_blank_lines_comments_and_event_fields_say_nothing() -> None:
    texts = ["", ": still here", "event: line", "data: " + _text(1), _text(2)]
    assert _messages(_follower(), texts) == ["line 1", "line 2"]


def test_what_is_no_line_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        _messages(_follower(), ['{"message": 5}'])


def test_the_next_connection_begins_a_little_before_the_newest_line_and_drops_the_tail() -> None:
    follower = _follower(tail=10)
    assert follower.request().query == {"follow": "true", "tail": "10"}
    _messages(follower, [_text(30)])
    assert follower.request().query == {"follow": "true", "since": "2030-01-31T12:00:28+00:00"}


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(0, 30))
def test_lines_come_once_wherever_it_breaks(numbers: list[int], cut: int) -> None:
    numbers.sort()
    texts = [_text(number) for number in numbers]
    follower = _follower()
    follower.request()
    got = _messages(follower, texts[:cut])
    since = follower.request().query.get("since", "")
    got += _messages(follower, [text for text in texts if json.loads(text)["time"] >= str(since)])
    assert sorted(got) == sorted(f"line {number}" for number in numbers)


def test_it_waits_longer_each_time_and_not_for_ever() -> None:
    follower = _follower()
    follower.connected()
    waits = [follower.wait_s(BROKEN) for _ in range(PATIENCE_ATTEMPTS)]
    assert waits[:3] == [0.2, 0.4, 0.8]
    assert waits[-1] == 2.0
    with pytest.raises(Unreachable):
        follower.wait_s(BROKEN)


def test_a_connection_restores_its_patience() -> None:
    follower = _follower()
    follower.connected()
    for _ in range(PATIENCE_ATTEMPTS):
        follower.wait_s(Unavailable("for a moment"))
    follower.connected()
    assert follower.wait_s(None) == 0.2


def test_what_is_not_followed_ends_with_its_answer_and_fails_with_its_connection() -> None:
    follower = _follower(follow=False)
    follower.connected()
    assert follower.wait_s(None) is None
    with pytest.raises(Unreachable):
        follower.wait_s(BROKEN)


def test_a_function_that_is_gone_ends_it_and_one_that_never_was_is_an_error() -> None:
    gone = FunctionNotFound("there is no function a/b")
    with pytest.raises(FunctionNotFound):
        _follower().wait_s(gone)
    follower = _follower()
    follower.connected()
    assert follower.wait_s(gone) is None


def test_a_refusal_does_not_pass() -> None:
    follower = _follower()
    follower.connected()
    with pytest.raises(Invalid):
        follower.wait_s(Invalid("since is no time"))
