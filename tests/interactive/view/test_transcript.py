"""Events become blocks, for a run that goes on and for one that is read back."""

from hypothesis import given
from hypothesis import strategies as st

from kimicode.events import (
    AnswerReset,
    Decided,
    EngineProgress,
    Event,
    FileChange,
    FilesChanged,
    MessageAdded,
    Notice,
    Rewound,
    RunFinished,
    SessionStarted,
    ShellRan,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    Titled,
    ToolCallReady,
    ToolFinished,
    ToolOutput,
    is_kept,
)
from kimicode.files.state import MISSING, FileState
from kimicode.interactive.view.blocks import Answered, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack
from kimicode.interactive.view.transcript import LIVE_CHARS, Transcript, joined
from kimicode.messages import Assistant, Image, System, ToolCall, ToolResult, Usage, User
from kimicode.sandbox.approval import FileText

OPENED = SessionStarted("s", "/w", "m", "e", "workspace", ())
ENDED = RunFinished("done", 0, "Done.", 1, Usage(), 1.0)


def call(name: str = "read", number: int = 0) -> ToolCall:
    return ToolCall(f"functions.{name}:{number}", name, "{}")


def answer(text: str = "", reasoning: str | None = None, *calls: ToolCall) -> StepFinished:
    return StepFinished(1, Assistant(text, reasoning, calls), Usage(), "stop", 2.5)


def blocks(*events: Event) -> list[object]:
    return list(Transcript(events).blocks)


def test_a_turn_reads_as_it_was() -> None:
    one = call()
    found = blocks(
        OPENED,
        MessageAdded(System("You are…")),
        MessageAdded(User("<environment>\nfacts\n</environment>\n\nFix it.", (Image("/p", "image/png", "shot.png"),)), at="t"),
        StepStarted(1),
        ThinkingDelta("hm"),
        ThinkingDelta("m"),
        TextDelta("I "),
        TextDelta("look."),
        answer("I look.", "hmm", one),
        ToolCallReady(one),
        ToolFinished(ToolResult(one.id, "read", "text"), 0.5),
        StepStarted(2),
        TextDelta("Done."),
        answer("Done."),
        ENDED,
    )
    assert found == [
        Opened(OPENED),
        Prompted("Fix it.", ("shot.png",), at="t"),
        Thought("hmm", 0.0),
        Answered("I look."),
        Called(one, "done", result="text", seconds=0.5),
        Answered("Done."),
        Ended(ENDED),
    ]


def test_a_thought_that_stands_alone_took_the_whole_step() -> None:
    assert blocks(StepStarted(1), ThinkingDelta("hm"), answer("", "hm", call()))[0] == Thought("hm", 2.5)


def test_what_did_not_stream_is_there_when_the_step_ends() -> None:
    assert blocks(StepStarted(1), answer("All.", "why")) == [Thought("why", 2.5), Answered("All.")]


def test_only_the_tail_is_touched_while_text_streams_in() -> None:
    transcript = Transcript([OPENED, MessageAdded(User("Go.")), StepStarted(1), TextDelta("a")])
    assert transcript.apply(TextDelta("b")) == range(2, 3)
    assert transcript.blocks[2] == Answered("ab", done=False)


def test_a_stream_that_is_cut_starts_over() -> None:
    found = blocks(StepStarted(1), TextDelta("wrong"), AnswerReset("connection lost"), TextDelta("right"), answer("right"))
    assert [block for block in found if isinstance(block, Answered) and block.text] == [Answered("right")]
    assert Told("asking again: connection lost") in found


def test_an_answer_that_was_stopped_is_not_shown_twice() -> None:
    found = blocks(StepStarted(1), TextDelta("half"), MessageAdded(Assistant("half")))
    assert found == [Answered("half")]


def test_words_in_the_middle_of_a_run_are_steering() -> None:
    found = blocks(MessageAdded(User("Go.")), StepStarted(1), answer("", None, call()), MessageAdded(User("Not there.")))
    assert found[-1] == Prompted("Not there.", steered=True)


def test_what_kimicode_itself_says_to_the_model_is_a_notice() -> None:
    assert blocks(MessageAdded(User("Your answer was cut."), by="kimicode")) == [Told("Your answer was cut.")]


def test_what_a_call_prints_is_kept_at_its_end_until_the_result_is_there() -> None:
    one = call("shell")
    transcript = Transcript([ToolCallReady(one), ToolOutput(one.id, "x" * LIVE_CHARS), ToolOutput(one.id, "end")])
    running = transcript.blocks[0]
    assert isinstance(running, Called)
    assert len(running.output) == LIVE_CHARS
    assert running.output.endswith("xend")
    transcript.apply(ToolFinished(ToolResult(one.id, "shell", "[exit 0]"), 1.0))
    assert transcript.blocks[0] == Called(one, "done", result="[exit 0]", seconds=1.0)


def test_calls_side_by_side_keep_their_own_results() -> None:
    one, two = call("read", 0), call("read", 1)
    found = blocks(
        ToolCallReady(one),
        ToolCallReady(two),
        ToolFinished(ToolResult(two.id, "read", "2"), 1.0),
        ToolFinished(ToolResult(one.id, "read", "1"), 2.0),
    )
    assert [block.result for block in found if isinstance(block, Called)] == ["1", "2"]


