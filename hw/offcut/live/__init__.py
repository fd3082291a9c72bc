"""A live NIC: two network namespaces with an engine between their TAP devices, so that real sockets use it.

The way through the modules: :mod:`.session` puts a running NIC together and takes it apart; :mod:`.ledger` writes down what it made, so that the
next start finds what a kill left behind; :mod:`.network` makes namespaces, devices and addresses, with :mod:`.tap` for what a TAP offers to Linux;
:mod:`.compiled` and :mod:`.model` are the engines; :mod:`.counters` is what all of them count.
"""

from offcut.live.counters import Counters
from offcut.live.network import LiveError
from offcut.live.session import ENGINES, Session, Settings

__all__ = ["ENGINES", "Counters", "LiveError", "Session", "Settings"]
