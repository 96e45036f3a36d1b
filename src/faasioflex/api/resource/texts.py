"""Rules for names and texts in the function resource: environment, labels, handlers."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from faasioflex.manager.languages import installed, is_known
from faasioflex.model.names import LONGEST_SECRET_NAME, NAME_PATTERN, SECRET_NAME_PATTERN

MAX_ENV_BYTES = 64 * 1024
_LABEL_VALUE = r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
_DNS_PART = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
LABEL_KEY_PATTERN = rf"^({_DNS_PART}(\.{_DNS_PART}){{0,8}}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?$"
LABEL_VALUE_PATTERN = rf"^{_LABEL_VALUE}$"
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,255}$"
_RESERVED = re.compile(r"FFX_.*|LISTEN_.*|PORT")
_PYTHON_HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_GO_HANDLER = re.compile(r"[A-Z][A-Za-z0-9_]*")
_FILE_HANDLER = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[\w@+.-]+(/[\w@+.-]+)*")
_HANDLERS = {
    "python": (_PYTHON_HANDLER, "module:name, like main:handle"),
    "go": (_GO_HANDLER, "an exported name, like Handle"),
    "exec": (_FILE_HANDLER, "the path of a file in the code, like bin/run"),
}


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "A NUL character cannot be passed on")
    return text


def _env_name(name: str) -> str:
    if _RESERVED.fullmatch(name):
        raise PydanticCustomError("reserved", "FFX_*, LISTEN_* and PORT are set by the platform: choose another name")
    return name


def _runtime(name: str) -> str:
    if not is_known(name):
        raise PydanticCustomError("runtime", "Must be one of {names}", {"names": ", ".join(installed())})
    return name


def _say_runtimes(schema: dict[str, Any]) -> None:
    """Asked for when the schema is made: which there are is told by folders."""
    schema["enum"] = list(installed())


RuntimeText = Annotated[str, AfterValidator(_runtime), Field(json_schema_extra=_say_runtimes)]
NameText = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=40)]
EnvName = Annotated[str, StringConstraints(pattern=ENV_NAME_PATTERN), AfterValidator(_env_name)]
EnvValue = Annotated[str, StringConstraints(max_length=MAX_ENV_BYTES), AfterValidator(_no_nul)]
LabelKey = Annotated[str, StringConstraints(pattern=LABEL_KEY_PATTERN, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=LABEL_VALUE_PATTERN, max_length=63)]
SecretName = Annotated[str, StringConstraints(pattern=SECRET_NAME_PATTERN, max_length=LONGEST_SECRET_NAME)]
Description = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_no_nul)]


def check_env(env: dict[str, str]) -> dict[str, str]:
    """Raises: PydanticCustomError where names and values together are too much for one process's environment."""
    size = sum(len(name.encode()) + len(value.encode()) + 2 for name, value in env.items())
    if size > MAX_ENV_BYTES:
        raise PydanticCustomError(
            "env_size", "The environment is larger than 64 KiB: put large values into files of the code"
        )
    return env


def handler_problem(runtime: str, handler: str) -> str | None:
    """A sentence where ``handler`` cannot be one of the runtime's; None where it can."""
    rule = _HANDLERS.get(runtime)
    if rule is None or rule[0].fullmatch(handler):
        return None
    return f"A handler of {runtime} is {rule[1]}"
