"""Normscope: see what happens inside a neural network while it trains."""

__version__ = "0.1.0"
