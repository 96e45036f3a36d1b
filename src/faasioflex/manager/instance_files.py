"""The token and the secrets of instances: given at the start, and again whenever they change, for as long as they run."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from faasioflex.bus.buckets import SECRETS
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus, Entry
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.manager.state import FunctionState
from faasioflex.model.errors import FfxError, StartFailed
from faasioflex.model.function import RevisionRecord
from faasioflex.model.identity import SecretRecord
from faasioflex.model.names import FunctionName
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
LOOK_S = 5.0  # also without a change: tokens age
RETRY_S = 0.5
TOKEN_PLACE = "token"  # noqa: S105
SECRET_PLACE = "secrets/"  # noqa: S105
MintToken = Callable[[FunctionName, str, float], tuple[str, float]]
"""``(function, its uid, now)`` -> a token and when it ends."""


class States(Protocol):
    """The reconciler, as far as it is needed here."""

    states: dict[str, FunctionState]

    def touch(self, key: str) -> None: ...

    async def revision_record(self, state: FunctionState, number: int) -> RevisionRecord | None: ...


class InstanceFiles:
    """``store`` None: there are no secrets; ``mint`` None: nor tokens."""

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        *,
        store: SecretStore | None,
        mint: MintToken | None,
        clock: Callable[[], float],
    ) -> None:
        self._driver = driver
        self._store = store
        self._mint = mint
        self._clock = clock
        self._secrets: Mirror[SecretRecord] = Mirror(bus.bucket(SECRETS.name, SecretRecord))
        self._secrets.listen(self._changed)
        self._reconciler: States | None = None
        self._tokens: dict[tuple[FunctionName, str], tuple[str, float]] = {}  # and when it is renewed
        self._given: dict[str, bytes] = {}  # instance -> digest of what it has
        self._stale = asyncio.Event()
        self.generation = 0  # grows with each change of a secret
        self._missing: set[tuple[str, int]] = set()  # revisions that did not start for want of a secret
        self._task: asyncio.Task[None] | None = None

    def attach(self, reconciler: States) -> None:
        self._reconciler = reconciler

    async def start(self) -> None:
        """Returns once it is known which secrets there are."""
        if self._store is not None:
            await self._secrets.start()
        if self._reconciler is not None:
            self._task = asyncio.create_task(self._keep(self._reconciler))

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._secrets.stop()

    async def of(self, record: RevisionRecord) -> dict[str, bytes]:
        """For a start. Raises: StartFailed where a secret is not set; Unavailable."""
        files = await self._files(record)
        missing = [name for name in record.secrets if SECRET_PLACE + name not in files]
        if missing:
            self._missing.add((record.function.key, record.number))
            shown = " and ".join(map(repr, missing))
            raise StartFailed(
                f"it lists the secret {shown}, which is not set in {record.namespace}: 'ffx secret set {missing[0]} "
                f"--namespace {record.namespace}', or take it out of secrets"
            )
        return files

    def given(self, instance: str, files: Mapping[str, bytes], of: int) -> None:
        """It has these now; ``of``: the ``generation`` that they were read in."""
        self._given[instance] = _digest(files)
        if of != self.generation:
            self._stale.set()

    async def _files(
        self, record: RevisionRecord, known: Mapping[str, Entry[SecretRecord]] | None = None
    ) -> dict[str, bytes]:
        """From the leader, or from what is ``known``."""
        files = {}
        if self._store is not None and record.secrets:
            values = await self._store.values(record.namespace, record.secrets, known)
            files = {SECRET_PLACE + name: value for name, value in values.items()}
        token = self._token(record.function, record.function_uid)
        if token is not None:
            files[TOKEN_PLACE] = token.encode()
        return files

    def _token(self, function: FunctionName, uid: str) -> str | None:
        """One for all instances of a function, another one past half of its life."""
        if self._mint is None:
            return None
        now = self._clock()
        held = self._tokens.get((function, uid))
        if held is not None and now < held[1]:
            return held[0]
        token, ends = self._mint(function, uid, now)
        self._tokens[function, uid] = token, now + (ends - now) / 2
        return token

    def _changed(self, _keys: set[str]) -> None:
        self.generation += 1
        self._stale.set()

    async def _keep(self, reconciler: States) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._stale.wait()
            except TimeoutError:
                pass
            self._stale.clear()
            try:
                failed = await self._renew_all(reconciler)
            except Exception:
                log.exception("files of instances were not renewed")
                failed = True
            if failed:
                self._stale.set()
                await asyncio.sleep(RETRY_S)

    async def _renew_all(self, reconciler: States) -> bool:
        """Give every instance what it should have now. Whether one could not be given it."""
        failed, live = False, set[str]()
        for state in list(reconciler.states.values()):
            by_revision: dict[int, dict[str, bytes]] = {}
            for one in list(state.instances.values()):
                if one.instance is None:
                    continue  # it is starting, with what there is now
                live.add(one.id)
                try:
                    if one.revision not in by_revision:
                        record = await reconciler.revision_record(state, one.revision)
                        if record is None:
                            continue
                        by_revision[one.revision] = await self._files(record, self._secrets.entries)
                    await self._renew(one.id, by_revision[one.revision])
                except FfxError as error:
                    log.warning("an instance's files were not renewed", instance=one.id, reason=error.message)
                    failed = True
        self._forget(live, reconciler)
        await self._try_again(reconciler)
        return failed

    async def _renew(self, instance: str, files: dict[str, bytes]) -> None:
        if self._given.get(instance) != _digest(files):
            await self._driver.give(instance, files)
            self._given[instance] = _digest(files)

    def _forget(self, live: set[str], reconciler: States) -> None:
        known = {(state.name, state.record.uid) for state in reconciler.states.values()}
        tracked = {one for state in reconciler.states.values() for one in state.instances}
        self._given = {one: digest for one, digest in self._given.items() if one in live | tracked}
        self._tokens = {whose: token for whose, token in self._tokens.items() if whose in known}

    async def _try_again(self, reconciler: States) -> None:
        """Revisions that failed for want of a secret which is set now."""
        for key, number in list(self._missing):
            state = reconciler.states.get(key)
            record = await reconciler.revision_record(state, number) if state is not None else None
            if state is None or record is None:
                self._missing.discard((key, number))
            elif self._all_set(record):
                self._missing.discard((key, number))
                revision = state.revisions.get(number)
                if revision is not None:
                    revision.failed, revision.attempts, revision.retry_at, revision.message = False, 0, None, None
                    reconciler.touch(key)

    def _all_set(self, record: RevisionRecord) -> bool:
        return all(f"{record.namespace}.{name}" in self._secrets.entries for name in record.secrets)


def _digest(files: Mapping[str, bytes]) -> bytes:
    made = hashlib.sha256()
    for place in sorted(files):
        made.update(f"{place}\n{len(files[place])}\n".encode())
        made.update(files[place])
    return made.digest()
