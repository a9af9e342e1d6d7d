"""The tool `ask`: offered where somebody is there, one question at a time, and silence is an answer of its own."""

import asyncio
import json

import pytest

from kimicode.messages import ToolCall, ToolResult
from kimicode.sandbox.approval import Turns
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.ask import MOST_OPTIONS, NO_ANSWER
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools


class Asker:
    """Gives one answer to everything, and remembers what was asked."""

    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.open = self.most_open = 0

    async def ask(self, question: str, options: tuple[str, ...]) -> str | None:
        self.asked.append((question, options))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        return self.answer


def box_of(tmp_path, asker: Asker, turns: Turns | None = None) -> Toolbox:
    return Toolbox(default_tools(asker=asker, turns=turns), ToolContext(tmp_path, Policy(Permission.WORKSPACE, tmp_path), tmp_path))


def ask(tmp_path, asker: Asker, **arguments: object) -> ToolResult:
    return asyncio.run(box_of(tmp_path, asker).run(ToolCall("functions.ask:0", "ask", json.dumps(arguments))))


def test_only_offered_where_somebody_is_there_and_not_to_small_models() -> None:
    def names(**how: object) -> list[str]:
        return [tool.spec.name for tool in default_tools(**how)]  # type: ignore[arg-type]

    assert "ask" not in names()
    assert names(asker=Asker("x")) == [*names(), "ask"]
    assert names(profile="lean", asker=Asker("x")) == names(profile="lean")


def test_the_answer_is_the_result(tmp_path) -> None:
    asker = Asker("the second\none")
    assert ask(tmp_path, asker, question=" Which? ", options=["a", " b ", "a", ""]) == ToolResult(
        "functions.ask:0", "ask", "the second\none"
    )
    assert ask(tmp_path, asker, question="Why?").ok
    assert asker.asked == [("Which?", ("a", "b")), ("Why?", ())]


@pytest.mark.parametrize("answer", [None, "", " \n"])
def test_no_answer_is_told(tmp_path, answer: str | None) -> None:
    result = ask(tmp_path, Asker(answer), question="Which?")
    assert (result.content, result.ok) == (NO_ANSWER, True)


def test_what_is_no_question_is_an_error(tmp_path) -> None:
    asker = Asker("x")
    assert "the question is empty" in ask(tmp_path, asker, question=" ").content
    assert "more than 9" in ask(tmp_path, asker, question="?", options=[str(number) for number in range(MOST_OPTIONS + 1)]).content
    assert "question is missing" in ask(tmp_path, asker, options=["a"]).content
    assert asker.asked == []


def test_questions_wait_for_each_other_and_for_others(tmp_path) -> None:
    asker = Asker("x")

    async def all_of_them() -> int:
        turns = Turns()
        box = box_of(tmp_path, asker, turns)
        async with turns.mine():
            calls = [asyncio.create_task(box.run(ToolCall(f"functions.ask:{number}", "ask", '{"question": "?"}'))) for number in range(3)]
            while turns.waiting < 3:  # noqa: ASYNC110 - counts what waits
                await asyncio.sleep(0)
            assert asker.asked == []
        await asyncio.gather(*calls)
        return turns.waiting

    assert asyncio.run(all_of_them()) == 0
    assert (len(asker.asked), asker.most_open) == (3, 1)
