"""JSON of the model: every planned bucket's type comes back as it was; damage is named; subjects match as NATS does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.bus.buckets import BUCKETS, QUOTAS
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.subjects import matches
from faasioflex.model.errors import Invalid
from faasioflex.model.function import FunctionRecord
from support.records import function_record

# What JSON in UTF-8 can hold: no halves of surrogate pairs.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(description=TEXT, env=st.dictionaries(TEXT, TEXT), latest=st.integers(1, 2**40))
def test_a_record_comes_back(description: str, env: dict[str, str], latest: int) -> None:
    record = function_record("acme", "hello", description=description, env=env, latest=latest)
    assert decode(FunctionRecord, encode(record)) == record


@pytest.mark.parametrize("plan", BUCKETS, ids=lambda plan: plan.name)
def test_every_buckets_type_can_be_read(plan: object) -> None:
    wrong = b'{"functions": "many"}' if plan is QUOTAS else b"{}"  # a quota may leave out every field
    with pytest.raises(Invalid) as raised:
        decode(plan.value_type, wrong)  # type: ignore[attr-defined]
    assert all(field.pointer.startswith("/") for field in raised.value.errors)


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    data = encode(function_record("acme", "hello"))
    assert decode(FunctionRecord, data[:-1] + b',"new_field":[1]}') == function_record("acme", "hello")


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\xff", b'{"uid": 1}'])
def test_damage_is_invalid(data: bytes) -> None:
    with pytest.raises(Invalid, match="FunctionRecord"):
        decode(FunctionRecord, data)


def test_half_a_surrogate_pair_is_invalid() -> None:
    with pytest.raises(Invalid):
        encode(function_record("acme", "hello", description="\ud800"))


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.b.c", "a.b", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*.b", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
    ],
)
def test_subjects(pattern: str, subject: str, fits: bool) -> None:
    assert matches(pattern, subject) is fits
