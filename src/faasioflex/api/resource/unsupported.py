"""Fields whose feature has not come yet: anything but their default is refused, nothing is ignored."""

from __future__ import annotations

from collections.abc import Iterator

from faasioflex.api.resource.request import FunctionIn
from faasioflex.manager.languages import installed
from faasioflex.model.errors import FieldError, NotSupportedYet


def check_supported(function: FunctionIn) -> None:
    """Raises: NotSupportedYet, which names each field."""
    errors = tuple(_unsupported(function))
    if errors:
        fields = ", ".join(one.pointer[1:].replace("/", ".") for one in errors)
        raise NotSupportedYet(f"Not supported yet: {fields}. {errors[0].message}", errors=errors)


def _unsupported(function: FunctionIn) -> Iterator[FieldError]:
    if function.runtime not in installed():
        yield FieldError("/runtime", f"The runtimes so far are {', '.join(installed())}")
    if function.source is not None and function.source.image is not None:
        yield FieldError("/source/image", "Images cannot be run yet: send files or an archive")
