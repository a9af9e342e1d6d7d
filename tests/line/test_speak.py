"""What things sound like: numbers, calls, changes, streams, pages, announcements."""

import asyncio

import pytest

from kimicode.events import EngineProgress, RunFinished
from kimicode.interactive.person import Page, Rows, Share
from kimicode.interactive.view.blocks import Answered, Called, Ended, Prompted, Ran, Thought
from kimicode.interactive.view.status import Status
from kimicode.interactive.waiting import Prompt, Waiting
from kimicode.line import announce
from kimicode.line.calls import title
from kimicode.line.diffs import diff_lines, summary, whole_diff
from kimicode.line.local import perform_own
from kimicode.line.pages import page_lines
from kimicode.line.speak import Habits, block_lines
from kimicode.line.still import Still
from kimicode.line.telling import Teller
from kimicode.line.words import duration, percent
from kimicode.messages import ToolCall, Usage
from kimicode.sandbox.approval import FileText
from kimicode.settings import UiSettings


def plain(lines):
    return [line.plain() for line in lines]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"),
        (1, "1 second"),
        (59.4, "59 seconds"),
        (60, "1 minute"),
        (185, "3 minutes 5 seconds"),
        (7830, "2 hours 10 minutes"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_percents():
    assert [percent(0, 10), percent(1, 1000), percent(1, 3), percent(1, 0)] == [
        "0 percent",
        "less than 1 percent",
        "33 percent",
        "0 percent",
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("read", '{"path": "src/a.py", "offset": 20}', "read src/a.py from line 20"),
        ("shell", '{"command": "npm test"}', "shell: npm test"),
        ("grep", '{"pattern": "x+", "path": "src"}', "grep x+ in src"),
        ("git", '{"action": "diff", "path": "a.py"}', "git diff a.py"),
        ("patch", '{"patch": "*** Begin Patch\\n*** Update File: a.py\\n*** Add File: b.py\\n*** End Patch"}', "patch a.py, b.py"),
        ("todo", '{"items": [{"text": "one", "status": "done"}]}', "plan, 1 item"),
        ("other", '{"a": 1}', 'other {"a": 1}'),
        ("shell", "not json", "shell: not json"),
        ("read", "[]", "read"),
        ("read", '{"path": 3}', "read"),
    ],
)
def test_calls(name, arguments, words):
    assert title(ToolCall("1", name, arguments)) == words


def test_changes_in_a_sentence_and_as_a_diff():
    file = FileText("a.py", "".join(f"{n}\n" for n in range(20)), "".join(f"{n}\n" for n in range(20) if n != 10) + "new\n")
    assert summary(file) == "a.py, 1 line added, 1 removed"
    assert diff_lines(file, 100)[:1] == ("@@ -8,7 +8,6 @@",)
    assert "-10" in diff_lines(file, 100)
    assert diff_lines(file, 2)[-1].startswith("… ")
    assert summary(FileText("b", None, "x\n")) == "b, created, 1 line"
    assert summary(FileText("b", "x\n", None)) == "b, deleted, 1 line"
    assert summary(FileText("b", None, None, "binary, 3 bytes")) == "b, binary, 3 bytes"
    assert summary(FileText("b", "x\r\n", "x\n")) == "b, 1 line added, 1 removed"
    assert diff_lines(FileText("b", "x", "x"), 10) == ()


def test_what_is_approved_hides_nothing():
    file = FileText("a.sh", "ls\n", "ls \x1b[8m; rm -rf ~\x1b[0m\recho ok\n")
    assert "+ls ␛[8m; rm -rf ~␛[0m␍echo ok" in whole_diff(file)
    assert whole_diff(FileText("w.txt", "a\r\nb\r\n", "a\r\nc\r\n")) == ("@@ -1,2 +1,2 @@", " a", "-b", "+c")
    long = FileText("a", "", "".join(f"{n}\n" for n in range(9000)))
    assert len(whole_diff(long)) == 9001


