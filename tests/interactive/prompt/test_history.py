"""The history of prompts: shared, private, bounded, and whole after whatever happened to the file."""

import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.interactive.prompt.history import MOST, History, Recall, history_file, keeps, matching


def written(path: str, name: str, count: int) -> bool:
    return all(History(Path(path), Path("/w")).add(f"{name} {number}") for number in range(count))


def test_own_prompts_come_first_then_those_of_other_workspaces(tmp_path):
    path = tmp_path / "deep" / "prompts.jsonl"
    here, there = History(path, Path("/here")), History(path, Path("/there"))
    for history, text in [(here, "one"), (there, "two"), (here, "three"), (there, "one"), (there, "four")]:
        assert history.add(text)
    assert here.load() == ("three", "one", "four", "two")
    assert there.load() == ("four", "one", "two", "three")


def test_only_the_user_can_read_it(tmp_path):
    path = tmp_path / "kimicode" / "prompts.jsonl"
    History(path, Path("/w")).add("a prompt")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_lies_in_kimicodes_home():
    assert history_file({"KIMICODE_HOME": "/k"}) == Path("/k/prompts.jsonl")


def test_two_processes_write_at_once(tmp_path):
    path = tmp_path / "prompts.jsonl"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert all(processes.map(written, [str(path)] * 2, ["a", "b"], [60] * 2))
    assert set(History(path, Path("/w")).load()) == {f"{name} {number}" for name in "ab" for number in range(60)}


def test_a_torn_last_line_is_passed_over_and_harms_no_later_one(tmp_path):
    path = tmp_path / "prompts.jsonl"
    history = History(path, Path("/w"))
    history.add("first")
    history.add("second")
    path.write_bytes(path.read_bytes()[:-20])
    assert history.load() == ("first",)
    history.add("third")
    assert history.load() == ("third", "first")


@given(st.binary())
def test_whatever_is_in_the_file_can_be_read(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("history") / "prompts.jsonl"
    path.write_bytes(data)
    history = History(path, Path("/w"))
    history.load()
    assert history.add("still works")
    assert history.load()[0] == "still works"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).filter(keeps), min_size=1, max_size=5))
def test_any_text_comes_back_as_it_was(tmp_path_factory, texts):
    # Line separators such as U+2028 once ended a line: the file is split at newlines alone.
    history = History(tmp_path_factory.mktemp("history") / "prompts.jsonl", Path("/w"))
    for text in texts:
        assert history.add(text)
    assert history.load() == tuple(dict.fromkeys(reversed(texts)))


def test_the_oldest_go(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(b'{"text":"old %d","workspace":"/w"}\n' % number for number in range(MOST + 600)))
    history = History(path, Path("/w"))
    history.add("new")
    loaded = history.load()
    assert len(loaded) == MOST
    assert loaded[0] == "new"
    assert "old 600" not in loaded
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("mine\n")
    (tmp_path / "prompts.jsonl").symlink_to(other)
    assert not History(tmp_path / "prompts.jsonl", Path("/w")).add("a prompt")
    assert other.read_text() == "mine\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        " hidden by a blank",
        "!export OPENAI_API_KEY=whatever",
        "!curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz'",
        "!login --password hunter2",
        "use sk-abcdefghijklmnop1234",
        "the token is ghp_abcdefghijklmnop1234",
        "clone https://ada:pw@example.org/x.git",
        "set password: hunter22hunter22",
        "x" * 100_001,
    ],
)
def test_secrets_and_blanks_are_not_kept(text, tmp_path):
    history = History(tmp_path / "prompts.jsonl", Path("/w"))
    assert not history.add(text)
    assert history.load() == ()


@pytest.mark.parametrize(
    "text", ["rename token: it is misleading", "!make test", "/model kimi-nano", "why is password=None?", "KEY=value1234567"]
)
def test_ordinary_prompts_are_kept(text):
    assert keeps(text)


def test_search_prefers_the_start():
    prompts = ("add a test", "Test it", "nothing", "test the parser")
    assert matching(prompts, "test") == ("Test it", "test the parser", "add a test")
    assert matching(prompts, "") == prompts


def test_walking_keeps_the_draft():
    recall = Recall(("two", "one"))
    first = recall.older("draft")
    assert first is not None
    assert first.text == "two"
    second = first.older("two, edited")
    assert second is not None
    assert second.text == "one"
    assert second.older("") is None
    back = second.newer()
    assert back is not None
    assert back.text == "two"
    draft = back.newer()
    assert draft is not None
    assert draft.text == "draft"
    assert draft.newer() is None
