"""Turns are what a person asked, in order; a rewind is one of them and takes others out of the conversation."""

import pytest

from kimicode.errors import SessionError
from kimicode.events import Event, FileChange, FilesChanged, MessageAdded, Rewound, RunFinished, SessionStarted, StepFinished
from kimicode.files.state import MISSING, FileState
from kimicode.messages import Assistant, Message, System, Usage, User
from kimicode.session.export import to_markdown
from kimicode.session.replay import Thread, replay
from kimicode.session.turns import changes_since, turns_of

START = SessionStarted("s", "/w", "m", "e", "workspace", ())
END = RunFinished("done", 0, "", 1, Usage(), 1.0)
FILE = FileState("file", 0o644, "00" * 32, size=1)


def prompt(*messages: Message) -> list[Event]:
    return [*map(MessageAdded, messages), StepFinished(1, Assistant("yes"), Usage(), "stop", 1.0), END]


def changed(*paths: str) -> FilesChanged:
    return FilesChanged("c", tuple(FileChange(path, MISSING, FILE) for path in paths))


FIRST = prompt(System("s"), User("<environment>\nx\n</environment>\n\nfirst\nof all"))
SECOND = [MessageAdded(User("second"), "2026-11-24T10:00:00+00:00"), changed("a", "b"), MessageAdded(User("a steer")), changed("a"), END]
THIRD = [SessionStarted("s", "/elsewhere", "m", "e", "workspace", ()), MessageAdded(User("third")), changed("c"), END]
ALL = [START, *FIRST, *SECOND, *THIRD]


def test_turns_are_prompts() -> None:
    first, second, third = turns_of(ALL)
    assert (first.number, first.prompt, first.at, first.changed, first.live) == (1, "first\nof all", "", (), True)
    assert (second.prompt, second.at, second.changed) == ("second", "2026-11-24T10:00:00+00:00", ("a", "b"))
    assert (third.number, third.prompt, third.changed) == (3, "third", ("c",))
    assert turns_of([START]) == ()


def test_a_killed_run_s_turn_ends_where_the_session_goes_on() -> None:
    events = [START, *FIRST[:-1], START, MessageAdded(User("next"))]
    assert [turn.prompt for turn in turns_of(events)] == ["first\nof all", "next"]


def test_changes_are_those_of_the_turn_and_later_ones_with_their_workspace() -> None:
    found = changes_since(ALL, 2)
    assert [(str(change.workspace), change.recorded.path) for change in found] == [
        ("/w", "a"),
        ("/w", "b"),
        ("/w", "a"),
        ("/elsewhere", "c"),
    ]
    assert [change.recorded.path for change in changes_since(ALL, 3)] == ["c"]
    assert changes_since(ALL, 4) == ()
    assert len(changes_since([*ALL, Rewound(1, True, True, changed("d").changes)], 4)) == 1


def test_a_rewind_cuts_the_conversation_and_is_a_turn_that_can_be_rewound() -> None:
    before = replay(ALL).conversation
    back = [*ALL, Rewound(2, True, True)]
    assert replay(back).conversation == replay([START, *FIRST]).conversation
    assert [(turn.live, turn.rewound_to) for turn in turns_of(back)] == [(True, 0), (False, 0), (False, 0), (True, 2)]
    onward = [*back, MessageAdded(User("other")), END]
    assert replay(onward).conversation == (*replay([START, *FIRST]).conversation, User("other"))
    undone = [*onward, Rewound(4, True, False)]
    assert replay(undone).conversation == before
    assert [turn.live for turn in turns_of(undone)] == [True, True, True, False, False, True]
    assert replay([*undone, Rewound(1, True, False)]).conversation == ()


def test_a_rewind_of_files_alone_leaves_the_conversation() -> None:
    back = [*ALL, Rewound(1, False, True)]
    assert replay(back).conversation == replay(ALL).conversation
    assert all(turn.live for turn in turns_of(back))


def test_a_thread_that_goes_on_knows_its_earlier_turns() -> None:
    past = replay(ALL)
    thread = Thread(past.conversation, past.starts)
    for event in [START, MessageAdded(User("fourth")), END, Rewound(3, True, False)]:
        thread.grow(event)
    assert thread.messages == replay([START, *FIRST, *SECOND]).conversation
    assert len(thread.starts) == 5


@pytest.mark.parametrize("turn", [0, 5, -1])
def test_a_rewind_to_nowhere_is_damage(turn: int) -> None:
    with pytest.raises(SessionError, match="damaged"):
        replay([*ALL, Rewound(turn, True, False)])


def test_an_export_says_that_there_was_a_rewind() -> None:
    assert "*Rewound to before turn 2*" in to_markdown([*ALL, Rewound(2, True, True)])
