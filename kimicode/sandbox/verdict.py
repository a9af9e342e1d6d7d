"""Whether a call may run: allow, ask a person, or deny. Pure functions of the call, the rules, the grants and the permission.

A deny rule always wins; then what is hidden, then ask rules, then grants and allow rules, then what the permission says by itself. An ASK
that nobody can answer becomes a DENY (`unattended`); that is the caller's business, as is asking (`approval`). What this module does not
do: contain what runs (`run`), or follow links: paths come in real.
"""

import posixpath
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from kimicode.errors import UsageError
from kimicode.sandbox import hosts
from kimicode.sandbox.commands.options import is_plain, leads_out
from kimicode.sandbox.commands.parts import Analysis, Part
from kimicode.sandbox.commands.readers import reads_only
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.rules import (
    Decision,
    Fit,
    Rule,
    Rules,
    Where,
    fits_command,
    fits_host,
    fits_path,
    fits_tool,
    may_fit_command,
    parse_rules,
    rule_for,
)

_HARMLESS_NAMES: Final = frozenset(
    "LANG LANGUAGE LC_ALL LC_CTYPE LC_COLLATE LC_MESSAGES LC_TIME TZ COLUMNS LINES NO_COLOR CLICOLOR FORCE_COLOR CI".split()
)
_STEER_PROGRAMS: Final = frozenset("http_proxy https_proxy ftp_proxy all_proxy no_proxy".split())
_TRANSPARENT: Final = frozenset("env nohup nice ionice stdbuf timeout time command builtin xargs bash sh dash eval find".split())
_ANY_COMMIT: Final = "shell(git commit *)"
_NO_FILES: Final = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})


class Verdict(msgspec.Struct, frozen=True):
    """What happens with a call, and why, in words for the person or the model.

    `shown` are the parts that need the answer, `unknown` what was not understood, `rule` one that would allow it next time.
    """

    decision: Decision
    reason: str = ""
    shown: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    rule: str = ""


_ALLOWED: Final = Verdict(Decision.ALLOW)


class Situation(msgspec.Struct, frozen=True):
    """Where commands run. `contained`: the OS sandbox is in force. `known_only`: the user wants to be asked about every command that is
    not known to only read, though it is. `workspace` and `home`: real and absolute. `writable` says whether the policy lets a
    redirect write a path.
    """

    permission: Permission
    contained: bool
    known_only: bool = False
    workspace: str | None = None
    home: str | None = None
    writable: Callable[[str], bool] | None = None


def judge_command(analysis: Analysis, rules: Rules, grants: Grants, situation: Situation) -> Verdict:
    """Whether a shell command may run."""
    unknown = tuple(dict.fromkeys(item.reason for item in analysis.unknown))
    denied = _strictest(analysis, rules, Decision.DENY)
    if denied and denied[0] is Fit.YES:
        return Verdict(Decision.DENY, f"a rule of the user denies it: {denied[1]}", (denied[2],), unknown)
    if blocked := _redirect_rule(analysis, rules, situation, Decision.DENY):
        return Verdict(Decision.DENY, f"a rule of the user denies it: {blocked[0]}", (blocked[1].source,), unknown)
    read_only = situation.permission is Permission.READ_ONLY
    if read_only:
        return _judge_read_only(analysis, rules, situation, unknown)
    if grants.cover(analysis):
        return _ALLOWED
    if denied:
        return Verdict(Decision.ASK, f"it may be what a rule of the user denies: {denied[1]}", (denied[2],), unknown)
    if unknown and (situation.permission is not Permission.FULL or rules.only(Decision.DENY, Decision.ASK).about("shell")):
        return Verdict(Decision.ASK, f"can't tell all it would do: {unknown[0]}", (analysis.text,), unknown)
    if asked := _strictest(analysis, rules, Decision.ASK):
        return Verdict(Decision.ASK, f"a rule of the user wants to be asked: {asked[1]}", (asked[2],), unknown)
    if held := _redirect_rule(analysis, rules, situation, Decision.ASK):
        return Verdict(Decision.ASK, f"a rule of the user wants to be asked: {held[0]}", (held[1].source,), unknown)
    if situation.permission is Permission.FULL or (situation.contained and not situation.known_only):
        return _ALLOWED
    return _judge_parts(analysis, rules, grants, situation)


