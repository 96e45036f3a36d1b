"""JSON schemas: of the function resource for editors, and of request bodies in the OpenAPI document."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any

from pydantic.json_schema import models_json_schema

from faasioflex.api.resource.changes import TRAFFIC_SCHEMA, RollbackIn, ScaleIn
from faasioflex.api.resource.request import FunctionIn
from faasioflex.api.resource.shapes import Problem
from faasioflex.model.execute import ExecuteIn

Schema = dict[str, Any]
REF = "#/components/schemas/"
SCHEMA_ID = "https://faasioflex.dev/schemas/function.json"
_NEVER_NULL = {"runtime"}
IF_MATCH: Schema = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "ETag that the function still has to have",
    "schema": {"type": "string"},
}


@lru_cache
def function_schema() -> Schema:
    """JSON schema 2020-12 of the function resource, as ``/schemas/function.json`` and in the package."""
    schema = _tightened(FunctionIn.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def components() -> dict[str, Schema]:
    """Schemas of request bodies and problems, by name."""
    models = (FunctionIn, ExecuteIn, RollbackIn, ScaleIn, Problem)
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF + "{model}")
    schemas: dict[str, Schema] = _tightened(found)["$defs"]
    put = copy.deepcopy(schemas["FunctionIn"])
    put["required"] = ["runtime"]
    put["title"] = "FunctionPut"
    return {
        **schemas,
        "Traffic": TRAFFIC_SCHEMA,
        "FunctionPut": put,
        "FunctionPatch": _patch(schemas["FunctionIn"], schemas),
    }


def function_body(name: str, *others: str, multipart: bool = False, parameters: list[Schema] | None = None) -> Schema:
    """``openapi_extra`` of a route that takes a function document."""
    content: Schema = {media: {"schema": {"$ref": REF + name}} for media in ("application/json", *others)}
    if multipart:
        form = {
            "type": "object",
            "required": ["function"],
            "additionalProperties": False,
            "properties": {
                "function": {"$ref": REF + name},
                "archive": {"type": "string", "contentMediaType": "application/octet-stream"},
            },
        }
        content["multipart/form-data"] = {
            "schema": form,
            "encoding": {
                "function": {"contentType": "application/json"},
                "archive": {"contentType": "application/octet-stream"},
            },
        }
    return _extra(content, True, parameters)


def json_body(name: str, *, required: bool = True, parameters: list[Schema] | None = None) -> Schema:
    """``openapi_extra`` of a route with a JSON body."""
    return _extra({"application/json": {"schema": {"$ref": REF + name}}}, required, parameters)


def _extra(content: Schema, required: bool, parameters: list[Schema] | None) -> Schema:
    extra: Schema = {"requestBody": {"required": required, "content": content}}
    if parameters:
        extra["parameters"] = parameters
    return extra


def _tightened(schema: Any) -> Any:
    """Objects whose keys follow a pattern take no others: Pydantic checks that and does not say it."""
    if isinstance(schema, list):
        return [_tightened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {name: _tightened(value) for name, value in schema.items()}
    if isinstance(tight.get("patternProperties"), dict):
        tight.setdefault("additionalProperties", False)
    return tight


def _patch(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """The merge patch of a document: nothing is required, and null takes a field back to its default."""
    patched = {name: value for name, value in schema.items() if name not in ("required", "properties")}
    properties: Schema = {}
    for name, held in schema["properties"].items():
        plain = {key: value for key, value in held.items() if key != "default"}
        reference = plain.get("$ref", "").removeprefix(REF)
        if reference in ("LimitsIn", "ScalingIn", "NetworkIn"):
            plain = _patch(schemas[reference], schemas)
        properties[name] = plain if name in _NEVER_NULL else {"anyOf": [plain, {"type": "null"}]}
    patched["properties"] = properties
    return patched
