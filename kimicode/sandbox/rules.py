"""The user's rules: which commands, paths, hosts and tools are allowed, asked about, or denied.

A rule is `subject(pattern)`:

    shell(git log *)     words of a command, one by one; a last `*` stands for any further words, `*` in a word for any characters in it
    shell(npm 'run *')   quotes take the meaning from `*` and hold blanks
    read(~/docs/**)      paths as in .gitignore, from the workspace, `/` or `~/`; `*` and `?` stay within a name, `**` crosses folders
    write(src/**)        the same for creating, changing and deleting
    host(*.pypi.org)     a host, or all below a domain (but not the domain itself); with `:PORT` as in `hosts`
    tool(grep)           a tool by its name

Deny goes before ask, ask before allow. Where a command is only known when it runs, deny and ask rules that may fit count as "maybe", and
allow rules don't count. What this module does not do: decide (`verdict`), read settings files, or ask a person.
"""

import enum
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.errors import UsageError
from kimicode.sandbox import hosts
from kimicode.sandbox.commands.parts import Part
from kimicode.sandbox.protected import folded

MAX_RULES: Final = 1000
"""Most rules of one source: enough for any person, few enough to be tried on every call."""


class Decision(enum.Enum):
    """What happens with a call."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Fit(enum.IntEnum):
    """Whether a rule fits: no; maybe, since part of the command is only known when it runs; yes."""

    NO = 0
    MAYBE = 1
    YES = 2


Subject: TypeAlias = Literal["shell", "read", "write", "host", "tool"]
_SUBJECTS: Final[tuple[Subject, ...]] = ("shell", "read", "write", "host", "tool")
_RULE: Final = re.compile(r"\s*([a-z]+)\((.*)\)\s*", re.DOTALL)
_TOOL: Final = re.compile(r"[A-Za-z0-9_.*-]+")
_SYNTAX: Final = frozenset(";|&<>$`(){}")
_SPECIAL: Final = _SYNTAX | frozenset("'\"\\*")
_STANDARD_FOLDERS: Final = ("/bin/", "/usr/bin/")


class WordPattern(msgspec.Struct, frozen=True):
    """One word of a shell rule: a regular expression for the whole word."""

    expression: str
    wild: bool = False


class Rule(msgspec.Struct, frozen=True):
    """One rule. `text` and `where` are as the user wrote it; `pattern` is its inside; `words` are those of a shell rule."""

    decision: Decision
    subject: Subject
    pattern: str
    text: str
    where: str
    words: tuple[WordPattern, ...] = ()
    open_end: bool = False
    host: hosts.Rule | None = None

    def __str__(self) -> str:
        return f'{self.decision.value} "{self.text}" in {self.where}'


class Where(msgspec.Struct, frozen=True):
    """What relative patterns and `~/` refer to: real, absolute folders with `/` between parts."""

    workspace: str
    home: str


class Rules(msgspec.Struct, frozen=True):
    """Rules of one or several sources."""

    all: tuple[Rule, ...] = ()

    def __add__(self, other: "Rules") -> "Rules":
        return Rules(self.all + other.all)

    def of(self, subject: Subject, decision: Decision) -> tuple[Rule, ...]:
        """The rules for one kind of thing with one outcome."""
        return tuple(rule for rule in self.all if rule.subject == subject and rule.decision is decision)

    def about(self, subject: Subject) -> bool:
        """Whether there is any rule for this kind of thing."""
        return any(rule.subject == subject for rule in self.all)

    def only(self, *decisions: Decision) -> "Rules":
        """The rules with these outcomes: those of a repository that is not trusted may only restrict."""
        return Rules(tuple(rule for rule in self.all if rule.decision in decisions))


def parse_rules(texts: Mapping[str, Sequence[str]], where: str) -> Rules:
    """Rules from lists named `allow`, `ask` and `deny`, which `where` (a file) holds. Raises `UsageError` for one that is none."""
    found: list[Rule] = []
    for name, rules in texts.items():
        if name not in {decision.value for decision in Decision}:
            raise UsageError(f"{where}: there is no list of rules named {name!r}", hint="The lists are: allow, ask, deny.")
        found += [_rule(text, Decision(name), where) for text in rules]
    if len(found) > MAX_RULES:
        raise UsageError(f"{where}: {len(found)} rules are more than {MAX_RULES}", hint="Join some of them with `*`.")
    return Rules(tuple(found))


def _rule(text: str, decision: Decision, where: str) -> Rule:
    found = _RULE.fullmatch(text)
    subject = next((name for name in _SUBJECTS if found and found.group(1) == name), None)
    if found is None or subject is None:
        raise _wrong(text, where, f"a rule is one of {', '.join(_SUBJECTS)} with a pattern in brackets", "shell(git log *)")
    pattern = found.group(2).strip()
    if not pattern:
        raise _wrong(text, where, "the pattern is empty", f"{subject}(*)")
    if subject == "shell":
        words = _shell_words(pattern, text, where)
        open_end = len(words) > 0 and words[-1].wild and words[-1].expression == ".*"
        return Rule(decision, subject, pattern, text, where, words[:-1] if open_end else words, open_end)
    if subject == "host":
        return Rule(decision, subject, pattern, text, where, host=_host(pattern, decision, text, where))
    if subject == "tool":
        if not _TOOL.fullmatch(pattern):
            raise _wrong(text, where, "that is no tool's name", "tool(grep)")
    else:
        _check_path(pattern, text, where)
    return Rule(decision, subject, pattern, text, where)


def _wrong(text: str, where: str, what: str, example: str) -> UsageError:
    return UsageError(f"{where}: the rule {text[:80]!r} can't be used: {what}", hint=f"Write one like {example}.")


# Commands.


def _shell_words(pattern: str, text: str, where: str) -> tuple[WordPattern, ...]:
    words: list[WordPattern] = []
    at = 0
    while at < len(pattern):
        if pattern[at].isspace():
            at += 1
            continue
        expression, wild = "", False
        while at < len(pattern) and not pattern[at].isspace():
            piece, at, star = _piece(pattern, at, text, where)
            expression += piece
            wild |= star
        words.append(WordPattern(expression, wild))
    return tuple(words)


def _piece(pattern: str, at: int, text: str, where: str) -> tuple[str, int, bool]:
    char = pattern[at]
    if char in "'\"":
        end = pattern.find(char, at + 1)
        if end < 0:
            raise _wrong(text, where, "a quote does not end", "shell(npm run 'my script')")
        return re.escape(pattern[at + 1 : end]), end + 1, False
    if char == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2, False
    if char in _SYNTAX:
        raise _wrong(text, where, f"{char!r} is shell syntax; rules judge one command at a time, as its words", "shell(git log *)")
    return (".*", at + 1, True) if char == "*" else (re.escape(char), at + 1, False)


def fits_command(rule: Rule, part: Part) -> Fit:
    """Whether an allow rule fits a command, word by word. `/bin/NAME` and `/usr/bin/NAME` are NAME; no other path is."""
    return max(_fit_words(rule, spelling) for spelling in (part.argv, _plain_name(part.argv)))


def may_fit_command(rule: Rule, part: Part) -> Fit:
    """Whether a deny or ask rule fits a command: its program by any path and in capitals too, git with options before its verb too."""
    if not part.argv:
        return Fit.NO
    name = part.argv[0]
    if name is None:
        return Fit.MAYBE
    base = name.rpartition("/")[2]
    spellings: set[tuple[str | None, ...]] = {part.argv, (base, *part.argv[1:])}
    if base.lower() == "git":
        spellings.add((base, *_without_git_options(part.argv[1:])))
    return max(_fit_words(rule, spelling, any_case=True) for spelling in spellings)


def _fit_words(rule: Rule, argv: tuple[str | None, ...], *, any_case: bool = False) -> Fit:
    for at, pattern in enumerate(rule.words):
        if at >= len(argv):
            return Fit.NO
        word = argv[at]
        if word is None:
            return Fit.MAYBE
        # Only names of programs: some file systems take `RM` for `rm`, but `-D` is another option than `-d`.
        flags = re.DOTALL | re.IGNORECASE if any_case and at == 0 else re.DOTALL
        if not re.fullmatch(pattern.expression, word, flags):
            return Fit.NO
    rest = argv[len(rule.words) :]
    if rule.open_end or not rest:
        return Fit.YES
    return Fit.MAYBE if all(word is None for word in rest) else Fit.NO


def _plain_name(argv: tuple[str | None, ...]) -> tuple[str | None, ...]:
    name = argv[0] if argv else None
    for folder in _STANDARD_FOLDERS:
        if name is not None and name.startswith(folder) and "/" not in name[len(folder) :]:
            return (name[len(folder) :], *argv[1:])
    return argv


def _without_git_options(words: tuple[str | None, ...]) -> tuple[str | None, ...]:
    at = 0
    while at < len(words) and (word := words[at]) is not None and word.startswith("-"):
        at += 2 if word in ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env") else 1
    return words[at:]


# Paths.


def _check_path(pattern: str, text: str, where: str) -> None:
    if any(part == ".." for part in pattern.split("/")) or "\x00" in pattern:
        raise _wrong(text, where, "paths in rules can't go up with ..", "read(~/docs/**)")
    if pattern.startswith("~") and not (pattern == "~" or pattern.startswith("~/")):
        raise _wrong(text, where, "only ~/ is a home folder", "read(~/docs/**)")


def fits_path(rule: Rule, path: str, where: Where, *, strict: bool) -> bool:
    """Whether the rule's pattern covers `path`, which is real and absolute, or a folder it is in.

    Not `strict` (deny, ask): capitals and Unicode spellings don't matter, since some file systems take them for the same.
    """
    pattern = rule.pattern
    if not strict:
        pattern, path = _folded(pattern), _folded(path)
        where = Where(_folded(where.workspace), _folded(where.home))
    if pattern == "~" or pattern.startswith("~/"):
        pattern = where.home.rstrip("/") + pattern[1:]
    elif not pattern.startswith("/"):
        anchored = "/" in pattern.rstrip("/")
        inside = pattern.removeprefix("./")
        pattern, root = (inside if anchored else f"**/{inside}"), where.workspace.rstrip("/") + "/"
        if not path.startswith(root):
            return path == root.rstrip("/") and pattern in ("**", "**/**")
        path = path[len(root) :]
    # A pattern for a folder covers what is in it.
    return re.fullmatch(_path_expression(pattern.rstrip("/")) + "(?:/.*)?", path, re.DOTALL) is not None


def _folded(text: str) -> str:
    return "/".join(part if set(part) <= set("*?") else folded(part) for part in text.split("/"))


def _path_expression(pattern: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
        elif pattern.startswith("**", at):
            out.append(".*")
            at += 2
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at])))
            at += 1
    return "".join(out)


# Hosts and tools.


def _host(pattern: str, decision: Decision, text: str, where: str) -> hosts.Rule | None:
    if pattern == "*":
        if decision is Decision.ALLOW:
            raise _wrong(text, where, "all hosts at once can't be allowed by a rule", "host(pypi.org)")
        return None
    try:
        return hosts.parse_rule(pattern)
    except UsageError as error:
        raise UsageError(f"{where}: the rule {text[:80]!r} can't be used: {error.message}", hint=error.hint) from None


def fits_host(rule: Rule, host: str, port: int) -> bool:
    """Whether the rule covers the host, which is in canonical form. Deny and ask rules without a port are for all of them."""
    if rule.host is None:
        return True
    any_port = rule.decision is not Decision.ALLOW and not re.search(r":[0-9]+$", rule.pattern)
    return rule.host.matches(host, min(hosts.WEB_PORTS) if any_port else port)


def fits_tool(rule: Rule, name: str) -> bool:
    """Whether the rule covers the tool."""
    return fnmatch.fnmatchcase(name, rule.pattern)


def rule_for(argv: Iterable[str | None]) -> str:
    """A shell rule that covers exactly these words, as a user would write it; `*` for a word that is only known when it runs."""
    return f"shell({' '.join('*' if word is None else _spelt(word) for word in argv)})"


def _spelt(word: str) -> str:
    return "".join(f"'{char}'" if char.isspace() else f"\\{char}" if char in _SPECIAL else char for char in word) or "''"
