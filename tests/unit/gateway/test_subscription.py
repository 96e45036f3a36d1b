"""The delta protocol's book-keeping, without a stream."""

from __future__ import annotations

from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.gateway.envoy.resources import Resource, ResourceSet
from faasioflex.gateway.envoy.subscription import Subscription


def wanted(*, removals: bool = True, **resources: str) -> ResourceSet:
    made = [Resource.of(name, StringValue(value=value)) for name, value in resources.items()]
    return ResourceSet.of(made, removals=removals)


def everything(**versions: str) -> Subscription:
    made = Subscription()
    made.ask([], [], versions)
    return made


def test_everything_is_sent_once_and_then_only_what_differs() -> None:
    subscription = everything()
    first = subscription.next(wanted(a="1", b="1"))
    assert first is not None
    assert [each.name for each in first.added] == ["a", "b"]
    assert subscription.next(wanted(a="2", b="1")) is None, "one at a time"
    assert not subscription.settled(wanted(a="1", b="1"))
    subscription.answered(first.nonce, refused=False)
    assert subscription.settled(wanted(a="1", b="1"))
    second = subscription.next(wanted(a="2"))
    assert second is not None
    assert [each.name for each in second.added] == ["a"]
    assert second.removed == ("b",)


def test_without_removals_nothing_is_taken_away() -> None:
    subscription = everything(a="old", gone="1")
    update = subscription.next(wanted(removals=False, a="1"))
    assert update is not None
    assert update.removed == ()


def test_what_envoy_kept_from_before_is_not_sent_again() -> None:
    state = wanted(a="1", b="2")
    subscription = everything(**{name: each.version for name, each in state.resources.items()})
    first = subscription.next(state)
    assert first is not None, "the first question is always answered"
    assert (first.added, first.removed) == ((), ())
    subscription.answered(first.nonce, refused=False)
    assert subscription.settled(state)
    assert subscription.next(state) is None


def test_only_the_names_asked_for_and_one_that_does_not_exist_is_answered() -> None:
    subscription = Subscription()
    subscription.ask(["a", "none"], [], {})
    update = subscription.next(wanted(a="1", b="1"))
    assert update is not None
    assert [each.name for each in update.added] == ["a"]
    assert update.removed == ("none",)
    subscription.answered(update.nonce, refused=False)
    assert subscription.settled(wanted(a="1", b="1"))
    later = subscription.next(wanted(a="1", none="1"))
    assert later is not None
    assert [each.name for each in later.added] == ["none"]
    subscription.answered(later.nonce, refused=False)
    subscription.ask([], ["a"], {})
    assert subscription.next(wanted(a="2", none="1")) is None


def test_a_refused_version_is_not_sent_again_until_it_changes() -> None:
    subscription = everything()
    update = subscription.next(wanted(a="bad"))
    assert update is not None
    assert subscription.answered(update.nonce, refused=True) is update
    assert subscription.next(wanted(a="bad")) is None
    assert subscription.settled(wanted(a="bad"))
    assert not subscription.has("a", wanted(a="bad"))
    assert subscription.next(wanted(a="good")) is not None


def test_an_old_nonce_acknowledges_nothing() -> None:
    subscription = everything()
    update = subscription.next(wanted(a="1"))
    assert update is not None
    assert subscription.answered("0", refused=False) is None
    assert subscription.pending is update


@given(
    st.lists(st.tuples(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123")), st.booleans(), st.booleans()))
)
def test_whatever_happens_envoy_ends_with_what_is_wanted(steps: list[tuple[dict[str, str], bool, bool]]) -> None:
    """``steps``: a state that is wanted, whether Envoy answers before the next one, whether it refuses."""
    subscription = everything()
    held: dict[str, str] = {}

    def deliver(*, refused: bool) -> None:
        update = subscription.pending
        if update is None:
            return
        if not refused:
            held.update({each.name: each.version for each in update.added})
            for name in update.removed:
                held.pop(name, None)
        subscription.answered(update.nonce, refused=refused)

    for state, answers, refuses in steps:
        subscription.next(wanted(**state))
        if answers:
            deliver(refused=refuses)
    final = wanted(a="9", b="8")
    deliver(refused=False)
    while subscription.next(final) is not None:
        deliver(refused=False)
    assert held == {name: each.version for name, each in final.resources.items()}