def judge_commit(analysis: Analysis, rules: Rules, grants: Grants, situation: Situation) -> Verdict:
    """Whether kimicode itself may commit, as the `git commit` of `analysis` would: outside any sandbox, so a rule or a person allows it."""
    if situation.permission is Permission.READ_ONLY:
        return Verdict(Decision.DENY, "writing is off: permission is read-only", (analysis.text,))
    verdict = judge_command(analysis, rules, grants, msgspec.structs.replace(situation, contained=False))
    # No two commits have the same message.
    return msgspec.structs.replace(verdict, rule=_ANY_COMMIT) if verdict.rule else verdict


def _judge_read_only(analysis: Analysis, rules: Rules, situation: Situation, unknown: tuple[str, ...]) -> Verdict:
    if not situation.contained:
        return Verdict(Decision.DENY, "commands are off: permission is read-only and there is no OS sandbox", (analysis.text,), unknown)
    if unknown:
        return Verdict(
            Decision.DENY, f"permission is read-only, and it can't be told all it would do: {unknown[0]}", (analysis.text,), unknown
        )
    if asked := _strictest(analysis, rules, Decision.ASK) or _strictest(analysis, rules, Decision.DENY):
        return Verdict(Decision.DENY, f"permission is read-only, and a rule of the user wants to be asked: {asked[1]}", (asked[2],))
    # What may be read is the OS sandbox's to say here.
    inside = msgspec.structs.replace(situation, workspace=None, writable=None)
    for part in analysis.parts:
        if reason := _needs_answer(part, analysis, Rules(), Grants(), inside):
            return Verdict(Decision.DENY, f"permission is read-only: {reason}", (part.source,))
    return _ALLOWED


def _judge_parts(analysis: Analysis, rules: Rules, grants: Grants, situation: Situation) -> Verdict:
    needing = [(part, reason) for part in analysis.parts if (reason := _needs_answer(part, analysis, rules, grants, situation))]
    if not needing:
        return _ALLOWED
    first = next((part for part, _ in needing if part.kind == "command"), None)
    shown = tuple(dict.fromkeys(part.source for part, _ in needing))
    return Verdict(Decision.ASK, needing[0][1], shown, rule=rule_for(first.argv) if first else "")


def _strictest(analysis: Analysis, rules: Rules, decision: Decision) -> tuple[Fit, Rule, str] | None:
    """The rule of one outcome that fits best, if any does, and the text it fits."""
    chosen = rules.of("shell", decision)
    best: tuple[Fit, Rule, str] | None = None
    for part in analysis.parts:
        for rule in chosen if part.kind in ("command", "wrapper") else ():
            fit = may_fit_command(rule, part)
            if fit is not Fit.NO and (best is None or fit > best[0]):
                best = (fit, rule, part.source)
    return best


# What needs a person's answer where nothing contains a command.


def _needs_answer(part: Part, analysis: Analysis, rules: Rules, grants: Grants, situation: Situation) -> str:
    """Why the part can't go unasked; empty where it can."""
    match part.kind:
        case "command" | "wrapper":
            return _command(part, analysis, rules, grants, situation)
        case "redirect":
            return _redirect(part, analysis, rules, situation)
        case "assignment":
            harmless = part.name in _HARMLESS_NAMES or (part.name == part.name.lower() and part.name not in _STEER_PROGRAMS)
            return "" if harmless else f"{part.name} may change what programs do"
        case _:
            # Everything else only holds parts, or is text.
            return ""


def _command(part: Part, analysis: Analysis, rules: Rules, grants: Grants, situation: Situation) -> str:
    if part.kind == "wrapper" and is_plain(part) in _TRANSPARENT and not _finds_more(part, situation):
        return ""
    if grants.cover_part(part, analysis) or reads_only(part, situation.workspace):
        return ""
    if _sets_only(part):
        return ""
    if any(fits_command(rule, part) is Fit.YES for rule in rules.of("shell", Decision.ALLOW)):
        return ""
    return "it is not among the commands that are known to only read, and no rule allows it"


