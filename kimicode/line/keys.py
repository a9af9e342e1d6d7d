"""The keys of the prompt, beside those that readline and vi have: Enter sends, Alt+Enter and Ctrl+J make a new line, Ctrl+C clears or
interrupts.

What this module does not do: know what is done with a prompt.
"""

from prompt_toolkit.application.current import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, emacs_mode, has_focus, vi_insert_mode
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from kimicode.line.reader import StoppedError


def prompt_keys() -> KeyBindings:
    """The bindings; they win over prompt_toolkit's own."""
    keys = KeyBindings()
    here = has_focus(DEFAULT_BUFFER)
    writing = here & (emacs_mode | vi_insert_mode)

    @keys.add("enter", filter=here)
    def _send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        before = buffer.document.text_before_cursor
        if before.endswith("\\") and buffer.document.is_cursor_at_the_end:
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        elif buffer.text.strip():
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=writing)
    @keys.add("c-j", filter=writing)
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-c", filter=here)
    def _interrupt(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.erase_when_done = True
            event.app.exit(exception=StoppedError())

    @keys.add("c-d", filter=here & Condition(lambda: not get_app().current_buffer.text))
    def _leave(event: KeyPressEvent) -> None:
        event.app.erase_when_done = True
        event.app.exit(exception=EOFError())

    return keys
