"""Attacks on approval and trust: what is judged is what would run, what is shown is what is judged, and nobody's silence is a yes."""

from pathlib import Path

import pytest

from kimicode.errors import UsageError
from kimicode.sandbox.approval import Answer, Choice, Question
from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.rules import Decision, Rules, parse_rules
from kimicode.sandbox.trust import Trusted, TrustStore, Untrusted, read_repository_rules, trust
from kimicode.sandbox.verdict import Situation, judge_command, unattended
from kimicode.text import Untrusted as Text
from kimicode.text import render_exact, render_safe

UNCONTAINED = Situation(Permission.WORKSPACE, contained=False, workspace="/ws", home="/home/me")
CONTAINED = Situation(Permission.WORKSPACE, contained=True, workspace="/ws", home="/home/me")
RULES = parse_rules({"allow": ["shell(git status *)", "shell(ls *)", "shell(echo *)"], "deny": ["shell(curl *)"]}, "here")


def decided(command: str, situation: Situation = UNCONTAINED, rules: Rules = RULES, grants: Grants = Grants()) -> Decision:  # noqa: B008
    return judge_command(analyse(command), rules, grants, situation).decision


def test_the_controls_are_allowed() -> None:
    for command in ("ls -l", "git status", "echo hello", "ls && echo x"):
        assert decided(command) is Decision.ALLOW


# Case 43.
CHAINED = [
    *(f"ls{between}evil x" for between in (";", "&&", "||", "|", "&", "\n", " & ", "\r")),
    "echo $(evil)",
    "echo `evil`",
    "echo <(evil)",
    "echo ${x:-$(evil)}",
    'echo "$(evil)"',
    "ls $'\\x3b' $(evil)",
    "cat <<E\n$(evil)\nE",
    "{evil,x}",
    "alias ls=evil; ls",
    "ls() { evil; }; ls",
    "eval evil",
    "exec evil",
    "command evil",
    "builtin eval evil",
    "env evil",
    "echo x | xargs evil",
    "nohup evil",
    "timeout 3 evil",
    "sh -c evil",
    "find . -exec evil {} \\;",
    "find . -delete",
    "find . -fprintf x y",
    "rg --pre evil x",
    "sort -o x y",
    "sort --compress-program=evil x",
    "sed 'w x' y",
    "sed '1e evil' y",
    "awk 'BEGIN { system(\"evil\") }'",
    "tar --checkpoint-action=exec=evil -cf x y",
    "git -c core.pager=evil log",
    "git diff --output=x",
    "git diff --ext-diff",
    "git fetch --upload-pack=evil x",
    "date -s 2001-01-01",
    "tee x",
    "dd of=x",
]


@pytest.mark.parametrize("command", CHAINED)
def test_no_chain_or_wrapper_hides_a_command(command: str) -> None:
    assert decided(command) is not Decision.ALLOW


@pytest.mark.parametrize("command", ["ls; curl x", "env curl x", "sh -c 'curl x'", "echo $(curl x)", "timeout 1 curl x", "/usr/bin/curl x"])
def test_a_deny_rule_reaches_into_every_wrapper(command: str) -> None:
    assert decided(command, CONTAINED) is Decision.DENY


# Case 44.
@pytest.mark.parametrize(
    "command",
    ["LD_PRELOAD=./x ls", "GIT_EXTERNAL_DIFF=./x git status", "export PATH=.; ls", "declare -x BASH_ENV=x; ls", "PAGER=x git status"],
)
def test_assignments_are_judged(command: str) -> None:
    assert decided(command) is not Decision.ALLOW


# Case 45.
@pytest.mark.parametrize(
    "command", ["echo x > a", "echo x >> ~/.bashrc", "ls 2> a", "ls &> a", "ls >| a", "echo x > $f", "echo x > /dev/tcp/h/1"]
)
def test_redirects_are_judged(command: str) -> None:
    assert decided(command) is not Decision.ALLOW


# Case 46.
@pytest.mark.parametrize(
    "command", ["ls; " * 60 + "curl x", "echo " + "x" * 200_000, "(" * 5_000 + ")" * 5_000, "$(" * 500, 'echo "' * 999]
)
def test_what_is_too_long_is_never_allowed(command: str) -> None:
    for situation in (UNCONTAINED, CONTAINED):
        assert decided(command, situation) is not Decision.ALLOW


