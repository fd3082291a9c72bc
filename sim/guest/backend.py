"""vhost-user, the process that serves the rings: it translates QEMU's messages into what a device must know.

QEMU is the front end: it shows the guest the registers of a virtio device, shares the guest's memory, and tells here where the driver has put its
rings. Ring addresses come as QEMU's own and are given on as guest physical ones, as the driver itself wrote them into the registers.
"""

import mmap
import os
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from guest.memory import Memory, Region
from guest.protocol import (
    NO_FD,
    PROTOCOL_BACKEND_REQUESTS,
    PROTOCOL_FEATURES_BIT,
    PROTOCOL_REPLY_ACK,
    VRING_ADDRESS,
    VRING_STATE,
    Message,
    Request,
    receive,
    reply,
)
from guest.rings import Queue, RingDevice

__all__ = ["Backend"]

QUEUES = 2


class Backend:
    """Listens at ``path`` for QEMU, and serves ``device`` to it, in a thread of its own from now on until :meth:`close`.

    Rings run from the moment in which both are enabled, have their addresses and can be notified, until QEMU asks where they stand
    (GET_VRING_BASE), disables one, or goes.

    Attributes
    ----------
    accepted : int
        The feature bits that the driver has accepted.
    """

    def __init__(self, path: Path, device: RingDevice) -> None:
        self._device = device
        self._failure = ""
        self._serving = False
        self._memory = Memory()
        self.accepted = 0
        self._queues = [Queue() for _ in range(QUEUES)]
        self._bases = [0] * QUEUES
        self._requests = -1
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._stopping, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._guarded, name="vhost-user")
        self._thread.start()

    def failure(self) -> str:
        """Why it stopped by itself; empty while it runs."""
        return self._failure or self._device.failure()

    def close(self) -> None:
        """End the thread, not the device. May be called again."""
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1
            self._thread.join()
            os.close(self._stopping)
            self._listener.close()

    # ---- the thread

    def _guarded(self) -> None:
        try:
            if self._wait_for(self._listener):
                connection, _ = self._listener.accept()
                with connection:
                    while self._wait_for(connection) and (message := receive(connection)):
                        self._answer(connection, message)
        except ConnectionError:  # QEMU has gone
            pass
        except Exception as error:  # whatever it is: told by failure()
            self._failure = f"vhost-user: {error!r}"
        finally:
            self._halt()
            _close(self._requests, *(fd for queue in self._queues for fd in (queue.kick, queue.call)))

    def _wait_for(self, what: socket.socket) -> bool:
        """Whether there is something to read, before the end has come."""
        with selectors.DefaultSelector() as selector:
            for file in (what, self._stopping):
                selector.register(file, selectors.EVENT_READ)
            return all(key.fileobj is what for key, _ in selector.select())

    def _answer(self, connection: socket.socket, message: Message) -> None:
        handler = HANDLERS.get(message.request)
        if handler is None:
            _close(*message.fds)
            raise ValueError(f"QEMU asks for request {message.request}, which was not offered")
        answer = handler(self, message)
        if answer is not None:
            reply(connection, message.request, answer)
        elif message.wants_reply:
            reply(connection, message.request, 0)

    # ---- one method a request; what it returns is the answer

    def _get_features(self, message: Message) -> int:
        return self._device.features | 1 << PROTOCOL_FEATURES_BIT

    def _set_features(self, message: Message) -> None:
        self.accepted = message.number & self._device.features

    def _get_protocol_features(self, message: Message) -> int:
        return 1 << PROTOCOL_REPLY_ACK | 1 << PROTOCOL_BACKEND_REQUESTS

    def _nothing(self, message: Message) -> None:
        _close(*message.fds)

    def _set_requests(self, message: Message) -> None:
        _close(self._requests)
        (self._requests,) = message.fds  # nothing is ever asked, but QEMU takes a closed socket for an error

    def _set_memory(self, message: Message) -> None:
        regions = []
        for fd, (guest, size, user, offset) in zip(message.fds, message.regions(), strict=True):
            regions.append(Region(guest, size, user, offset, mmap.mmap(fd, offset + size)))
        _close(*message.fds)
        before, self._memory = self._memory, Memory(regions)
        self._changed()
        del before  # it had to stay mapped until the device knew

    def _set_size(self, message: Message) -> None:
        index, size = message.state
        self._queues[index].size = size

    def _set_addresses(self, message: Message) -> None:
        index, _, descriptors, used, available, _ = VRING_ADDRESS.unpack_from(message.payload)
        queue, translate = self._queues[index], self._memory.guest_address
        queue.descriptors, queue.available, queue.used = translate(descriptors), translate(available), translate(used)

    def _set_base(self, message: Message) -> None:
        index, base = message.state
        self._queues[index].base = base

    def _get_base(self, message: Message) -> bytes:
        index, _ = message.state
        self._halt()
        queue = self._queues[index]
        _close(queue.kick, queue.call)
        queue.kick = queue.call = -1
        return VRING_STATE.pack(index, self._bases[index])

    def _set_kick(self, message: Message) -> None:
        self._take_fd(message, "kick")

    def _set_call(self, message: Message) -> None:
        self._take_fd(message, "call")

    def _set_enable(self, message: Message) -> None:
        index, enabled = message.state
        self._queues[index].enabled = bool(enabled)
        self._changed()

    # ---- what follows from them

    def _take_fd(self, message: Message, name: str) -> None:
        queue = self._queues[message.number & NO_FD - 1]
        before = getattr(queue, name)
        setattr(queue, name, -1 if message.number & NO_FD else message.fds[0])
        self._changed()
        _close(before)  # only now, when the device knows the new one

    def _changed(self) -> None:
        ready = all(queue.ready for queue in self._queues)
        if ready and not self._serving:
            self._device.start(self._memory, self.accepted, self._queues)
            self._serving = True
        elif self._serving and not ready:
            self._halt()
        elif self._serving:
            self._device.update(self._memory, self._queues)

    def _halt(self) -> None:
        if self._serving:
            self._serving = False
            self._bases = self._device.stop()


def _close(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)


Handler = Callable[[Backend, Message], int | bytes | None]

HANDLERS: dict[int, Handler] = {
    Request.GET_FEATURES: Backend._get_features,
    Request.SET_FEATURES: Backend._set_features,
    Request.SET_OWNER: Backend._nothing,
    Request.RESET_OWNER: Backend._nothing,
    Request.SET_MEM_TABLE: Backend._set_memory,
    Request.SET_VRING_NUM: Backend._set_size,
    Request.SET_VRING_ADDR: Backend._set_addresses,
    Request.SET_VRING_BASE: Backend._set_base,
    Request.GET_VRING_BASE: Backend._get_base,
    Request.SET_VRING_KICK: Backend._set_kick,
    Request.SET_VRING_CALL: Backend._set_call,
    Request.SET_VRING_ERR: Backend._nothing,
    Request.GET_PROTOCOL_FEATURES: Backend._get_protocol_features,
    Request.SET_PROTOCOL_FEATURES: Backend._nothing,
    Request.SET_VRING_ENABLE: Backend._set_enable,
    Request.SET_BACKEND_REQ_FD: Backend._set_requests,
}
"""What is answered, and by whom. QEMU sends no other request to one that offers these features alone."""
