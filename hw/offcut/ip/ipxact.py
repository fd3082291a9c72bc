"""``component.xml``: the core as IEEE 1685-2009 describes blocks, in the dialect that Vivado reads. By the standard library's XML alone."""

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from offcut import __version__
from offcut.config import FEATURES, Config
from offcut.core.registers import ADDR_WIDTH, REGISTERS, WORD_BYTES, Register, built, initial
from offcut.verilog import CORE, Port

__all__ = ["ADDRESS_BLOCK", "HDL", "LIBRARY", "MEMORY_MAP", "NAMESPACES", "VENDOR", "XGUI", "component", "parameters", "vlnv", "xgui"]

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"
NAMESPACES = {"spirit": SPIRIT, "xilinx": XILINX}

VENDOR, LIBRARY = "offcut", "net"
HDL = f"hdl/{CORE}.v"
XGUI = f"xgui/{CORE}.tcl"
"""Files, from where component.xml is."""

MEMORY_MAP, ADDRESS_BLOCK = "s_axil", "registers"

STREAM = ("xilinx.com", "interface", "axis", "axis_rtl")
MEMORY_MAPPED = ("xilinx.com", "interface", "aximm", "aximm_rtl")
CLOCK = ("xilinx.com", "signal", "clock", "clock_rtl")
RESET = ("xilinx.com", "signal", "reset", "reset_rtl")

STREAMS = {
    "s_axis": "slave",
    "m_axis": "master",
    "s_axis_control": "slave",
    "m_axis_status": "master",
}
"""AXI4-Stream interfaces that a core can have, and who it is on each."""

UNCONNECTED_ONES = {"m_axis_tready", "m_axis_status_tready", "s_axis_tkeep"}
"""Inputs that are 1 where nobody drives them; the others are 0."""

FAMILIES = (
    "zynq",
    "artix7",
    "kintex7",
    "virtex7",
    "spartan7",
    "zynquplus",
    "kintexu",
    "virtexu",
    "artixuplus",
    "kintexuplus",
    "virtexuplus",
)

ACCESS = {"ro": "read-only", "rw": "read-write", "wo": "write-only", "low": "read-only", "high": "read-only"}

VIEWS = {
    "xilinx_verilogsynthesis": (":vivado.xilinx.com:synthesis", "Verilog Synthesis"),
    "xilinx_verilogbehavioralsimulation": (":vivado.xilinx.com:simulation", "Verilog Simulation"),
}
XGUI_VIEW = "xilinx_xpgui"


def vlnv() -> str:
    """Vendor, library, name and version, as a block design names the core."""
    return f"{VENDOR}:{LIBRARY}:{CORE}:{_version()}"


def _version() -> str:
    return ".".join(__version__.split(".")[:2])


def parameters(config: Config, requests: str) -> Mapping[str, str]:
    """What the core was built with, as parameters to be shown; they cannot be changed."""
    return {
        "BUS_WIDTH": str(config.width),
        "MTU_MAX": str(config.mtu_max),
        "USER_WIDTH": str(config.user_width),
        "UFO_ORDER": config.ufo_order,
        "REQUESTS": requests,
        "FEATURES": " ".join(name for name in FEATURES if config.has(name)) or "none",
    }


def component(ports: Mapping[str, Port], config: Config, requests: str) -> bytes:
    """The description of a core with these ports, as an XML file.

    Parameters
    ----------
    ports : mapping of str to offcut.verilog.Port
        Of the Verilog that goes with it.
    config : offcut.config.Config
    requests : str
        Out of :data:`offcut.ip.layouts.REQUESTS`.
    """
    for prefix, uri in NAMESPACES.items():
        ElementTree.register_namespace(prefix, uri)
    top = Element(_name("component"))
    for tag, text in (("vendor", VENDOR), ("library", LIBRARY), ("name", CORE), ("version", _version())):
        _text(top, tag, text)
    _interfaces(SubElement(top, _name("busInterfaces")), ports)
    _memory_map(SubElement(top, _name("memoryMaps")), built(config, requests))
    model = SubElement(top, _name("model"))
    views = SubElement(model, _name("views"))
    for view, (identifier, title) in VIEWS.items():
        _view(views, view, title, identifier, language="verilog")
    _view(views, XGUI_VIEW, "UI Layout", ":vivado.xilinx.com:xgui.ui")
    _ports(SubElement(model, _name("ports")), ports)
    sets = SubElement(top, _name("fileSets"))
    for view in VIEWS:
        _file_set(sets, view, HDL, "verilogSource")
    _file_set(sets, XGUI_VIEW, XGUI, "tclSource", "XGUI_VERSION_2")
    _text(top, "description", "Cuts large TCP and UDP frames into wire frames and completes their checksums")
    shown = SubElement(top, _name("parameters"))
    _parameter(shown, "Component_Name", f"{CORE}_0", resolve="user", identifier="PARAM_VALUE.Component_Name")
    for name, value in parameters(config, requests).items():
        fixed = _parameter(shown, name, value, resolve="user", identifier=f"PARAM_VALUE.{name}")
        info = _path(fixed, _name("vendorExtensions"), _xilinx("parameterInfo"), _xilinx("enablement"))
        enabled = SubElement(info, _xilinx("isEnabled"), {_xilinx("id"): f"PARAM_ENABLEMENT.{name}"})
        enabled.text = "false"
    core = _path(top, _name("vendorExtensions"), _xilinx("coreExtensions"))
    families = SubElement(core, _xilinx("supportedFamilies"))
    for family in FAMILIES:
        SubElement(families, _xilinx("family"), {_xilinx("lifeCycle"): "Production"}).text = family
    SubElement(SubElement(core, _xilinx("taxonomies")), _xilinx("taxonomy")).text = "/Communication_&_Networking/Ethernet"
    SubElement(core, _xilinx("displayName")).text = "Offcut: segmentation and checksum offload"
    SubElement(core, _xilinx("coreRevision")).text = "1"
    ElementTree.indent(top)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top) + b"\n"


