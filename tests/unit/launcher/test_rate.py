from __future__ import annotations

from faasioflex.runtime.launcher.rate import MUTE_S, Allowance, Rate

SMALL = Allowance(lines_per_s=10, burst_lines=20, bytes_per_s=1000, burst_bytes=2000)


def test_a_burst_passes_and_then_it_is_silent_for_a_while() -> None:
    rate = Rate(0.0, SMALL)
    assert [rate.admit(1, 0.0) for _ in range(25)] == [True] * 20 + [False] * 5
    assert rate.muted(MUTE_S - 0.01)
    assert not rate.muted(MUTE_S)
    assert rate.admit(1, MUTE_S)


def test_one_notice_tells_all_that_was_dropped() -> None:
    rate = Rate(0.0, SMALL)
    for _ in range(25):
        rate.admit(1, 0.0)
    rate.drop(100)
    assert rate.notice(0.5) is None
    notice = rate.notice(MUTE_S)
    assert notice is not None
    assert notice.startswith("105 lines dropped")
    assert rate.notice(MUTE_S) is None


def test_at_the_end_it_is_told_at_once() -> None:
    rate = Rate(0.0, SMALL)
    for _ in range(21):
        rate.admit(1, 0.0)
    assert (rate.notice(0.1, final=True) or "").startswith("1 lines dropped")


def test_bytes_count_as_well() -> None:
    rate = Rate(0.0, SMALL)
    assert rate.admit(1500, 0.0)
    assert not rate.admit(1500, 0.0)


def test_it_fills_up_again_but_not_above_the_burst() -> None:
    rate = Rate(0.0, SMALL)
    for _ in range(20):
        rate.admit(1, 0.0)
    assert sum(rate.admit(1, 1000.0) for _ in range(30)) == 20
