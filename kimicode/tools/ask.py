"""`ask {question, options?}`: put a question to the user and wait for the answer.

Offered only where somebody is there to answer. What this tool does not do: ask for permission (`gate` does), or draw the question.
"""

from typing import Final, Protocol, cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.sandbox.approval import Turns
from kimicode.text import well_formed
from kimicode.tools.base import ToolContext, Touches

NAME: Final = "ask"
PROPERTIES: Final[dict[str, JsonObject]] = {"question": {"type": "string"}, "options": {"type": "array", "items": {"type": "string"}}}
REQUIRED: Final = ("question",)
MOST_OPTIONS: Final = 9
"""One key is enough to choose."""

NO_ANSWER: Final = "The user did not answer. Go on with what seems best, and say what you assumed."


class Asker(Protocol):
    """Whoever can put a question to the user."""

    async def ask(self, question: str, options: tuple[str, ...]) -> str | None:
        """The user's answer, one of `options` or other words; None where there was none. Cancelling takes the question away."""
        ...


class Ask(msgspec.Struct, frozen=True):
    """The tool. `turns` are shared with whoever else asks the user."""

    spec: ToolSpec
    asker: Asker
    turns: Turns

    def touches(self, args: JsonObject) -> Touches:  # noqa: ARG002 - a protocol's method
        """Nothing."""
        return Touches()

    async def run(self, args: JsonObject, context: ToolContext) -> str:  # noqa: ARG002 - a protocol's method
        """The user's words."""
        question = well_formed(cast(str, args["question"])).strip()
        options = tuple(dict.fromkeys(filter(None, (well_formed(each).strip() for each in cast("list[str]", args.get("options", []))))))
        if not question:
            raise ToolError("ask: the question is empty.")
        if len(options) > MOST_OPTIONS:
            raise ToolError(f"ask: {len(options)} options are more than {MOST_OPTIONS}. Offer fewer; the user can answer otherwise, too.")
        async with self.turns.mine():
            answer = await self.asker.ask(question, options)
        return answer if answer is not None and answer.strip() else NO_ANSWER
