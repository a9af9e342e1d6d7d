"""Agent tools, one file each, and their registry."""
