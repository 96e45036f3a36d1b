"""Turns parsed JSON into frozen dataclasses: known fields are checked, unknown ones ignored, so that a newer platform can be read.

Written by hand: making Pydantic's validators for these nouns takes longer than most calls of the command line.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
_NUMBERS: dict[type, tuple[type, ...]] = {float: (int, float), int: (int,), str: (str,), bool: (bool,)}


class BadAnswer(ValueError):
    """The document does not have the shape that the platform's API promises."""


def read(kind: type[T], data: Any, where: str = "") -> T:
    """Make a ``kind`` (a dataclass) of ``data`` (a parsed JSON object). A field named ``raw`` takes the whole object.

    Raises: BadAnswer, with the place of the first thing that does not fit.
    """
    if not isinstance(data, Mapping):
        raise BadAnswer(f"{where or 'the answer'} is {_name(data)}, not an object")
    hints = _hints(cast(Any, kind))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cast(Any, kind)):
        if field.name == "raw":
            values["raw"] = dict(data)
        elif field.name in data:
            values[field.name] = _value(hints[field.name], data[field.name], f"{where}/{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BadAnswer(f"{where}/{field.name} is missing from the answer")
    return kind(**values)


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind) or kind
    if origin in (Any, Literal):
        return data  # a word of a Literal that we do not know yet is shown as it is
    if dataclasses.is_dataclass(kind):
        return read(cast(type[Any], kind), data, where)
    return _READERS.get(origin, _scalar)(kind, data, where)


def _optional(kind: Any, data: Any, where: str) -> Any:
    kinds = [part for part in get_args(kind) if part is not type(None)]
    return None if data is None else _value(kinds[0], data, where)


def _mapping(kind: Any, data: Any, where: str) -> dict[Any, Any]:
    key_kind, value_kind = get_args(kind)
    if not isinstance(data, Mapping):
        raise BadAnswer(f"{where} is {_name(data)}, not an object")
    try:
        return {key_kind(key): _value(value_kind, value, f"{where}/{key}") for key, value in data.items()}
    except (TypeError, ValueError) as error:
        raise BadAnswer(f"{where}: {error}") from error


def _sequence(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, list):
        raise BadAnswer(f"{where} is {_name(data)}, not a list")
    item_kind = get_args(kind)[0]
    return (get_origin(kind) or tuple)(_value(item_kind, item, f"{where}/{at}") for at, item in enumerate(data))


def _moment(_: Any, data: Any, where: str) -> datetime:
    """RFC 3339 text, or seconds since the epoch."""
    try:
        if isinstance(data, int | float) and not isinstance(data, bool):
            return datetime.fromtimestamp(data, UTC)
        read_time = datetime.fromisoformat(data)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise BadAnswer(f"{where} is not a time: {data!r}") from error
    return read_time if read_time.tzinfo else read_time.replace(tzinfo=UTC)


def _scalar(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, _NUMBERS[kind]) or (isinstance(data, bool) and kind is not bool):
        raise BadAnswer(f"{where} is {_name(data)}, not {kind.__name__}")
    return float(cast(float, data)) if kind is float else data


def _name(data: Any) -> str:
    return "null" if data is None else type(data).__name__


_READERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    Union: _optional,
    types.UnionType: _optional,
    dict: _mapping,
    tuple: _sequence,
    list: _sequence,
    datetime: _moment,
}
