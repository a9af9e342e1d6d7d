"""Values that stand under the name of a secret: assigned in code, given in settings, or as a field of an object.

Only values that look drawn at random, or like a password with several kinds of characters, count; references, placeholders, words, digests
and identifiers do not. What this module does not do: known formats (`secret_formats`).
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from kimicode.review.checks.secret_values import entropy, is_password, is_random, is_reference, made_up
from kimicode.review.checks.subject import Subject

_WORDS: Final = (
    "assw",
    "asswd",
    "ASSW",
    "pwd",
    "PWD",
    "passphrase",
    "PASSPHRASE",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "ey",
    "EY",
    "uthoriz",
    "redential",
    "REDENTIAL",
)
_NAME: Final = re.compile(
    r"(?P<name>[\w.\-]{0,40}(?P<word>passw(?:or)?d|passwd|passphrase|pwd|secret|token|credentials?|(?:api|access|auth|private|account|encryption"
    r"|signing|master|client|service|admin|shared|storage|session|license|cipher|hmac|jwt|aes)[_\-.]?key)(?P<rest>[\w\-]{0,30}))"
    r"[\"'\]]{0,2}\s{0,4}(?::\s{0,2}[A-Za-z][\w.\[\]| ]{0,30}\s{0,2}=|=>|:=|==?|:|,)\s{0,4}(?P<value>.*)$",
    re.IGNORECASE,
)
_HANDED: Final = re.compile(
    r"(?:authorization|x-api-key)[\"']?\s{0,3}[:=,]\s{0,3}[\"']?(?:(?:bearer|token|basic)\s+)?(?P<header>[\w.=+/\-]{20,200})"
    r"|(?:--?(?:token|password|secret|api[-_]?key|auth[-_]?token)[ =][\"']?)(?P<option>[^\s\"']{16,200})"
    r"|\b(?:name|key)=\"[\w.:\-]*(?:password|secret|token|api_?key)\"\s+value=\"(?P<attribute>[^\"\s]{8,200})\"",
    re.IGNORECASE,
)
"""A secret that is handed over without an assignment: in a header, as an option of a command, as an attribute."""

_QUOTED: Final = re.compile(r"[rbuf@]{0,2}([\"'`])((?:(?!\1)[^\s\\]){8,256})\1", re.IGNORECASE)
_BARE: Final = re.compile(r"([^\s\"'`#;,]{8,256})\s*(?:[#;].*)?$")
_NOT_SECRETS: Final = re.compile(
    r"(?:^|[_\-.]|(?<=[a-z]))(?:urls?|uris?|paths?|files?|names?|ids?|fields?|types?|headers?|formats?|regex|pattern|length|len|size|counts?|env|label"
    r"|hint|help|hash(?:ed)?|digest|sha\d*|md5|checksum|error|message|msg|class|selector|element|expires?|expiry|ttl|version|prefix|suffix|index"
    r"|policy|alg(?:orithm)?|scopes?|endpoint|issuer|audience|arn|ref|reference|placeholder|title|text|description|public|pub|column|param|location"
    r"|revision|rev|commit|etag|integrity|kind|map|list|symbol|char|separator|limit|input|button|salt|nonce|iv|position|start|end)s?$",
    re.IGNORECASE,
)
_PUBLIC: Final = re.compile(
    r"public|publishable|site_?key|hash|digest|checksum|fingerprint|sha\d|md5|csrf_?cookie|tokeniz|syntax|unicode", re.IGNORECASE
)
_SETTINGS: Final = frozenset(
    ".env .ini .cfg .conf .config .properties .yaml .yml .sh .bash .zsh .envrc .netrc .tfvars .service .dockerfile".split()
)
_MAX_LINE: Final = 2000
_PASSWORDS: Final = ("pass", "pwd")


def assigned_values(subject: Subject) -> Iterator[tuple[int, str, str, float]]:
    """Line, its text, the value, and how sure it is a secret."""
    settings = _is_settings(subject.path)
    for line, text in subject.lines_with(_WORDS):
        found = _NAME.search(text[:_MAX_LINE])
        handed = _HANDED.search(text[:_MAX_LINE])
        if handed is not None and handed.lastgroup and (confidence := _confidence(handed[handed.lastgroup], "")):
            yield line, text, handed[handed.lastgroup], confidence
        if found is None or _PUBLIC.search(found["name"]) or _NOT_SECRETS.search(found["rest"]):
            continue
        value = _value(found["value"], settings)
        confidence = _confidence(value, found["word"].lower()) if value else 0.0
        if value and confidence:
            yield line, text, value, confidence


def _value(text: str, settings: bool) -> str | None:
    quoted = _QUOTED.match(text)
    if quoted:
        return quoted[2]
    bare = _BARE.match(text) if settings else None
    return bare[1] if bare else None


def _confidence(value: str, word: str) -> float:
    if made_up(value) or is_reference(value):
        return 0.0
    if is_random(value):
        return 0.85 if entropy(value) >= 4 else 0.75
    return 0.6 if word.startswith(_PASSWORDS) and is_password(value) else 0.0


def _is_settings(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix.lower() in _SETTINGS or pure.name.lower().startswith((".env", "dockerfile", ".npmrc", ".pypirc", ".netrc"))