def xgui(config: Config, requests: str) -> str:
    """The Tcl that shows the parameters in Vivado's dialogue."""
    lines = [
        "proc init_gui {IPINST} {",
        '  ipgui::add_param $IPINST -name "Component_Name"',
        "  ipgui::add_page $IPINST -name {Built with}",
    ]
    lines += [f'  ipgui::add_param $IPINST -name "{name}"' for name in parameters(config, requests)]
    return "\n".join([*lines, "}", ""])


def _name(tag: str) -> str:
    return f"{{{SPIRIT}}}{tag}"


def _xilinx(tag: str) -> str:
    return f"{{{XILINX}}}{tag}"


def _text(parent: Element, tag: str, text: str, **attributes: str) -> Element:
    element = SubElement(parent, _name(tag), {_name(key): value for key, value in attributes.items()})
    element.text = text
    return element


def _path(parent: Element, *tags: str) -> Element:
    for tag in tags:
        parent = SubElement(parent, tag)
    return parent


def _parameter(parent: Element, name: str, value: str, resolve: str = "", identifier: str = "") -> Element:
    element = SubElement(parent, _name("parameter"))
    _text(element, "name", name)
    attributes = {"resolve": resolve, "id": identifier} if resolve else {}
    _text(element, "value", value, **attributes)
    return element


def _interfaces(parent: Element, ports: Mapping[str, Port]) -> None:
    found = {name: _of(ports, name) for name in STREAMS}
    streams = {name: signals for name, signals in found.items() if signals}
    for name, signals in streams.items():
        interface = _interface(parent, name, STREAM)
        SubElement(interface, _name(STREAMS[name]))
        _maps(interface, name, signals)
        data_bytes = ports[f"{name}_tdata"].width // 8
        _bus_parameters(interface, TDATA_NUM_BYTES=data_bytes, HAS_TKEEP=1, HAS_TLAST=1, HAS_TREADY=1)
    registers = _interface(parent, MEMORY_MAP, MEMORY_MAPPED)
    slave = SubElement(registers, _name("slave"))
    SubElement(slave, _name("memoryMapRef"), {_name("memoryMapRef"): MEMORY_MAP})
    _maps(registers, MEMORY_MAP, _of(ports, MEMORY_MAP))
    _bus_parameters(registers, PROTOCOL="AXI4LITE", DATA_WIDTH=8 * WORD_BYTES, ADDR_WIDTH=ADDR_WIDTH)
    clock = _interface(parent, "clk", CLOCK)
    SubElement(clock, _name("slave"))
    _map(SubElement(clock, _name("portMaps")), "CLK", "clk")
    _bus_parameters(clock, ASSOCIATED_BUSIF=":".join([*streams, MEMORY_MAP]), ASSOCIATED_RESET="rst")
    reset = _interface(parent, "rst", RESET)
    SubElement(reset, _name("slave"))
    _map(SubElement(reset, _name("portMaps")), "RST", "rst")
    _bus_parameters(reset, POLARITY="ACTIVE_HIGH")


def _of(ports: Mapping[str, Port], interface: str) -> list[str]:
    """The signals of an interface, without its name: those that do not belong to an interface with a longer name."""
    longer = [name for name in STREAMS if name.startswith(f"{interface}_")]
    own = [name for name in ports if name.startswith(f"{interface}_") and not name.startswith(tuple(f"{other}_" for other in longer))]
    return [name.removeprefix(f"{interface}_") for name in own]


