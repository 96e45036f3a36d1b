"""A call's place in the queue, as it stands in its message's header."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.queue.head import FIELD, Head, place_of, read_head, subject_of, write_head
from faasioflex.model.names import FunctionName

times = st.floats(0, 4e9, allow_nan=False)
heads = st.builds(
    Head,
    function_uid=st.sampled_from(["", "0123abcd"]),
    attempts=st.integers(0, 100),
    born=times,
    run_at=times,
    priority=st.integers(0, 9),
    order=st.integers(0, 2**63),
    order_key=st.text(max_size=20).filter(lambda text: text.isprintable()),
    callback=st.booleans(),
    doubtful=st.booleans(),
)


@given(heads)
@settings(max_examples=100)
def test_it_is_read_as_it_was_written_and_fits_one_line(head: Head) -> None:
    written = write_head(head)
    assert read_head(written) == head
    assert written[FIELD].isascii()
    assert written[FIELD].isprintable()


def test_what_is_none_is_not_read() -> None:
    assert read_head({}) is None
    assert read_head({FIELD: "1 a 0 x 0 0 0 - -"}) is None
    assert read_head({FIELD: "2 a 0 1 0 0 0 - -"}) is None


def test_a_subject_names_function_and_call() -> None:
    function = FunctionName("acme", "hello")
    assert place_of(subject_of(function, "id-1")) == (function, "id-1")
