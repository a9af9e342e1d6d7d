"""What rules, grants and permissions make of a call, beside the table of commands."""

import shlex

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.rules import Decision, Rules, Where, parse_rules
from kimicode.sandbox.verdict import (
    Situation,
    Verdict,
    judge_command,
    judge_host,
    judge_path,
    judge_tool,
    lasting_rule,
    unattended,
)

OPEN = Situation(Permission.WORKSPACE, contained=False, workspace="/ws", home="/home/me")
BOXED = msgspec.structs.replace(OPEN, contained=True)
WHERE = Where("/ws", "/home/me")


def rules(**lists: list[str]) -> Rules:
    return parse_rules(lists, "settings.toml")


def judge(command: str, given: Rules | None = None, situation: Situation = OPEN, grants: Grants | None = None) -> Verdict:
    return judge_command(analyse(command), given or Rules(), grants or Grants(), situation)


@pytest.mark.parametrize("permission", list(Permission))
@pytest.mark.parametrize("contained", [False, True])
@pytest.mark.parametrize(
    "command",
    ["curl x", "ls; /bin/../bin/CURL x", "env curl x", "sh -c 'curl x'", "echo $(curl x)", "find . -exec curl {} +", "ls | xargs curl"],
)
def test_a_denied_part_denies_all(command: str, permission: Permission, contained: bool) -> None:
    verdict = judge(command, rules(deny=["shell(curl *)"], allow=["shell(*)"]), Situation(permission, contained, workspace="/ws"))
    assert verdict.decision is Decision.DENY
    assert 'deny "shell(curl *)" in settings.toml' in verdict.reason
    assert "curl" in verdict.shown[0].lower()


def test_deny_before_ask_before_allow() -> None:
    assert judge("make x", rules(allow=["shell(make *)"])).decision is Decision.ALLOW
    assert judge("make x", rules(allow=["shell(make *)"], ask=["shell(make *)"])).decision is Decision.ASK
    assert judge("make x", rules(allow=["shell(make *)"], ask=["shell(make *)"], deny=["shell(make x)"])).decision is Decision.DENY
    assert judge("make x", rules(ask=["shell(make *)"]), BOXED).decision is Decision.ASK
    assert judge("make x", rules(ask=["shell(make *)"]), Situation(Permission.FULL, contained=False)).decision is Decision.ASK


def test_every_part_needs_a_rule() -> None:
    given = rules(allow=["shell(make *)"])
    assert judge("make && ls", given).decision is Decision.ALLOW
    verdict = judge("make && npm test", given)
    assert verdict.decision is Decision.ASK
    assert verdict.shown == ("npm test",)
    assert verdict.rule == "shell(npm test)"
    assert judge("make $(npm test)", given).decision is Decision.ASK
    assert judge("FOO=1 make", given).decision is Decision.ASK
    assert judge("make > out", given).decision is Decision.ASK


def test_what_may_be_denied_is_asked_about() -> None:
    given = rules(deny=["shell(git push *)"], allow=["shell(git *)"])
    assert judge("git $x", given, BOXED).decision is Decision.ASK
    assert judge("git status", given, BOXED).decision is Decision.ALLOW
    assert judge("$x", given, Situation(Permission.FULL, contained=True)).decision is Decision.ASK


def test_redirects_follow_the_policy_and_rules_for_paths() -> None:
    def writable(path: str) -> bool:
        return path in ("a", "/ws/a")

    inside = msgspec.structs.replace(OPEN, writable=writable)
    assert judge("ls > a", situation=inside).decision is Decision.ALLOW
    assert judge("ls > b", situation=inside).decision is Decision.ASK
    assert judge("cd src && ls > a", situation=inside).decision is Decision.ASK
    assert judge("cd src && ls > /ws/a", situation=inside).decision is Decision.ALLOW
    assert judge("ls > out/a", rules(allow=["write(out/**)"])).decision is Decision.ALLOW
    assert judge("ls > out/../b", rules(allow=["write(out/**)"])).decision is Decision.ASK
    assert judge("ls > out/a", rules(deny=["write(out/**)"]), BOXED).decision is Decision.DENY
    assert judge("ls > x/../OUT/a", rules(deny=["write(out/**)"]), BOXED).decision is Decision.DENY
    assert judge("cat < ~/a", rules(deny=["read(/etc/**)"]), BOXED).decision is Decision.ALLOW
    assert judge("cat < /etc/passwd", rules(deny=["read(/etc/**)"]), BOXED).decision is Decision.DENY
    assert judge("ls > out/a", rules(ask=["write(out/**)"]), BOXED).decision is Decision.ASK


