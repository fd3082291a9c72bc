"""Files arrive whole, by real servers and clients over real sockets, and the kernel at the other end finds nothing to complain about."""

import hashlib
import random
import subprocess
import sys
from typing import NamedTuple

import pytest
from judgement import assert_clean

from offcut.config import Config
from offcut.live.network import HOST, PEER

MEGABYTES, LONG_MEGABYTES = 5, 100
PORT = 8080
UNTIL_IT_LISTENS = ["--retry", "60", "--retry-delay", "1", "--retry-connrefused"]
"""A server may take its time to start, on a machine that is busy with other things."""


class Transfer(NamedTuple):
    """One row of the table. ``server`` is a name in SERVERS."""

    server: str
    family: int = 4
    mtu: int = 1500
    loss: float = 0.0
    reorder: float = 0.0
    engine: str = "rtl"
    width: int = 64


TRANSFERS = {
    "HTTP over IPv4": Transfer("http"),
    "HTTP over IPv6": Transfer("http", 6),
    "TLS over IPv4": Transfer("tls"),
    "TLS over IPv6": Transfer("tls", 6),
    "HTTP over IPv4, MTU 9000": Transfer("http", mtu=9000),
    "HTTP over IPv6, MTU 9000": Transfer("http", 6, mtu=9000),
    "TLS over IPv4, MTU 576": Transfer("tls", mtu=576),
    "TLS over IPv6, MTU 1280": Transfer("tls", 6, mtu=1280),
    "HTTP over IPv4, 1% lost": Transfer("http", loss=0.01),
    "TLS over IPv6, 1% lost": Transfer("tls", 6, loss=0.01),
    "HTTP over IPv4, 1% late": Transfer("http", reorder=0.01),
    "HTTP over IPv4, 512 bits": Transfer("http", width=512),
    "HTTP over IPv4, the model": Transfer("http", engine="model"),
    "TLS over IPv6, the model, 1% lost, 1% late": Transfer("tls", 6, loss=0.01, reorder=0.01, engine="model"),
}


@pytest.fixture(scope="module")
def folder(request, tmp_path_factory):
    """A folder with a file to send and a certificate."""
    folder = tmp_path_factory.mktemp("served")
    megabytes = LONG_MEGABYTES if request.config.getoption("long") else MEGABYTES
    (folder / "file").write_bytes(random.Random(megabytes).randbytes(megabytes * 1_000_000))
    return folder


def http(program, folder, address):
    return [sys.executable, "-m", "http.server", str(PORT), "--bind", address, "--directory", str(folder)], []


def tls(program, folder, address):
    openssl = program("openssl")
    certificate = ["-cert", f"{folder}/certificate.pem", "-key", f"{folder}/key.pem"]
    if not (folder / "key.pem").exists():
        made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=offcut"]
        subprocess.run(
            [openssl, *made, "-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem"], check=True, capture_output=True
        )
    shown = f"[{address}]" if ":" in address else address
    return [openssl, "s_server", "-quiet", "-WWW", "-accept", f"{shown}:{PORT}", *certificate], ["--insecure", "--http0.9"]


SERVERS = {"http": http, "tls": tls}
SCHEMES = {"http": "http", "tls": "https"}


@pytest.mark.parametrize("transfer", TRANSFERS.values(), ids=TRANSFERS)
def test_a_file_arrives_with_its_hash_and_the_peer_sees_no_error(live, program, finished, folder, transfer):
    curl = program("curl")
    address = HOST.ipv4 if transfer.family == 4 else HOST.ipv6
    server, options = SERVERS[transfer.server](program, folder, address)
    shown = f"[{address}]" if transfer.family == 6 else address
    config = Config(width=transfer.width)
    with live(config=config, engine=transfer.engine, mtu=transfer.mtu, loss=transfer.loss, reorder=transfer.reorder) as nic:
        nic.start_server(HOST, server, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"{SCHEMES[transfer.server]}://{shown}:{PORT}/file"
        came = finished(nic, PEER, [curl, "--silent", "--show-error", "--fail", *UNTIL_IT_LISTENS, *options, url])
        assert hashlib.sha256(came).digest() == hashlib.sha256((folder / "file").read_bytes()).digest()
        assert_clean(nic, retransmits=transfer.loss > 0 or transfer.reorder > 0)
        counters = nic.counters()
        feature = "tx-tcp-segmentation" if transfer.family == 4 else "tx-tcp6-segmentation"
        assert (counters.super_frames_in > 0) == (feature in nic.offers)
        assert (counters.lost > 0) == (transfer.loss > 0) and (counters.reordered > 0) == (transfer.reorder > 0)
        assert counters.frames_out * transfer.mtu > len(came)
