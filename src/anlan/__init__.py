"""Anlan 安澜: from a sensor to the person who answers."""

__version__ = "0.1.0.dev0"
