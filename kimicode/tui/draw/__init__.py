"""Blocks → lines. Pure functions of a block, a width and a palette; no application, no I/O, no state but what a caller hands back in."""
