"""Whatever a model, a tool, a file or a name says: no line of this mode holds a control character, hides text or turns its direction."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.events import FileChange, RunFinished, SessionStarted
from kimicode.files.state import FileState
from kimicode.interactive.person import Code, Diff, Menu, Option, Page, Prose, Rows, Share, Words
from kimicode.interactive.view.blocks import Answered, Called, Ended, Opened, Prompted, Ran, Thought, Told
from kimicode.interactive.view.status import Status
from kimicode.line import announce, approving, choosing, opening
from kimicode.line.pages import page_lines
from kimicode.line.speak import Habits, block_lines
from kimicode.line.telling import Teller
from kimicode.messages import ToolCall, Usage
from kimicode.sandbox.approval import FileText, Question

NASTY = ["\x1b[2J", "\x1b]0;t\x07", "\x9b31m", "\r", "\u202e", "\u2066", "\u200b", "\x00", "\x7f", "\ud800", "\x1b[31m", "\u2028", "\t"]
ORDINARY = ["a", "\n", ". ", "```\n", "漢", "👩‍💻", "-", "+"]
TEXT = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=20), st.sampled_from(ORDINARY)), max_size=12).map("".join)
WHOLE = Habits(thinking=True)


def inert(lines):
    for line in lines:
        text = line.plain()
        assert "\n" not in text
        assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in text)
        assert not any(char in text for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u2028\u2029")


def blocks(text, name):
    state = FileState("missing")
    call = ToolCall("1", name, json.dumps({"path": text, "command": text, "pattern": text}))
    files = (FileText(text, text, name), FileText(name, None, text), FileText(text, text, None), FileText(text, None, None, name))
    return [
        Opened(SessionStarted(text, text, text, name, text, (text,), sandbox=text)),
        Prompted(text, (name,)),
        Prompted(text, steered=True),
        Thought(text, 3.0),
        Answered(text),
        Called(call, "done", result=text, changes=(FileChange(text, state, state),), diffs=files),
        Called(ToolCall("2", "shell", text), "failed", result=text),
        Called(ToolCall("3", text, text), "refused", result=text),
        Told(text, "warning"),
        Ran(text, text, running=False, exit_code=1, seconds=1.0),
        Ended(RunFinished("failed", 1, text, 1, Usage(), 1.0, error=text)),
    ]


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_blocks(text, name):
    for block in blocks(text, name):
        inert(block_lines(block, WHOLE))
    teller = Teller(lambda: 0.0)
    every = blocks(text, name)
    inert(teller.tell(every, range(len(every))))


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_pages_menus_and_questions(text, name):
    parts = (
        Words(text), Prose(text), Code(text), Share(text, 1.0, 2.0, name), Rows(((text, name, text),), (name, text, name)),
        Diff((FileText(text, text, name),)),
    )  # fmt: skip
    for width in (20, 200):
        inert(page_lines(Page(text, parts), width))
    menu = Menu(text, (Option(text, name, key="a"), Option(name)), words=text)
    inert(choosing.listing_lines(menu, choosing.opened(menu)))
    step = choosing.move(menu, choosing.opened(menu), text)
    if isinstance(step, choosing.Again):
        assert "\x1b" not in step.words
    question = Question(text, text, name, (name,), (text,), rule=text, files=(FileText(text, text, name),), behind=2)
    inert(approving.question_lines(question))


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_greetings_and_announcements(text, name):
    status = Status(session_id=text, workspace=text, model=text, endpoint=name, permission=text, sandbox=name)
    inert(opening.greeting(status, blocks(text, name), WHOLE, first=True))
    inert(opening.farewell(status))
    inert(announce.status_lines(Status(session_id=text, model=name), status))


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, max_size=8))
def test_a_stream_loses_nothing_and_repeats_nothing(pieces):
    teller = Teller(lambda: 0.0)
    said, text = [], ""
    for piece in pieces:
        text += piece
        block = [Answered(text, done=False)]
        said += teller.tell(block, range(1))
        said += teller.pause()
    said += teller.tell([Answered(text)], range(1))
    inert(said)
    heard = "".join(line.text for line in said)
    (whole,) = (["".join(line.text for line in block_lines(Answered(text), Habits()))],)
    strip = str.maketrans("", "", " \n␍")
    assert heard.translate(strip) == "".join(whole).translate(strip)
