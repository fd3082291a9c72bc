"""Zynq boards: the processing system in gateware, designs around it, and the folder that builds them."""
