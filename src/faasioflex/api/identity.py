"""What the API knows of identity: who asks, who there is, and what makes tokens."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.identity.authenticator import Authenticate
from faasioflex.identity.directory import Directory


@dataclass(frozen=True)
class ApiIdentity:
    """Given to ``create_app``; its directory is started and stopped by the app's lifespan."""

    authenticate: Authenticate
    directory: Directory