def test_the_user_can_be_asked_in_the_sandbox_too() -> None:
    strict = msgspec.structs.replace(BOXED, known_only=True)
    assert judge("make", situation=BOXED).decision is Decision.ALLOW
    assert judge("make", situation=strict).decision is Decision.ASK
    assert judge("ls", situation=strict).decision is Decision.ALLOW


def test_read_only_denies_where_nothing_contains() -> None:
    assert judge("ls", situation=Situation(Permission.READ_ONLY, contained=False)).decision is Decision.DENY
    assert judge("ls", situation=Situation(Permission.READ_ONLY, contained=True)).decision is Decision.ALLOW
    assert judge("make", rules(allow=["shell(make)"]), Situation(Permission.READ_ONLY, contained=True)).decision is Decision.DENY
    assert judge("ls", rules(ask=["shell(ls *)"]), Situation(Permission.READ_ONLY, contained=True)).decision is Decision.DENY
    granted = Grants().with_command(analyse("make"))
    assert judge("make", situation=Situation(Permission.READ_ONLY, contained=True), grants=granted).decision is Decision.DENY


def test_a_deny_rule_wins_over_a_grant() -> None:
    granted = Grants().with_command(analyse("curl x"))
    assert judge("curl x", grants=granted).decision is Decision.ALLOW
    assert judge("curl x", rules(deny=["shell(curl *)"]), grants=granted).decision is Decision.DENY


def test_unattended_asks_nobody_and_names_the_rule() -> None:
    verdict = unattended(judge("npm run 'a b'"))
    assert verdict.decision is Decision.DENY
    assert "Nobody is there to be asked" in verdict.reason
    named = msgspec.json.decode(verdict.reason[verdict.reason.index('["') : verdict.reason.index("]`") + 1])
    assert judge("npm run 'a b'", rules(allow=named)).decision is Decision.ALLOW
    assert "a person has to" in unattended(judge("$x")).reason
    allowed = judge("ls")
    assert unattended(allowed) is allowed


@pytest.mark.parametrize(
    ("access", "permission", "inside", "lists", "expected"),
    [
        ("read", Permission.WORKSPACE, True, {}, Decision.ALLOW),
        ("read", Permission.WORKSPACE, False, {}, Decision.ASK),
        ("read", Permission.READ_ONLY, False, {}, Decision.DENY),
        ("write", Permission.READ_ONLY, True, {"allow": ["write(**)"]}, Decision.DENY),
        ("write", Permission.FULL, False, {}, Decision.ALLOW),
        ("write", Permission.FULL, False, {"deny": ["write(a)"]}, Decision.DENY),
        ("write", Permission.WORKSPACE, True, {"ask": ["write(*)"]}, Decision.ASK),
        ("read", Permission.WORKSPACE, False, {"allow": ["read(/ws/**)"]}, Decision.ALLOW),
        ("read", Permission.WORKSPACE, True, {"deny": ["read(A)"]}, Decision.DENY),
        ("read", Permission.WORKSPACE, True, {"deny": ["write(a)"]}, Decision.ALLOW),
    ],
)
def test_paths(access: str, permission: Permission, inside: bool, lists: dict[str, list[str]], expected: Decision) -> None:
    which = "read" if access == "read" else "write"
    verdict = judge_path("/ws/a", rules(**lists), Grants(), access=which, permission=permission, inside=inside, where=WHERE)
    assert verdict.decision is expected


def test_the_rule_named_for_a_path_allows_it() -> None:
    verdict = judge_path("/etc/hosts", Rules(), Grants(), access="read", permission=Permission.WORKSPACE, inside=False, where=WHERE)
    again = judge_path(
        "/etc/hosts", rules(allow=[verdict.rule]), Grants(), access="read", permission=Permission.WORKSPACE, inside=False, where=WHERE
    )
    assert (verdict.decision, again.decision) == (Decision.ASK, Decision.ALLOW)


