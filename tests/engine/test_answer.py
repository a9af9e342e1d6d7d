"""Ids of tool calls, and answers in OpenAI's form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.answer import Envelope, Usage, deltas
from engine.callids import CallIds, first_index
from engine.parse import CallArguments, CallBegun, CallEnd, ContentText, ParsedAnswer, ReasoningText

IDS = st.sampled_from(["functions.read:0", "functions.read:1", "functions.edit:7", "read:3", "call_x", ""])


@pytest.mark.parametrize(
    ("taken", "written", "given_out"),
    [
        ([], "functions.read:0", "functions.read:0"),
        ([], "functions.read:5", "functions.read:5"),
        (["functions.read:0"], "functions.read:0", "functions.read:1"),
        (["functions.edit:8"], "functions.edit:8", "functions.read:9"),
        ([], "read:0", "functions.read:0"),
        (["call_a", "call_b"], "call_c", "functions.read:2"),
    ],
)
def test_a_well_formed_new_id_stays_and_any_other_gets_the_next_index(taken: list[str], written: str, given_out: str) -> None:
    assert CallIds(taken).give(CallBegun(0, written, "read")) == given_out


@given(st.lists(IDS), st.lists(IDS))
@settings(deadline=None)
def test_ids_are_never_given_twice(taken: list[str], written: list[str]) -> None:
    ids = CallIds(taken)
    out = [ids.give(CallBegun(index, call_id, "read")) for index, call_id in enumerate(written)]
    assert len({*taken, *out}) == len({*taken}) + len(out)


@given(st.lists(IDS))
@settings(deadline=None)
def test_a_call_with_the_first_index_keeps_its_id(taken: list[str]) -> None:
    # What a guide forces must be what goes out: a prompt that says otherwise would not be found in the cache.
    forced = f"functions.edit:{first_index(frozenset(taken))}"
    assert CallIds(taken).give(CallBegun(0, forced, "edit")) == forced


def test_every_event_has_its_delta() -> None:
    events = [ReasoningText("r"), ContentText("c"), CallBegun(0, "functions.f:0", "f"), CallArguments("{}", 0), CallEnd(0)]
    head = {"index": 0, "id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert list(deltas(events, CallIds(()))) == [
        {"reasoning_content": "r"},
        {"content": "c"},
        {"tool_calls": [head]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]


def test_an_empty_answer_is_a_message_too() -> None:
    whole = Envelope("id", 1, "m").completion(ParsedAnswer("", "", (), "stop"), "stop", Usage(3, 1, 2, 0), CallIds(()))
    assert whole["choices"] == [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]
    assert whole["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "total_tokens": 4,
        "cached_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
