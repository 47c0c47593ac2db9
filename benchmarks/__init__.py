"""Measurements anybody can run again: `python -m benchmarks`."""
