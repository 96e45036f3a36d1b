"""Secrets in a process of the platform: which master key, by the settings."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from faasioflex.bus.port import Bus
from faasioflex.manager.secrets.kms import KmsCommand
from faasioflex.manager.secrets.master import ENVIRONMENT_NAME, FileKeys, HeldKeys, MasterKey, parse_keys
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.platform.settings import Settings

_from_environment: str | None = None


def secret_store(bus: Bus, settings: Settings) -> SecretStore:
    """One per part: what one has unwrapped, the other asks for itself."""
    return SecretStore(bus, master_key(settings), time.time)


def master_key(settings: Settings) -> MasterKey:
    """A KMS, else the environment's, else a file's. Raises: Unavailable for a key in the environment that is none."""
    if settings.secrets_kms_command:
        return KmsCommand(shlex.split(settings.secrets_kms_command))
    text = take_from_environment()
    if text:
        return HeldKeys(parse_keys(text, ENVIRONMENT_NAME), ENVIRONMENT_NAME)
    return FileKeys(Path(settings.secrets_key_file) if settings.secrets_key_file else settings.folder.master_key)


def take_from_environment() -> str | None:
    """The variable's text; from then on no child of this process inherits it."""
    global _from_environment  # noqa: PLW0603
    _from_environment = os.environ.pop(ENVIRONMENT_NAME, None) or _from_environment
    return _from_environment
