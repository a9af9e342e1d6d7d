"""What terminals send for "a new line" never sends the prompt."""

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key

from kimicode.tui.prompt.keyboard import NEW_LINE, teach_alt_enter


def keys(sent: str) -> list[str]:
    parser = XTermParser()
    return [event.key for data in (sent, "") for event in parser.feed(data) if isinstance(event, Key)]


# ESC and a carriage return once arrived as Enter: a prompt was sent that was not done.
@pytest.mark.parametrize(
    "sent", ["\x1b\r", "\n", "\x1b[13;2u", "\x1b[13;3u", "\x1b[13;5u", "\x1b[27;2;13~", "\x1b[27;3;13~", "\x1b[27;5;13~"]
)
def test_every_spelling_starts_a_line(sent):
    teach_alt_enter()
    (key,) = keys(sent)
    assert key in NEW_LINE


def test_enter_is_enter():
    teach_alt_enter()
    assert keys("\r") == ["enter"]
    assert "enter" not in NEW_LINE
