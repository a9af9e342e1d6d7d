"""What a value looks like: made up for an example, a word, a name from code, or drawn at random. Pure, for single values.

What this module does not do: know formats, or where a value stands.
"""

import itertools
import math
import re
import zlib
from collections import Counter
from typing import Final

_SHORT: Final = "test fake todo your xxxx fixme dummy tiger".split()
"""Words that chance can spell in any mixture of letters: they count only in small letters, in capitals, or with one capital."""

_MADE_UP: Final = re.compile(
    r"(?i:example|sample|placeholder|redacted|replace|change.?me|changeit|insert|\*\*\*|\.\.\.|…|foo.?bar|1234|4321|7890|abcdef|qwerty|deadbeef|cafebabe"
    r"|0000000|lorem|secret.?(?:key|here)|notreal|not.?a.?real|invalid|my.?(?:secret|token|pass|key))|(.)\1{5}|(.{2,4})\2{3}|"
    + "|".join(form for word in _SHORT for form in (word, word.upper(), word.capitalize()))
)
_DUMMY_WORDS: Final = frozenset(
    "password passwd pass pw pwd secret token key apikey admin root user guest default none null true false undefined nil empty hidden"
    " masked unknown string value letmein p@ssw0rd passw0rd hunter2 swordfish postgres mysql redis".split()
)
_REFERENCE: Final = re.compile(
    r"^[$%@~#&!]|^(?:\./|\.\./|/)|\$\{|\{\{|\$\(|%\(|%[sdv]\b|<[^>]*>|\{[\w.]*\}|^(?:https?|file|ftp|arn|env|vault|ssm|op|awsps|projects|sha\d+|ENC)\b"
    r"|^\w+\(|process\.env|os\.environ|getenv|secrets\.|vars\.|\bENC\[",
    re.IGNORECASE,
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def entropy(text: str) -> float:
    """Shannon's entropy in bits per character, by how often each one stands in `text`."""
    length = len(text)
    return -sum(count / length * math.log2(count / length) for count in Counter(text).values()) if length else 0.0


def made_up(value: str) -> bool:
    """True for what nobody would take for real: placeholders, counted digits, one character over and over."""
    return value.lower().rstrip("0123456789!.$#") in _DUMMY_WORDS or _MADE_UP.search(value) is not None or _runs(value)


def is_reference(value: str) -> bool:
    """True for what names a secret instead of being one: a variable, a path, a template, a call, an address."""
    return _REFERENCE.search(value) is not None


def is_random(value: str) -> bool:
    """True for what looks drawn at random: many different characters, and their kinds change often, as they do not in words and names."""
    if len(value) < 16 or _UUID.search(value) or not re.fullmatch(r"[\w+/=.~@!#$%^&*:;,?|-]+", value):
        return False
    bare = value.rstrip("=")
    digits = sum(each.isdigit() for each in bare)
    if _HEX.fullmatch(bare):
        return 2 <= digits < len(bare) and len(bare) >= 20 and entropy(bare) >= 3.0
    if not digits and (len(bare) < 20 or _changes(bare) < 0.36 * len(bare)):
        return False
    return entropy(bare) >= (3.3 if len(bare) < 20 else 3.7) and _changes(bare) >= 0.25 * len(bare) and not _is_words(bare)


def is_password(value: str) -> bool:
    """True for what a person might have thought of: eight to forty characters of at least three kinds, or letters mixed with digits."""
    if not 8 <= len(value) <= 40 or not value.isascii() or any(each.isspace() for each in value):
        return False
    kinds = [any(map(test, value)) for test in (str.islower, str.isupper, str.isdigit, lambda each: not each.isalnum())]
    if (
        not kinds[2]
        or not (kinds[0] or kinds[1])
        or re.fullmatch(r"(?i:(?:[a-z]+[_\-.])*[a-z]+[_-]?v?\d{0,2})|[\d.:/ -]+|[A-Z0-9_]+", value)
    ):
        return False
    return sum(kinds) >= 3 and entropy(value) >= 2.7 and not re.search(r"[\s()\[\]{}<>\"'`,;]", value)


def crc32_base62(text: str, digits: int = 6) -> str:
    """The CRC-32 of `text` in base 62, as some issuers end their tokens with."""
    number, out = zlib.crc32(text.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        out = _ALPHABET[rest] + out
    return out.rjust(digits, "0")


def masked(value: str) -> str:
    """What may be shown of a secret: at most its first four characters, and its length."""
    shown = value[: min(4, len(value) // 4)]
    return f"{shown}…({len(value)} characters)"


def _changes(value: str) -> int:
    """How often letters and digits change their kind: small, capital, digit. Half of all places in random text, few in words and names."""
    kinds = [0 if each.islower() else 1 if each.isupper() else 2 for each in value if each.isalnum()]
    return sum(one != other for one, other in itertools.pairwise(kinds))


def _is_words(value: str) -> bool:
    """One long word, or a name of several: where small letters and capitals are mixed at random, few small ones stand together."""
    words = [len(each) for each in re.findall(r"[A-Z]?[a-z]{3,}", value)]
    mixed = value != value.lower()
    return max(words, default=0) >= 0.45 * len(value) or (mixed and sum(words) > 0.5 * len(value))


def _runs(value: str) -> bool:
    """True where most of the value is counted up or down: abcdefgh, 87654321."""
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(value)]
    return len(value) >= 8 and max(steps.count(1), steps.count(-1)) > 0.5 * len(steps)
