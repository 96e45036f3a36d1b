"""The machine's memory and the weights of namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.manager.capacity import budget
from faasioflex.manager.capacity.weights import parse_weights


def test_the_default_is_a_share_of_the_smallest_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "physical_bytes", lambda: 8000)
    monkeypatch.setattr(budget, "_bounds", list)
    assert budget.machine_budget() == 6400
    monkeypatch.setattr(budget, "_bounds", lambda: [9000, 1000])
    assert budget.machine_budget() == 800


def test_a_group_may_have_no_bound(tmp_path: Path) -> None:
    file = tmp_path / "memory.max"
    assert budget.bound_of(file) == []
    file.write_text("max\n")
    assert budget.bound_of(file) == []
    file.write_text("4096\n")
    assert budget.bound_of(file) == [4096]


def test_it_is_found_on_this_machine() -> None:
    assert 0 < budget.machine_budget() <= budget.physical_bytes()


def test_weights() -> None:
    assert parse_weights("") == {}
    assert parse_weights("shop=3, lab=0.5 x=1") == {"shop": 3.0, "lab": 0.5, "x": 1.0}


@pytest.mark.parametrize("text", ["shop", "shop=", "=2", "shop=none", "shop=0", "shop=-1", "shop=nan", "shop=1e9"])
def test_a_weight_that_is_none_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="shop=3"):
        parse_weights(text)
