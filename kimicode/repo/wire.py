"""Paths in a form that every encoding takes: names of files that are not UTF-8 have no other.

What this module does not do: make them fit to be read by a person (`outline.one_line`).
"""


def wired(path: str) -> str:
    """`path` as characters below U+0100, one for each of its bytes."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")


def unwired(text: str) -> str:
    """The path that became `text`."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")
