"""What the soak takes for a leak, and what for noise."""

from __future__ import annotations

import pytest
from bench.soak.verdict import lines, table

NAMES = ("memory of control, MiB", "descriptors of control", "sandboxes", "keys of ffx_routes", "keys of ffx_revoked")
REST = dict.fromkeys(NAMES, 100.0)


def wrong(samples: list[dict[str, float]], after: dict[str, float]) -> dict[str, str | None]:
    return {line.name: line.wrong for line in lines(REST, samples, after)}


def test_noise_under_load_and_more_of_everything_meanwhile_are_no_leak() -> None:
    samples = [dict.fromkeys(NAMES, 100.0 + noise) for noise in (0, 7, 2, 50, 3, 1, 7, 2, 5)]
    assert set(wrong(samples, REST).values()) == {None}


def test_memory_that_rises_all_the_time_is_one() -> None:
    samples = [REST | {NAMES[0]: 100.0 + 3 * number} for number in range(9)]
    assert wrong(samples, REST)[NAMES[0]] == "grew by 18.0 MiB under load, 8.0 are noise"


@pytest.mark.parametrize(
    ("name", "more", "flat"),
    [
        ("descriptors of control", 6, True),
        ("descriptors of control", 7, False),
        ("sandboxes", 1, False),
        ("keys of ffx_routes", 1, False),
        ("keys of ffx_revoked", 50, True),  # kept until the tokens would have ended
    ],
)
def test_what_is_left_at_rest_is_one(name: str, more: int, flat: bool) -> None:
    found = wrong([REST] * 9, REST | {name: 100.0 + more})
    assert (found[name] is None) == flat
    assert all(said is None for other, said in found.items() if other != name)


def test_the_table_says_it_in_words() -> None:
    text = table(lines(REST, [REST] * 3, REST | {"sandboxes": 103.0}))
    assert "103 at rest, 100 before the load" in text
    assert len(text.splitlines()) == len(NAMES) + 1
