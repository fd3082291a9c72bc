"""The block for Vivado: its description fits its Verilog and the registers, and the block design fits the description."""

import functools
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from offcut import __version__, verilog
from offcut.config import FEATURES, Config
from offcut.core.registers import REGISTERS, built, initial
from offcut.ip import block_design, ipxact, package
from offcut.ip.boards import PARTS
from offcut.ip.layouts import REQUESTS

NS = ipxact.NAMESPACES
SMALL = Config(features={"tx-checksum-ip-generic"})
BUILDS = {
    "tuser": (SMALL, "tuser"),
    "tuser with user bits": (Config(width=128, features=(), user_width=7), "tuser"),
    "control": (Config(width=32, features=()), "control"),
    "vnet12": (Config(width=512, features=()), "vnet12"),
}


@functools.cache
def files(build):
    return package.files("pynq-z2", *BUILDS[build])


def described(build):
    return ElementTree.fromstring(files(build)[package.COMPONENT])


def ports(build):
    return verilog.ports(files(build)[f"ip/{verilog.CORE}/{ipxact.HDL}"].decode(), verilog.CORE)


def text(element, path):
    found = element.find(path, NS)
    return None if found is None else found.text


def interfaces(build):
    """By name: whose interface it is, of which bus, and its signals by their logical names."""
    out = {}
    for interface in described(build).iterfind("spirit:busInterfaces/spirit:busInterface", NS):
        pairs = [
            (text(pair, "spirit:logicalPort/spirit:name"), text(pair, "spirit:physicalPort/spirit:name"))
            for pair in interface.iterfind("spirit:portMaps/spirit:portMap", NS)
        ]
        (mode,) = (mode for mode in ("slave", "master") if interface.find(f"spirit:{mode}", NS) is not None)
        bus = interface.find("spirit:busType", NS).get(f"{{{NS['spirit']}}}name")
        values = {
            text(parameter, "spirit:name"): text(parameter, "spirit:value")
            for parameter in interface.iterfind("spirit:parameters/spirit:parameter", NS)
        }
        out[text(interface, "spirit:name")] = (mode, bus, pairs, values)
    return out


@pytest.mark.parametrize("build", BUILDS)
def test_the_description_has_the_ports_of_the_verilog_and_their_widths(build):
    found = []
    for port in described(build).iterfind("spirit:model/spirit:ports/spirit:port", NS):
        left = text(port, "spirit:wire/spirit:vector/spirit:left")
        direction = {"in": "input", "out": "output"}[text(port, "spirit:wire/spirit:direction")]
        found.append(verilog.Port(text(port, "spirit:name"), direction, int(left or 0) + 1))
    assert found == list(ports(build).values())


@pytest.mark.parametrize("build", BUILDS)
def test_every_port_belongs_to_one_interface_by_the_standards_name(build):
    found = interfaces(build)
    mapped = Counter(physical for _, _, pairs, _ in found.values() for _, physical in pairs)
    assert mapped == Counter(list(ports(build)))
    for name, (mode, bus, pairs, _) in found.items():
        if bus in ("axis", "aximm"):
            assert all(physical == f"{name}_{logical.lower()}" for logical, physical in pairs)
            valid = ports(build)[dict(pairs).get("TVALID") or dict(pairs)["AWVALID"]]
            assert valid.direction == {"slave": "input", "master": "output"}[mode]
    streams = {name for name, (_, bus, _, _) in found.items() if bus == "axis"}
    assert streams == {"s_axis", "m_axis"} | ({"s_axis_control", "m_axis_status"} if build == "control" else set())
    assert ("TUSER" in dict(found["s_axis"][2])) == build.startswith("tuser")


