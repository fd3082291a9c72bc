"""vhost-user, the messages (QEMU, docs/interop/vhost-user.rst): what QEMU asks of the process that serves a device's rings."""

import array
import socket
import struct
from enum import IntEnum
from typing import NamedTuple

__all__ = [
    "MEMORY_REGION",
    "NO_FD",
    "PROTOCOL_BACKEND_REQUESTS",
    "PROTOCOL_FEATURES_BIT",
    "PROTOCOL_REPLY_ACK",
    "VRING_ADDRESS",
    "VRING_STATE",
    "Message",
    "Request",
    "receive",
    "reply",
]

HEADER = struct.Struct("=III")
"""Request, flags, bytes that follow."""
U64 = struct.Struct("=Q")
VRING_STATE = struct.Struct("=II")
"""Ring, number."""
VRING_ADDRESS = struct.Struct("=IIQQQQ")
"""Ring, flags; descriptors, used, available, log."""
MEMORY_REGION = struct.Struct("=QQQQ")
"""Guest physical address, size, QEMU's address, offset in the file."""
MEMORY_HEAD = struct.Struct("=II")

VERSION, VERSION_MASK = 1, 3
REPLY, NEED_REPLY = 1 << 2, 1 << 3
NO_FD = 1 << 8
"""In the number of a ring's eventfd: there is none."""

PROTOCOL_FEATURES_BIT = 30
"""A feature bit that is the protocol's own."""
PROTOCOL_REPLY_ACK = 3
PROTOCOL_BACKEND_REQUESTS = 5
"""We may ask QEMU something, through a socket of its own. QEMU demands it of one that offers ACCESS_PLATFORM."""

FDS_MAX = 8
PAYLOAD_MAX = 4096


class Request(IntEnum):
    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    SET_VRING_ENABLE = 18
    SET_BACKEND_REQ_FD = 21


class Message(NamedTuple):
    """One message. ``fds`` belong to whoever takes it."""

    request: int
    payload: bytes
    fds: list[int]
    wants_reply: bool

    @property
    def number(self) -> int:
        return U64.unpack_from(self.payload)[0]  # type: ignore[no-any-return]

    @property
    def state(self) -> tuple[int, int]:
        return VRING_STATE.unpack_from(self.payload)

    def regions(self) -> list[tuple[int, int, int, int]]:
        """Of a memory table."""
        count, _ = MEMORY_HEAD.unpack_from(self.payload)
        body = self.payload[MEMORY_HEAD.size :][: count * MEMORY_REGION.size]
        return list(MEMORY_REGION.iter_unpack(body))


def receive(connection: socket.socket) -> Message | None:
    """The next message; None at the end.

    Raises
    ------
    ValueError
        If it is none.
    """
    fds = array.array("i")
    data, ancillary, _, _ = connection.recvmsg(HEADER.size, socket.CMSG_SPACE(FDS_MAX * fds.itemsize), socket.MSG_WAITALL)
    for level, kind, body in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(body[: len(body) - len(body) % fds.itemsize])
    if len(data) < HEADER.size:
        return None
    request, flags, size = HEADER.unpack(data)
    if flags & VERSION_MASK != VERSION or size > PAYLOAD_MAX:
        raise ValueError(f"this is no vhost-user message: {data.hex()}")
    payload = connection.recv(size, socket.MSG_WAITALL) if size else b""
    return Message(request, payload, list(fds), bool(flags & NEED_REPLY))


def reply(connection: socket.socket, request: int, payload: bytes | int) -> None:
    """Answer a request, with bytes or with a number."""
    body = U64.pack(payload) if isinstance(payload, int) else payload
    connection.sendall(HEADER.pack(request, VERSION | REPLY, len(body)) + body)
