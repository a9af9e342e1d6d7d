"""What was left in from debugging: breakpoints, dumps, "here" prints, focused tests, notes that forbid the commit.

Only statements that hardly ever are meant to stay; a plain `print` says nothing. What this module does not do: find dead or commented-out
code, or judge how a program logs.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath
from typing import Final

import msgspec

from kimicode.review.checks.rule import Rule
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Finding, Severity


def _rule(name: str, severity: Severity, title: str, scenario: str, suggestion: str, example: str, confidence: float) -> Rule:
    return Rule(
        id=f"debug/{name}",
        severity=severity,
        category="tests" if "test" in name else "hygiene",
        title=title,
        scenario=scenario,
        suggestion=suggestion,
        example=example,
        confidence=confidence,
    )


BREAKPOINT: Final = _rule(
    "breakpoint",
    Severity.MEDIUM,
    "A breakpoint was left in",
    "When the program comes here without a debugger or a terminal, it stops, waits for ever, or fails.",
    "Delete the line.",
    "breakpoint()",
    0.95,
)
DUMP: Final = _rule(
    "dump",
    Severity.MEDIUM,
    "A dump for debugging was left in",
    "The value is written where users or other programs read, and may hold what they should not see.",
    "Delete the call.",
    "dbg!(value)",
    0.9,
)
PRINT: Final = _rule(
    "print",
    Severity.LOW,
    "A print for debugging was left in",
    "The line is printed each time the program comes here, among the output that users or other programs read.",
    "Delete it, or write to the program's log.",
    'print("here")',
    0.85,
)
FOCUSED: Final = _rule(
    "focused-test",
    Severity.MEDIUM,
    "A focused test switches all others off",
    "The runner runs only this test or group; the others seem to pass and are not run.",
    "Take the focus away before the commit.",
    "it.only('adds', …)",
    0.95,
)
SKIPPED: Final = _rule(
    "skipped-test",
    Severity.LOW,
    "A test is switched off without a reason",
    "Nobody who reads it later knows when it may run again, so that it never does.",
    "Say why, or delete the test.",
    "@pytest.mark.skip",
    0.9,
)
UNFINISHED: Final = _rule(
    "unfinished",
    Severity.LOW,
    "Code that is not written yet",
    "The program stops with a panic when it comes here.",
    "Write it, or return an error that a caller can handle.",
    "todo!()",
    0.85,
)
NOT_TO_COMMIT: Final = _rule(
    "do-not-commit",
    Severity.MEDIUM,
    "A note says that this must not be committed",
    "Whoever wrote the line meant to take it out before the commit.",
    "Take out the line and what it is about.",
    "// DO NOT COMMIT",
    0.9,
)
RULES: Final = (BREAKPOINT, DUMP, PRINT, FOCUSED, SKIPPED, UNFINISHED, NOT_TO_COMMIT)

_PYTHON: Final = (".py",)
_SCRIPT: Final = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte")
_RUBY: Final = (".rb", ".rake", ".erb")
_PHP: Final = (".php", ".phtml")
_WORD: Final = (
    r"(?:[>=*#!-]{2,} ?)?(?:i am here|got here|here|debug(?:ging)?|dbg|test(?:ing)?\d*|xxx+|aaa+|asdf|foo|wtf|reached)\d*[ !.:>=*#-]*"
)


class _Leftover(msgspec.Struct, frozen=True):
    """A pattern at the start of a statement, in files of these suffixes. `anchors` are looked for first."""

    rule: Rule
    suffixes: tuple[str, ...]
    anchors: tuple[str, ...]
    pattern: str
    tests: bool | None = None
    """True: only in tests; False: never there; None: in both."""


_LEFTOVERS: Final = (
    _Leftover(
        BREAKPOINT,
        _PYTHON,
        ("breakpoint()", "set_trace", "pdb", "wdb"),
        r"\s*(?:breakpoint\(\)\s*(?:#.*)?$|(?:import \w*; ?)?(?:i?pdb|pudb|ipdb|wdb)\.set_trace\("
        r"|(?:import \w+; ?)?pudb\.set_trace|from (?:i?pdb|pudb) import set_trace"
        r"|__import__\([\"']i?pdb|import (?:ipdb|pudb|wdb|pdbpp)\s*(?:;|#|$))",
    ),
    _Leftover(BREAKPOINT, _SCRIPT, ("debugger",), r"\s*debugger\s*;?\s*(?://.*)?$"),
    _Leftover(
        BREAKPOINT,
        _RUBY,
        ("binding.", "byebug", "debugger"),
        r"\s*(?:(?:require ['\"]pry['\"]; ?)?binding\.(?:pry|irb|break|b)|byebug|debugger)(?:\s+(?:if|unless)\b.*)?\s*(?:#.*)?$",
    ),
    _Leftover(BREAKPOINT, _PHP, ("xdebug_break",), r"\s*xdebug_break\(\)"),
    _Leftover(BREAKPOINT, (".go",), ("runtime.Breakpoint",), r"\s*runtime\.Breakpoint\(\)"),
    _Leftover(BREAKPOINT, (".cs",), ("Debugger.",), r"\s*(?:System\.Diagnostics\.)?Debugger\.(?:Break|Launch)\(\);"),
    _Leftover(BREAKPOINT, (".c", ".cc", ".cpp", ".h", ".hpp"), ("__debugbreak",), r"\s*__debugbreak\(\);"),
    _Leftover(BREAKPOINT, (".ex", ".exs"), ("IEx.pry", "dbg("), r"\s*(?:require IEx; ?)?IEx\.pry"),
    _Leftover(BREAKPOINT, (".r", ".R"), ("browser()",), r"\s*browser\(\)\s*$"),
    _Leftover(DUMP, (".rs",), ("dbg!(",), r"(?!\s*//).*(?<![\w\"`])dbg!\(", tests=False),
    _Leftover(DUMP, _PHP, ("dd(", "var_dump(", "dump("), r"\s*(?:\\?dd|\\?dump|var_dump|ddd)\(.*\);\s*(?:exit;|die;)?\s*$", tests=False),
    _Leftover(DUMP, (".go",), ("spew.Dump(",), r"\s*spew\.Dump\(", tests=False),
    _Leftover(DUMP, _RUBY, ("pp ", "ap "), r"\s*(?:pp|ap) (?:params|self|response|request)\b", tests=False),
    _Leftover(DUMP, _PYTHON, ("ic(", "pprint("), r"\s*(?:from icecream import ic\b|ic\(\w[\w.\[\]'\"]*\)\s*$)", tests=False),
    _Leftover(
        PRINT,
        _PYTHON,
        ("print(",),
        rf"\s*print\((?:f?([\"']){_WORD}\1(?:, ?[\w.\[\]()]+){{0,4}}|f([\"'])\{{\w+=\}}\2)\)\s*(?:#.*)?$",
        tests=False,
    ),
    _Leftover(
        PRINT,
        _SCRIPT,
        ("console.",),
        rf"\s*console\.(?:log|debug|warn|error)\(([\"'`]){_WORD}\1(?:, ?[^)]{{1,60}})?\);?\s*(?://.*)?$",
        tests=False,
    ),
    _Leftover(
        PRINT, (".go",), ("fmt.Print",), rf"\s*fmt\.Print(?:ln|f)\(\"{_WORD}(?:\\n)?\"(?:, ?[\w.]+){{0,4}}\)\s*(?://.*)?$", tests=False
    ),
    _Leftover(PRINT, (".rs",), ("println!(",), rf"\s*e?println!\(\"{_WORD}\"\);\s*$", tests=False),
    _Leftover(
        PRINT,
        (".java", ".kt", ".scala"),
        ("rintln(",),
        rf"\s*(?:System\.(?:out|err)\.)?println\(\"{_WORD}\"(?: ?\+ ?[\w.()]+)?\);?\s*$",
        tests=False,
    ),
    _Leftover(PRINT, (".c", ".cc", ".cpp", ".cxx"), ("printf(",), rf"\s*printf\(\"{_WORD}\\n\"\);\s*$", tests=False),
    _Leftover(PRINT, _RUBY, ("puts ",), rf"\s*puts ([\"']){_WORD}\1\s*$", tests=False),
    _Leftover(
        FOCUSED,
        _SCRIPT,
        (".only(", ".only`", ".only."),
        r"\s*(?:describe|it|test|context|suite|specify)(?:\.\w+)?\.only(?:\.\w+)*[(`]",
        tests=True,
    ),
    _Leftover(
        FOCUSED,
        _SCRIPT,
        ("fdescribe(", "fit(", "fcontext(", "iit(", "ddescribe("),
        r"\s*(?:fdescribe|fit|fcontext|iit|ddescribe)\(\s*['\"`]",
        tests=True,
    ),
    _Leftover(
        FOCUSED,
        _RUBY,
        ("focus", "fit ", "fdescribe ", "fcontext "),
        r"\s*(?:(?:fit|fdescribe|fcontext) ['\"\w]|(?:it|describe|context|specify)\b.*(?:focus: true|, :focus\b))",
        tests=True,
    ),
    _Leftover(
        SKIPPED,
        _PYTHON,
        ("mark.skip", "unittest.skip", "@skip"),
        r"\s*@(?:pytest\.mark\.skip(?:\(\))?|unittest\.skip(?:\(\))?|unittest\.skip\(([\"'])\1\))\s*(?:#.*)?$",
        tests=True,
    ),
    _Leftover(SKIPPED, (".java", ".kt"), ("@Ignore", "@Disabled"), r"\s*@(?:Ignore|Disabled)\s*$", tests=True),
    _Leftover(UNFINISHED, (".rs",), ("todo!(", "unimplemented!()"), r"(?!\s*//).*(?<![\w\"`])(?:todo!\(|unimplemented!\(\))", tests=False),
    _Leftover(UNFINISHED, (".kt",), ("TODO()",), r"\s*(?:.*=\s*)?TODO\(\)\s*$", tests=False),
)
_NOTE: Final = re.compile(
    r"(?:#|//|/\*|--|;|<!--|%|\*)\s*(?:.*\b)?(?:NO_?COMMIT\b|(?:DO[ _-]?NOT|DON'?T)[ _-]?(?:COMMIT|SUBMIT|MERGE|CHECK[ _-]?IN)\b(?!\w))"
)
_NOTE_ANCHORS: Final = ("COMMIT", "SUBMIT", "MERGE", "CHECKIN", "CHECK IN", "CHECK_IN")
_MAX_LINE: Final = 400
"""Longer lines were written by programs, and would take long: patterns look for what stands anywhere."""

_ABOUT_DEBUGGING: Final = re.compile(r"debug|pdb|repl|trace|inspect|lint|rules?/", re.IGNORECASE)


def leftovers(subject: Subject) -> Iterator[Finding]:
    """What was left in from debugging, each line once."""
    kind = subject.kind
    if kind.foreign or kind.docs or kind.example or kind.lock:
        return
    suffix, said = PurePosixPath(subject.path).suffix.lower(), set[int]()
    fresh = {number for number, _ in subject.fresh}
    for each in _LEFTOVERS:
        if suffix not in each.suffixes or (each.tests is not None and each.tests != kind.test):
            continue
        if each.rule is not FOCUSED and _ABOUT_DEBUGGING.search(subject.path):
            continue
        expression = _compiled(each.pattern)
        for number, text in subject.lines_with(each.anchors):
            if len(text) <= _MAX_LINE and number in fresh and number not in said and expression.match(text):
                said.add(number)
                yield each.rule.at(subject.path, number, quote=text.strip())
    for number, text in subject.lines_with(_NOTE_ANCHORS):
        if len(text) <= _MAX_LINE and number in fresh and number not in said and _NOTE.search(text):
            yield NOT_TO_COMMIT.at(subject.path, number, quote=text.strip())


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if _WORD in pattern else 0)
