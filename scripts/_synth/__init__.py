"""Measure a component: its area on a 7-series and its routed speed on an ECP5."""