def test_a_huge_change_does_not_take_forever():
    before = "".join(f"{n}\n" for n in range(20_000))
    after = "".join(f"{n}x\n" for n in range(20_000))
    assert summary(FileText("a", before, after)) == "a, 20,000 lines added, 20,000 removed"


def test_an_answer_is_said_in_whole_lines_or_sentences_after_a_pause():
    teller = Teller(lambda: 0.0)
    assert plain(teller.tell([Answered("One. Tw", done=False)], range(1))) == []
    assert teller.wants_pause
    assert plain(teller.pause()) == ["Assistant: One."]
    assert not teller.wants_pause
    assert teller.pause() == ()
    assert plain(teller.tell([Answered("One. Two\nthr", done=False)], range(1))) == ["Two"]
    assert plain(teller.tell([Answered("One. Two\nthree\n```\na. b", done=False)], range(1))) == ["three", "```"]
    assert not teller.wants_pause  # no sentences in code
    assert plain(teller.tell([Answered("One. Two\nthree\n```\na. b\n```\n")], range(1))) == ["a. b", "```"]


def test_a_thought_that_did_not_stream_moves_the_answer_but_not_what_was_said():
    teller = Teller(lambda: 0.0)
    first = [Prompted("Go."), Answered("Half\n", done=False)]
    assert plain(teller.tell(first, range(2))) == ["You: Go.", "Assistant: Half"]
    after = [Prompted("Go."), Thought("hm", 4.0), Answered("Half\nwhole")]
    assert plain(teller.tell(after, range(1, 3))) == ["Thinking: Thought for 4 seconds.", "whole"]


def test_a_typed_prompt_is_not_said_again_but_a_queued_one_is():
    teller = Teller(lambda: 0.0)
    teller.typed("one")
    assert plain(teller.tell([Prompted("one"), Prompted("two")], range(2))) == ["You: two"]


def test_a_thought_is_timed_by_whoever_listens():
    now = [0.0]
    teller = Teller(lambda: now[0])
    assert teller.tell([Thought("hm")], range(1)) == ()
    now[0] = 7.0
    assert plain(teller.tell([Thought("hm", 0.0)], range(1))) == ["Thinking: Thought for 7 seconds."]
    teller.habits = Habits(thinking=True)
    assert plain(teller.tell([Thought("hm", 0.0), Thought("more", 2.0)], range(1, 2))) == ["Thinking: more", "Thought for 2 seconds."]


def test_tables_fit_or_are_read_by_label():
    rows = Rows((("kimi", "262,144"), ("漢字", "1")), ("Model", "Context"))
    assert plain(page_lines(Page("Models", (rows,)), 80)) == ["Models:", "Model  Context", "kimi   262,144", "漢字   1"]
    assert plain(page_lines(Page("", (rows,)), 5)) == ["kimi: 262,144", "漢字: 1"]
    three = Rows((("a", "b", "c"),), ("One", "Two", "Three"))
    assert plain(page_lines(Page("", (three,)), 5)) == ["One: a", "Two: b", "Three: c"]
    share = Share("System prompt", 1200, 262144, "tokens")
    assert plain(page_lines(Page("", (share,)), 80)) == ["System prompt: 1,200 tokens of 262,144, less than 1 percent"]


def test_endings():
    event = RunFinished("done", 0, "x", 3, Usage(4500, 12), 12.0, cost_usd=0.01)
    assert plain(block_lines(Ended(event), Habits())) == ["Done in 12 seconds, 3 steps, 4,512 tokens, 0.0100 dollars."]
    failed = RunFinished("temporary", 75, "", 1, Usage(), 1.0, error="overloaded\n  Wait.")
    assert plain(block_lines(Ended(failed), Habits())) == ["Error: overloaded", "  Wait.", "Failed after 1 second, 1 step, 0 tokens."]


