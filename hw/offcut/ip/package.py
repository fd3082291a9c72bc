"""The folder that ``offcut ip`` writes."""

from pathlib import Path

from offcut import verilog
from offcut.config import Config
from offcut.core import documents
from offcut.ip import block_design, ipxact

__all__ = ["COMPONENT", "HEADER", "SCRIPT", "files", "validate"]

SCRIPT = "block_design.tcl"
HEADER = "offcut_regs.h"
IP = f"ip/{verilog.CORE}"
COMPONENT = f"{IP}/component.xml"

SCHEMA = "index.xsd"


def files(board: str, config: Config, requests: str) -> dict[str, bytes]:
    """Every file, by its path in the folder.

    Raises
    ------
    ValueError
        If there is no such board, or the core cannot be built so.
    """
    script = block_design.script(board, config, requests)  # (first: it refuses at once)
    text = verilog.generate(config, verilog.CORE, requests)
    ports = verilog.ports(text, verilog.CORE)
    return {
        f"{IP}/{ipxact.HDL}": text.encode(),
        f"{IP}/{ipxact.XGUI}": ipxact.xgui(config, requests).encode(),
        COMPONENT: ipxact.component(ports, config, requests),
        SCRIPT: script.encode(),
        HEADER: documents.c_header().encode(),
    }


def validate(component: bytes, folder: Path) -> None:
    """Check a description against the schema of IEEE 1685-2009, which its publishers give to whoever asks.

    Parameters
    ----------
    component : bytes
    folder : Path
        Holds the schema's ``index.xsd`` and what that includes.

    Raises
    ------
    ValueError
        If lxml or the schema is missing, or the description is not valid; the message names the first fault.
    """
    try:
        from lxml import etree
    except ModuleNotFoundError:
        raise ValueError("checking against a schema needs lxml; install it with: pip install lxml") from None
    try:
        schema = etree.XMLSchema(etree.parse(folder / SCHEMA))
    except (OSError, etree.LxmlError) as error:
        raise ValueError(f"{folder / SCHEMA} cannot be read as a schema: {error}") from None
    if not schema.validate(etree.fromstring(component)):
        raise ValueError(f"component.xml breaks the schema: {schema.error_log[0]}")
