"""Edits to files: matching, and atomic, encoding-true writing."""
