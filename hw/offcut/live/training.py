"""Run a compiled live engine on traffic like that of a busy host, so that the compiler can see which way its branches go.

    python training.py LIBRARY

Bulk TCP over both families, among it the small frames that any connection has. What an engine was not built with it drops, which is as typical.
"""

import ctypes
import selectors
import socket
import struct
import sys
from pathlib import Path

from offcut.live.library import MESSAGE_BYTES, LibrarySettings, bind

HEADER_BYTES = 10
FRAME_LIMIT = 1 << 16
LONGEST_BYTES = 1 << 17
SUPER_FRAMES = 60
SMALL_FRAMES = 3
"""After each of them."""
SILENCE_SECONDS = 0.5
TCPV4, TCPV6 = 1, 4
ETHERNET = bytes.fromhex("020000000001 020000000002")
TCP = bytes.fromhex("9c40 0050 00000001 00000001 8010 0200 0000 0000 0101080a 00000001 00000002")
ADDRESSES = bytes.fromhex("0a000001 0a000002")
ADDRESSES6 = bytes.fromhex("fd000000000000000000000000000001 fd000000000000000000000000000002")


def message(gso_type: int, gso_size: int, payload: bytes, ipv6: bool) -> bytes:
    """A frame behind its virtio_net_hdr; the checksum is asked for always."""
    length = len(TCP) + len(payload)
    if ipv6:
        headers = ETHERNET + struct.pack("!HIHBB", 0x86DD, 0x60000000, length, 6, 64) + ADDRESSES6
    else:
        headers = ETHERNET + struct.pack("!HBBHHHBBH", 0x0800, 0x45, 0, 20 + length, 1, 0x4000, 64, 6, 0) + ADDRESSES
    request = struct.pack("<BBHHHH", 1, gso_type, len(headers) + len(TCP), gso_size, len(headers), 16)
    return request + headers + TCP + payload


def traffic() -> list[bytes]:
    """What the host sends."""
    bulk = bytes(range(251)) * 256
    messages = []
    for number in range(SUPER_FRAMES):
        size = 1448 * (44 - number % 40)
        messages.append(message(TCPV4, 1448, bulk[:size], False) if number % 3 else message(TCPV6, 1428, bulk[:size], True))
        messages += [message(0, 0, bulk[: 13 * index], bool(number % 2)) for index in range(SMALL_FRAMES)]
    return messages


def main() -> None:
    library = bind(Path(sys.argv[1]))
    host, host_device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer, peer_device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    settings = LibrarySettings(host=host_device.fileno(), peer=peer_device.fileno(), header_bytes=HEADER_BYTES, frame_limit=FRAME_LIMIT)
    reason = ctypes.create_string_buffer(MESSAGE_BYTES)
    live = library.live_start(settings, reason, MESSAGE_BYTES)
    if not live:
        sys.exit(reason.value.decode())
    waiting = traffic()
    with selectors.DefaultSelector() as selector:
        selector.register(peer, selectors.EVENT_READ)
        selector.register(host, selectors.EVENT_WRITE)
        while ready := selector.select(SILENCE_SECONDS):
            for key, _ in ready:
                if key.fileobj is peer:
                    peer.recv(LONGEST_BYTES)
                elif waiting:
                    host.send(waiting.pop())
                else:
                    selector.unregister(host)
    library.live_stop(live)


if __name__ == "__main__":
    main()
