"""K2.6's prompt format: OpenAI-style messages to pieces of a prompt, and pieces to token ids.

A *piece* is either a control token of the format or plain text. Whatever comes from a message is plain text, so a file that spells
`<|im_end|>` reaches the model as text and ends nothing. The bytes are those of the model's published template (K2.5's, with K2.6's
`preserve_thinking`):

    <|im_system|>tool_declare<|im_middle|>DECLARATION<|im_end|>        only with tools, and first
    <|im_user|>user<|im_middle|>TEXT<|im_end|>                         the same for system
    <|im_assistant|>assistant<|im_middle|><think>R</think>TEXT[CALLS]<|im_end|>
    <|im_system|>tool<|im_middle|>## Return of ID\\nTEXT<|im_end|>

What this module does not do: write the tool declaration (`engine.tooldecl`), add a system prompt, repair a history, or load images:
an image leaves its placeholder here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from engine.tokenizer import Tokenizer


class Piece(NamedTuple):
    """A stretch of a prompt: the name of one control token, or plain text."""

    text: str
    control: bool


class ChatFormatError(ValueError):
    """A message the format has no place for. `index` is its place in the list, from 0."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(f"messages[{index}]: {problem}")
        self.index = index


def render(
    messages: Sequence[Mapping[str, object]],
    *,
    declaration: str | None,
    thinking: bool = True,
    preserve_thinking: bool = False,
    generation_prompt: bool = True,
) -> list[Piece]:
    """The prompt for `messages`, to be continued by the model.

    Reasoning of the running tool loop is kept, that of answers before it only with `preserve_thinking`; without `thinking` none is.
    Raises `ChatFormatError` for a message that is not of OpenAI's form.
    """
    pieces = declaration_pieces(declaration) if declaration is not None else []
    kept_from = reasoning_kept_from(messages, thinking=thinking, preserve_thinking=preserve_thinking)
    for index, message in enumerate(messages):
        pieces += message_pieces(index, message, keep_reasoning=index >= kept_from)
    if generation_prompt:
        pieces += generation_pieces(thinking=thinking)
    return pieces


def declaration_pieces(declaration: str) -> list[Piece]:
    """What stands before all messages where there are tools."""
    return [*_head("<|im_system|>", "tool_declare"), _plain(declaration), _END]


def reasoning_kept_from(messages: Sequence[Mapping[str, object]], *, thinking: bool, preserve_thinking: bool) -> int:
    """The index of the first message whose reasoning is shown to the model."""
    if not thinking:
        return len(messages)
    return 0 if preserve_thinking else _running_loop(messages)


def message_pieces(index: int, message: Mapping[str, object], *, keep_reasoning: bool) -> list[Piece]:
    """One message; `index` is its place, for the error. Raises `ChatFormatError`."""
    try:
        return list(_message(message, keep_reasoning))
    except _FormError as problem:
        raise ChatFormatError(index, str(problem)) from None


def generation_pieces(*, thinking: bool) -> list[Piece]:
    """What the model continues: an answer that begins with thinking, or after none."""
    return [*_head("<|im_assistant|>", "assistant"), _control("<think>"), *([] if thinking else [_control("</think>")])]


def partial_pieces(index: int, message: Mapping[str, object], *, thinking: bool) -> list[Piece]:
    """An assistant message that the model is to continue where it stops: in its reasoning where it has no content, else in its content.

    Raises `ChatFormatError` for a message that can't be continued.
    """
    if message.get("role") != "assistant" or message.get("tool_calls"):
        raise ChatFormatError(index, "only an assistant message without tool calls can be partial")
    pieces = message_pieces(index, message, keep_reasoning=thinking)
    pieces.pop()  # its end
    if thinking and not message.get("content"):
        pieces.remove(_control("</think>"))
    return pieces


def encode_pieces(tokenizer: Tokenizer, pieces: Iterable[Piece]) -> list[int]:
    """The pieces' token ids; plain pieces side by side are one text. Raises `VocabularyError` for a control token it doesn't have."""
    ids: list[int] = []
    for control, group in groupby(pieces, key=lambda piece: piece.control):
        texts = [piece.text for piece in group]
        ids += [tokenizer.control_id(text) for text in texts] if control else tokenizer.encode("".join(texts))
    return ids


def prompt_text(pieces: Iterable[Piece]) -> str:
    """The pieces joined, control tokens spelled out: what a person may read, never what is tokenised."""
    return "".join(piece.text for piece in pieces)


class _FormError(ValueError):
    """What is wrong with one message; `render` adds which one."""