@pytest.mark.parametrize("build", BUILDS)
def test_the_clock_is_that_of_every_interface_and_the_reset_is_active_high(build):
    found = interfaces(build)
    buses = {name for name, (_, bus, _, _) in found.items() if bus in ("axis", "aximm")}
    assert set(found["clk"][3]["ASSOCIATED_BUSIF"].split(":")) == buses
    assert found["clk"][3]["ASSOCIATED_RESET"] == "rst" and found["rst"][3] == {"POLARITY": "ACTIVE_HIGH"}
    assert found["clk"][2] == [("CLK", "clk")] and found["rst"][2] == [("RST", "rst")]
    assert int(found["s_axis"][3]["TDATA_NUM_BYTES"]) * 8 == ports(build)["s_axis_tdata"].width
    assert found["s_axil"][3] == {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": "32", "ADDR_WIDTH": "12"}


@pytest.mark.parametrize("build", BUILDS)
def test_the_memory_map_is_the_register_list(build):
    values = built(*BUILDS[build])
    found = described(build).findall("spirit:memoryMaps/spirit:memoryMap", NS)
    assert [text(memory, "spirit:name") for memory in found] == ["s_axil"]
    block = found[0].find("spirit:addressBlock", NS)
    assert (text(block, "spirit:range"), text(block, "spirit:width")) == ("4096", "32")
    listed = []
    for register in block.iterfind("spirit:register", NS):
        fields = [
            (text(field, "spirit:name"), int(text(field, "spirit:bitOffset")), int(text(field, "spirit:bitWidth")))
            for field in register.iterfind("spirit:field", NS)
        ]
        listed.append((
            text(register, "spirit:name"),
            int(text(register, "spirit:addressOffset"), 16),
            text(register, "spirit:access"),
            int(text(register, "spirit:reset/spirit:value"), 16),
            fields,
        ))
    access = {"rw": "read-write", "wo": "write-only"}
    assert listed == [
        (
            register.name,
            register.offset,
            access.get(register.access, "read-only"),
            values.get(register.name, initial(register)),
            [(field.name.replace("-", "_"), field.low, field.width) for field in register.fields],
        )
        for register in REGISTERS
    ]


@pytest.mark.parametrize("build", BUILDS)
def test_every_file_and_reference_of_the_description_is_there(build):
    root, made = described(build), files(build)
    sets = {text(one, "spirit:name"): text(one, "spirit:file/spirit:name") for one in root.iterfind("spirit:fileSets/spirit:fileSet", NS)}
    views = root.findall("spirit:model/spirit:views/spirit:view", NS)
    assert {text(view, "spirit:fileSetRef/spirit:localName") for view in views} == sets.keys()
    assert all(f"ip/{verilog.CORE}/{path}" in made for path in sets.values())
    names = {text(view, "spirit:name") for view in views}
    assert {ref.text for ref in root.iterfind(".//spirit:viewNameRef", NS)} <= names
    assert {text(view, "spirit:modelName") for view in views} == {verilog.CORE, None}
    shown = {text(one, "spirit:name"): text(one, "spirit:value") for one in root.iterfind("spirit:parameters/spirit:parameter", NS)}
    config, requests = BUILDS[build]
    assert shown["BUS_WIDTH"] == str(config.width) and shown["REQUESTS"] == requests
    assert shown["FEATURES"].split() == ([name for name in FEATURES if config.has(name)] or ["none"])
    gui = made[f"ip/{verilog.CORE}/{ipxact.XGUI}"].decode()
    assert set(re.findall(r'-name "(\w+)"', gui)) == shown.keys()


ORDER = {
    "component": "vendor library name version busInterfaces memoryMaps model fileSets description parameters vendorExtensions",
    "busInterface": "name busType abstractionType slave master portMaps parameters",
    "addressBlock": "name baseAddress range width usage register",
    "register": "name description addressOffset size volatile access reset field",
    "field": "name description bitOffset bitWidth access",
    "view": "name displayName envIdentifier language modelName fileSetRef",
    "wire": "direction vector wireTypeDefs driver",
    "parameter": "name value vendorExtensions",
    "file": "name fileType userFileType",
}
"""The order in which the standard's schema wants what stands in an element, as far as it is used."""


@pytest.mark.parametrize("build", BUILDS)
def test_elements_stand_in_the_order_of_the_standard(build):
    for element in described(build).iter():
        namespace, _, tag = element.tag[1:].partition("}")
        if namespace == NS["spirit"] and tag in ORDER:
            allowed = ORDER[tag].split()
            places = [allowed.index(child.tag.partition("}")[2]) for child in element]
            assert places == sorted(places), tag
            assert len(set(places) - {allowed.index(many) for many in ("register", "field") if many in allowed}) >= len(places) - len([
                child for child in element if child.tag.endswith(("}register", "}field"))
            ])


def test_the_version_is_the_packages():
    assert ipxact.vlnv() == f"offcut:net:offcut_core:{'.'.join(__version__.split('.')[:2])}"


# --- The block design.

RECORDER = r"""
set calls {}
proc unknown {args} { global calls; lappend calls [join $args "\x1f"]; return [lindex $args end] }
"""


def run_tcl(script, arguments=""):
    """Every command of a script that is none of Tcl's own, word by word: what it would have asked of Vivado."""
    tkinter = pytest.importorskip("tkinter")
    tcl = tkinter.Tcl()
    tcl.eval(RECORDER + f"set argv [list {arguments}]\n" + script.replace("[info script]", "block_design.tcl"))
    return [tuple(str(call).split("\x1f")) for call in tcl.splitlist(tcl.getvar("calls"))]


@pytest.mark.parametrize("board", PARTS)
@pytest.mark.parametrize("requests", ["tuser", "control"])
def test_the_script_runs_as_tcl_and_asks_for_the_design_of_the_table(board, requests):
    calls = run_tcl(block_design.script(board, SMALL, requests))
    made = block_design.design(SMALL, requests)
    asked = {name: [call[1:] for call in calls if call[0] == name] for name in {call[0] for call in calls}}
    assert [call[-1] for call in asked["create_bd_cell"]] == list(made.cells)
    assert asked["connect_bd_intf_net"] == made.joined
    assert [list(call) for call in asked["connect_bd_net"]] == [[driver, *pins] for driver, pins in made.nets.items()]
    assert PARTS[board] in asked["create_project"][0] and "launch_runs" not in asked
    for cell, settings in ((call[-1], call[1]) for call in asked["set_property"] if call[0] == "-dict"):
        words = settings.split()
        found = dict(zip(words[::2], words[1::2], strict=True))
        assert found == {f"CONFIG.{name}": str(value) for name, value in made.cells[cell][1].items()}


def test_the_bitstream_is_built_when_it_is_asked_for():
    names = [call[0] for call in run_tcl(block_design.script("ebaz4205", SMALL, "tuser"), "build")]
    assert names[-3:] == ["launch_runs", "wait_on_run", "write_hw_platform"]


DMA_PINS = {"M_AXI_SG", "M_AXI_MM2S", "M_AXI_S2MM", "M_AXIS_MM2S", "S_AXIS_S2MM", "S_AXI_LITE"}
DMA_CONTROL = {"M_AXIS_CNTRL", "S_AXIS_STS"}


@pytest.mark.parametrize("build", ["tuser", "control", "vnet12"])
def test_the_design_joins_every_interface_of_the_core_and_the_dma_once(build):
    config, requests = BUILDS[build]
    made = block_design.design(config, requests)
    joined = [end for pair in made.joined for end in pair]
    assert len(joined) == len(set(joined))
    found = interfaces(build)
    ends = {end.partition("/")[2] for end in joined if end.startswith("core/")}
    assert ends == {name for name, (_, bus, _, _) in found.items() if bus in ("axis", "aximm")}
    for driver, driven in made.joined:
        for end, mode in ((driver, "master"), (driven, "slave")):
            cell, _, name = end.partition("/")
            assert cell in made.cells
            assert cell != "core" or found[name][0] == mode
    dma = {end.partition("/")[2] for end in joined if end.startswith("dma/")}
    assert dma == DMA_PINS | (DMA_CONTROL if requests == "control" else set())
    assert made.cells["dma"][1]["c_sg_include_stscntrl_strm"] == (requests == "control")
    pins = [pin for driver, driven in made.nets.items() for pin in (driver, *driven)]
    assert len(pins) == len(set(pins)) and {"core/clk", "core/rst"} <= set(pins)


@pytest.mark.parametrize("board", PARTS)
def test_the_registers_of_core_and_dma_have_addresses_of_their_own(board):
    script = block_design.script(board, SMALL, "tuser")
    ranges = [(int(at, 16), int(size, 16)) for at, size in re.findall(r"-offset (\S+) -range (\S+)", script)]
    assert len(ranges) == 2
    for at, size in ranges:
        assert at % size == 0 and 0x4000_0000 <= at and at + size <= 0x8000_0000, "what M_AXI_GP0 reaches"
    (low, low_size), (high, _) = sorted(ranges)
    assert low + low_size <= high


def test_a_board_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="There is no board 'de10'; there are arty-z7-20, "):
        block_design.script("de10", SMALL, "tuser")


