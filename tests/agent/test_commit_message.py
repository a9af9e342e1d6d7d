"""A commit message from a diff: one call, a message that fits, and a diff that fits."""

import asyncio
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.agent.commit_message import SUBJECT_WIDTH, shorten, tidy, write_message
from kimicode.errors import ContractError, TemporaryError, UnavailableError
from kimicode.messages import Assistant, System, User
from kimicode.model.client import Thinking
from kimicode.model.scripted import SCRIPTED, Pause, ScriptedClient


def diff_of(**files: int) -> bytes:
    """Files with so many added lines."""
    return b"".join(
        f"diff --git a/{name} b/{name}\nindex 1..2 100644\n--- a/{name}\n+++ b/{name}\n@@ -1 +1,{lines} @@ def f():\n".encode()
        + b"".join(b"+line %d\n" % number for number in range(lines))
        for name, lines in files.items()
    )


def test_one_call_with_the_diff_and_the_earlier_subjects() -> None:
    client = ScriptedClient(["Add a line\n\nIt was missing."])
    assert asyncio.run(write_message(client, diff_of(a=1), ["Fix b", "Add c"])) == "Add a line\n\nIt was missing."
    (request,) = client.requests
    assert isinstance(request.messages[0], System)
    assert request.messages[1:] == (
        User("Earlier subjects:\n- Fix b\n- Add c\n\nThe commit's diff:\n\na +1 -0\n@@ -1 +1,1 @@ def f():\n+line 0"),
    )
    assert request.tools == ()
    assert request.thinking is Thinking.OFF
    assert request.max_tokens is not None


def test_a_first_commit_has_no_earlier_subjects() -> None:
    client = ScriptedClient(["Begin"])
    assert asyncio.run(write_message(client, diff_of(a=1), [])) == "Begin"
    assert isinstance(client.requests[0].messages[1], User)
    assert client.requests[0].messages[1].content.startswith("The commit's diff:")


def test_what_goes_wrong_is_said() -> None:
    for entry, error in ((Assistant(""), ContractError), (UnavailableError("no engine"), UnavailableError)):
        with pytest.raises(error):
            asyncio.run(write_message(ScriptedClient([entry]), diff_of(a=1), []))


def test_a_model_that_takes_too_long_is_left() -> None:
    async def ask() -> int:
        client = ScriptedClient([[Pause(asyncio.Event(), asyncio.Event())]])
        with pytest.raises(TemporaryError, match=r"wrote no message within 0\.01 s"):
            await write_message(client, diff_of(a=1), [], seconds=0.01)
        return client.cancelled

    assert asyncio.run(ask()) == 1


def test_a_small_model_gets_a_small_diff() -> None:
    client = ScriptedClient(["x"], info=msgspec.structs.replace(SCRIPTED, context=2000))
    asyncio.run(write_message(client, diff_of(a=5000, b=2), []))
    message = client.requests[0].messages[1]
    assert isinstance(message, User)
    assert len(message.content) < 2100
    assert "b +2 -0\n@@ -1 +1,2 @@ def f():\n+line 0\n+line 1" in message.content
    assert "a +5000 -0" in message.content
    assert "[cut here]" in message.content


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("Add a line.", "Add a line"),
        ("```\nAdd a line\n\nbody\n```", "Add a line\n\nbody"),
        ("```text\nAdd a line\n```\n", "Add a line"),
        ('"Add a line"', "Add a line"),
        ("Subject: Add a line", "Add a line"),
        ("\n\n**Add a line**\nbody", "Add a line\n\nbody"),
        ("Add\n\nbody\n\nCo-authored-by: X <x@y>\nSigned-off-by: Y", "Add\n\nbody"),
        ("A\x1b[31md\x07d \u202ex\x00", "A[31mdd x"),
        ("Add\n\n# heading\n- one", "Add\n\n# heading\n- one"),
    ],
)
def test_answers_are_tidied(answer: str, message: str) -> None:
    assert tidy(answer) == message


def test_a_long_subject_begins_the_body_whole() -> None:
    words = "Make the parser of commit messages take subjects that are far longer than anybody would ever read"
    subject, _, body = tidy(f"{words}.\n\nwhy").partition("\n\n")
    assert len(subject) <= SUBJECT_WIDTH
    assert subject.endswith("…")
    assert body.replace("\n", " ") == f"{words}  why"


@pytest.mark.parametrize("answer", ["", " \n", "```\n```", "Signed-off-by: X", '""', "***"])
def test_no_message_is_an_error(answer: str) -> None:
    with pytest.raises(ContractError, match="no commit message"):
        tidy(answer)


@given(st.text())
def test_whatever_is_answered_the_message_has_a_form(answer: str) -> None:
    try:
        message = tidy(answer)
    except ContractError:
        return
    subject, _, rest = message.partition("\n")
    assert 0 < len(subject) <= SUBJECT_WIDTH
    assert not rest or rest.startswith("\n")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", message)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(0, 5000))
def test_a_diff_is_shortened_fairly(sizes: list[int], room: int) -> None:
    files = {f"file{number:02}": size for number, size in enumerate(sizes)}
    text = shorten(diff_of(**files), room)
    assert len(text) <= room + 40
    if "files in all" not in text:
        shown = {
            name: len(re.findall(r"\+line", part))
            for name, part in zip(files, re.split(r"^file\d\d .*$", text, flags=re.M)[1:], strict=True)
        }
        cut = [count for name, count in shown.items() if count < files[name]]
        whole = [count for name, count in shown.items() if count == files[name]]
        # In lines, of which the last may be cut.
        assert not cut or not whole or max(whole) <= min(cut) + 2


def test_thousands_of_files_fit_too() -> None:
    text = shorten(diff_of(**{f"file{number:04}": 1 for number in range(5000)}), 4000)
    assert len(text) <= 4040
    assert text.endswith("5000 files in all")
