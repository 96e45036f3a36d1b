"""Sentences of uv's resolver, as it writes them."""

from __future__ import annotations

import pytest

from faasioflex.manager.builder.pip.uv_says import Missing, missing_wheel

HINT = "\n\nhint: Wheels are required for `foo` because building from source is disabled for all packages"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "  cause: Because all versions of foo have no usable wheels and you require foo, we can conclude that …"
            + HINT,
            Missing("foo", ("",)),
        ),
        ("  cause: Because Foo.Bar==1.0 has no usable wheels and you require it", Missing("foo-bar", ("==1.0",))),
        (
            "Because all of:\n      foo>=1.0,<=1.5\n      foo==1.8\n   have no usable wheels and only the following",
            Missing("foo", ("==1.8", "<=1.5,>=1.0")),
        ),
        (
            "Because all versions of v depend on foo>=1.8 and foo==1.8 has no\n  usable wheels, we can conclude",
            Missing("foo", ("==1.8",)),
        ),
        (
            "Because abi==1.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and only abi==1.0 is available",
            Missing("abi", ("==1.0",)),
        ),
        ("Because nosuch was not found in the package registry and you require nosuch", None),
        ("error: Failed to download `good==1.0`\n  cause: Hash mismatch", None),
        ("", None),
    ],
)
def test_which_package_has_no_wheel(text: str, expected: Missing | None) -> None:
    assert missing_wheel(text) == expected
