"""What could stand at the cursor: commands, their arguments, files."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.interactive.prompt.complete import Want, completions, wanted
from kimicode.interactive.prompt.fuzzy import Finder
from kimicode.interactive.prompt.meaning import mentions


class Offered(msgspec.Struct, frozen=True):
    name: str
    summary: str = ""
    arguments: str = ""
    aliases: tuple[str, ...] = ()


COMMANDS = (
    Offered("help", "What there is"),
    Offered("model", "Choose a model", "[NAME]"),
    Offered("rewind", "Go back", "", ("undo",)),
    Offered("remodel", "Something else"),
)
FINDER = Finder(("src/", "src/main.py", "src/my file.py", "docs/", "docs/main.md"))


def offered(text: str, cursor: int | None = None) -> tuple[str, ...]:
    found = completions(
        text,
        len(text) if cursor is None else cursor,
        commands=COMMANDS,
        files=lambda query: FINDER.search(query) or (),
        arguments=lambda name: ("kimi-k2.6", "kimi-nano") if name == "model" else (),
    )
    return tuple(item.insert for item in found.items) if found else ()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("/", Want("command", 0, 1, "")),
        ("/mo", Want("command", 0, 3, "mo")),
        ("/mo|del x", Want("command", 0, 6, "mo")),
        ("|/mo", None),
        ("/usr|/bin", None),
        ("/model ", Want("argument", 7, 7, "", "model")),
        ("/model kimi nano", Want("argument", 7, 16, "kimi nano", "model")),
        ("/model x\nmore", None),
        ("say /mo", None),
        ("see @", Want("file", 4, 5, "")),
        ("see @src/ma|in.py now", Want("file", 4, 16, "src/ma")),
        ('@"my fi', Want("file", 0, 7, "my fi")),
        ('@"my fi|le.py" now', Want("file", 0, 13, "my fi")),
        ('@"my| next words', Want("file", 0, 4, "my")),
        ("ada@exam", None),
        ("first\n@b", Want("file", 6, 8, "b")),
        ("plain words", None),
        ("", None),
    ],
)
def test_what_is_being_typed(text, want):
    cursor = text.find("|")
    assert wanted(text.replace("|", ""), len(text) if cursor < 0 else cursor) == want


def test_commands_by_name_then_by_other_names():
    assert offered("/") == ("/help", "/model ", "/rewind", "/remodel")
    assert offered("/mod")[0] == "/model "
    assert offered("/undo") == ("/rewind",)
    assert offered("/MODEL")[0] == "/model "
    assert offered("/zzz") == ()


def test_a_command_says_what_it_takes():
    found = completions("/mod", 4, commands=COMMANDS)
    assert found is not None
    item = found.items[0]
    assert (item.label, item.detail, item.matched, item.goes_on) == ("/model [NAME]", "Choose a model", (1, 2, 3), True)


def test_arguments_come_from_the_command():
    assert offered("/model ") == ("kimi-k2.6", "kimi-nano")
    assert offered("/model nano") == ("kimi-nano",)
    assert offered("/help x") == ()
    assert offered("/nothing x") == ()


def test_files_are_mentioned_with_quotes_where_they_need_them():
    assert "@src/main.py " in offered("see @main")
    assert offered("@myfile") == ('@"src/my file.py" ',)
    assert offered('@"my f') == ('@"src/my file.py" ',)


def test_after_a_folder_typing_goes_on():
    found = completions("@src", 4, files=lambda query: FINDER.search(query) or ())
    assert found is not None
    assert (found.items[0].insert, found.items[0].goes_on) == ("@src/", True)


def test_a_search_that_was_given_up_offers_nothing():
    assert completions("@a", 2, files=lambda _: None) is None


@given(st.text('/@"ab \n.\\', max_size=30), st.data())
def test_completing_anywhere_replaces_only_what_is_being_typed(text, data):
    cursor = data.draw(st.integers(0, len(text)))
    found = completions(text, cursor, commands=COMMANDS, files=lambda _: FINDER.search("") or ())
    if found is None:
        return
    assert 0 <= found.start < found.end <= len(text)
    assert found.start < cursor <= found.end
    assert "\n" not in text[found.start : found.end]
    if text[found.start] == "@":
        item = next(each for each in found.items if not each.goes_on)
        after = text[: found.start] + item.insert + text[found.end :]
        assert item.label in [each.path for each in mentions(after)]
