"""Labels that series share."""

from __future__ import annotations

from faasioflex.model.names import FunctionName


def of_function(function: FunctionName) -> dict[str, str]:
    return {"namespace": function.namespace, "function": function.name}
