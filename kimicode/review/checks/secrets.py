"""Secrets in what was added: keys and tokens of known formats, private keys, addresses with passwords, values under suspicious names.

A finding never holds the secret: its line is quoted with the secret masked. What the change takes away elsewhere is not new.
What this module does not do: know the formats (`secret_formats`), judge values (`secret_values`), or ask an issuer whether a key is live.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from kimicode.review.checks.rule import Rule
from kimicode.review.checks.secret_formats import FORMATS, Format
from kimicode.review.checks.secret_names import assigned_values
from kimicode.review.checks.secret_values import entropy, is_reference, made_up, masked
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Finding, Severity

_SUGGESTION: Final = (
    "Take it out of the change and read it from the environment or a secret store. If it was ever pushed, revoke it at its issuer:"
    " a later commit does not take it out of the history."
)


def _rule(name: str, title: str, scenario: str, example: str, severity: Severity, confidence: float) -> Rule:
    return Rule(
        id=f"secret/{name}",
        severity=severity,
        category="security",
        title=title,
        scenario=scenario,
        suggestion=_SUGGESTION,
        example=example,
        confidence=confidence,
    )


def _of_format(each: Format) -> Rule:
    scenario = f"Whoever can read the repository, a clone or a log of it can use this {each.what} as its owner does."
    return _rule(
        each.name,
        f"{each.what} in the code",
        scenario,
        f"{each.anchors[0]}…" if len(each.anchors[0]) > 1 else each.what,
        each.severity,
        each.confidence,
    )


PRIVATE_KEY: Final = _rule(
    "private-key",
    "Private key in the code",
    "Whoever can read the repository can sign, decrypt or log in as the owner of this key.",
    "-----BEGIN … PRIVATE KEY-----",
    Severity.CRITICAL,
    0.97,
)
URL_PASSWORD: Final = _rule(
    "url-password",
    "Address with a password in the code",
    "Whoever can read the repository can log in to this server with the user and password that the address holds.",
    "postgres://app:…@db.internal/main",
    Severity.HIGH,
    0.85,
)
ASSIGNED: Final = _rule(
    "assigned-value",
    "What looks like a secret is assigned in the code",
    "The name says that this is a secret, and the value looks drawn at random: whoever can read the repository has it.",
    'api_key = "…"',
    Severity.HIGH,
    0.7,
)
_FORMAT_RULES: Final = {each.name: _of_format(each) for each in FORMATS}
RULES: Final = (PRIVATE_KEY, URL_PASSWORD, ASSIGNED, *_FORMAT_RULES.values())

_BEGIN: Final = re.compile(
    r"-----BEGIN (?:(?:RSA|DSA|EC|OPENSSH|ENCRYPTED|SSH2 ENCRYPTED) )?PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-[23]:"
)
_PGP: Final = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
_EXAMPLE: Final = re.compile(r"example|e\.g\.", re.IGNORECASE)
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/=]{40,}")
_URL: Final = re.compile(r"\b([a-z][a-z0-9+.\-]{1,30})://([^\s/:@\"'`<>{}$]{0,80}):([^\s@/\"'`<>]{3,120})@([\w.\-]{1,120})", re.IGNORECASE)
_LOCAL: Final = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0|10\.0\.2\.2|host\.docker|.*\.?example(?:\.|$)|.*\.(?:test|invalid|local|localhost)$)|^host(?:name)?$",
    re.IGNORECASE,
)


class _Hit(msgspec.Struct, frozen=True):
    rule: Rule
    line: int
    text: str
    secret: str
    severity: Severity
    confidence: float


def secrets(subject: Subject) -> Iterator[Finding]:
    """The secrets in what was added to a file, each one once a line."""
    taken = set[tuple[int, str]]()
    for hit in _hits(subject):
        known = any(line == hit.line and (hit.secret in other or other in hit.secret) for line, other in taken)
        if known or hit.secret in subject.scene.removed_text:
            continue
        taken.add((hit.line, hit.secret))
        quote = hit.text.strip().replace(hit.secret, masked(hit.secret))
        yield hit.rule.at(subject.path, hit.line, quote=quote, severity=hit.severity, confidence=hit.confidence)


def _hits(subject: Subject) -> Iterator[_Hit]:
    yield from _private_keys(subject)
    for each in FORMATS:
        yield from _of(each, subject)
    if not subject.kind.made_up and not subject.kind.foreign and not subject.kind.lock:
        yield from _urls(subject)
        for line, text, value, confidence in assigned_values(subject):
            yield _Hit(ASSIGNED, line, text, value, ASSIGNED.severity, confidence)


def _of(form: Format, subject: Subject) -> Iterator[_Hit]:
    if not any(anchor in subject.added_text for anchor in form.anchors):
        return
    rule, made_up_place = _FORMAT_RULES[form.name], subject.kind.made_up
    for line, text in subject.lines_with(form.anchors):
        if form.near and form.near not in text.lower() and form.near not in subject.path.lower():
            continue
        for found in form.expression.finditer(text):
            secret = found[found.lastindex or 0]
            proof = form.proof(secret)
            if proof is False or (proof is None and not _believable(_without(secret, form.anchors), made_up_place)):
                continue
            if made_up_place and proof is None and (form.confidence < 0.95 or form.has_proof):
                continue
            severity = Severity.CRITICAL if proof else form.severity
            yield _Hit(rule, line, text, secret, severity, 0.99 if proof else form.confidence)


def _without(secret: str, anchors: tuple[str, ...]) -> str:
    """What is not given by the format."""
    for anchor in anchors:
        secret = secret.replace(anchor, "", 1)
    return secret


def _believable(secret: str, made_up_place: bool) -> bool:
    return not made_up(secret) and entropy(secret) >= (3.3 if made_up_place else 2.8)


def _private_keys(subject: Subject) -> Iterator[_Hit]:
    if subject.kind.made_up or subject.kind.foreign:
        return
    lines = subject.added
    for at, (number, text) in enumerate(lines):
        if "PRIVATE KEY" not in text and "PuTTY-User-Key" not in text:
            continue
        found = _BEGIN.search(text)
        header = found[0] if found else _PGP if _PGP in text else ""
        if not header or _EXAMPLE.search(text):
            continue
        body = " ".join(each for _, each in lines[at : at + 12])
        key = _KEY_BODY.search(body.replace("\\n", " ").partition(header)[2])
        if key and not made_up(key[0][:40]) and entropy(key[0]) >= 3.5:
            yield _Hit(PRIVATE_KEY, number, text.partition(header)[0] + header, key[0], PRIVATE_KEY.severity, PRIVATE_KEY.confidence)


def _urls(subject: Subject) -> Iterator[_Hit]:
    for line, text in subject.lines_with(("://",)):
        for found in _URL.finditer(text):
            user, password, host = found[2], found[3], found[4]
            if _LOCAL.search(host) or is_reference(password) or made_up(password) or password.lower() in (user.lower(), "pass", "pwd"):
                continue
            if any(each.isdigit() for each in password) and any(each.isalpha() for each in password) and len(password) >= 8:
                yield _Hit(URL_PASSWORD, line, text, password, URL_PASSWORD.severity, URL_PASSWORD.confidence)