def test_what_must_be_heard():
    before = Status(session_id="s", model="a", endpoint="e", permission="workspace")
    after = Status(session_id="s", model="b", endpoint="e", permission="full")
    assert plain(announce.status_lines(before, after)) == ["Notice: the model is b at e now.", "Notice: permission is full now."]
    assert announce.status_lines(Status(), after) == ()
    waiting = Waiting((Prompt("x"),), paused=True)
    assert "1 prompt waiting" in announce.queue_words(waiting)
    assert announce.rings(UiSettings(), "asked", terminal=True)
    assert not announce.rings(UiSettings(), "done", terminal=True)
    assert announce.rings(UiSettings(notify="bell"), "done", terminal=True)
    assert not announce.rings(UiSettings(notify="off"), "asked", terminal=True)


def test_progress_is_said_seldom():
    now = [0.0]
    progress = announce.Progress(lambda: now[0])
    told = []
    for done in range(0, 100, 2):
        now[0] += 1.0
        told.append(progress.line(EngineProgress("load", done, 100, 30.0)))
    said = plain(line for line in told if line)
    assert said[0] == "Progress: loading the model, 0 percent, about 30 seconds left."
    assert 5 <= len(said) <= 10
    assert progress.line(None) is None


def test_still_running_is_said_at_growing_intervals():
    class Loop:
        def __init__(self):
            self.now = 0.0
            self.timers = []

    told = []

    async def main():
        still = Still(told.append)
        still.running("npm test")
        timer = still._timer
        assert timer is not None
        timer._run()
        still.running("npm test")
        assert still._timer is not timer
        still.running("")
        assert still._timer is None

    asyncio.run(main())
    assert plain(told) == ["Still running npm test, less than a second."]


def test_commands_of_this_mode():
    blocks = [Thought("deep", 1.0), Called(ToolCall("1", "shell", '{"command": "ls"}'), "done", result="a\nb\n")]
    habits = Habits()
    assert plain(perform_own("output", "", blocks, habits).lines) == ["Output: shell: ls:", "a", "b"]
    assert plain(perform_own("thinking", "show", blocks, habits).lines) == ["Thinking: deep"]
    assert perform_own("thinking", "", blocks, habits) is None
    assert perform_own("model", "", blocks, habits) is None
    assert perform_own("speak", "output 3", blocks, habits).habits.output == 3
    assert perform_own("speak", "diff 0", blocks, habits).habits.diff == 0
    assert perform_own("speak", "thinking on", blocks, habits).habits.thinking
    assert perform_own("speak", "running on", blocks, habits).habits.progress
    assert perform_own("speak", "loudly", blocks, habits).lines[0].role == "Error:"
    assert len(perform_own("transcript", "", blocks, habits).lines) > 3


def test_what_the_user_runs_is_said_as_it_prints_and_never_twice():
    teller = Teller(lambda: 0.0)
    assert plain(teller.tell([Ran("make", "")], range(1))) == []
    assert plain(teller.tell([Ran("make", "y\ny\ny")], range(1))) == ["Output: y", "y"]
    assert plain(teller.tell([Ran("make", "y\ny\ny\ny\n")], range(1))) == ["y", "y"]
    ended = Ran("make", "y\ny\ny\ny\nend\n", running=False, exit_code=2, seconds=3.0)
    assert plain(teller.tell([ended], range(1))) == ["end", "Command ended: exit code 2 after 3 seconds."]
    assert plain(teller.tell([ended], range(1))) == []


def test_a_long_output_goes_on_where_it_was_cut():
    teller = Teller(lambda: 0.0)
    every = [f"line {n}" for n in range(3000)]
    told = []
    for n in range(100, 3001, 100):
        told += plain(teller.tell([Ran("make", "".join(f"{line}\n" for line in every[:n])[-16_384:])], range(1)))
    assert told == [f"Output: {every[0]}", *every[1:]]
    head_and_tail = "".join(f"{line}\n" for line in (*every[:10], "[left out]", *every[-10:]))
    assert plain(teller.tell([Ran("make", head_and_tail, running=False, exit_code=None)], range(1))) == ["Command ended: stopped."]


def test_a_command_that_prints_nothing():
    teller = Teller(lambda: 0.0)
    ended = Ran("true", "", running=False, exit_code=0, seconds=0.0)
    assert plain(teller.tell([ended], range(1))) == ["Output: nothing", "Command ended: exit code 0 after less than a second."]