def _finds_more(part: Part, situation: Situation) -> bool:
    """Whether a find does more than run its -exec commands, which are parts of their own."""
    if is_plain(part) != "find":
        return False
    argv: list[str | None] = []
    heads: list[str] = []
    inside = False
    for place, (word, head) in enumerate(zip(part.argv, part.heads, strict=True)):
        if word in ("-exec", "-execdir", "-ok", "-okdir"):
            inside = True
        elif inside:
            inside = not (word == ";" or (word == "+" and part.argv[place - 1] == "{}"))
        else:
            argv.append(word)
            heads.append(head)
    return not reads_only(Part("command", part.source, tuple(argv), tuple(heads)), situation.workspace)


def _sets_only(part: Part) -> bool:
    """Builtins that give variables values, which are parts of their own."""
    return part.argv[0] in ("export", "local", "declare", "typeset", "readonly", "unset", "read", "shift")


def _redirect_rule(analysis: Analysis, rules: Rules, situation: Situation, decision: Decision) -> tuple[Rule, Part] | None:
    """A rule for paths that fits where a redirect leads, as far as its text tells."""
    for part in analysis.parts:
        path = _target(part, situation)
        for rule in rules.of("write" if part.effect == "write" else "read", decision) if path is not None else ():
            if fits_path(rule, path or "", _where(situation), strict=False):
                return rule, part
    return None


def _target(part: Part, situation: Situation) -> str | None:
    """Where a redirect leads, absolute and without `..`; None where that can't be told."""
    if part.kind != "redirect" or part.target is None or situation.workspace is None:
        return None
    return posixpath.normpath(posixpath.join(situation.workspace, part.target))


def _where(situation: Situation) -> Where:
    return Where(situation.workspace or "/", situation.home or "/")


def _redirect(part: Part, analysis: Analysis, rules: Rules, situation: Situation) -> str:
    if part.effect == "descriptor" or part.target in _NO_FILES:
        return ""
    target = part.target
    if target is None:
        return "a redirect leads to a file that is only known when it runs"
    if target.startswith(("/dev/tcp/", "/dev/udp/")):
        return "a redirect opens a connection"
    if part.effect == "read":
        return (
            "a redirect reads outside the workspace" if situation.workspace is not None and leads_out(target, situation.workspace) else ""
        )
    # After `cd` a relative path is another one.
    moves = any(other.argv[:1] in (("cd",), ("pushd",), ("popd",)) for other in analysis.parts)
    if moves and not target.startswith("/"):
        return "a redirect writes a file in a folder that is not known"
    if situation.writable is not None and situation.writable(target):
        return ""
    path = _target(part, situation)
    allowed = path is not None and ".." not in target.split("/")
    if allowed and any(fits_path(rule, path or "", _where(situation), strict=True) for rule in rules.of("write", Decision.ALLOW)):
        return ""
    return "a redirect writes a file"


# Paths, hosts, tools.


def judge_path(
    path: str,
    rules: Rules,
    grants: Grants,
    *,
    access: Literal["read", "write"],
    permission: Permission,
    inside: bool,
    where: Where,
) -> Verdict:
    """Whether a tool may read or write `path`, real and absolute. `inside`: the policy opens it without any rule."""
    if rule := next((rule for rule in rules.of(access, Decision.DENY) if fits_path(rule, path, where, strict=False)), None):
        return Verdict(Decision.DENY, f"a rule of the user denies it: {rule}", (path,))
    if access == "write" and permission is Permission.READ_ONLY:
        return Verdict(Decision.DENY, "writing is off: permission is read-only", (path,))
    if path in (grants.reads | grants.writes if access == "read" else grants.writes):
        return _ALLOWED
    # In a rule these stand for any name: it would allow more than this path.
    suggestion = "" if {"*", "?"} & set(path) else f"{access}({path})"
    if rule := next((rule for rule in rules.of(access, Decision.ASK) if fits_path(rule, path, where, strict=False)), None):
        return Verdict(Decision.ASK, f"a rule of the user wants to be asked: {rule}", (path,))
    if (
        inside
        or permission is Permission.FULL
        or any(fits_path(rule, path, where, strict=True) for rule in rules.of(access, Decision.ALLOW))
    ):
        return _ALLOWED
    decision = Decision.ASK if permission is Permission.WORKSPACE else Decision.DENY
    return Verdict(decision, f"{path} is outside what may be {'read' if access == 'read' else 'written'}", (path,), rule=suggestion)


