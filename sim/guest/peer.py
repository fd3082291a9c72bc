"""The guest's peer: sockets in the namespace at the other end of the wire."""

import hashlib
import socket
import threading

from offcut.live.network import inside

__all__ = ["PATIENCE_SECONDS", "PORT", "Connection", "Peer"]

PORT = 5001
PATIENCE_SECONDS = 120.0


class Connection(threading.Thread):
    """One connection: sends ``data`` and takes what comes, at once; it closes when both have ended.

    Attributes
    ----------
    length : int
        Bytes that came.
    digest : hashlib.HASH
        Their SHA-256.
    """

    def __init__(self, listener: socket.socket, data: bytes) -> None:
        super().__init__()
        self._listener, self._data = listener, data
        self.digest, self.length = hashlib.sha256(), 0
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(PATIENCE_SECONDS)
            sender = threading.Thread(target=connection.sendall, args=(self._data,))
            sender.start()
            while data := connection.recv(1 << 16):
                self.digest.update(data)
                self.length += len(data)
            sender.join()


class Peer:
    """Listens in a namespace, over IPv4 and IPv6, from ``with`` to its end."""

    def __init__(self, namespace: str) -> None:
        with inside(namespace):
            self._listener = socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        self._listener.settimeout(PATIENCE_SECONDS)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()

    def serve(self, data: bytes = b"") -> Connection:
        """Take the next connection, in a thread; ``data`` is sent to it."""
        return Connection(self._listener, data)
