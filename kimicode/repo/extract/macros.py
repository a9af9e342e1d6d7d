"""Macros of C and C++ that stand where the grammar has no place for them, blanked out: `class LIB_API Name`, `Q_OBJECT`, `f() NOEXCEPT;`.

A parser that meets one takes a class for a function, and loses all that is in it. Every byte keeps its place, so what is found in the
blanked text is found at the same place in the real one. What this module does not do: expand macros, or touch those that stand for an
expression, a type, or a statement with its semicolon.
"""

import re
from typing import Final

_ARGUMENTS: Final = rb"(?:\([^()\n]*\))?"
_NAMES: Final = (
    rb"(?:Q_DECL_[A-Z_]+|PGDLL(?:IMPORT|EXPORT)|[A-Z][A-Z0-9_]*_"
    rb"(?:EXPORT|API|ABI|IMPORT|EXTERN|PUBLIC|NOEXCEPT|NOTHROW|CONSTEXPR|INLINE|NORETURN|UNUSED|DEPRECATED|NODISCARD|RESULT))\b"
)
_CLASS_NAME: Final = rb"[ \t]+[A-Za-z_][\w:]*(?:<[^;{}\n]*>)?\s*(?:final\s*)?"
_PATTERNS: Final = (
    # Between `class` and its name; `struct NAME variable;` has no macro.
    re.compile(rb"(class)([ \t]+[A-Z][A-Z0-9_]+" + _ARGUMENTS + rb")(?=" + _CLASS_NAME + rb"[:{;])"),
    re.compile(rb"(struct)([ \t]+[A-Z][A-Z0-9_]+" + _ARGUMENTS + rb")(?=" + _CLASS_NAME + rb"[:{])"),
    # A line of its own, without a semicolon, that can't be the last name of an enumeration.
    re.compile(
        rb"^()([ \t]*(?:Q_OBJECT|Q_GADGET|[A-Z][A-Z0-9_]*_(?:BEGIN|END)(?:_[A-Z0-9_]+)?|__BEGIN_DECLS|__END_DECLS"
        rb"|[A-Z][A-Z0-9_]{3,}\([^()\n]*\))[ \t]*)(?=\r?$)(?!\r?\n[ \t]*\{)",
        re.MULTILINE,
    ),
    # Before another name: no expression has two of them side by side.
    re.compile(rb"\b()(" + _NAMES + _ARGUMENTS + rb")(?=[ \t\r\n]+[A-Za-z_~])"),
    # Behind the parameters of a function.
    re.compile(rb"(\)[ \t]*(?:const[ \t]+)?)(" + _NAMES + _ARGUMENTS + rb")(?=[ \t\r\n]*[;{:=])"),
)

_DEFINING: Final = (b"define ", b"ifdef ", b"ifndef ", b"undef ")


def without_macros(source: bytes) -> bytes:
    """The source with spaces for such macros, as long as before."""
    for pattern in _PATTERNS:
        source = pattern.sub(_blanked, source)
    return source


def _blanked(found: re.Match[bytes]) -> bytes:
    if found.string[max(0, found.start() - 7) : found.start()].endswith(_DEFINING):
        return found[0]
    return found[1] + b" " * len(found[2])
