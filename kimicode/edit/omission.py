"""Lines that stand for code which a model did not write out: «… rest of the code unchanged …», as a comment or bare.

Only a line of nothing but such words counts, with an ellipsis, and only if the text that it replaces does not have it: string literals,
prose and `...` alone (a Python body) are left alone. What this module does not do: guess what was left out.
"""

import re
from typing import Final

_COMMENT: Final = re.compile(r"^(?://+|#+|--+|;+|%+|/\*+|<!--|\{/\*|\*|\(\*|\"\"\"|''')?\s*(.*?)\s*(?:\*/\}?|-->|\*\)|\"\"\"|''')?$")
_BRACKETS: Final = re.compile(r"^[(\[{<](.*)[)\]}>]$")
_DOTS: Final = re.compile(r"^(?:\.{3,}|…)|(?:\.{3,}|…)$")

_THINGS: Final = (
    r"(?:(?:source )?code|methods?|functions?|class(?:es)?|files?|implementations?|imports?|contents?|logic|body|lines?|module|"
    r"definitions?|fields?|properties|tests?|cases|config(?:uration)?|options|props|styles|rules|script|document|section|text|items|entries)"
)
_SAME: Final = (
    r"(?:(?:is|are|stays?|remains?|kept|left) )?(?:the )?"
    r"(?:unchanged|same|unmodified|as (?:it (?:is|was)|is|before|above)|omitted(?: for brevity)?)"
)
_REST: Final = rf"(?:the )?(?:rest|remainder)(?: of (?:the |your |this )?(?:\w+ ){{0,2}}{_THINGS})?(?: (?:here|goes here|below|{_SAME}))?"
_KEPT: Final = (
    rf"(?:the )?(?:existing|unchanged|unmodified|remaining|omitted) (?:\w+ )?{_THINGS}"
    rf"(?: (?:here|goes here|below|above|continues|{_SAME}))?"
)
_LOOSE: Final = rf"(?:the )?(?:other|same|previous|original|more) (?:\w+ )?{_THINGS}(?: (?:here|{_SAME}))?"
_STATE: Final = (
    rf"(?:(?:\w+ )?{_THINGS} )?"
    rf"(?:{_SAME}|no changes?(?: here)?|same as (?:before|above)|keep (?:the )?(?:existing|rest|remaining)(?: \w+)?)"
)

_AFTER_DOTS: Final = re.compile(rf"(?:and )?(?:{_REST}|{_KEPT}|{_LOOSE}|{_STATE})", re.IGNORECASE)
_BEFORE_DOTS: Final = re.compile(rf"(?:{_REST}|{_KEPT}|{_STATE})", re.IGNORECASE)
"""People end comments with dots too (`# other options ...`): fewer forms count there."""


def omitted(old: str, new: str) -> str | None:
    """The first line of `new` that stands for text left out and is not a line of `old`; None if there is none."""
    if "..." not in new and "…" not in new:
        return None
    known = {line.strip() for line in old.splitlines()}
    return next((line.strip() for line in new.splitlines() if _stands_for_more(line) and line.strip() not in known), None)


def _stands_for_more(line: str) -> bool:
    if "..." not in line and "…" not in line:
        return False
    found = _COMMENT.match(line.strip())
    words = found.group(1) if found else ""
    bracketed = _BRACKETS.match(words)
    words = (bracketed.group(1) if bracketed else words).strip()
    bare = _DOTS.sub("", _DOTS.sub("", words)).strip(" ,.:;()[]*-")
    phrases = _AFTER_DOTS if words.startswith((".", "…")) else _BEFORE_DOTS
    return bare != words and phrases.fullmatch(" ".join(bare.split())) is not None
