"""From events to blocks: the one place that says what a transcript shows, for a session that runs and for one that is read back.

`apply` takes one event and says which blocks are new or other than before, by index; blocks before those stay as they are, and none is
ever taken out. A million deltas cost what their text costs: consecutive ones are joined by `joined` first where they come in batches.
What this module does not do: look at files (`looked_up` takes what somebody else found), or draw.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, assert_never

import msgspec

from kimicode.events import (
    AnswerReset,
    Decided,
    EngineProgress,
    Event,
    FilesChanged,
    MessageAdded,
    Notice,
    Rewound,
    RunFinished,
    SessionStarted,
    ShellRan,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    Titled,
    ToolCallReady,
    ToolFinished,
    ToolOutput,
)
from kimicode.interactive.view.blocks import (
    Answered,
    Block,
    Called,
    CallState,
    Ended,
    Opened,
    Prompted,
    Ran,
    Thought,
    Told,
    WentBack,
)
from kimicode.messages import Assistant, ToolResult, User
from kimicode.sandbox.approval import FileText
from kimicode.session.title import user_words

LIVE_CHARS: Final = 16_384
"""So much of what a running call printed is kept for a look at its end."""

_REFUSED: Final = "Refused: "
_NOTHING: Final[range] = range(0)


class Transcript:
    """The blocks so far. Feed it events with `apply`; read `blocks`."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._blocks: list[Block] = []
        self._calls: dict[str, int] = {}
        self._step = 0
        self._turn = 0
        self._running = False
        self._decided = ""
        for event in events:
            self.apply(event)

    @property
    def blocks(self) -> Sequence[Block]:
        """All of them, oldest first. Not to be changed."""
        return self._blocks

    def apply(self, event: Event) -> range:
        """Take the next event. The indexes of blocks that are new or have changed, as a range; empty where none has."""
        match event:
            case SessionStarted():
                return self._add(Opened(event))
            case MessageAdded():
                return self._message(event)
            case StepStarted():
                self._step = len(self._blocks)
                return _NOTHING
            case ThinkingDelta(text=text):
                return self._thought(text)
            case TextDelta(text=text):
                return self._answered(text)
            case AnswerReset(reason=reason):
                return self._reset(reason)
            case StepFinished():
                return self._whole(event)
            case ToolCallReady(call=call):
                self._calls[call.id] = len(self._blocks)
                decided, self._decided = self._decided, ""
                return self._add(Called(call, decided=decided))
            case ToolOutput(call_id=call_id, text=text):
                return self._printed(call_id, text)
            case ToolFinished(result=result, seconds=seconds):
                return self._returned(result, seconds)
            case FilesChanged(call_id=call_id, changes=changes):
                return self._change(
                    call_id, lambda called: msgspec.structs.replace(called, changes=(*called.changes, *changes), diffs=None)
                )
            case Decided(tool=tool, choice=choice, feedback=feedback):
                return self._answer_given(tool, choice, feedback)
            case Notice(text=text, level=level):
                return self._add(Told(text, level))
            case ShellRan():
                return self._ran(event)
            case Rewound(to_turn=turn, conversation=conversation, changes=made):
                return self._add(WentBack(turn, conversation, len(made)))
            case RunFinished():
                return self._ended(event)
            case EngineProgress() | Titled():
                return _NOTHING
            case _:
                assert_never(event)

    def begin_shell(self, command: str) -> range:
        """A command that the user runs by hand begins; `ShellRan` ends it."""
        return self._add(Ran(command))

    def shell_printed(self, text: str) -> range:
        """What it has printed since."""
        for index in range(len(self._blocks) - 1, -1, -1):
            block = self._blocks[index]
            if isinstance(block, Ran) and block.running:
                return self._set(index, msgspec.structs.replace(block, output=(block.output + text)[-LIVE_CHARS:]))
        return _NOTHING

    def asked(self, tool: str, waits: bool) -> range:
        """A call of `tool` waits for a person, or does no longer."""
        for index in range(len(self._blocks) - 1, self._turn - 1, -1):
            block = self._blocks[index]
            if isinstance(block, Called) and block.call.name == tool and (block.state == "running" if waits else block.asked):
                return self._set(index, msgspec.structs.replace(block, asked=waits))
        return _NOTHING

    def looked_up(self, call_id: str, diffs: tuple[FileText, ...]) -> range:
        """The texts of what a call changed, found by somebody who may look at files."""
        return self._change(call_id, lambda called: msgspec.structs.replace(called, diffs=diffs))

    def _add(self, block: Block) -> range:
        self._blocks.append(block)
        return range(len(self._blocks) - 1, len(self._blocks))

    def _set(self, index: int, block: Block) -> range:
        self._blocks[index] = block
        return range(index, index + 1)

    def _change(self, call_id: str, how: Callable[[Called], Called]) -> range:
        index = self._calls.get(call_id)
        if index is None:
            return _NOTHING
        called = self._blocks[index]
        assert isinstance(called, Called)
        return self._set(index, how(called))

    def _message(self, event: MessageAdded) -> range:
        match event.message:
            case User(content=content) if event.by == "kimicode":
                return self._add(Told(content))
            case User(content=content, images=images):
                prompted = Prompted(user_words(content), tuple(image.name for image in images), steered=self._running, at=event.at)
                if not self._running:
                    self._turn = len(self._blocks)
                    self._running = True
                return self._add(prompted)
            case Assistant(content=content) if content:
                # An answer that was cut: it streamed in already, unless it is read back from somewhere that kept no deltas.
                last = self._blocks[-1] if self._blocks else None
                if isinstance(last, Answered):
                    return self._set(len(self._blocks) - 1, Answered(content))
                return self._add(Answered(content))
            case _:
                return _NOTHING

    def _thought(self, text: str) -> range:
        last = self._growing(Thought)
        if isinstance(last, Thought):
            return self._set(len(self._blocks) - 1, Thought(last.text + text))
        return self._add(Thought(text))

    def _answered(self, text: str) -> range:
        last = self._growing(Answered)
        if isinstance(last, Answered):
            return self._set(len(self._blocks) - 1, Answered(last.text + text, done=False))
        closed = self._close_thought(None)
        added = self._add(Answered(text, done=False))
        return range(closed.start, added.stop) if closed else added

    def _growing(self, kind: type[Block]) -> Block | None:
        if len(self._blocks) > self._step and isinstance(last := self._blocks[-1], kind):
            return last
        return None

    def _close_thought(self, seconds: float | None) -> range:
        """Fold the thought that stands last, if one does. How long it took is not known before its step ends."""
        if len(self._blocks) > self._step and isinstance(last := self._blocks[-1], Thought) and last.seconds is None:
            return self._set(len(self._blocks) - 1, Thought(last.text, seconds or 0.0))
        return _NOTHING

    def _reset(self, reason: str) -> range:
        for index in range(self._step, len(self._blocks)):
            block = self._blocks[index]
            if isinstance(block, Answered | Thought):
                self._blocks[index] = Answered("") if isinstance(block, Answered) else Thought("", 0.0)
        start = self._step
        self._step = len(self._blocks)
        return range(start, self._add(Told(f"asking again: {reason}")).stop)

    def _whole(self, event: StepFinished) -> range:
        """The answer is whole: what streamed in is replaced by what counts, and what did not stream is added."""
        start = self._step
        kinds = {type(block) for block in self._blocks[start:]}
        if event.answer.reasoning and Thought not in kinds:
            self._blocks.insert(start, Thought(event.answer.reasoning))
        if event.answer.content and Answered not in kinds:
            self._blocks.append(Answered(event.answer.content))
        for index in range(start, len(self._blocks)):
            block = self._blocks[index]
            if isinstance(block, Thought):
                self._blocks[index] = Thought(
                    event.answer.reasoning or block.text, event.seconds if block.seconds is None else block.seconds
                )
            elif isinstance(block, Answered):
                self._blocks[index] = Answered(event.answer.content or block.text)
        return range(start, len(self._blocks))

    def _printed(self, call_id: str, text: str) -> range:
        return self._change(call_id, lambda called: msgspec.structs.replace(called, output=(called.output + text)[-LIVE_CHARS:]))

    def _returned(self, result: ToolResult, seconds: float) -> range:
        state: CallState = "done" if result.ok else "refused" if result.content.startswith(_REFUSED) else "failed"
        return self._change(
            result.call_id,
            lambda called: msgspec.structs.replace(called, state=state, result=result.content, seconds=seconds, output=""),
        )

    def _answer_given(self, tool: str, choice: str, feedback: str) -> range:
        said = f"{choice}: {feedback}" if feedback else choice
        for index in range(len(self._blocks) - 1, self._turn - 1, -1):
            block = self._blocks[index]
            if isinstance(block, Called) and block.state == "running" and block.call.name == tool:
                return self._set(index, msgspec.structs.replace(block, decided=said))
        self._decided = said
        return _NOTHING

    def _ran(self, event: ShellRan) -> range:
        ran = Ran(event.command, event.output, running=False, exit_code=event.exit_code, seconds=event.seconds)
        for index in range(len(self._blocks) - 1, -1, -1):
            block = self._blocks[index]
            if isinstance(block, Ran) and block.running and block.command == event.command:
                return self._set(index, ran)
        return self._add(ran)

    def _ended(self, event: RunFinished) -> range:
        start = len(self._blocks)
        for index in range(self._turn, len(self._blocks)):
            block = self._settled(index)
            if block is not self._blocks[index]:
                self._blocks[index] = block
                start = min(start, index)
        self._running = False
        return range(start, self._add(Ended(event)).stop)

    def _settled(self, index: int) -> Block:
        match self._blocks[index]:
            case Called(state="running") as called:
                return msgspec.structs.replace(called, state="stopped")
            case Called(state="failed" | "refused") as called:
                return msgspec.structs.replace(called, grave=not self._made_up_for(called, index))
            case Answered(done=False) as answered:
                return msgspec.structs.replace(answered, done=True)
            case Thought(seconds=None) as thought:
                return msgspec.structs.replace(thought, seconds=0.0)
            case block:
                return block

    def _made_up_for(self, failed: Called, index: int) -> bool:
        """True where the same tool worked later in the turn."""
        later = self._blocks[index + 1 :]
        return any(isinstance(block, Called) and block.call.name == failed.call.name and block.state == "done" for block in later)


def joined(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, with pieces of text that follow each other made one piece."""
    held: ThinkingDelta | TextDelta | ToolOutput | None = None
    for event in events:
        if held is not None and isinstance(event, ThinkingDelta | TextDelta | ToolOutput) and (merged := _merged(held, event)) is not None:
            held = merged
            continue
        if held is not None:
            yield held
            held = None
        if isinstance(event, ThinkingDelta | TextDelta | ToolOutput):
            held = event
        else:
            yield event
    if held is not None:
        yield held


def _merged(
    first: ThinkingDelta | TextDelta | ToolOutput, second: ThinkingDelta | TextDelta | ToolOutput
) -> ThinkingDelta | TextDelta | ToolOutput | None:
    match first, second:
        case (ThinkingDelta(text=a), ThinkingDelta(text=b)):
            return ThinkingDelta(a + b)
        case (TextDelta(text=a), TextDelta(text=b)):
            return TextDelta(a + b)
        case (ToolOutput(call_id=one, text=a), ToolOutput(call_id=other, text=b)) if one == other:
            return ToolOutput(one, a + b)
        case _:
            return None
