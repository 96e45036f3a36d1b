"""Which package systems there are: ``packages`` of a runtime's descriptor names one. A new one is a class and a line here."""

from __future__ import annotations

from faasioflex.manager.builder.go.system import Go
from faasioflex.manager.builder.jobs import Jobs
from faasioflex.manager.builder.npm.system import Npm
from faasioflex.manager.builder.pip.system import Pip
from faasioflex.manager.builder.store import Store
from faasioflex.manager.builder.system import Made, PackageSystem, Work
from faasioflex.model.errors import Invalid
from faasioflex.model.function import RevisionRecord
from faasioflex.runtime.language import Language
from faasioflex.runtime.registries import Registries


class NoPackages:
    """Of languages whose code brings what it needs."""

    def stamp(self, kind: Language) -> list[object]:
        return []

    async def make(self, work: Work) -> Made:
        return Made()

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        """It keeps nothing."""


class Systems:
    """All of them, for one builder."""

    def __init__(self, jobs: Jobs, store: Store, registries: Registries) -> None:
        self._none = NoPackages()
        self._by_name: dict[str, PackageSystem] = {
            "pip": Pip(jobs, store, registries),
            "npm": Npm(jobs, store),
            "go": Go(jobs, store),
        }

    def of(self, kind: Language) -> PackageSystem:
        """Raises: Invalid, where the descriptor names one that is not there."""
        if kind.packages is None:
            return self._none
        if kind.packages not in self._by_name:
            raise Invalid(f"the runtime {kind.name} wants {kind.packages!r}: there is {', '.join(self._by_name)}")
        return self._by_name[kind.packages]

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        for system in self._by_name.values():
            await system.collect(in_use)
