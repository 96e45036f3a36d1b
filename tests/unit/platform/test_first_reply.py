"""What the platform's start waits for: Envoy opens its listeners when its first questions are answered."""

from __future__ import annotations

from faasioflex.gateway.envoy.resources import ResourceSet
from faasioflex.gateway.envoy.subscription import Subscription


def test_the_first_answer_comes_even_if_there_is_nothing() -> None:
    subscription = Subscription()
    subscription.ask([], [], {})
    nothing = ResourceSet({}, removals=True)
    update = subscription.next(nothing)
    assert update is not None
    assert (update.added, update.removed) == ((), ())
    assert subscription.next(nothing) is None  # awaiting the acknowledgement
    subscription.answered(update.nonce, refused=False)
    assert subscription.next(nothing) is None  # and nothing more to say
    assert subscription.settled(nothing)
