"""What it costs to do without the engine: Linux's software GSO, the golden model, and simulations, on this machine; and an estimate for a Zynq's CPU."""

import re
import resource
import time
from pathlib import Path

from bench.bench import CLOCK_NS
from bench.simulate import run as run_cocotb
from offcut.config import Config
from offcut.oracle import KernelOracle, unavailable
from offcut.rtl import Engine, Request
from offcut.verilog import TOP, generate
from traffic import requests

from .frames import SUPER_FRAME, tcp

__all__ = ["COLUMNS", "markdown", "measure", "text"]

COLUMNS = ("Mb/s", "segments a second", "CPU seconds a gigabit", "of them in the kernel")

SECONDS = 2.0
GIGABIT = 125_000_000
"""Bytes."""

CUT = tcp(SUPER_FRAME, gso_size=1448, timestamps=True)
UNCUT = tcp(SUPER_FRAME, timestamps=True)

LINUX, MOVED = "Linux's software GSO", "the same devices, nothing cut"
MODEL, HARNESS, COCOTB = "the golden model", "the compiled gateware, 64 bits", "the same gateware under cocotb, 64 bits"
ZYNQ = "Linux's software GSO on a Cortex-A9 of 667 MHz, estimated"
CPU_A9_MHZ = 667

HOW = {
    LINUX: "`KernelOracle`: 64,000-byte super-frames into a TAP device, segments of 1448 bytes out of another one that grants no offload",
    MOVED: "likewise, without a request: the copies into the kernel and out of it, and a read in place of 45",
    MODEL: "`offcut_model.segment()` on the same super-frames",
    HARNESS: "`offcut.rtl.Engine.run()` on the same super-frames",
    COCOTB: "the cocotb bench with all its agents and monitors, on 150 of sim/traffic's small requests",
    ZYNQ: "the kernel's seconds for cutting less those for moving alone, in cycles a byte at this machine's clock (/proc/cpuinfo), and as many cycles "
    "a byte there. An older core with slower memory needs more, so this is the least that it takes",
}
"""Where each figure comes from."""


def measure():
    """Rows by name, and in ``skipped`` why others are missing."""
    rows, skipped = {}, {}
    reason = unavailable()
    if reason:
        skipped[LINUX] = skipped[MOVED] = reason
    else:
        with KernelOracle() as kernel:
            for name, asked in ((LINUX, CUT), (MOVED, UNCUT)):
                header = asked.packed()
                segments = len(kernel.ask(header, asked.frame))
                rows[name] = _timed(lambda header=header, asked=asked: kernel.ask(header, asked.frame), segments)
    rows[MODEL] = _timed(CUT.wire, len(CUT.wire()))
    engine = Engine(Config(width=64))
    many = [Request(CUT.frame, CUT.packed())] * 20
    rows[HARNESS] = _timed(lambda: engine.run(many, garbage=False), 20 * len(CUT.wire()), 20)
    rows[COCOTB] = _cocotb()
    mhz = _mhz()
    if LINUX not in rows:
        skipped[ZYNQ] = skipped[LINUX]
    elif mhz is None:
        skipped[ZYNQ] = "/proc/cpuinfo does not tell this CPU's clock"
    else:
        rows[ZYNQ] = _scaled(rows[LINUX][COLUMNS[3]] - rows[MOVED][COLUMNS[3]], mhz)
    return rows, skipped


def _timed(work, segments, super_frames=1):
    """``work`` again and again for some seconds of CPU time: what one core does that has nothing else to do."""
    work()
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun, count = time.process_time(), 0
    while time.process_time() - begun < SECONDS:
        work()
        count += 1
    after = resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    cpu = after.ru_utime - before.ru_utime + system
    gigabits = count * super_frames * SUPER_FRAME / GIGABIT
    return _row(gigabits / cpu, count * segments / cpu, cpu / gigabits, system / gigabits)


def _row(gigabits_a_second, segments_a_second, cpu, system):
    segments = round(segments_a_second) if segments_a_second is not None else None
    values = (_three(gigabits_a_second * 1000), segments, _three(cpu), None if system is None else _three(system))
    return dict(zip(COLUMNS, values, strict=True))


def _three(value):
    """Three digits that count."""
    return float(f"{value:.3g}")


def _cocotb(count=150, test="random_requests_agree_with_the_model"):
    settings = {"seed": 1, "count": count, "size": "small"}
    done = run_cocotb("bench.offcut_tx", verilog=generate(Config(width=64)), top=TOP, tests=[test], settings=settings, name="bench-64")[
        test
    ]
    gigabits = sum(len(case.frame) for case in requests(1, count, width=64, size="small")) / GIGABIT
    row = _row(gigabits / done["time"], None, done["time"] / gigabits, None)
    return row | {"clocks a second": round(done["sim_time_ns"] / CLOCK_NS / done["time"])}


def _mhz():
    """This CPU's clock in MHz, if the system tells it."""
    found = re.search(r"^cpu MHz\s*: ([\d.]+)", Path("/proc/cpuinfo").read_text(), flags=re.M)
    return float(found[1]) if found else None


def _scaled(cpu_seconds_a_gigabit, mhz):
    """The same work in as many cycles on the slower core."""
    seconds = cpu_seconds_a_gigabit * mhz / CPU_A9_MHZ
    segments = GIGABIT / SUPER_FRAME * len(CUT.wire()) / seconds
    row = _row(1 / seconds, segments, seconds, seconds)
    return row | {"cycles a byte": _three(cpu_seconds_a_gigabit * mhz * 1e6 / GIGABIT), "such cores for 10 Gb/s": _three(10 * seconds)}


def cells(rows):
    """A list of texts for each row, behind one of headings."""
    yield ["what cuts", *COLUMNS, "how"]
    for name, row in rows.items():
        values = ["" if row.get(column) is None else _shown(row[column]) for column in COLUMNS]
        more = "".join(f"; {_shown(row[key])} {key}" for key in row if key not in COLUMNS)
        yield [name, *values, HOW[name] + more]


def _shown(value):
    return f"{value:g}" if value < 1000 else f"{value:,.0f}"


def text(rows, skipped):
    """For a terminal."""
    table = list(cells(rows))
    wide = [max(len(row[column]) for row in table) for column in range(len(table[0]) - 1)]
    lines = [
        "  ".join([row[0].ljust(wide[0]), *(cell.rjust(size) for cell, size in zip(row[1:-1], wide[1:], strict=True))]) for row in table
    ]
    lines += [f"{name}: skipped, {reason}" for name, reason in skipped.items()]
    return "\n".join(lines) + "\n"


def markdown(rows):
    """For a page."""
    head, *body = cells(rows)
    return "".join("| " + " | ".join(line) + " |\n" for line in [head, ["---", *["---:"] * len(COLUMNS), "---"], *body])
