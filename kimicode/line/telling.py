"""Blocks that grow, said once: each line when it is whole, and never again.

A listener must not hear halves of words. So an answer that streams in is printed line by line; a sentence of a line that is not
finished yet is let out by `pause`, which whoever owns the clock calls when `wants_pause` has been true for a moment.
What this module does not do: print, or run a clock.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kimicode.interactive.view.blocks import Answered, Block, Called, Prompted, Ran, Thought
from kimicode.line.calls import is_quick
from kimicode.line.speak import Habits, block_lines, call_begins, call_ends, changed_lines, ran_ends, thought_lines
from kimicode.line.words import Line, blank, spoken

_SENTENCE: Final = re.compile(r"[.!?:;…。!?]['\")\]*_`»”’]*\s")
_ANCHOR: Final = 400
_SHORT_ANCHOR: Final = 60
_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


class _Said(msgspec.Struct):
    """What was said of one block. `upto` are characters of an answer or output, `anchor` the last of them; `since` is when a thought
    began."""

    kind: type
    upto: int = 0
    anchor: str = ""
    begun: bool = False
    ended: bool = False
    changed: bool = False
    since: float = 0.0


class Teller:
    """Says what is new in a transcript. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.habits = Habits()
        self._clock = clock
        self._said: list[_Said] = []
        self._typed: list[str] = []
        self._open: tuple[int, Answered] | None = None

    @property
    def wants_pause(self) -> bool:
        """True while a whole sentence waits for the end of its line."""
        return self._open is not None and self._sentences(*self._open) > 0

    def typed(self, text: str) -> None:
        """The person typed this prompt where everybody can read it: it need not be said."""
        self._typed.append(text)

    def skip(self, blocks: Sequence[Block]) -> None:
        """Take all of these as said."""
        self._said = [_Said(type(block), upto=_length(block), begun=True, ended=True, changed=True) for block in blocks]
        self._open = None

    def tell(self, blocks: Sequence[Block], which: range) -> tuple[Line, ...]:
        """The lines for blocks that are new or have changed."""
        self._make_room(blocks, which)
        lines: list[Line] = []
        for index in which:
            lines += self._one(index, blocks[index])
        return tuple(lines)

    def pause(self) -> tuple[Line, ...]:
        """The whole sentences of the answer that streams in, although their line goes on."""
        if self._open is None:
            return ()
        index, block = self._open
        return self._let_out(index, block, self._sentences(index, block))

    def _make_room(self, blocks: Sequence[Block], which: range) -> None:
        """Line up what was said with blocks: a thought that did not stream is put before its answer."""
        at = which.start
        if len(blocks) > len(self._said) > at and self._said[at].kind is not type(blocks[at]):
            self._said.insert(at, _Said(type(blocks[at])))
        for block in blocks[len(self._said) :]:
            self._said.append(_Said(type(block), since=self._clock()))

    def _one(self, index: int, block: Block) -> tuple[Line, ...]:
        said = self._said[index]
        match block:
            case Answered():
                return self._answer(index, block)
            case Thought():
                return self._thought(said, block)
            case Called():
                return self._call(said, block)
            case Ran():
                return self._ran(said, block)
            case Prompted() if not said.ended and block.text in self._typed and not block.steered:
                said.ended = True
                self._typed.remove(block.text)
                return ()
            case _ if said.ended:
                return ()
            case _:
                said.ended = True
                return block_lines(block, self.habits)

    def _thought(self, said: _Said, block: Thought) -> tuple[Line, ...]:
        if block.seconds is None or said.ended:
            return ()
        said.ended = True
        return thought_lines(block, block.seconds or self._clock() - said.since, self.habits)

    def _call(self, said: _Said, block: Called) -> tuple[Line, ...]:
        lines: tuple[Line, ...] = ()
        if not said.begun:
            said.begun = True
            lines += () if is_quick(block.call) else call_begins(block)
        if not said.ended and block.state != "running":
            said.ended = True
            lines += call_ends(block, self.habits)
        if not said.changed and block.diffs is not None:
            said.changed = True
            lines += changed_lines(block, self.habits)
        return lines

    def _ran(self, said: _Said, block: Ran) -> tuple[Line, ...]:
        if said.ended:
            return ()
        fresh = _after(said, block.output)
        piece = fresh[: fresh.rfind("\n") + 1] if block.running else fresh
        lines: tuple[Line, ...] = ()
        if piece:
            said.upto += len(piece)
            said.anchor = (said.anchor + piece)[-_ANCHOR:]
            lines = spoken("" if said.begun else "Output:", piece.removesuffix("\n"))
            said.begun = True
        if block.running:
            return lines
        said.ended = True
        return (*lines, *ran_ends(block, printed=said.begun))

    def _answer(self, index: int, block: Answered) -> tuple[Line, ...]:
        said = self._said[index]
        if said.ended:
            return ()
        if block.done:
            said.ended = True
            self._open = None
            return self._let_out(index, block, max(0, len(block.text) - said.upto))
        self._open = (index, block)
        return self._let_out(index, block, block.text.rfind("\n", said.upto) + 1 - said.upto)

    def _let_out(self, index: int, block: Answered, many: int) -> tuple[Line, ...]:
        """Say so many characters more of an answer."""
        said = self._said[index]
        piece = block.text[said.upto : said.upto + max(0, many)]
        if not piece:
            return ()
        said.upto += len(piece)
        text = piece if said.begun else piece.lstrip("\n")
        if blank(text) and not said.begun:
            return ()
        role = "" if said.begun else "Assistant:"
        said.begun = True
        text = text.removesuffix("\n") if not block.done else text.rstrip(" \n")
        return spoken(role, text) if text or not block.done else ()

    def _sentences(self, index: int, block: Answered) -> int:
        """How many characters there are up to the end of the last whole sentence; 0 within a fence of code."""
        upto = self._said[index].upto
        ends = [match.end() for match in _SENTENCE.finditer(block.text, upto)]
        if not ends or len(_FENCE.findall(block.text, 0, upto)) % 2:
            return 0
        return ends[-1] - upto


def _after(said: _Said, output: str) -> str:
    """What a command of the user's printed after what was said of it. Of a long output only the end is there while it runs."""
    if output[: said.upto].endswith(said.anchor) and len(output) >= said.upto:
        return output[said.upto :]
    for anchor in (said.anchor, said.anchor[-_SHORT_ANCHOR:]):
        if (at := output.rfind(anchor)) >= 0:
            return output[at + len(anchor) :]
    return f"…\n{output}"


def _length(block: Block) -> int:
    return len(block.text) if isinstance(block, Answered) else 0
