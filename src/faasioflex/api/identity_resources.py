"""The use cases of identity that routes work with, made once per app."""

from __future__ import annotations

from collections.abc import Callable

from faasioflex.api.identity import ApiIdentity
from faasioflex.bus.port import Bus
from faasioflex.identity.bindings import Bindings
from faasioflex.identity.grants import Grants
from faasioflex.identity.groups import Groups
from faasioflex.identity.mentions import Mentions
from faasioflex.identity.namespaces import Namespaces
from faasioflex.identity.quotas import Quotas
from faasioflex.identity.subjects import Subjects
from faasioflex.identity.users import Users


class IdentityResources:
    def __init__(self, bus: Bus, identity: ApiIdentity, now: Callable[[], float]) -> None:
        directory = identity.directory
        mentions = Mentions(bus, directory)
        self.subjects = Subjects(directory)
        self.groups = Groups(bus, directory, mentions)
        self.namespaces = Namespaces(bus, directory)
        self.bindings = Bindings(bus, directory)
        self.grants = Grants(bus, directory)
        self.quotas = Quotas(bus)
        self.users = Users(
            bus,
            directory=directory,
            people=identity.people,
            login=identity.login,
            tokens=identity.tokens,
            long_lived=identity.long_lived,
            mentions=mentions,
            now=now,
        )
