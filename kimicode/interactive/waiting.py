"""What the user wants next while the agent is busy: prompts in order, pure.

What this module does not do: send them (`Desk` does).
"""

import msgspec

from kimicode.messages import Image


class Prompt(msgspec.Struct, frozen=True):
    """What the user wrote, with the pictures that go along."""

    text: str
    images: tuple[Image, ...] = ()


class Waiting(msgspec.Struct, frozen=True):
    """Prompts that wait for their turn. `paused` after an interruption: nothing is sent until the user says so."""

    prompts: tuple[Prompt, ...] = ()
    paused: bool = False

    def with_prompt(self, prompt: Prompt) -> "Waiting":
        """One more at the end."""
        return msgspec.structs.replace(self, prompts=(*self.prompts, prompt))

    def take(self) -> tuple[Prompt | None, "Waiting"]:
        """The next one and the rest; None where there is none or the queue is paused."""
        if self.paused or not self.prompts:
            return None, self
        return self.prompts[0], msgspec.structs.replace(self, prompts=self.prompts[1:])

    def pull(self, index: int = -1) -> tuple[Prompt | None, "Waiting"]:
        """The prompt at `index` (the last one by default), to be edited or dropped, and the rest."""
        if not self.prompts:
            return None, self
        at = index % len(self.prompts)
        rest = self.prompts[:at] + self.prompts[at + 1 :]
        return self.prompts[at], Waiting(rest, paused=self.paused and bool(rest))

    def pause(self) -> "Waiting":
        """Hold everything, if there is anything."""
        return msgspec.structs.replace(self, paused=bool(self.prompts))

    def resume(self) -> "Waiting":
        """Go on."""
        return msgspec.structs.replace(self, paused=False)
