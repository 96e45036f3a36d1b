"""Which runtimes a function may name: the folders there are, in requests, schema and messages alike."""

from __future__ import annotations

import pytest

from faasioflex.api.resource.document import read_function
from faasioflex.api.schema import components, function_schema
from faasioflex.model.errors import Invalid, NotSupportedYet
from faasioflex.runtime.language import languages


def test_the_schemas_name_those_that_are_installed() -> None:
    assert function_schema()["properties"]["runtime"]["enum"] == list(languages())
    assert components()["FunctionIn"]["properties"]["runtime"]["enum"] == list(languages())


@pytest.mark.parametrize("runtime", languages())
def test_each_of_them_is_taken(runtime: str) -> None:
    assert read_function({"name": "hello", "runtime": runtime}).runtime == runtime


def test_another_is_refused_with_their_names() -> None:
    with pytest.raises(Invalid) as refused:
        read_function({"name": "hello", "runtime": "cobol"})
    (error,) = refused.value.errors
    assert (error.pointer, error.message) == ("/runtime", f"Must be one of {', '.join(languages())}")


def test_images_have_not_come_yet() -> None:
    with pytest.raises(NotSupportedYet) as refused:
        read_function({"name": "hello", "runtime": "image"})
    assert {error.pointer for error in refused.value.errors} == {"/runtime"}
