"""Agents against the market: does any strategy earn more than honest work? `python -m benchmarks.simulation`."""
