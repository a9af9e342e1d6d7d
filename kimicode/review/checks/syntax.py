"""Syntax errors that a change brings: a file that its language could read before and can't now, or a new one that it never could.

What tree-sitter calls an error is reported only where a second opinion agrees or the grammar has shown on real code that it is right:
Python's, JSON's and TOML's own parsers are asked as well. What this module does not do: compile, check types, or judge templates.
"""

import ast
import json
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final

from kimicode.edit.syntax import SyntaxFault, introduced_fault
from kimicode.languages import grammar_of
from kimicode.review.checks.conflicts import MARKER
from kimicode.review.checks.rule import Rule
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Finding, Severity

ERROR: Final = Rule(
    id="syntax/error",
    severity=Severity.HIGH,
    category="correctness",
    title="The file no longer parses",
    scenario="The language can't read this file: it fails as soon as it is imported, compiled or loaded.",
    suggestion="Correct the syntax at this line, or just before it.",
    example="def f(:",
    confidence=0.95,
)
RULES: Final = (ERROR,)

_NEW_FILES: Final = frozenset("Python JavaScript TypeScript TSX Go Rust Java JSON TOML".split())
"""Languages whose grammars read what others wrote so reliably that a new file with an error has one."""

_CHANGED_FILES: Final = _NEW_FILES | frozenset("C C++ C# Ruby PHP shell Lua YAML".split())
"""Languages in which an error is believed where the file was read before the change."""

_AROUND: Final = 20_000
_LINE: Final = 60
"""Characters that are parsed of a long file: around a change, and for each line of it, as a rule."""

_DATA: Final = ("JSON", "TOML", "YAML")
"""New ones in tests are often what a parser has to refuse."""

_BROKEN: Final = re.compile(
    r"bad|broken|error|fail|invalid|malformed|syntax|corrupt|incomplete|fixture|testdata|test-data|corpus|fuzz", re.IGNORECASE
)
"""Paths of tests that hold broken code on purpose."""

_SCRIPT_GAPS: Final = re.compile(
    r"(?<=export )type(?= \*)|\bimport\(\s*[\"'][^\"'\n]*[\"']\s*\)(?=\.)|(?<=\bas )(?:null|undefined|true|false|this|super)(?=\s*[,}])"
)
"""What the languages have and their grammars do not know: `export type *`, `import("module").Type<T>`, `export { a as null }`."""

_WITH_GAPS: Final = ("JavaScript", "TypeScript", "TSX")


def errors(subjects: tuple[Subject, ...]) -> Iterator[Finding]:
    """The first new error of each file, the smallest files first until the change's measure is full."""
    left = subjects[0].scene.config.max_parsed_chars if subjects else 0
    for subject in sorted(filter(_judged, subjects), key=lambda each: len(each.new or b"")):
        left -= min(len(subject.new or b""), _AROUND + _LINE * subject.file.changed_count)
        if left < 0:
            return
        yield from _error(subject)


def _judged(subject: Subject) -> bool:
    grammar, kind = grammar_of(subject.path), subject.kind
    if grammar is None or not subject.is_text or not subject.file.hunks or kind.lock or kind.foreign or kind.template:
        return False
    if subject.path.endswith((".d.ts", ".d.mts", ".d.cts")):
        return False
    if kind.test and subject.file.status == "added" and (grammar.name in _DATA or _BROKEN.search(subject.path)):
        return False
    return grammar.name in (_NEW_FILES if subject.file.status in ("added", "copied") else _CHANGED_FILES)


def _error(subject: Subject) -> Iterator[Finding]:
    new, old, limit = subject.new_text, subject.old_text, subject.scene.config.max_judged_chars
    if new is None or max(len(new), len(old or "")) > limit or (old is None and subject.file.status in ("modified", "renamed")):
        return
    suffix = PurePosixPath(subject.path).suffix.lower()
    if _has_conflict(subject) or (suffix in (".py", ".pyi") and _python_error(_statements(subject, new)) is None):
        return
    fault = introduced_fault(subject.path, _mended(subject.path, old), _mended(subject.path, new) or "")
    second = _SECOND.get(suffix)
    if fault is not None and not (second is not None and second(new)):
        yield _finding(subject, fault)
    elif fault is None and suffix in (".py", ".pyi"):
        bad = _bad_indentation(new)
        if bad is not None and (old is None or _bad_indentation(old) is None):
            yield _finding(subject, bad)


