"""A Linux guest whose stock ``virtio_net`` drives the gateware: Debian's kernel under QEMU, and the rings served over vhost-user.

The way through the modules: :mod:`.session` puts all together; :mod:`.packages` fetches what the guest is made of, :mod:`.initramfs` packs it,
:mod:`.machine` boots it; :mod:`.backend` answers QEMU's messages (:mod:`.protocol`) and tells a device where rings and memory are
(:mod:`.rings`, :mod:`.memory`): :mod:`.gateware`, compiled, or :mod:`.software`, which needs none.
"""

from guest.errors import GuestError, Unavailable
from guest.session import DEVICES, Session, Settings

__all__ = ["DEVICES", "GuestError", "Session", "Settings", "Unavailable"]
