"""What was typed, and the files that words mention."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.interactive.prompt.meaning import Command, Mention, Shell, Words, meaning, mention, mentions


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("/help", Command("help")),
        ("/Model  kimi-nano ", Command("model", "kimi-nano")),
        ("/review\nthe last commit", Command("review", "the last commit")),
        ("/usr/bin is full", Words("/usr/bin is full")),
        ("/usr", Command("usr")),
        ("// is a comment", Words("// is a comment")),
        ("/", Words("/")),
        ("/help, please", Words("/help, please")),
        (" /help", Words(" /help")),
        ("!ls -l", Shell("ls -l")),
        ("! ls", Shell("ls")),
        ("!", Words("!")),
        (" !important", Words(" !important")),
        ("say /help", Words("say /help")),
        ("", Words("")),
    ],
)
def test_a_sign_at_the_start_decides(text, means):
    assert meaning(text) == means


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("look at @src/main.py, and @docs/.", ["src/main.py", "docs/"]),
        ('see @"my file.py" now', ["my file.py"]),
        (r'@"a \"b\" \\ c"', [r'a "b" \ c']),
        ("(@a.py)", ["a.py"]),
        ("ada@example.org wrote", []),
        ("@", []),
        ("@@twice", []),
        ("@ blank", []),
        ('@"never closed', []),
        ("git show HEAD@{1}", []),
        ("@types@2.1/x.ts", ["types@2.1/x.ts"]),
    ],
)
def test_mentions_are_paths_after_a_sign(text, paths):
    found = mentions(text)
    assert [each.path for each in found] == paths
    assert all(text[each.start] == "@" for each in found)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
def test_any_path_can_be_mentioned(path):
    text = mention(path)
    assert mentions(text) == (Mention(path, 0, len(text)),)


@given(st.text())
def test_any_text_has_a_meaning(text):
    assert isinstance(meaning(text), Command | Shell | Words)
    for each in mentions(text):
        assert text[each.start] == "@"
