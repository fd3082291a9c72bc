"""The one list of registers: it contradicts neither itself, nor the engine, nor what is made of it."""

import re
import shutil
import subprocess

import pytest

from offcut import __version__, verilog
from offcut.config import DEFAULT_FEATURES, FEATURES, WIDTHS, Config
from offcut.core import documents
from offcut.core.registers import ADDR_WIDTH, COUNTERS, MAGIC, REGISTERS, SETTINGS, WORD_BYTES, built
from offcut.rtl.build import engine_verilog
from offcut.tx.layouts import Drop
from offcut_model import REASONS

NAMED = {register.name: register for register in REGISTERS}


def test_every_register_has_a_word_of_its_own_within_the_page():
    offsets = [register.offset for register in REGISTERS]
    assert offsets == sorted(set(offsets)) and offsets[-1] < 1 << ADDR_WIDTH
    assert all(offset % WORD_BYTES == 0 for offset in offsets)
    assert len(NAMED) == len(REGISTERS)


@pytest.mark.parametrize("register", REGISTERS, ids=lambda register: register.name)
def test_the_fields_of_a_register_have_bits_of_their_own(register):
    taken = 0
    for field in register.fields:
        bits = ((1 << field.width) - 1) << field.low
        assert not taken & bits and bits < 1 << 32 and field.doc
        taken |= bits
    assert taken == register.mask and len({field.name for field in register.fields}) == len(register.fields)


def test_every_feature_has_the_bit_of_cfg_disable():
    for name in ("features", "cfg_disable"):
        assert {field.name: field.low for field in NAMED[name].fields} == {feature: Config.bit(feature) for feature in FEATURES}


def test_settings_and_counters_are_those_of_the_engine():
    ports = verilog.ports(engine_verilog(Config(features=())))
    widths = {name: port.width for name, port in ports.items() if name.startswith("cfg_")}
    assert {register.name for register in SETTINGS} == widths.keys()
    # (cfg_disable has a bit more than there are features, which nothing reads.)
    narrow = {"cfg_disable": len(FEATURES)}
    assert {register.name: register.mask.bit_length() for register in SETTINGS} == widths | narrow
    drops = {name.removeprefix("tx_drop_") for name in COUNTERS if name.startswith("tx_drop_")}
    assert drops == {reason.name.lower() for reason in Drop if reason != Drop.NONE} == {"bad_keep", *REASONS}
    for reason, what in REASONS.items():
        assert COUNTERS[f"tx_drop_{reason}"] == f"dropped: {what}"
    strobes = {name for name in ports if name.startswith("stat_")}
    assert strobes == {"stat_frame", "stat_segment", *(f"stat_drop_{reason}" for reason in drops)}


@pytest.mark.parametrize("width", WIDTHS)
def test_what_was_built_in_is_said(width):
    values = built(Config(width=width, ufo_order="first", user_width=64, mtu_max=1522), "vnet20")
    fields = {name: {f.name: values[name] >> f.low & ((1 << f.width) - 1) for f in NAMED[name].fields} for name in values}
    assert fields["magic"]["magic"].to_bytes(4, "little") == b"OFCT"
    assert ".".join(map(str, fields["version"].values())) == __version__
    assert fields["build"] == {"width": width, "ufo_first": 1, "user_width": 64, "requests": 4}
    assert fields["mtu_max"]["mtu_max"] == 1522
    assert {name for name, on in fields["features"].items() if on} == DEFAULT_FEATURES
    assert all(value & ~NAMED[name].mask == 0 for name, value in values.items())


def test_the_page_shows_every_register_and_every_field():
    page = documents.markdown()
    for register in REGISTERS:
        shown = register.name.removesuffix("_high") + "_low" if register.access == "high" else register.name
        assert f"`{shown}`" in page
        assert len(register.fields) == 1 or all(f"`{field.name}`" in page for field in register.fields)


def test_a_c_compiler_reads_the_header_and_finds_the_numbers_of_the_list(tmp_path):
    """Strict C99 without a warning; every macro, and the counters' table expanded."""
    names = re.findall(r"^#define (OFFCUT_\w+) \S", documents.c_header(), flags=re.M)
    lines = "".join(f'printf("{name} %lu\\n", (unsigned long){name});\n' for name in names)
    (tmp_path / "offcut_regs.h").write_text(documents.c_header())
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "offcut_regs.h"\n#include "offcut_regs.h"\n'
        f'#define SHOW(name, low) printf("%s %lu\\n", #name, (unsigned long)low);\nint main(void) {{\n{lines}OFFCUT_COUNTERS(SHOW)\nreturn 0;\n}}\n'
    )
    compiler = shutil.which("g++") or "g++"
    options = ["-x", "c", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *options, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    ran = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    macros = {name: int(value) for name, value in (line.split() for line in ran.stdout.splitlines())}
    assert macros["OFFCUT_MAGIC_VALUE"] == MAGIC
    for register in REGISTERS:
        name = f"OFFCUT_{register.name.upper()}"
        assert macros.pop(name) == register.offset
        if register.access in ("low", "high"):
            continue
        for field in register.fields:
            part = name if field.name == register.name else f"{name}_{field.name.upper().replace('-', '_')}"
            assert macros.pop(f"{part}_SHIFT") == field.low
            assert macros.pop(f"{part}_MASK") == ((1 << field.width) - 1) << field.low
    assert {name: macros.pop(name) for name in COUNTERS} == {name: NAMED[f"{name}_low"].offset for name in COUNTERS}
    assert macros.keys() == {"OFFCUT_MAGIC_VALUE"}