def _finding(subject: Subject, fault: SyntaxFault) -> Finding:
    title = f"{fault.language} file can't be parsed: {fault.what}"
    lines = (subject.new_text or "").split("\n")
    quote = lines[fault.line - 1].strip() if fault.line <= len(lines) else ""
    return ERROR.at(subject.path, _changed(subject, fault.line), quote=quote, title=title)


def _mended(path: str, text: str | None) -> str | None:
    """The text with the gaps of its grammar filled, so that every place stays where it was."""
    grammar = grammar_of(path)
    if text is None or grammar is None or grammar.name not in _WITH_GAPS:
        return text
    return _SCRIPT_GAPS.sub(lambda found: (" " if found[0] == "type" else "I") * len(found[0]), text)


def _changed(subject: Subject, line: int) -> int:
    """The changed line nearest to `line`: an error may show behind the line that causes it."""
    touched = [number for hunk in subject.file.hunks for number in hunk.touched]
    return min(touched, key=lambda number: abs(number - line)) if touched else line


def _has_conflict(subject: Subject) -> bool:
    """A conflict breaks the syntax; it is said once, by its own rule."""
    off = subject.scene.config.is_off(MARKER.id)
    return not off and any(text.startswith(("<<<<<<< ", ">>>>>>> ")) for _, text in subject.lines_with(("<<<<<<<", ">>>>>>>")))


def _is_python(text: str) -> bool:
    return _python_error(text) is None


def _bad_indentation(text: str) -> SyntaxFault | None:
    """What no version of Python reads and tree-sitter forgives: lines that are indented as no block is."""
    error = _python_error(text)
    if not isinstance(error, IndentationError):
        return None
    return SyntaxFault("Python", error.lineno or 1, error.offset or 1, error.msg, (error.text or "").strip())


def _statements(subject: Subject, text: str) -> str:
    """The whole statements around the change: Python's own parser takes ten times as long for a file as for one function."""
    touched = [number for hunk in subject.file.hunks for number in hunk.touched]
    lines = text.split("\n")
    first, last = min(touched, default=1) - 1, max(touched, default=len(lines))
    while first > 0 and not _STATEMENT.match(lines[first]):
        first -= 1
    while last < len(lines) and not _STATEMENT.match(lines[last]):
        last += 1
    return "\n".join(lines[first:last])


def _python_error(text: str) -> Exception | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return error
        return None


_STATEMENT: Final = re.compile(r"(?!else\b|elif\b|except\b|finally\b)[A-Za-z_@]")
"""The start of a statement at the left edge."""

_COMMENT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|(//[^\n]*|/\*.*?\*/)', re.DOTALL)
_TRAILING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|(,)(?=\s*[}\]])')


def _is_json(text: str) -> bool:
    """Plain JSON, several values in a row, or with the comments and commas that many programs allow."""
    bare = _TRAILING.sub(lambda found: "" if found[1] else found[0], _COMMENT.sub(lambda found: "" if found[1] else found[0], text))
    at, decoder = 0, json.JSONDecoder()
    try:
        while bare[at:].strip():
            at += len(bare[at:]) - len(bare[at:].lstrip())
            _, at = decoder.raw_decode(bare, at)
    except (ValueError, RecursionError):
        return False
    return True


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


_SECOND: Final[dict[str, Callable[[str], bool]]] = {".py": _is_python, ".pyi": _is_python, ".json": _is_json, ".toml": _is_toml}
"""Parsers that can overrule a grammar, by suffix: True where they read the text."""
