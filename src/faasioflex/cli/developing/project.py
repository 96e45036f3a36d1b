"""A function's folder as ``ffx dev`` takes it: what is in function.yaml, checked as the platform would, with .env over its env."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from faasioflex.api.resource.document import read_function
from faasioflex.cli.manifest import guess_name, guess_runtime, read_manifest
from faasioflex.model.errors import BadRequest
from faasioflex.model.function import FunctionSpec
from faasioflex.model.names import ADMIN_NAMESPACE

ENV_FILE = ".env"
SECRETS_FILE = ".env.secrets"  # stays at home as every .env.* does


@dataclass(frozen=True)
class Project:
    """``spec.env`` has everything that the function gets; ``from_file`` names what of it comes from ``env_file``.

    ``skipped``: a sentence for each line of a file that cannot be read. ``secrets``: the values of those that it lists, from
    the folder's .env.secrets; ``missing`` are not there.
    """

    folder: Path
    spec: FunctionSpec
    env_file: Path
    from_file: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    missing: tuple[str, ...] = ()


def read_project(folder: Path, env_file: Path | None = None, *, env_of_folder: bool = True) -> Project:
    """``env_file`` None: the folder's ``.env``, if it has one and ``env_of_folder`` asks for it.

    Raises: BadRequest, Invalid, NotSupportedYet.
    """
    if not folder.is_dir():
        raise BadRequest(f"{folder} is not a folder: 'ffx new {folder}' makes one with a function in it")
    document = dict(read_manifest(folder) or {})
    document.pop("source", None)
    document.setdefault("name", guess_name(folder) if "name" not in document else None)
    document.setdefault("runtime", guess_runtime(folder) if "runtime" not in document else None)
    extra, skipped = dict[str, str](), tuple[str, ...]()
    if env_file is not None or env_of_folder:
        extra, skipped = read_env(env_file or folder / ENV_FILE, must_exist=env_file is not None)
    env = document.get("env")
    if extra and (env is None or isinstance(env, dict)):
        document["env"] = {**(env or {}), **extra}
    spec = read_function(document).spec(ADMIN_NAMESPACE)
    held, unread = read_env(folder / SECRETS_FILE, must_exist=False) if spec.secrets else ({}, ())
    secrets = {name: held[name] for name in spec.secrets if name in held}
    missing = tuple(name for name in spec.secrets if name not in held)
    skipped += unread
    return Project(folder, spec, env_file or folder / ENV_FILE, tuple(extra), skipped, secrets, missing)


def read_env(file: Path, *, must_exist: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names and values of a .env file, and a sentence for each line that is skipped; a name without ``=`` is left out.

    Raises: BadRequest where it cannot be read. Neither it nor a sentence holds a value.
    """
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    if not file.is_file():
        if must_exist:
            raise BadRequest(f"{file} is not there: --env-file names a file of lines like NAME=value")
        return {}, ()
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read: {type(error).__name__}") from None
    bindings = list(parse_stream(io.StringIO(text)))
    # without the lines that are wrong: dotenv_values would log each, and not say of which file
    found = dotenv_values(stream=io.StringIO("".join(one.original.string for one in bindings if not one.error)))
    skipped = tuple(f"{file}, line {one.original.line}: skipped, it is not NAME=value" for one in bindings if one.error)
    return {name: value for name, value in found.items() if value is not None}, skipped
