"""A conversation as token ids, of which only what is new is rendered, and what the model wrote stays as it wrote it.

Text that a model generated can be cut into tokens in more than one way; encoded again it could come out differently from what the model
was then computed on, and the cache would end there. So every answer's ids are remembered under the conversation that led to it, and stand
in for its message wherever that message still says the same. Encoded messages are remembered too: a request of a growing conversation
encodes its new messages only.
What this module does not do: know the prompt format (`engine.chat`), or keep cells (`engine.pool`).
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.chat import (
    Piece,
    declaration_pieces,
    encode_pieces,
    generation_pieces,
    message_pieces,
    partial_pieces,
    prompt_text,
    reasoning_kept_from,
)
from engine.request import ChatRequest
from engine.store import BlockStore
from engine.tokenizer import Tokenizer
from engine.tooldecl import declare

MESSAGES_REMEMBERED: Final = 4096
ANSWERS_REMEMBERED: Final = 4096

_HEAD_PIECES: Final = 3


@dataclass(frozen=True)
class Prompt:
    """The ids of a request. `conversation` names what led to the answer, for `remember`; `thinking`: the answer begins in thinking."""

    ids: list[int]
    conversation: bytes
    thinking: bool


class Transcript:
    """All conversations of one model. Thread-safe. Answers are also kept in `store`, if there is one, and outlive the process there."""

    def __init__(self, tokenizer: Tokenizer, store: BlockStore | None = None) -> None:
        self._tokenizer = tokenizer
        self._store = store
        self._encoded: OrderedDict[bytes, list[int]] = OrderedDict()
        self._answers: OrderedDict[bytes, list[int]] = OrderedDict()
        self._lock = threading.Lock()
        self._think_end = tokenizer.control.get("</think>", -1)
        self._turn_end = tokenizer.control.get("<|im_end|>", -1)

    def prompt(self, request: ChatRequest) -> Prompt:
        """The prompt of a request. Raises `ChatFormatError`, and `VocabularyError` where the vocabulary lacks a control token."""
        messages = request.messages
        kept_from = reasoning_kept_from(messages, thinking=request.thinking, preserve_thinking=request.preserve_thinking)
        head = declaration_pieces(declare(request.tools)) if request.tools else []
        ids = list(self._encode(head))
        conversation = _digest(b"", head)
        whole = messages[:-1] if request.partial else messages
        for index, message in enumerate(whole):
            pieces = message_pieces(index, message, keep_reasoning=index >= kept_from)
            own = self._generated(conversation, pieces) if message.get("role") == "assistant" else None
            ids += self._encode(pieces) if own is None else own
            # The name of a conversation does not change when its reasoning is left out later.
            conversation = _digest(conversation, message_pieces(index, message, keep_reasoning=False))
        if request.partial:
            last = partial_pieces(len(whole), messages[-1], thinking=request.thinking)
            return Prompt(ids + self._encode(last), _digest(conversation, last), Piece("</think>", control=True) not in last)
        return Prompt(ids + self._encode(generation_pieces(thinking=request.thinking)), conversation, request.thinking)

    def remember(self, prompt: Prompt, answer: Sequence[int]) -> None:
        """Keep the ids of the answer to `prompt`."""
        ids = list(answer) if answer and answer[-1] == self._turn_end else [*answer, self._turn_end]
        with self._lock:
            _put(self._answers, prompt.conversation, ids, ANSWERS_REMEMBERED)
        if self._store is not None:
            self._store.write(self._place(prompt.conversation), np.asarray(ids, np.int32).tobytes())

    def _generated(self, conversation: bytes, pieces: list[Piece]) -> list[int] | None:
        """The ids of an assistant message as the model wrote it, if it wrote it."""
        answer = self._recall(conversation)
        if answer is None:
            return None
        opening = pieces[: _HEAD_PIECES + 1]  # the role, and `<think>`
        body = prompt_text(pieces[_HEAD_PIECES + 1 :])
        if self._text(answer) == body:
            return self._encode(opening) + answer
        # Its reasoning, if it had any, is not shown any more.
        answer = answer[answer.index(self._think_end) :] if self._think_end in answer else [self._think_end, *answer]
        return self._encode(opening) + answer if self._text(answer) == body else None

    def _recall(self, conversation: bytes) -> list[int] | None:
        with self._lock:
            answer = self._answers.get(conversation)
        if answer is None and self._store is not None and (data := self._store.read(self._place(conversation))) is not None:
            answer = [int(token) for token in np.frombuffer(data, np.int32) if int(token) in self._tokenizer]
            with self._lock:
                _put(self._answers, conversation, answer, ANSWERS_REMEMBERED)
        return answer

    def _place(self, conversation: bytes) -> bytes:
        assert self._store is not None
        return hashlib.sha256(self._store.root + b"answer" + conversation).digest()

    def _text(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode_bytes(ids).decode("utf-8", "surrogateescape")

    def _encode(self, pieces: list[Piece]) -> list[int]:
        """The ids of whole messages, from memory if they were seen before. The result must not be changed."""
        key = _digest(b"", pieces)
        with self._lock:
            if (ids := self._encoded.get(key)) is not None:
                self._encoded.move_to_end(key)
                return ids
        ids = encode_pieces(self._tokenizer, pieces)
        with self._lock:
            _put(self._encoded, key, ids, MESSAGES_REMEMBERED)
        return ids


def _digest(before: bytes, pieces: Sequence[Piece]) -> bytes:
    found = hashlib.sha256(before)
    for text, control in pieces:
        data = text.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + (b"c" if control else b"t") + data)
    return found.digest()


def _put(memory: OrderedDict[bytes, list[int]], key: bytes, value: list[int], limit: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > limit:
        memory.popitem(last=False)
