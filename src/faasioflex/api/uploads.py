"""Function documents with their code: JSON, or multipart with ``function`` and ``archive``."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from faasioflex.api.body import MIB, chunks, media_type, parse_json, require_json
from faasioflex.api.resource.document import invalid
from faasioflex.api.resource.source import MAX_BASE64_LETTERS, SourceIn
from faasioflex.manager.archive.canonical import Code
from faasioflex.manager.archive.check import check_archive, check_files
from faasioflex.manager.archive.limits import MAX_PACKED_BYTES, check_packed
from faasioflex.model.errors import BadRequest, FieldError, Unavailable

MULTIPART = "multipart/form-data"
MAX_DOCUMENT_BYTES = MAX_BASE64_LETTERS + 4 * MIB
MAX_FIELD_BYTES = 4 * MIB
FREE_BYTES = MIB  # up to here a body needs no slot
SLOTS = 2
LONGEST_WAIT_S = 30.0


@dataclass(frozen=True)
class Upload:
    """A function document as it came, and the archive that came beside it."""

    document: Any
    archive: bytes | None


class Uploads:
    """At most :data:`SLOTS` large bodies are in memory and as many archives are checked at once; others wait."""

    def __init__(self) -> None:
        self._reading = asyncio.Semaphore(SLOTS)
        self._checking = asyncio.Semaphore(SLOTS)

    @asynccontextmanager
    async def receive(self, request: Request, *json_types: str) -> AsyncIterator[Upload]:
        """Read one; its slot is held while the context is open.

        Raises: UnsupportedMediaType, PayloadTooLarge, BadRequest, RequestTimeout, Unavailable (no slot in time).
        """
        multipart = media_type(request) == MULTIPART
        if not multipart:
            require_json(request, MULTIPART, *json_types)
        taken: list[asyncio.Semaphore] = []
        try:
            data = await self._read(request, taken)
            yield await _split(request, data) if multipart else Upload(await parse_json(data), None)
        finally:
            for semaphore in taken:
                semaphore.release()

    async def code(self, source: SourceIn | None, archive: bytes | None) -> Code | None:
        """The checked code of a request; None where it brings none. Raises: Invalid, BadArchive, PayloadTooLarge."""
        if archive is not None:
            if source is not None and source.sha256 is None:
                raise invalid(FieldError("/source", "The archive came as a file beside it: leave source out"))
            return await self._check(check_archive, archive)
        if source is None:
            return None
        if source.files is not None:
            return await self._check(check_files, source.files)
        if source.archive is not None:
            packed = await asyncio.to_thread(_unbase64, source.archive)
            return await self._check(check_archive, packed)
        return None

    async def _check(self, check: Callable[[Any], Code], argument: object) -> Code:
        async with self._checking:
            return await asyncio.to_thread(check, argument)

    async def _read(self, request: Request, taken: list[asyncio.Semaphore]) -> bytes:
        data = bytearray()
        async for chunk in chunks(request, MAX_DOCUMENT_BYTES):
            if len(data) + len(chunk) > FREE_BYTES and not taken:
                await self._slot()
                taken.append(self._reading)
            data += chunk
        return bytes(data)

    async def _slot(self) -> None:
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._reading.acquire()
        except TimeoutError:
            raise Unavailable("Others are uploading large archives right now: repeat it", retry_after_s=5) from None


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(FieldError("/source/archive", "Must be the base64 of a zip or tar.gz")) from None
    check_packed(len(data))
    return data


async def _split(request: Request, data: bytes) -> Upload:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(data), MIB):
            yield data[start : start + MIB]

    with _readable():
        parser = MultiPartParser(request.headers, stream(), max_files=2, max_fields=2, max_part_size=MAX_FIELD_BYTES)  # type: ignore[arg-type]
        form = await parser.parse()
    try:
        parts = dict(form.multi_items())
        unknown = sorted(set(parts) - {"function", "archive"})
        if unknown or len(parts) != len(form.multi_items()):
            raise BadRequest("The form has two parts: function (the JSON) and archive (the file), each once")
        function, archive = parts.get("function"), parts.get("archive")
        if function is None:
            raise BadRequest("The form has no part function: it is the function's JSON")
        document = await function.read(MAX_FIELD_BYTES + 1) if isinstance(function, UploadFile) else function.encode()
        if archive is not None and not isinstance(archive, UploadFile):
            raise BadRequest("The part archive has to be a file: give it a filename")
        packed = await archive.read(MAX_PACKED_BYTES + 1) if archive is not None else None
        if packed is not None:
            check_packed(len(packed))
        return Upload(await parse_json(document), packed)
    finally:
        await form.close()


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (MultiPartException, FormParserError, UnicodeDecodeError, KeyError, LookupError) as error:
        raise BadRequest(f"The form cannot be read: {ascii(str(error))[:200]}") from None