# Case 47.
@pytest.mark.parametrize("command", ["./ls", "/tmp/ls", "src/git status", "PATH=.:$PATH ls", "/bin/../tmp/ls", "~/ls"])
def test_another_program_by_the_same_name_is_not_allowed(command: str) -> None:
    assert decided(command) is not Decision.ALLOW


# Case 48.
def test_a_grant_covers_what_was_shown_and_no_more() -> None:
    granted = Grants().with_command(analyse("make test"))
    assert decided("make test", grants=granted) is Decision.ALLOW
    for command in ("make", "make test evil", "make test; evil", "make test > x", "X=1 make test", "./make test", "evil"):
        assert decided(command, grants=granted) is not Decision.ALLOW
    assert decided("make test", grants=granted, rules=parse_rules({"deny": ["shell(make *)"]}, "here")) is Decision.DENY


# Case 50.
@pytest.mark.parametrize("char", ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00a0", "\x1b", "\x08", "\u3164", "\U000e0041", "\u00ad"])
def test_invisible_characters_are_never_allowed_and_are_shown(char: str) -> None:
    command = f"ls {char}x"
    for situation in (UNCONTAINED, CONTAINED):
        assert decided(command, situation) is not Decision.ALLOW
    assert char not in Question("shell", command, "").text()


# Cases 53 and 54.
def test_trust_is_of_content(tmp_path: Path) -> None:
    file, store = tmp_path / "ws" / ".kimicode" / "settings.toml", TrustStore(tmp_path / "data")
    file.parent.mkdir(parents=True)
    file.write_text('[permissions]\nallow = ["shell(make *)"]\ndeny = ["shell(evil *)"]\n')
    workspace = tmp_path / "ws"
    found = read_repository_rules(workspace, store)
    assert isinstance(found, Untrusted)
    assert not found.rules.rules.of("shell", Decision.ALLOW)
    trust(workspace, store, found.digest)
    assert isinstance(read_repository_rules(workspace, store), Trusted)
    file.write_text(file.read_text() + "# pulled\n")
    assert isinstance(read_repository_rules(workspace, store), Untrusted)
    with pytest.raises(UsageError, match="changed meanwhile"):
        trust(workspace, store, found.digest)


@pytest.mark.parametrize(
    "text",
    [
        '[mcp.x]\ncommand = "evil"',
        'endpoint = "http://evil.example"',
        '[hooks]\nstart = "evil"',
        '[sandbox]\ntier = "none"',
        'permission = "full"',
        '[permissions]\ncommands = "contained"',
    ],
)
def test_a_repository_brings_no_servers_hooks_or_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / ".kimicode").mkdir()
    (tmp_path / ".kimicode" / "settings.toml").write_text(text)
    with pytest.raises(UsageError, match="a repository can't set"):
        read_repository_rules(tmp_path, TrustStore(tmp_path / "data"))


# Case 56.
def test_nobody_says_no() -> None:
    asked = judge_command(analyse("evil x"), RULES, Grants(), UNCONTAINED)
    assert asked.decision is Decision.ASK
    assert unattended(asked).decision is Decision.DENY
    assert Answer().choice is Choice.NO


# Case 58.
def test_the_end_of_a_paste_in_a_paste_is_inert() -> None:
    pasted = "x\x1b[201~\nevil\n\x9b201~"
    for shown in (render_safe(Text(pasted)), render_exact(pasted)):
        assert "\x1b" not in shown
        assert "\x9b" not in shown


# Case 59.
def test_a_long_command_is_shown_whole_and_each_part_of_it() -> None:
    command = "echo " + "x" * 5_000 + "\n" * 60 + "; evil"
    verdict = judge_command(analyse(command), RULES, Grants(), UNCONTAINED)
    question = Question("shell", command, verdict.reason, verdict.shown)
    assert question.text().replace("␊", "").replace("\n", "") == command.replace("\n", "")
    assert any("evil" in part for part in question.part_texts())
