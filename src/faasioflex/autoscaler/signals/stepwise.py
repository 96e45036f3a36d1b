"""Adding instances for a figure that more instances may or may not lower: step by step, and only while it helps.

Latency and memory are such figures. A function that is slow by itself stays slow with a hundred instances, and code that
fills 90 % of its memory when loaded does so in each; a proportion as for CPU would walk to ``max_instances``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from faasioflex.autoscaler.samples import Trial, ceil

STEP = 0.25  # of the instances, at least one
HELPED = 0.9  # of the figure before
CALM = 0.7  # of the threshold; below it the added instances go again, one by one
WORSE = 1.25  # of the figure at which it was given up; then it is tried again
PATIENCE_S = 60.0  # for instances to come, and for the next figure
AGAIN_S = 600.0  # after it was given up


@dataclass(frozen=True)
class Situation:
    """``value``: None while too little is known since the instances changed."""

    value: float | None
    threshold: float
    instances: int
    most: int
    release_s: float  # between two instances that go again
    now: float


def step(seen: Situation, trial: Trial | None) -> tuple[int | None, Trial | None]:
    """How many instances it asks for (None: no opinion), and what to remember."""
    if trial is None:
        high = seen.value is not None and seen.value > seen.threshold
        trial = _more(seen, seen.value) if high and seen.value is not None and 0 < seen.instances < seen.most else None
    elif trial.given_up_at is not None:
        trial = _after_giving_up(seen, trial, trial.given_up_at)
    elif seen.instances < trial.to or seen.value is None:
        trial = _expected(seen, trial)
    else:
        trial = _judged(seen, replace(trial, well_at=seen.now), seen.value)
    return (trial.to if trial is not None and trial.given_up_at is None else None), trial


def _expected(seen: Situation, trial: Trial) -> Trial | None:
    """They are not all there, or too little is known since they are."""
    if seen.now - trial.well_at < PATIENCE_S:
        return trial
    return replace(trial, given_up_at=seen.now) if seen.value is not None else None


def _judged(seen: Situation, trial: Trial, value: float) -> Trial | None:
    if value <= seen.threshold:
        return _kept(seen, trial, value)
    if trial.to > trial.instances and value > trial.value * HELPED:
        return replace(trial, given_up_at=seen.now)
    return trial if seen.instances >= seen.most else _more(seen, value)


def _more(seen: Situation, value: float) -> Trial:
    to = min(seen.instances + max(1, int(seen.instances * STEP)), seen.most)
    return Trial(seen.instances, to, value, seen.now, seen.now)


def _kept(seen: Situation, trial: Trial, value: float) -> Trial | None:
    """It is below the threshold: what was added stays, and goes slowly once the figure is far below."""
    if value > seen.threshold * CALM or seen.now - trial.at < seen.release_s:
        return trial
    fewer = trial.to - 1
    if fewer < 1:
        return None
    # With one less its share of the load grows; not to fewer than would bring the figure back to the threshold.
    stays = ceil(trial.to * value / seen.threshold) > fewer
    return trial if stays else Trial(fewer, fewer, value, seen.now, seen.now)


def _after_giving_up(seen: Situation, trial: Trial, given_up_at: float) -> Trial | None:
    if seen.value is None:
        return trial
    if seen.value <= seen.threshold:
        return None
    again = seen.value > trial.value * WORSE or seen.now - given_up_at > AGAIN_S
    return _more(seen, seen.value) if again and seen.instances and seen.instances < seen.most else trial
