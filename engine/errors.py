"""The engine's error tree; every leaf that ends the process knows its documented exit code.

    EngineError                 69    the engine can't serve: llama.cpp failed, memory ran out, a socket can't be made
    ├── ModelFileError           2    the file is missing, damaged, or not a model this engine runs
    ├── AlreadyServedError      75    another engine holds this socket
    ├── OverloadedError         75    too many requests wait; the server answers it with 429
    ├── ContextOverflowError     1    a prompt is longer than the context; the server answers it with 400
    └── DecodeError             69    llama.cpp refused a batch; its sequences are empty afterwards

A message says what failed, where, and what to do next, in one line. What this module does not do: print.
"""

from typing import ClassVar


class EngineError(Exception):
    """Base of every error that the engine raises on purpose."""

    exit_code: ClassVar[int] = 69


class ModelFileError(EngineError):
    """The model file can't be used as it is."""

    exit_code = 2


class AlreadyServedError(EngineError):
    """Another engine process serves this socket."""

    exit_code = 75


class OverloadedError(EngineError):
    """More requests wait than the engine takes."""

    exit_code = 75


class ContextOverflowError(EngineError):
    """A prompt of `needed` tokens does not leave room for an answer in a context of `context` tokens."""

    exit_code = 1

    def __init__(self, needed: int, context: int) -> None:
        super().__init__(
            f"the prompt has {needed} tokens, but the context length is {context} tokens and the answer needs room in it: "
            "shorten the conversation, or start the engine with a larger --context"
        )
        self.needed = needed
        self.context = context


class DecodeError(EngineError):
    """llama.cpp could not process a batch of tokens."""
