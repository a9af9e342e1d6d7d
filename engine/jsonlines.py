"""The engine's text layer by hand: one JSON object a line in, one out, for scripts and for comparison with other implementations.

| function | in | out |
|---|---|---|
| `tokenize` | `{"text"}` | `{"ids"}` |
| `detokenize` | `{"ids"}` | `{"text"}` |
| `declare` | `{"tools"}` | `{"declaration"}` |
| `render` | `{"messages", "tools"?, "thinking"?, "preserve_thinking"?}` | `{"prompt", "ids"}` |
| `parse` | `{"ids", "thinking"?}`: what the model generated | `{"reasoning", "content", "tool_calls", "finish_reason"}` |

Absent, `thinking` is true and `preserve_thinking` false; `tool_calls` are in OpenAI's form. What this module does not do: read files
or streams, or load a vocabulary; `answers` takes any lines and the function to apply.
"""

import json
from collections.abc import Callable, Iterable, Iterator

from engine.chat import encode_pieces, prompt_text
from engine.chat import render as render_messages
from engine.errors import EngineError
from engine.parse import parse as parse_ids
from engine.tokenizer import Tokenizer
from engine.tooldecl import declare as declare_tools


class LineError(EngineError, ValueError):
    """A line that can't be answered; the message says what is wrong with it and, out of `answers`, which line it is."""

    exit_code = 2


def answers(lines: Iterable[str], answer: Callable[[str], str]) -> Iterator[str]:
    """`answer` of each line, in order, empty lines left out. Raises `LineError` with the line's number, from 1."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield answer(line)
        except RecursionError:
            raise LineError(f"line {number}: its JSON is nested too deeply") from None
        except ValueError as problem:  # LineError, ChatFormatError, VocabularyError
            raise LineError(f"line {number}: {problem}") from problem


def tokenize(line: str, tokenizer: Tokenizer) -> str:
    """Plain text to ids."""
    return json.dumps({"ids": tokenizer.encode(_text(_row(line), "text"))})


def detokenize(line: str, tokenizer: Tokenizer) -> str:
    """Ids to text, control tokens spelled out; bytes that are no UTF-8 become U+FFFD."""
    return json.dumps({"text": tokenizer.decode_bytes(_ids(_row(line))).decode("utf-8", "replace")})


def declare(line: str) -> str:
    """A tool list to its declaration."""
    return json.dumps({"declaration": declare_tools(_list(_row(line), "tools"))})


def render(line: str, tokenizer: Tokenizer) -> str:
    """A conversation to the prompt the model gets."""
    row = _row(line)
    tools = [] if row.get("tools") is None else _list(row, "tools")
    messages = _list(row, "messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise LineError(f"messages[{index}]: {type(message).__name__}, not an object")
    pieces = render_messages(
        [message for message in messages if isinstance(message, dict)],
        declaration=declare_tools(tools) or None,
        thinking=_flag(row, "thinking", default=True),
        preserve_thinking=_flag(row, "preserve_thinking", default=False),
    )
    return json.dumps({"prompt": prompt_text(pieces), "ids": encode_pieces(tokenizer, pieces)})


def parse(line: str, tokenizer: Tokenizer) -> str:
    """Generated ids to the answer they are."""
    row = _row(line)
    answer = parse_ids(tokenizer, _ids(row), thinking=_flag(row, "thinking", default=True))
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in answer.tool_calls
    ]
    return json.dumps(
        {"reasoning": answer.reasoning, "content": answer.content, "tool_calls": calls, "finish_reason": answer.finish_reason},
    )


def _row(line: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError as problem:
        raise LineError(f"not JSON ({problem}); each line must be one JSON object") from None
    if not isinstance(row, dict):
        raise LineError(f"a JSON {type(row).__name__}; each line must be one JSON object")
    return row


def _text(row: dict[str, object], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise LineError(f"{key!r} must be a string")
    return value


def _list(row: dict[str, object], key: str) -> list[object]:
    value = row.get(key)
    if not isinstance(value, list):
        raise LineError(f"{key!r} must be a list")
    return value


def _ids(row: dict[str, object]) -> list[int]:
    ids = _list(row, "ids")
    numbers = [number for number in ids if isinstance(number, int) and not isinstance(number, bool)]
    if len(numbers) != len(ids):
        raise LineError("'ids' must be a list of token ids")
    return numbers


def _flag(row: dict[str, object], key: str, *, default: bool) -> bool:
    value = row.get(key, default)
    if not isinstance(value, bool):
        raise LineError(f"{key!r} must be true or false")
    return value