@pytest.mark.parametrize(
    ("host", "lists", "expected"),
    [
        ("pypi.org", {}, Decision.ASK),
        ("PyPI.org.", {"allow": ["host(pypi.org)"]}, Decision.ALLOW),
        ("a.pypi.org", {"allow": ["host(*.pypi.org)"]}, Decision.ALLOW),
        ("a.pypi.org", {"allow": ["host(*.pypi.org)"], "deny": ["host(a.pypi.org)"]}, Decision.DENY),
        ("evil\0.pypi.org", {"allow": ["host(*.pypi.org)"]}, Decision.DENY),
        ("ok@evil.org", {}, Decision.DENY),
        ("2130706433", {}, Decision.DENY),
        ("x.org", {"ask": ["host(*)"], "allow": ["host(x.org)"]}, Decision.ASK),
    ],
)
def test_hosts(host: str, lists: dict[str, list[str]], expected: Decision) -> None:
    assert judge_host(host, 443, rules(**lists), Grants(), permission=Permission.WORKSPACE).decision is expected


def test_hosts_by_permission_and_grant() -> None:
    assert judge_host("x.org", 443, Rules(), Grants(), permission=Permission.READ_ONLY).decision is Decision.DENY
    assert judge_host("x.org", 443, Rules(), Grants(), permission=Permission.FULL).decision is Decision.ALLOW
    granted = Grants().with_host("x.org", 443)
    assert judge_host("X.org", 443, Rules(), granted, permission=Permission.WORKSPACE).decision is Decision.ALLOW
    assert judge_host("x.org", 80, Rules(), granted, permission=Permission.WORKSPACE).decision is Decision.ASK
    assert judge_host("y.x.org", 443, Rules(), granted, permission=Permission.WORKSPACE).decision is Decision.ASK


def test_tools() -> None:
    assert judge_tool("grep", Rules(), Grants()).decision is Decision.ALLOW
    assert judge_tool("grep", rules(deny=["tool(grep)"], allow=["tool(*)"]), Grants()).decision is Decision.DENY
    assert judge_tool("grep", rules(ask=["tool(grep)"]), Grants()).decision is Decision.ASK
    assert judge_tool("grep", rules(ask=["tool(grep)"]), Grants().with_tool("grep")).decision is Decision.ALLOW
    asked = judge_tool("mcp.x", Rules(), Grants(), default=Decision.ASK)
    assert (asked.decision, asked.rule) == (Decision.ASK, "tool(mcp.x)")
    assert judge_tool("mcp.x", rules(allow=[asked.rule]), Grants(), default=Decision.ASK).decision is Decision.ALLOW


WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6), min_size=1, max_size=4)


@given(words=WORDS)
@example(words=["*"])
@example(words=["make", "*"])
@example(words=["a b", "'", '"', "\\"])
@example(words=["make", ")"])
def test_a_lasting_rule_allows_the_very_same_and_nothing_like_it(words: list[str]) -> None:
    command = shlex.join(words)

    def with_rule(command: str, rule: str) -> Decision:
        return judge(command, rules(allow=[rule])).decision

    verdict = judge(command)
    rule = lasting_rule(verdict, rules(), lambda more: judge(command, more))
    assert bool(rule) <= (verdict.decision is Decision.ASK)
    if rule:
        assert with_rule(command, rule) is Decision.ALLOW
        assert with_rule(shlex.join([*words, "more"]), rule) is not Decision.ALLOW
        assert with_rule(shlex.join(["other", *words[1:]]), rule) is not Decision.ALLOW
        assert with_rule(f"{command} > out", rule) is not Decision.ALLOW


@pytest.mark.parametrize("command", ["make $x", "rm -rf *.py", "$x", "make; npm test", "A=1 make", "make > out", "ls"])
def test_no_lasting_rule_where_it_would_be_wide_or_not_enough(command: str) -> None:
    assert lasting_rule(judge(command), rules(), lambda more: judge(command, more)) == ""


def test_a_path_with_a_wildcard_in_its_name_has_no_rule() -> None:
    verdict = judge_path(
        "/docs/*", rules(), Grants(), access="write", permission=Permission.WORKSPACE, inside=False, where=Where("/ws", "/h")
    )
    assert (verdict.decision, verdict.rule) == (Decision.ASK, "")
    assert "no allow rule can answer that" in unattended(verdict).reason
