"""The same device without any gateware: rings served in Python, frames cut by the golden model. What is wrong here is wrong with the way to the guest."""

import os
import select
import threading
from collections.abc import Sequence
from dataclasses import replace

from guest.features import OFFERED, bits
from guest.memory import Memory
from guest.rings import RECEIVE, TRANSMIT, Counters, Queue
from guest.split_ring import Chain, SplitRing
from offcut.config import Config
from offcut_model import Options, Refused, VirtioNetHdr, segment, takes_identification

__all__ = ["SoftwareDevice"]

HEADER_BYTES = 12
"""Of the virtio_net_hdr since version 1: ten, and num_buffers."""
NUM_BUFFERS_AT = 10
REQUEST_BYTES = 10
LONGEST_BYTES = 1 << 16
BURST = 64
EVENT = (1).to_bytes(8, "little")


class SoftwareDevice:
    """Stands between the guest's rings and a TAP device; see :class:`guest.rings.RingDevice`.

    Parameters
    ----------
    config : offcut.config.Config
        Of the engine, whose model cuts.
    wire : int
        File descriptor of the TAP device; it stays open.
    """

    def __init__(self, config: Config, wire: int) -> None:
        self.features = bits(OFFERED)
        self._options = Options(mtu_max=config.mtu_max, features=config.features, ufo_order=config.ufo_order)
        self._wire = wire
        os.set_blocking(wire, False)
        self._counters = Counters()
        self._failure = ""
        self._lock = threading.Lock()
        self._rings: list[SplitRing] = []
        self._queues: list[Queue] = []
        self._frame = b""
        self._ending = False
        self._bell, self._ring_bell = os.pipe()
        self._thread = threading.Thread(target=self._guarded, name="rings")
        self._thread.start()

    def start(self, memory: Memory, features: int, queues: list[Queue]) -> None:
        with self._lock:
            self._queues = [replace(queue) for queue in queues]
            self._rings = [SplitRing(memory, queue, features) for queue in queues]
        self._wake()

    def update(self, memory: Memory, queues: list[Queue]) -> None:
        with self._lock:
            for ring, queue in zip(self._rings, queues, strict=True):
                ring.move(memory, queue)
            self._queues = [replace(queue) for queue in queues]
        self._wake()

    def stop(self) -> list[int]:
        with self._lock:
            positions = [ring.next for ring in self._rings]
            self._rings, self._queues = [], []
        self._wake()
        return positions

    def counters(self) -> Counters:
        return replace(self._counters, dropped=dict(self._counters.dropped))

    def failure(self) -> str:
        return self._failure

    def close(self) -> None:
        if not self._ending:
            self._ending = True
            self._wake()
            self._thread.join()
            os.close(self._bell)
            os.close(self._ring_bell)

    def _wake(self) -> None:
        os.write(self._ring_bell, b".")

    # ---- the thread

    def _guarded(self) -> None:
        try:
            while not self._ending:
                self._wait()
                busy = True
                while busy and not self._ending:
                    with self._lock:
                        busy = bool(self._rings) and self._serve()
        except Exception as error:  # whatever it is: told by failure()
            self._failure = f"the rings: {error!r}"

    def _wait(self) -> None:
        """Until the driver notifies, a frame comes, or something has changed."""
        waits = select.poll()
        waits.register(self._bell, select.POLLIN)
        with self._lock:
            kicks = [queue.kick for queue in self._queues]
            if kicks and not self._frame:
                waits.register(self._wire, select.POLLIN)
        for kick in kicks:
            waits.register(kick, select.POLLIN)
        for fd, _ in waits.poll():
            if fd in kicks:
                self._counters.kicks += 1
            if fd != self._wire:
                with self._lock:  # a ring's eventfd may have been closed by now
                    if fd == self._bell or fd in (queue.kick for queue in self._queues):
                        os.read(fd, 8)

    def _serve(self) -> bool:
        """A few frames each way; whether there was any."""
        done = 0
        for _ in range(BURST):
            some = self._transmit() + self._receive()
            done += some
            if not some:
                break
        for ring, queue in zip(self._rings, self._queues, strict=True):
            if ring.publish() and queue.call >= 0:
                self._counters.interrupts += 1
                os.write(queue.call, EVENT)
        return done > 0

    def _transmit(self) -> bool:
        """From the guest to the wire."""
        ring, counters = self._rings[TRANSMIT], self._counters
        chain = ring.pop()
        if chain is None:
            return False
        data = chain.read()
        header, frame = VirtioNetHdr.parse(data[:REQUEST_BYTES]), data[HEADER_BYTES:]
        counters.frames_in += 1
        counters.super_frames_in += header.gso_type != 0
        counters.bytes_in += len(frame)
        options = self._options
        if takes_identification(frame, header, options):
            self._options = replace(options, frag_number=options.frag_number + 1)
        try:
            segments: Sequence[bytes] = segment(frame, header, options)
        except Refused as refused:
            segments = refused.segments
            counters.dropped[refused.reason] = counters.dropped.get(refused.reason, 0) + 1
        for wire_frame in segments:
            counters.frames_out += 1
            counters.bytes_out += len(wire_frame)
            counters.longest_out = max(counters.longest_out, len(wire_frame))
            os.write(self._wire, wire_frame)
        ring.push(chain, 0)
        return True

    def _receive(self) -> bool:
        """From the wire to the guest, into as many buffers as a frame needs."""
        ring = self._rings[RECEIVE]
        if not self._frame:
            try:
                self._frame = os.read(self._wire, LONGEST_BYTES)
            except BlockingIOError:
                return False
        needed = HEADER_BYTES + len(self._frame)
        chains: list[Chain] = []
        while sum(chain.room for chain in chains) < needed:
            chain = ring.pop()
            if chain is None:
                for _ in chains:
                    ring.unpop()
                return False
            chains.append(chain)
        data = bytes(NUM_BUFFERS_AT) + len(chains).to_bytes(2, "little") + self._frame
        for chain in chains:
            chain.write(data)
            ring.push(chain, min(len(data), chain.room))
            data = data[chain.room :]
        self._counters.back_frames += 1
        self._counters.back_bytes += len(self._frame)
        self._frame = b""
        return True