def _interface(parent: Element, name: str, kind: tuple[str, str, str, str]) -> Element:
    vendor, library, bus, abstraction = kind
    interface = SubElement(parent, _name("busInterface"))
    _text(interface, "name", name)
    for tag, what in (("busType", bus), ("abstractionType", abstraction)):
        attributes = {"vendor": vendor, "library": library, "name": what, "version": "1.0"}
        SubElement(interface, _name(tag), {_name(key): value for key, value in attributes.items()})
    return interface


def _maps(interface: Element, name: str, signals: list[str]) -> None:
    maps = SubElement(interface, _name("portMaps"))
    for signal in signals:
        _map(maps, signal.upper(), f"{name}_{signal}")


def _map(maps: Element, logical: str, physical: str) -> None:
    pair = SubElement(maps, _name("portMap"))
    _text(SubElement(pair, _name("logicalPort")), "name", logical)
    _text(SubElement(pair, _name("physicalPort")), "name", physical)


def _bus_parameters(interface: Element, **values: object) -> None:
    parent = SubElement(interface, _name("parameters"))
    for name, value in values.items():
        _parameter(parent, name, str(value))


def _memory_map(parent: Element, values: Mapping[str, int]) -> None:
    memory = SubElement(parent, _name("memoryMap"))
    _text(memory, "name", MEMORY_MAP)
    block = SubElement(memory, _name("addressBlock"))
    for tag, text in (("name", ADDRESS_BLOCK), ("baseAddress", "0"), ("range", str(1 << ADDR_WIDTH)), ("width", str(8 * WORD_BYTES))):
        _text(block, tag, text)
    _text(block, "usage", "register")
    for register in REGISTERS:
        _register(SubElement(block, _name("register")), register, values.get(register.name, initial(register)))


def _register(element: Element, register: Register, reset: int) -> None:
    _text(element, "name", register.name)
    _text(element, "description", register.doc.replace("`", ""))
    _text(element, "addressOffset", f"0x{register.offset:X}")
    _text(element, "size", str(8 * WORD_BYTES))
    if _is_state(register):
        _text(element, "volatile", "true")
    _text(element, "access", ACCESS[register.access])
    _text(SubElement(element, _name("reset")), "value", f"0x{reset:X}")
    for field in register.fields:
        bits = SubElement(element, _name("field"))
        _text(bits, "name", field.name.replace("-", "_"))
        _text(bits, "description", field.doc.replace("`", ""))
        _text(bits, "bitOffset", str(field.low))
        _text(bits, "bitWidth", str(field.width))
        _text(bits, "access", ACCESS[register.access])


def _is_state(register: Register) -> bool:
    """Whether it changes by itself."""
    return register.access in ("low", "high") or register.name == "status"


def _view(parent: Element, name: str, title: str, identifier: str, language: str = "") -> None:
    view = SubElement(parent, _name("view"))
    _text(view, "name", name)
    _text(view, "displayName", title)
    _text(view, "envIdentifier", identifier)
    if language:
        _text(view, "language", language)
        _text(view, "modelName", CORE)
    _text(SubElement(view, _name("fileSetRef")), "localName", f"{name}_view_fileset")


def _file_set(parent: Element, view: str, path: str, *kinds: str) -> None:
    file_set = SubElement(parent, _name("fileSet"))
    _text(file_set, "name", f"{view}_view_fileset")
    file = SubElement(file_set, _name("file"))
    _text(file, "name", path)
    for tag, kind in zip(("fileType", "userFileType"), kinds, strict=False):
        _text(file, tag, kind)


def _ports(parent: Element, ports: Mapping[str, Port]) -> None:
    for port in ports.values():
        element = SubElement(parent, _name("port"))
        _text(element, "name", port.name)
        wire = SubElement(element, _name("wire"))
        _text(wire, "direction", {"input": "in", "output": "out"}[port.direction])
        if port.width > 1:
            vector = SubElement(wire, _name("vector"))
            _text(vector, "left", str(port.width - 1), format="long")
            _text(vector, "right", "0", format="long")
        for definition in _wire_types(port):
            wire.append(definition)
        if port.direction == "input" and port.name not in ("clk", "rst"):
            default = (1 << port.width) - 1 if port.name in UNCONNECTED_ONES else 0
            _text(SubElement(wire, _name("driver")), "defaultValue", str(default), format="long")


def _wire_types(port: Port) -> Iterator[Element]:
    types = Element(_name("wireTypeDefs"))
    definition = SubElement(types, _name("wireTypeDef"))
    _text(definition, "typeName", "std_logic_vector" if port.width > 1 else "std_logic")
    for view in VIEWS:
        _text(definition, "viewNameRef", view)
    yield types
