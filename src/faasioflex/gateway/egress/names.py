"""The name server of a sandbox: it knows what the egress list knows, and nothing else (RFC 1035, one question, UDP).

A name below a wildcard gets a loopback address of its own, so that any client reaches it; what is not listed does not exist,
and is told as a denial. No question leaves the machine: nothing can be carried out by names.
"""

from __future__ import annotations

import ipaddress
import struct
from collections import OrderedDict
from collections.abc import Callable

from faasioflex.model.egress import canonical
from faasioflex.runtime.egress.plan import HOME, Plan

MOST_NAMES = 16_384
LONGEST_QUESTION_BYTES = 512
_FIRST = int(ipaddress.IPv4Address("127.128.0.1"))
_HEAD = struct.Struct("!HHHHHH")
_A, _ANY, _IN = 1, 255, 1
_ANSWER, _AUTHORITATIVE, _RECURSION, _ASKED_RECURSION = 0x8000, 0x0400, 0x0080, 0x0100
_OPCODE = 0x7800  # of another kind of message than a question
_OK, _NO_SUCH_NAME = 0, 3
_TTL_S = 30
_POINTER_TO_QUESTION = b"\xc0\x0c"


class Names:
    """Of one sandbox. ``deny`` hears of names that are not listed."""

    def __init__(self, plan: Plan, deny: Callable[[str], None]) -> None:
        self._plan = plan
        self._deny = deny
        self._fixed = {name: address for address, name in plan.names.items()} | {"localhost": HOME}
        self._given: OrderedDict[str, str] = OrderedDict()  # name below a wildcard -> address; the oldest goes first
        self._behind: dict[str, str] = {}

    def behind(self, address: str) -> str | None:
        """The name that an address was given out for."""
        return self._behind.get(address)

    def answer(self, question: bytes) -> bytes | None:
        """None for what is no question."""
        if not _HEAD.size < len(question) <= LONGEST_QUESTION_BYTES:
            return None
        identifier, flags, questions, *_ = _HEAD.unpack_from(question)
        if flags & (_ANSWER | _OPCODE) or questions != 1:
            return None
        try:
            labels, kind, end = _read(question)
        except (ValueError, IndexError, struct.error):
            return None
        address = self._address(labels)
        record = b""
        if address is not None and kind in (_A, _ANY):
            value = ipaddress.ip_address(address).packed
            record = _POINTER_TO_QUESTION + struct.pack("!HHIH", _A, _IN, _TTL_S, len(value)) + value
        code = _NO_SUCH_NAME if address is None else _OK
        answered = flags & _ASKED_RECURSION | _ANSWER | _AUTHORITATIVE | _RECURSION | code
        return _HEAD.pack(identifier, answered, 1, 1 if record else 0, 0, 0) + question[_HEAD.size : end] + record

    def _address(self, labels: list[bytes]) -> str | None:
        text = b".".join(labels).decode("ascii", "replace")
        try:
            name = canonical(text)
        except ValueError:
            return None
        if name in self._fixed:
            return self._fixed[name]
        if not any(each.match(name, each.ports[0]) == "wild" for each in self._plan.destinations):
            if not name.endswith(".arpa"):  # somebody looks for the name of an address
                self._deny(name)
            return None
        return self._give(name)

    def _give(self, name: str) -> str:
        if name in self._given:
            self._given.move_to_end(name)
            return self._given[name]
        if len(self._given) < MOST_NAMES:
            address = str(ipaddress.IPv4Address(_FIRST + len(self._given)))
        else:
            _, address = self._given.popitem(last=False)
        self._given[name] = address
        self._behind[address] = name
        return address


def _read(question: bytes) -> tuple[list[bytes], int, int]:
    """Labels, kind, and where the question ends."""
    at = _HEAD.size
    labels = []
    while length := question[at]:
        if length > 63:
            raise ValueError("a pointer in a question")
        labels.append(question[at + 1 : at + 1 + length])
        at += 1 + length
    kind, _ = struct.unpack_from("!HH", question, at + 1)
    return labels, kind, at + 5
