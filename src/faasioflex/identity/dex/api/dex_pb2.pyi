from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Password(_message.Message):
    __slots__ = ("email", "hash", "username", "user_id")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    email: str
    hash: bytes
    username: str
    user_id: str
    def __init__(
        self,
        email: _Optional[str] = ...,
        hash: _Optional[bytes] = ...,
        username: _Optional[str] = ...,
        user_id: _Optional[str] = ...,
    ) -> None: ...

class CreatePasswordReq(_message.Message):
    __slots__ = ("password",)
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    password: Password
    def __init__(self, password: _Optional[_Union[Password, _Mapping]] = ...) -> None: ...

class CreatePasswordResp(_message.Message):
    __slots__ = ("already_exists",)
    ALREADY_EXISTS_FIELD_NUMBER: _ClassVar[int]
    already_exists: bool
    def __init__(self, already_exists: _Optional[bool] = ...) -> None: ...

class UpdatePasswordReq(_message.Message):
    __slots__ = ("email", "new_hash", "new_username")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NEW_HASH_FIELD_NUMBER: _ClassVar[int]
    NEW_USERNAME_FIELD_NUMBER: _ClassVar[int]
    email: str
    new_hash: bytes
    new_username: str
    def __init__(
        self, email: _Optional[str] = ..., new_hash: _Optional[bytes] = ..., new_username: _Optional[str] = ...
    ) -> None: ...

class UpdatePasswordResp(_message.Message):
    __slots__ = ("not_found",)
    NOT_FOUND_FIELD_NUMBER: _ClassVar[int]
    not_found: bool
    def __init__(self, not_found: _Optional[bool] = ...) -> None: ...

class DeletePasswordReq(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class DeletePasswordResp(_message.Message):
    __slots__ = ("not_found",)
    NOT_FOUND_FIELD_NUMBER: _ClassVar[int]
    not_found: bool
    def __init__(self, not_found: _Optional[bool] = ...) -> None: ...

class ListPasswordReq(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPasswordResp(_message.Message):
    __slots__ = ("passwords",)
    PASSWORDS_FIELD_NUMBER: _ClassVar[int]
    passwords: _containers.RepeatedCompositeFieldContainer[Password]
    def __init__(self, passwords: _Optional[_Iterable[_Union[Password, _Mapping]]] = ...) -> None: ...

class RefreshTokenRef(_message.Message):
    __slots__ = ("id", "client_id", "created_at", "last_used")
    ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_FIELD_NUMBER: _ClassVar[int]
    id: str
    client_id: str
    created_at: int
    last_used: int
    def __init__(
        self,
        id: _Optional[str] = ...,
        client_id: _Optional[str] = ...,
        created_at: _Optional[int] = ...,
        last_used: _Optional[int] = ...,
    ) -> None: ...

class ListRefreshReq(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class ListRefreshResp(_message.Message):
    __slots__ = ("refresh_tokens",)
    REFRESH_TOKENS_FIELD_NUMBER: _ClassVar[int]
    refresh_tokens: _containers.RepeatedCompositeFieldContainer[RefreshTokenRef]
    def __init__(self, refresh_tokens: _Optional[_Iterable[_Union[RefreshTokenRef, _Mapping]]] = ...) -> None: ...

class RevokeRefreshReq(_message.Message):
    __slots__ = ("user_id", "client_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    client_id: str
    def __init__(self, user_id: _Optional[str] = ..., client_id: _Optional[str] = ...) -> None: ...

class RevokeRefreshResp(_message.Message):
    __slots__ = ("not_found",)
    NOT_FOUND_FIELD_NUMBER: _ClassVar[int]
    not_found: bool
    def __init__(self, not_found: _Optional[bool] = ...) -> None: ...

class IDTokenSubject(_message.Message):
    __slots__ = ("user_id", "conn_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONN_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    conn_id: str
    def __init__(self, user_id: _Optional[str] = ..., conn_id: _Optional[str] = ...) -> None: ...
