"""Where prompts are written: `PromptEditor`, with a list of completions that floats above it.

    editor.py         the widget: what keys mean, and what is sent
    completing.py     when to look for completions, and what a choice puts into the text
    recalling.py      what was sent before
    pasting.py        pastes, dropped files, pictures, texts that are set
    area.py           the text itself: tokens and clusters of characters as one, a little colour
    keyboard.py       keys that start a line, as terminals send them
    popup.py          the list, whose rows are reused
    surroundings.py   what the widget needs from outside, all of it replaceable; `standard.py` is that on a real terminal

What this package does not do: know the agent, run a command, or decide what a prompt means.
"""

from kimicode.tui.prompt.editor import PromptEditor
from kimicode.tui.prompt.popup import CompletionList
from kimicode.tui.prompt.standard import standard_surroundings, workspace_files
from kimicode.tui.prompt.surroundings import Surroundings

__all__ = ["CompletionList", "PromptEditor", "Surroundings", "standard_surroundings", "workspace_files"]
