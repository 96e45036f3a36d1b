"""Principals for tests: a directory over a bus, and tokens signed with a throwaway key."""

from __future__ import annotations

import atexit
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from faasioflex.api.identity import ApiIdentity
from faasioflex.bus import buckets
from faasioflex.bus.port import Bus
from faasioflex.identity.authenticator import Authenticator
from faasioflex.identity.directory import Directory
from faasioflex.identity.people import People
from faasioflex.identity.port import Identity, Login
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.mint import Mint
from faasioflex.identity.tokens.service import TokenService
from faasioflex.identity.tokens.verifier import Verifier
from faasioflex.manager.secrets.master import HeldKeys
from faasioflex.manager.secrets.sealing import new_key
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.model.identity import Role, UserRecord

ISSUER = "http://127.0.0.1/oidc"
LOGIN = "http://login.test"


@cache
def throwaway_keys() -> SigningKeys:
    """One for the process: a key takes a tenth of a second."""
    folder = Path(mkdtemp(prefix="ffx-keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keys = SigningKeys(folder / "keys")
    keys.ensure()
    return keys


class TestIdentity:
    """``admin`` is the token of the local admin. ``await start()`` first, ``await stop()`` last."""

    __test__ = False

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.time, login: Login | None = None) -> None:
        self._bus = bus
        self._clock = clock
        self.people = People(bus, clock, own_issuers=lambda: frozenset({ISSUER}))
        self.directory = Directory(bus)
        self.mint = Mint(throwaway_keys(), ISSUER)
        verifier = Verifier(throwaway_keys(), lambda: frozenset({ISSUER}), clock=clock)
        self.authenticate = Authenticator(verifier, self.directory, clock)
        self.tokens = TokenService(
            bus,
            directory=self.directory,
            people=self.people,
            keys=throwaway_keys(),
            mint=self.mint,
            verifier=verifier,
            clock=clock,
            login=login,
        )
        self.long_lived = LongLivedTokens(bus, self.directory, self.mint, clock)
        self.api = ApiIdentity(
            self.authenticate,
            self.directory,
            self.tokens,
            self.long_lived,
            self.people,
            login,
            secrets=SecretStore(bus, HeldKeys([new_key()], "the test"), clock),
            nats_url="nats://127.0.0.1:4222",
        )

    async def start(self) -> None:
        await self.people.ensure_local_admin()
        await self.directory.start()

    async def stop(self) -> None:
        await self.directory.stop()

    @property
    def admin(self) -> str:
        return self.mint.admin_file(self._clock()).token

    async def user(self, name: str, role: Role = "developer", groups: tuple[str, ...] = ()) -> UserRecord:
        """A person ``NAME@example.test`` with the namespace ``NAME``."""
        identity = Identity(LOGIN, name, f"{name}@example.test", True, name.title(), groups, "ffx-cli", 0.0)
        record = await self.people.provision(identity, role)
        if self.directory.problem is None:
            await self.directory.learn(record.uid)
        bucket = self._bus.bucket(buckets.USERS.name, UserRecord)
        entry = await bucket.get(record.uid)
        assert entry is not None
        return entry.value

    def token(self, user: UserRecord) -> str:
        """An access token of theirs."""
        groups = self.directory.groups_of(user.uid, user.claimed_groups)
        return self.mint.access(user, groups, self._clock()).token
