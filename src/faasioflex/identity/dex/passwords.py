"""Dex's gRPC API: the people that it keeps passwords of. What it answers becomes errors of ours here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from faasioflex.identity.dex.api import dex_pb2
from faasioflex.model.errors import Conflict, Invalid, NotFound, Unavailable

CONNECTOR = "local"  # of people whose passwords Dex keeps itself
TIMEOUT_S = 10.0
_SERVICE = "/api.Dex/"
Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class DexAddress:
    """``ca``, ``cert``, ``key``: PEM files of mutual TLS; without ``ca`` it is plain, for loopback and unix sockets only."""

    address: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Person:
    user_id: str
    email: str
    name: str

    @property
    def subject(self) -> str:
        return subject_of(self.user_id)


def subject_of(user_id: str) -> str:
    """The ``sub`` of somebody whose password Dex keeps."""
    made = dex_pb2.IDTokenSubject(user_id=user_id, conn_id=CONNECTOR).SerializeToString()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def user_id_of(subject: str) -> str | None:
    """None of a subject that is of another connector, or none of Dex."""
    try:
        data = base64.urlsafe_b64decode(subject + "=" * (-len(subject) % 4))
        found = dex_pb2.IDTokenSubject.FromString(data)
    except (binascii.Error, ValueError, DecodeError):
        return None
    return found.user_id if found.conn_id == CONNECTOR else None


class DexPasswords:
    """Every method raises Unavailable while Dex cannot be reached."""

    def __init__(self, address: DexAddress) -> None:
        self._address = address
        self._channel: grpc.aio.Channel | None = None

    async def start(self) -> None:
        """Raises: Unavailable where a file of its TLS cannot be read."""
        self._channel = _channel(self._address)

    async def stop(self) -> None:
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    async def people(self) -> list[Person]:
        answer = await self._call("ListPasswords", dex_pb2.ListPasswordReq(), dex_pb2.ListPasswordResp)
        found = [Person(one.user_id, one.email, one.username) for one in answer.passwords]
        return sorted(found, key=lambda person: person.email)

    async def person(self, subject: str) -> Person:
        """Raises: NotFound."""
        wanted = user_id_of(subject)
        for person in await self.people():
            if wanted is not None and person.user_id == wanted:
                return person
        raise NotFound("Dex keeps no password of this person: they log in by a connector, or are gone")

    async def create(self, person: Person, hashed: bytes) -> None:
        """Raises: Conflict."""
        given = dex_pb2.Password(email=person.email, hash=hashed, username=person.name, user_id=person.user_id)
        answer = await self._call(
            "CreatePassword", dex_pb2.CreatePasswordReq(password=given), dex_pb2.CreatePasswordResp
        )
        if answer.already_exists:
            raise Conflict(f"There is a login of {person.email} already")

    async def update(self, email: str, *, name: str = "", hashed: bytes = b"") -> None:
        """Raises: NotFound."""
        request = dex_pb2.UpdatePasswordReq(email=email, new_hash=hashed, new_username=name)
        answer = await self._call("UpdatePassword", request, dex_pb2.UpdatePasswordResp)
        if answer.not_found:
            raise NotFound("This person is gone at Dex")

    async def delete(self, email: str) -> None:
        """Raises: NotFound."""
        request = dex_pb2.DeletePasswordReq(email=email)
        answer = await self._call("DeletePassword", request, dex_pb2.DeletePasswordResp)
        if answer.not_found:
            raise NotFound("This person is gone at Dex")

    async def end_refresh_tokens(self, subject: str) -> None:
        """Of all clients: nobody stays logged in at Dex by them."""
        listed = await self._call("ListRefresh", dex_pb2.ListRefreshReq(user_id=subject), dex_pb2.ListRefreshResp)
        for client in {one.client_id for one in listed.refresh_tokens}:
            request = dex_pb2.RevokeRefreshReq(user_id=subject, client_id=client)
            await self._call("RevokeRefresh", request, dex_pb2.RevokeRefreshResp)

    async def _call(self, method: str, request: Q, answer: type[R]) -> R:
        if self._channel is None:
            raise Unavailable("Dex's gRPC API is not connected")
        call: Callable[..., Awaitable[R]] = self._channel.unary_unary(
            _SERVICE + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return await call(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            said = (error.details() or error.code().name)[:300]
            if error.code() == grpc.StatusCode.UNKNOWN:  # what Dex says of requests that it refuses
                raise Invalid(f"Dex refuses: {said}") from error
            raise Unavailable(f"Dex's gRPC API does not answer at {self._address.address}: {said}") from error


def _channel(address: DexAddress) -> grpc.aio.Channel:
    options = [("grpc.enable_http_proxy", 0)]
    if address.ca is None:
        return grpc.aio.insecure_channel(address.address, options=options)
    try:
        ca = address.ca.read_bytes()
        key = address.key.read_bytes() if address.key is not None else None
        cert = address.cert.read_bytes() if address.cert is not None else None
    except OSError as error:
        raise Unavailable(f"{error.filename} cannot be read: {error.strerror}") from error
    return grpc.aio.secure_channel(address.address, grpc.ssl_channel_credentials(ca, key, cert), options=options)
