"""The agent: one model, one set of tools, one conversation; prompts in, events out.

`submit` runs one prompt to its end and never raises for what goes wrong in a run: `RunFinished` says it. `interrupt` and `steer`
may be called at any time from the same event loop. What this module does not do: build its parts (`app` does) or show anything.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from kimicode.agent.answer import Contract
from kimicode.agent.context import Context
from kimicode.agent.opening import Opening
from kimicode.agent.record import Emit, Recorder
from kimicode.agent.run import Options, Run
from kimicode.agent.toolbox import Toolbox
from kimicode.errors import Interrupted, KimicodeError
from kimicode.events import RunFinished
from kimicode.messages import Conversation, Image, User
from kimicode.model.client import ModelClient
from kimicode.text import well_formed


class Agent:
    """Runs prompts against a model, one at a time.

    `emit` gets every event in order and writes it to the log first. `opening` makes the first messages of an empty context out of
    the first prompt. `step` is the number of the last step where a session goes on. `contract` holds for the answer to every prompt.
    """

    def __init__(
        self,
        model: ModelClient,
        tools: Toolbox,
        emit: Emit,
        *,
        opening: Opening,
        context: Context | None = None,
        options: Options | None = None,
        contract: Contract | None = None,
        step: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._tools = tools
        self._recorder = Recorder(context or Context(), emit)
        self._opening = opening
        self._options = options or Options()
        self._contract = contract
        self._step = step
        self._clock = clock
        self._steers: deque[User] = deque()
        self._run: Run | None = None

    @property
    def context(self) -> Context:
        """The conversation."""
        return self._recorder.context

    async def submit(self, prompt: str, images: Sequence[Image] = ()) -> RunFinished:
        """Run `prompt`, with the pictures that go along, to its end. Raises `RuntimeError` while another run goes on: use `steer` then."""
        if self._run is not None:
            raise RuntimeError("a run is going on: steer it or wait for its end")
        self._run = Run(
            self._model,
            self._tools,
            self._recorder,
            self._options,
            contract=self._contract,
            steers=self._steers,
            step=self._step,
            clock=self._clock,
        )
        try:
            return await self._run.go(self._prompt(well_formed(prompt), tuple(images)))
        finally:
            self._step = self._run.step
            self._run = None

    def interrupt(self) -> None:
        """End the current run, if there is one, with status `interrupted`. The context can be gone on from."""
        self.stop(Interrupted("interrupted by the user"))

    def stop(self, reason: KimicodeError) -> None:
        """End the current run, if there is one, for another reason than the user's wish."""
        if self._run is not None:
            self._run.stop(reason)

    def steer(self, text: str, images: Sequence[Image] = ()) -> None:
        """Say something to the model between two steps of the current run, or right after the next prompt."""
        self._steers.append(User(well_formed(text), tuple(images)))

    def _prompt(self, words: str, images: tuple[Image, ...]) -> Conversation:
        if self._contract is not None:
            words = f"{words}\n\n{self._contract.request}"
        if self.context.messages:
            return (User(words, images),)
        *before, last = self._opening(words)
        assert isinstance(last, User), "an opening ends with the user's words"
        return (*before, msgspec.structs.replace(last, images=images))