def _control(name: str) -> Piece:
    return Piece(name, control=True)


def _plain(text: str) -> Piece:
    return Piece(text, control=False)


_END = _control("<|im_end|>")
_IMAGE = (
    *(_control("<|media_begin|>"), _plain("image"), _control("<|media_content|>")),
    *(_control("<|media_pad|>"), _control("<|media_end|>"), _plain("\n")),
)
# Not in any vocabulary: whoever loads videos replaces it by timestamped frames before encoding, and without that encoding fails.
_VIDEO = (_control("<|kimi_k25_video_placeholder|>"), _plain("\n"))


def _head(token: str, role: str) -> list[Piece]:
    return [_control(token), _plain(role), _control("<|im_middle|>")]


def _running_loop(messages: Sequence[Mapping[str, object]]) -> int:
    """The index after the last assistant message without tool calls: from there on runs the tool loop the model is in."""
    finished = (n for n, message in enumerate(messages) if message.get("role") == "assistant" and not message.get("tool_calls"))
    return max(finished, default=-1) + 1


def _message(message: Mapping[str, object], keep_reasoning: bool) -> Iterator[Piece]:
    role = _text(message, "role")
    name = _text(message, "name", default=None) or role
    match role:
        case "system":
            yield from _head("<|im_system|>", name)
        case "user":
            yield from _head("<|im_user|>", name)
        case "tool":
            yield from _head("<|im_system|>", name)
            yield _plain(f"## Return of {_text(message, 'tool_call_id')}\n")
        case "assistant":
            yield from _head("<|im_assistant|>", name)
            yield from _reasoning(message, keep_reasoning)
        case _:
            raise _FormError(f"role {role!r} is none of system, user, assistant, tool")
    yield from _content(message.get("content"))
    if role == "assistant":
        yield from _tool_calls(message.get("tool_calls"))
    yield _END


def _text(message: Mapping[str, object], key: str, default: str | None = "") -> str:
    """The string under `key`; with a `default` of None it may be absent or null, and is then empty."""
    match message.get(key):
        case str(text):
            return text
        case None if default is None:
            return ""
        case None:
            raise _FormError(f"{key!r} is missing")
        case other:
            raise _FormError(f"{key!r} is {type(other).__name__}, not a string")


def _reasoning(message: Mapping[str, object], keep: bool) -> Iterator[Piece]:
    # Newer servers say `reasoning`, older ones and the official API `reasoning_content`; null means none.
    text = _text(message, "reasoning", default=None) or _text(message, "reasoning_content", default=None)
    yield _control("<think>")
    if keep and text:
        yield _plain(text)
    yield _control("</think>")


def _content(content: object) -> Iterator[Piece]:
    match content:
        case None:
            return
        case str():
            yield _plain(content)
        case list():
            for number, part in enumerate(content):
                yield from _part(number, part)
        case _:
            raise _FormError(f"'content' is {type(content).__name__}, not a string, null or a list of parts")


def _part(number: int, part: object) -> Sequence[Piece]:
    match part:
        case {"type": "text", "text": str(text)}:
            return [_plain(text)]
        case {"type": "image" | "image_url"}:
            return _IMAGE
        case {"type": "video" | "video_url"}:
            return _VIDEO
        case _:
            raise _FormError(f"content part {number} is none of {{'type': 'text', 'text': …}}, image_url, video_url")


def _tool_calls(calls: object) -> Iterator[Piece]:
    match calls:
        case None | []:
            return
        case list():
            yield _control("<|tool_calls_section_begin|>")
            for number, call in enumerate(calls):
                yield from _tool_call(number, call)
            yield _control("<|tool_calls_section_end|>")
        case _:
            raise _FormError(f"'tool_calls' is {type(calls).__name__}, not a list")


def _tool_call(number: int, call: object) -> Sequence[Piece]:
    """One call. The arguments a client sent as text are the model's own and stay verbatim, so that the prompt's prefix stays too."""
    match call:
        case {"id": str(call_id), "function": {"arguments": str(arguments)}}:
            pass
        case {"id": str(call_id), "function": {"arguments": dict(values)}}:
            arguments = json.dumps(values, ensure_ascii=False)
        case _:
            raise _FormError(f"tool_calls[{number}] needs an 'id' and a 'function' with 'arguments' as a string or an object")
    return [
        *(_control("<|tool_call_begin|>"), _plain(call_id)),
        *(_control("<|tool_call_argument_begin|>"), _plain(arguments)),
        _control("<|tool_call_end|>"),
    ]
