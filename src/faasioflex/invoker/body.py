"""A request's body on its way to an instance: kept whole where it is small, so that another instance may be asked; else streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.model.errors import BadRequest, PayloadTooLarge


class ClientGone(Exception):
    """The caller closed its connection before its request was whole."""


class Source(Protocol):
    """Where a body comes from."""

    length: int | None  # as declared; None: not declared

    async def read(self) -> bytes:
        """What has come, b"" at the end. Raises: ClientGone."""


class Body:
    """``whole`` is the body once it is known to be small; None while it has to be streamed (once)."""

    def __init__(self, source: Source | None, *, whole: bytes | None = None) -> None:
        self._source = source
        self._first: list[bytes] = []
        self._kept = 0
        self._admission: Admission | None = None
        self._limit: int | None = None
        self.whole = b"" if source is None and whole is None else whole
        self.declared = source is not None or bool(whole)  # whether the request said that it has one, be it empty
        self.started = False

    @property
    def length(self) -> int | None:
        """Bytes, where that is known before it was read."""
        if self.whole is not None:
            return len(self.whole)
        return self._source.length if self._source is not None else 0

    @property
    def repeatable(self) -> bool:
        return self.whole is not None or not self.started

    async def prepare(self, payload_bytes: int | None, admission: Admission, bounds: Bounds) -> None:
        """Read it where it is small: then a slow client holds no place in an instance. One of no declared length that takes a
        moment is meant to be read as it comes, so it is streamed.

        Raises: PayloadTooLarge, TooManyCalls (memory for bodies), BadRequest, ClientGone.
        """
        self._limit = payload_bytes
        self._silence_s = bounds.client_silence_s
        self._check(self.length or 0)
        if self.whole is not None or self._source is None or self._admission is not None:
            return
        self._admission = admission
        if (self._source.length or 0) > bounds.repeatable_body_bytes:
            return
        patient_until = None
        if self._source.length is None:
            patient_until = asyncio.get_running_loop().time() + bounds.streams_after_s
        while self._kept <= bounds.repeatable_body_bytes:
            try:
                async with asyncio.timeout_at(patient_until):
                    piece = await self._read()
            except TimeoutError:
                return
            if not piece:
                self.whole = b"".join(self._first)
                self._first.clear()
                return
            self._check(self._kept + len(piece))
            admission.keep(len(piece))
            self._kept += len(piece)
            self._first.append(piece)

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, once; what was kept first.

        Raises: PayloadTooLarge, BadRequest, ClientGone.
        """
        self.started = True
        sent = 0
        for piece in self._first:
            sent += len(piece)
            yield piece
        self._first.clear()
        self.release()
        while piece := await self._read():
            sent += len(piece)
            self._check(sent)
            yield piece

    def release(self) -> None:
        """Give back the accounted memory."""
        if self._admission is not None:
            self._admission.free(self._kept)
            self._kept = 0

    async def _read(self) -> bytes:
        if self._source is None:
            return b""
        try:
            async with asyncio.timeout(self._silence_s):
                return await self._source.read()
        except TimeoutError as error:
            raise BadRequest(f"The request's body did not go on for {self._silence_s:g} s") from error

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise PayloadTooLarge(
                f"The body is larger than {self._limit} bytes: send less, or raise the function's limits.payload_bytes"
            )
