"""A bash function's build: the script is read, not run; neither its modes nor a ``#!`` line matter."""

from __future__ import annotations

import pytest

from support.building import Building


async def test_a_script_is_taken_as_it_is(building: Building) -> None:
    built = await building.build({"handle.sh": "exit 7\n", "other.sh": "(("}, runtime="bash")
    assert (built.code / "handle.sh").stat().st_mode & 0o777 == 0o644
    assert built.deps is None


async def test_the_named_one_is(building: Building) -> None:
    await building.build({"bin/greet": "cat\n", "handle.sh": "(("}, runtime="bash", handler="bin/greet")


@pytest.mark.parametrize(
    ("files", "handler", "first"),
    [
        ({"main.sh": "cat\n"}, None, "handle.sh: there is no such file: name the program in `handler`"),
        ({"handle.sh": "cat\n"}, "../../etc/profile", "there is no such file"),
        (
            {"handle.sh": "echo a\nif true; then\necho b\n"},
            None,
            "handle.sh: line 4: syntax error: unexpected end of file",
        ),
        ({"handle.sh": "cat\n}\n"}, None, "handle.sh: line 2: syntax error near unexpected token `}'"),
    ],
)
async def test_what_is_wrong_comes_first(
    building: Building, files: dict[str, str], handler: str | None, first: str
) -> None:
    assert first in (await building.refused(files, runtime="bash", handler=handler)).partition("\n")[0]
