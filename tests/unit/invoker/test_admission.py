"""What a call is told that may not wait."""

from __future__ import annotations

import pytest

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.model.errors import TooManyCalls
from faasioflex.model.names import FunctionName

HELLO = FunctionName("acme", "hello")


def test_a_full_queue_is_named_with_its_limit() -> None:
    admission = Admission(Bounds())
    admission.enter(HELLO, 1)
    with pytest.raises(TooManyCalls, match="has 1 calls waiting"):
        admission.enter(HELLO, 1)


def test_a_queue_of_none_is_not_called_full() -> None:
    with pytest.raises(TooManyCalls, match=r"no free place now .* limits\.queue is 0") as refused:
        Admission(Bounds()).check(HELLO, 0)
    assert "calls waiting" not in refused.value.message
