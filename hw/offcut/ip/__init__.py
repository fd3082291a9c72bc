"""``offcut_core`` as a block for Vivado: adapters for requests that do not come on ``tuser``, the IP-XACT description, the block design."""
