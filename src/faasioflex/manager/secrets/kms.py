"""A master key that never comes here: a command of the operator wraps and unwraps.

It is called with ``wrap`` or ``unwrap`` as its last argument, reads one line of base64 from stdin and writes one to stdout.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence

from faasioflex.manager.secrets import sealing
from faasioflex.manager.secrets.sealing import KEY_BYTES, SealBroken
from faasioflex.model.errors import Unavailable, WrongState

_LONGEST_S = 30.0
_LONGEST_BYTES = 16 * 1024
_ID = "kms"


class KmsCommand:
    """``command``: the program and its arguments."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    async def prepare(self, *, fresh: bool) -> None:
        """The command is asked when a key is needed."""

    async def current(self) -> str:
        return _ID

    async def wrap(self, key: bytes, namespace: str, key_id: str) -> tuple[str, str]:
        wrapped = await self._ask("wrap", sealing.to_text(key))
        try:
            opened = await self.unwrap(_ID, wrapped, namespace, key_id)
        except SealBroken:
            opened = b""
        if opened != key:
            raise Unavailable("secrets_kms_command does not unwrap what it wraps: nothing was encrypted with it")
        return _ID, wrapped

    async def unwrap(self, master_id: str, wrapped: str, namespace: str, key_id: str) -> bytes:
        if master_id != _ID:
            raise Unavailable(
                f"The key of {namespace} is wrapped by {master_id}: start once with that master key, set the secrets again "
                "after that"
            )
        key = sealing.from_text(await self._ask("unwrap", wrapped))
        if len(key) != KEY_BYTES:
            raise SealBroken
        return key

    async def renew(self) -> None:
        raise WrongState("The master key is in your KMS: rotate it there; keys of namespaces are rotated here")

    async def forget_old(self) -> None:
        """The KMS keeps what it needs."""

    async def _ask(self, verb: str, line: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FFX_")}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                verb,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # it may tell what it was given
            )
        except OSError as error:
            raise Unavailable(f"secrets_kms_command cannot be started: {error}") from error
        try:
            async with asyncio.timeout(_LONGEST_S):
                said, _ = await process.communicate(f"{line}\n".encode("ascii"))
        except TimeoutError:
            raise Unavailable(f"secrets_kms_command {verb} did not answer within {_LONGEST_S:.0f} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        answer = said.decode("ascii", errors="replace").strip()
        if process.returncode != 0 or not answer or len(said) > _LONGEST_BYTES:
            raise Unavailable(f"secrets_kms_command {verb} failed with exit code {process.returncode}")
        return answer
