"""Rules: what can be written, what it covers, and what is said of one that can't be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import UsageError
from kimicode.sandbox.commands.analysis import analyse, simple_commands
from kimicode.sandbox.commands.parts import Part
from kimicode.sandbox.rules import (
    Decision,
    Fit,
    Rule,
    Where,
    fits_command,
    fits_host,
    fits_path,
    fits_tool,
    may_fit_command,
    parse_rules,
    rule_for,
)

WHERE = Where("/ws", "/home/me")


def rule(text: str, decision: str = "allow") -> Rule:
    return parse_rules({decision: [text]}, "settings.toml").all[0]


def part(command: str) -> Part:
    return simple_commands(analyse(command))[0]


@pytest.mark.parametrize(
    ("text", "covered", "others"),
    [
        (
            "shell(git log *)",
            ["git log", "git log -p", "git log a b c", "/usr/bin/git log", "g'it' log"],
            ["git", "git logs", "git -C x log", "./git log", "$x log", "git $x"],
        ),
        ("shell(npm test)", ["npm test"], ["npm", "npm test x", "npm test $x", "npm run test"]),
        ("shell(npm run test:*)", ["npm run test:a", "npm run test:"], ["npm run test", "npm run test:a b", "npm run"]),
        ("shell(make *)", ["make", "make all", "make $x"], ["makes", "cmake"]),
        ("shell(* --version)", ["git --version", "x --version"], ["git --version x"]),
        ("shell(echo 'a b' '*')", ["echo 'a b' '*'"], ["echo a b '*'", "echo 'a b' x"]),
        ("shell(find . -exec rm \\;)", ["find . -exec rm ';'"], ["find . -exec rm"]),
        ("shell(*)", ["ls", "rm -rf /"], []),
        ("shell(./x.sh)", ["./x.sh"], ["x.sh", "././x.sh"]),
    ],
)
def test_an_allow_rule_covers_words(text: str, covered: list[str], others: list[str]) -> None:
    for command in covered:
        assert fits_command(rule(text), part(command)) is Fit.YES, command
    for command in others:
        assert fits_command(rule(text), part(command)) is not Fit.YES, command


@pytest.mark.parametrize(
    ("text", "denied", "maybe", "others"),
    [
        ("shell(curl *)", ["curl x", "/bin/../bin/curl x", "./curl", "CURL x", "/tmp/Curl"], ["$x y"], ["curly", "echo curl"]),
        (
            "shell(git push *)",
            ["git push", "git -C x push", "git -c a=b --no-pager push -f", "/usr/bin/git push", "git -C $x push"],
            ["git $x"],
            ["git status", "git pushx"],
        ),
        ("shell(rm -r *)", ["rm -r x"], ["rm $x", "rm $x y"], ["rm x", "rm -R x"]),
        ("shell(rm)", ["rm"], ["rm $x"], ["rm x"]),
    ],
)
def test_a_deny_rule_covers_more(text: str, denied: list[str], maybe: list[str], others: list[str]) -> None:
    for fit, commands in ((Fit.YES, denied), (Fit.MAYBE, maybe), (Fit.NO, others)):
        for command in commands:
            assert may_fit_command(rule(text, "deny"), part(command)) is fit, command


@pytest.mark.parametrize(
    ("text", "covered", "others"),
    [
        ("write(src/**)", ["/ws/src/a", "/ws/src/a/b"], ["/ws/srcs/a", "/src/a", "/ws/x/src/a", "/ws2/src/a"]),
        ("write(src)", ["/ws/src", "/ws/src/a", "/ws/x/src/a"], ["/ws/srcx"]),
        ("write(/ws/src)", ["/ws/src/a"], ["/ws/x"]),
        ("read(~/docs/**)", ["/home/me/docs/a"], ["/home/me/docsx/a", "/home/you/docs/a"]),
        ("read(*.md)", ["/ws/a.md", "/ws/x/y/a.md"], ["/ws/a.mdx", "/home/me/a.md"]),
        ("read(src/*.py)", ["/ws/src/a.py"], ["/ws/src/x/a.py"]),
        ("read(a?c)", ["/ws/abc"], ["/ws/ac", "/ws/a/c"]),
        ("read(/**)", ["/etc/passwd", "/"], []),
        ("read(**)", ["/ws/a", "/ws"], ["/etc/passwd"]),
    ],
)
def test_a_path_rule_covers_paths(text: str, covered: list[str], others: list[str]) -> None:
    for path in covered:
        assert fits_path(rule(text), path, WHERE, strict=True), path
    for path in others:
        assert not fits_path(rule(text), path, WHERE, strict=True), path


def test_a_deny_rule_covers_other_spellings_of_a_path() -> None:
    assert fits_path(rule("write(Secrets/**)", "deny"), "/ws/sECRETS/a", WHERE, strict=False)
    assert fits_path(rule("write(caf\u00e9)", "deny"), "/ws/cafe\u0301", WHERE, strict=False)
    assert not fits_path(rule("write(Secrets/**)"), "/ws/secrets/a", WHERE, strict=True)


def test_a_host_rule_covers_hosts() -> None:
    assert fits_host(rule("host(*.pypi.org)"), "files.pypi.org", 443)
    assert not fits_host(rule("host(*.pypi.org)"), "pypi.org", 443)
    assert not fits_host(rule("host(*.pypi.org)"), "evilpypi.org", 443)
    assert fits_host(rule("host(PyPI.org)"), "pypi.org", 80)
    assert not fits_host(rule("host(pypi.org)"), "pypi.org", 22)
    assert fits_host(rule("host(pypi.org)", "deny"), "pypi.org", 22)
    assert fits_host(rule("host(*)", "deny"), "anything.example", 1)


def test_a_tool_rule_covers_tools() -> None:
    assert fits_tool(rule("tool(grep)"), "grep")
    assert not fits_tool(rule("tool(grep)"), "grep2")
    assert fits_tool(rule("tool(mcp.*)"), "mcp.x")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("git log", "a rule is one of"),
        ("bash(ls)", "a rule is one of"),
        ("shell()", "the pattern is empty"),
        ("shell(ls; rm x)", "';' is shell syntax"),
        ("shell(ls | wc)", "is shell syntax"),
        ("shell(echo $(x))", "is shell syntax"),
        ("shell(echo 'x)", "a quote does not end"),
        ("read(../x)", "can't go up"),
        ("read(~root/x)", "only ~/"),
        ("host(http://x)", "no host"),
        ("host(*)", "all hosts at once"),
        ("host(a b)", "no host"),
        ("tool(a b)", "no tool's name"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rules({"allow": ["shell(ls)", text]}, "/x/settings.toml")
    assert caught.value.message.startswith("/x/settings.toml: the rule ")
    assert what in caught.value.message
    assert text[:80] in caught.value.message
    assert caught.value.hint


def test_lists_have_known_names_and_an_end() -> None:
    with pytest.raises(UsageError, match="no list of rules named 'alow'"):
        parse_rules({"alow": []}, "s")
    with pytest.raises(UsageError, match="more than 1000"):
        parse_rules({"deny": ["tool(x)"] * 1001}, "s")


def test_rules_of_several_sources_add_up() -> None:
    both = parse_rules({"allow": ["tool(a)"], "deny": ["host(x.org)"]}, "one") + parse_rules({"deny": ["tool(b)"]}, "two")
    assert [str(rule) for rule in both.only(Decision.DENY).all] == ['deny "host(x.org)" in one', 'deny "tool(b)" in two']
    assert both.about("tool")
    assert not both.about("shell")


@given(st.lists(st.text(min_size=0, max_size=8), min_size=1, max_size=4))
def test_the_rule_for_a_command_covers_just_that(words: list[str]) -> None:
    made = rule(rule_for(words))
    exact = Part("command", "", tuple(words), tuple(words))
    assert fits_command(made, exact) is Fit.YES
    assert fits_command(made, Part("command", "", (*words, "x"), (*words, "x"))) is Fit.NO
    assert fits_command(made, Part("command", "", (words[0] + "x", *words[1:]), tuple(words))) is Fit.NO
