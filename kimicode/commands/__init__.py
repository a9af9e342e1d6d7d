"""Command modules of the command line, imported lazily by `kimicode.cli`."""