def judge_host(host: str, port: int, rules: Rules, grants: Grants, *, permission: Permission) -> Verdict:
    """Whether a host may be reached. `host` is as a client wrote it; what is no plain host name is denied."""
    name = hosts.canonical(host)
    if name is None:
        return Verdict(Decision.DENY, "that is no plain host name", (host,))
    shown = (f"{name}:{port}",)
    if rule := next((rule for rule in rules.of("host", Decision.DENY) if fits_host(rule, name, port)), None):
        return Verdict(Decision.DENY, f"a rule of the user denies it: {rule}", shown)
    if (name, port) in grants.hosts:
        return _ALLOWED
    if rule := next((rule for rule in rules.of("host", Decision.ASK) if fits_host(rule, name, port)), None):
        return Verdict(Decision.ASK, f"a rule of the user wants to be asked: {rule}", shown)
    if permission is Permission.FULL or any(fits_host(rule, name, port) for rule in rules.of("host", Decision.ALLOW)):
        return _ALLOWED
    suggestion = f"host({name})" if port in hosts.WEB_PORTS else f"host({name}:{port})"
    decision = Decision.ASK if permission is Permission.WORKSPACE else Decision.DENY
    return Verdict(decision, f"no rule allows the host {name}", shown, rule=suggestion)


def judge_tool(name: str, rules: Rules, grants: Grants, *, default: Decision = Decision.ALLOW) -> Verdict:
    """Whether a tool may be called at all. `default` is for a tool that no rule names; what it then touches is judged on its own."""
    for decision in (Decision.DENY, Decision.ASK):
        rule = next((rule for rule in rules.of("tool", decision) if fits_tool(rule, name)), None)
        if rule is not None and not (decision is Decision.ASK and name in grants.tools):
            verb = "denies it" if decision is Decision.DENY else "wants to be asked"
            return Verdict(decision, f"a rule of the user {verb}: {rule}", (name,))
    if default is Decision.ALLOW or name in grants.tools or any(fits_tool(rule, name) for rule in rules.of("tool", Decision.ALLOW)):
        return _ALLOWED
    return Verdict(default, f"no rule allows the tool {name}", (name,), rule=f"tool({name})")


def lasting_rule(verdict: Verdict, rules: Rules, judge: Callable[[Rules], Verdict]) -> str:
    """The verdict's rule, if with it `judge`, which knows no grants, allows the very same; else empty: then "always" is no answer.

    That is not so where an ask rule wants the question, where something was not understood, and where more than one rule is needed. A
    rule that would take any further words is only one for commits: `rm *` is more than what was shown.
    """
    try:
        added = parse_rules({"allow": [verdict.rule] if verdict.rule else []}, "this answer")
    except UsageError:
        return ""
    if not added.all or any(_is_wide(rule) for rule in added.all):
        return ""
    return verdict.rule if judge(rules + added).decision is Decision.ALLOW else ""


def _is_wide(rule: Rule) -> bool:
    return rule.subject == "shell" and (not rule.words or rule.words[0].wild or (rule.open_end and rule.text != _ANY_COMMIT))


def unattended(verdict: Verdict) -> Verdict:
    """The verdict where nobody can be asked: ASK is DENY, and says which rule would allow it."""
    if verdict.decision is not Decision.ASK:
        return verdict
    way = (
        f'`allow = ["{verdict.rule}"]` in the settings would allow it' if verdict.rule else "no allow rule can answer that; a person has to"
    )
    return msgspec.structs.replace(verdict, decision=Decision.DENY, reason=f"{verdict.reason}. Nobody is there to be asked; {way}.")
