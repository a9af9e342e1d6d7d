"""What keys ask for, whoever has the focus: a closed set, told to whoever brings the main screen to life.

What this module does not do: bind keys (the application and the main screen do), or act.
"""

from typing import Literal, TypeAlias

Act: TypeAlias = Literal[
    "interrupt",  # Ctrl+C: what is selected, what runs, and then the program
    "withdraw",  # Ctrl+C in a dialog
    "stop",  # Escape on an empty prompt
    "end",  # Ctrl+D on an empty prompt
    "leave",
    "go on",  # Enter on an empty prompt: what is held may go
    "help",
    "panel",
    "find",
    "unfold",
    "plan",
    "model",
    "permission",
    "previous",  # the block before
    "following",  # the block after
    "palette",
]