def test_a_failure_is_grave_only_where_nothing_made_up_for_it() -> None:
    bad, good, worse = call("edit", 0), call("edit", 1), call("shell", 2)
    found = blocks(
        MessageAdded(User("Go.")),
        ToolCallReady(bad),
        ToolFinished(ToolResult(bad.id, "edit", "Error: no match", ok=False), 0.1),
        ToolCallReady(good),
        ToolFinished(ToolResult(good.id, "edit", "Edited."), 0.1),
        ToolCallReady(worse),
        ToolFinished(ToolResult(worse.id, "shell", "Refused: no", ok=False), 0.1),
        ENDED,
    )
    assert [(block.state, block.grave) for block in found if isinstance(block, Called)] == [
        ("failed", False),
        ("done", False),
        ("refused", True),
    ]


def test_a_failure_of_an_earlier_turn_stays_as_it_was_settled() -> None:
    bad, good = call("edit", 0), call("edit", 1)
    found = blocks(
        MessageAdded(User("Go.")),
        ToolCallReady(bad),
        ToolFinished(ToolResult(bad.id, "edit", "Error: no match", ok=False), 0.1),
        ENDED,
        MessageAdded(User("Again.")),
        ToolCallReady(good),
        ToolFinished(ToolResult(good.id, "edit", "Edited."), 0.1),
        ENDED,
    )
    assert [block.grave for block in found if isinstance(block, Called)] == [True, False]


def test_a_call_without_a_result_was_stopped() -> None:
    assert blocks(MessageAdded(User("Go.")), ToolCallReady(call()), ENDED)[1] == Called(call(), "stopped")


def test_changes_stand_with_their_call_and_are_looked_up_once() -> None:
    one = call("edit")
    change = FileChange("a.py", MISSING, FileState("file", 0o644, "d"))
    transcript = Transcript([ToolCallReady(one), FilesChanged(one.id, (change,)), ToolFinished(ToolResult(one.id, "edit", "ok"), 0.1)])
    assert transcript.blocks[0] == Called(one, "done", result="ok", seconds=0.1, changes=(change,))
    texts = (FileText("a.py", None, "x\n"),)
    assert transcript.looked_up(one.id, texts) == range(1)
    assert transcript.blocks[0] == Called(one, "done", result="ok", seconds=0.1, changes=(change,), diffs=texts)
    assert transcript.looked_up("nobody", texts) == range(0)


def test_what_a_person_decided_stands_with_the_call() -> None:
    one = call("shell")
    assert blocks(ToolCallReady(one), Decided("shell", "rm x", "no", "too much"))[0] == Called(one, decided="no: too much")


def test_a_call_that_waits_for_a_person_says_so_until_it_does_not() -> None:
    one, two = call("write", 0), call("read", 1)
    transcript = Transcript([ToolCallReady(one), ToolCallReady(two)])
    assert transcript.asked("write", waits=True) == range(1)
    assert transcript.blocks[0] == Called(one, asked=True)
    transcript.asked("write", waits=False)
    assert list(transcript.blocks) == [Called(one), Called(two)]
    assert transcript.asked("network", waits=True) == range(0)


def test_the_users_own_commands() -> None:
    transcript = Transcript()
    transcript.begin_shell("ls")
    transcript.shell_printed("a\n")
    assert transcript.blocks[0] == Ran("ls", "a\n")
    transcript.apply(ShellRan("ls", "a\nb\n", 0, 0.1))
    assert list(transcript.blocks) == [Ran("ls", "a\nb\n", running=False, exit_code=0, seconds=0.1)]
    assert blocks(ShellRan("ls", "", None, 0.1)) == [Ran("ls", "", running=False, exit_code=None, seconds=0.1)]


def test_the_rest_of_the_events() -> None:
    found = blocks(Notice("careful", "warning"), Rewound(2, True, False), Titled("name"), EngineProgress("load", 1, 2))
    assert found == [Told("careful", "warning"), WentBack(2, True, 0)]


@given(
    st.lists(st.sampled_from([TextDelta("a"), ThinkingDelta("b"), ToolOutput("1", "c"), ToolOutput("2", "d"), StepStarted(1), Notice("n")]))
)
def test_joining_pieces_changes_nothing_that_is_shown(events: list[Event]) -> None:
    ready = [ToolCallReady(ToolCall("1", "shell", "{}")), ToolCallReady(ToolCall("2", "shell", "{}"))]
    assert blocks(*ready, *joined(events)) == blocks(*ready, *events)


@given(
    st.lists(
        st.sampled_from(
            [TextDelta("a"), ThinkingDelta("b"), StepStarted(1), answer("a", "b"), AnswerReset("r"), ENDED, MessageAdded(User("u"))]
        )
    )
)
def test_no_block_ever_goes_away_and_what_changed_is_told(events: list[Event]) -> None:
    transcript = Transcript()
    for event in events:
        before = list(transcript.blocks)
        touched = transcript.apply(event)
        after = list(transcript.blocks)
        assert len(after) >= len(before)
        changed = {index for index in range(len(after)) if index >= len(before) or after[index] is not before[index]}
        assert changed <= set(touched)


def test_live_output_and_progress_are_in_no_log() -> None:
    assert [is_kept(event) for event in (ToolOutput("1", "x"), EngineProgress("load", 0, 0), TextDelta("x"))] == [False, False, True]
