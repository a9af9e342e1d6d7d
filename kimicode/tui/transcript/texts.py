"""The text of a block as somebody would look for it or copy it: what was said, called, or printed, and nothing of how it is drawn.

It is as it came from outside. What this module does not do: make it harmless, or shorten it.
"""

from typing import assert_never

from kimicode.interactive.view.blocks import Answered, Block, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack


def text_of(block: Block) -> str:
    """The block's text; empty where it has none."""
    match block:
        case Prompted(text=text) | Thought(text=text) | Answered(text=text) | Told(text=text):
            return text
        case Called(call=call):
            paths = [diff.path for diff in block.diffs or ()] or [change.path for change in block.changes]
            return "\n".join(part for part in (f"{call.name} {call.arguments}", *paths, block.result or block.output) if part)
        case Ran(command=command, output=output):
            return f"{command}\n{output}" if output else command
        case Opened(event=event):
            return f"{event.model} {event.workspace}".strip()
        case Ended(event=event):
            return event.error
        case WentBack():
            return ""
        case _:
            assert_never(block)
