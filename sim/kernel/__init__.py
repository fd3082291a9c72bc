"""The running Linux kernel as the judge of the model and the gateware."""
