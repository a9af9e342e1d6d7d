"""History repair: random damage, one invariant."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.messages import Assistant, Conversation, Message, System, ToolCall, ToolResult, User
from kimicode.model import MISSING_RESULT, repair


def check(messages: Sequence[Message]) -> None:
    """Every call has exactly one result, at once and in order; nothing else is there that an API refuses."""
    ids: list[str] = []
    expected: list[ToolCall] = []
    for position, message in enumerate(messages):
        if isinstance(message, ToolResult):
            assert expected, f"a result nobody asked for at {position}"
            assert (message.call_id) == expected.pop(0).id
            continue
        assert not expected, f"a result is missing before {position}"
        match message:
            case System():
                assert position == 0
            case User():
                assert message.content.strip()
            case Assistant():
                assert message.content.strip() or message.tool_calls
                expected = list(message.tool_calls)
                ids += [call.id for call in message.tool_calls]
    assert not expected
    assert len(ids) == len(set(ids))
    assert all(ids)


ONE, TWO = ToolCall("1", "read", "{}"), ToolCall("2", "grep", "{}")
R1, R2 = ToolResult("1", "read", "one"), ToolResult("2", "grep", "two")
ASK = Assistant("", "hm", (ONE, TWO))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((System("s"), User("u"), ASK, R1, R2, Assistant("a")), (System("s"), User("u"), ASK, R1, R2, Assistant("a"))),
        ((ASK, R1), (ASK, R1, ToolResult("2", "grep", MISSING_RESULT, ok=False))),
        ((ASK, R2, R1), (ASK, R1, R2)),
        ((ASK, R1, User("wait"), R2), (ASK, R1, R2, User("wait"))),
        ((R1, User("u")), (User("u"),)),
        ((ASK, R1, R1, R2), (ASK, R1, R2)),
        ((User(" \n"), Assistant("", "only a thought"), System("late"), User("u")), (User("u"),)),
        (
            (Assistant("", None, (ONE,)), R1, Assistant("", None, (ONE,)), ToolResult("1", "read", "again")),
            (
                Assistant("", None, (ONE,)),
                R1,
                Assistant("", None, (ToolCall("1#2", "read", "{}"),)),
                ToolResult("1#2", "read", "again"),
            ),
        ),
        (
            (Assistant("", None, (ONE,)), Assistant("", None, (ONE,)), R1),
            (
                Assistant("", None, (ONE,)),
                ToolResult("1", "read", MISSING_RESULT, ok=False),
                Assistant("", None, (ToolCall("1#2", "read", "{}"),)),
                ToolResult("1#2", "read", "one"),
            ),
        ),
    ],
)
def test_repairs(before: Conversation, after: Conversation) -> None:
    assert repair(before) == after


IDS = st.sampled_from(["1", "2", "1#2", ""])
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(System, st.just("s")),
    st.builds(User, st.sampled_from(["", " ", "u"])),
    st.builds(ToolResult, IDS, st.just("read"), st.sampled_from(["", "r"])),
    st.builds(
        Assistant,
        st.sampled_from(["", "a"]),
        st.none() | st.just(""),
        st.lists(st.builds(ToolCall, IDS, st.just("read"), st.just("{}")), max_size=3).map(tuple),
    ),
)


@given(st.lists(MESSAGES, max_size=12))
def test_whatever_happened_the_result_is_well_formed_and_final(messages: list[Message]) -> None:
    repaired = repair(messages)
    check(repaired)
    assert repair(repaired) == repaired


@st.composite
def sessions(draw: st.DrawFn) -> Conversation:
    """A whole session as the agent writes it."""
    messages: list[Message] = [System("s"), User("u")]
    for step in range(draw(st.integers(0, 4))):
        calls = tuple(ToolCall(f"c{step}.{i}", "read", "{}") for i in range(draw(st.integers(1, 3))))
        messages += [Assistant("", "hm", calls), *(ToolResult(call.id, "read", "text") for call in calls)]
    return (*messages, Assistant("done"))


@given(sessions(), st.data())
def test_a_session_cut_anywhere_can_go_on(session: Conversation, data: st.DataObject) -> None:
    assert repair(session) == session
    kept = session[: data.draw(st.integers(0, len(session)))]
    repaired = repair((*kept, User("go on")))
    check(repaired)
    assert repaired[: len(kept)] == kept
    assert repaired[-1] == User("go on")
