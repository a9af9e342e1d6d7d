"""kimicode: a terminal coding agent for Kimi K2.6."""

__version__ = "0.1.0"