def test_every_kind_of_requests_has_a_build_above():
    assert {requests.rstrip("0123456789") for _, requests in BUILDS.values()} == {name.rstrip("0123456789") for name in REQUESTS}


def test_a_schema_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="lxml|index.xsd cannot be read"):
        package.validate(files("tuser")[package.COMPONENT], tmp_path)


def test_a_schema_judges_the_description(tmp_path):
    """Any schema: one that wants another root refuses, one that takes anything does not."""
    pytest.importorskip("lxml")
    for content, good in (("<xs:any processContents='skip'/>", True), ("<xs:element name='never'/>", False)):
        (tmp_path / "index.xsd").write_text(
            "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' elementFormDefault='qualified' "
            f"targetNamespace='{NS['spirit']}'><xs:element name='component'><xs:complexType><xs:sequence maxOccurs='unbounded'>{content}"
            "</xs:sequence></xs:complexType></xs:element></xs:schema>"
        )
        if good:
            package.validate(files("tuser")[package.COMPONENT], tmp_path)
        else:
            with pytest.raises(ValueError, match="component.xml breaks the schema"):
                package.validate(files("tuser")[package.COMPONENT], tmp_path)


def test_the_header_that_is_checked_in_is_the_one_that_is_written():
    import offcut.core as core

    assert (Path(core.__file__).parent / package.HEADER).read_bytes() == files("tuser")[package.HEADER]
