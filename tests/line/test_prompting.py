"""The edited prompt: what is typed, in emacs and vi; output above it; questions that come in between and give the draft back."""

import asyncio
import contextlib

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from kimicode.line.prompting import PromptReader
from kimicode.line.reader import Completion, Request, StoppedError
from kimicode.line.words import Line

WAIT_S = 30.0


class Screen(DummyOutput):
    """Everything that was written, in order."""

    def __init__(self):
        self.text = ""
        self.bold = []
        self.bells = 0
        self.grew = asyncio.Event()

    def write(self, data):
        self.text += data
        self.grew.set()

    write_raw = write

    def set_attributes(self, attrs, color_depth):
        if attrs.bold:
            self.bold.append(len(self.text))

    def bell(self):
        self.bells += 1

    async def until(self, text, after=0):
        async with asyncio.timeout(WAIT_S):
            while text not in self.text[after:]:
                self.grew.clear()
                await self.grew.wait()


class Memory:
    def load(self):
        return ("newest", "fix the bug", "oldest")

    def add(self, text):
        return True


def at_prompt(act, **options):
    """Run `act(reader, keys, screen)`."""

    async def main():
        with create_pipe_input() as keys:
            screen = Screen()
            reader = PromptReader(keys, screen, **{"quiet_s": 0.0, **options})
            try:
                return await act(reader, keys, screen)
            finally:
                await reader.aclose()

    return asyncio.run(main())


def typed(text, **options):
    async def act(reader, keys, screen):
        keys.send_text(text)
        return await asyncio.wait_for(reader.prompt(), WAIT_S)

    return at_prompt(act, **options)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("hello\r", "hello"),
        ("one\\\rtwo\r", "one\ntwo"),
        ("one\ntwo\r", "one\ntwo"),  # Ctrl+J
        ("one\x1b\rtwo\r", "one\ntwo"),  # Alt+Enter
        ("\r\r  \r\x01x\r", "x  "),  # nothing is not sent
        ("gone\x03here\r", "here"),  # Ctrl-C clears
        ("\x1b[200~pasted\r\ntext\x1b[201~\r", "pasted\ntext"),
        ("abc\x01x\r", "xabc"),
    ],
)
def test_the_keys_of_readline(keys, text):
    assert typed(keys) == text


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("fix\x1b[A\r", "fix the bug"),  # Up goes through those that begin so
        ("\x1b[A\r", "newest"),
        ("\x12old\r\r", "oldest"),  # Ctrl+R
    ],
)
def test_earlier_prompts_come_back(keys, text):
    async def act(reader, pipe, screen):
        reading = asyncio.ensure_future(reader.prompt())
        async with asyncio.timeout(WAIT_S):
            while len(reader._session.default_buffer._working_lines) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.005)  # they are read beside everything else
        pipe.send_text(keys)
        return await asyncio.wait_for(reading, WAIT_S)

    assert at_prompt(act, memory=Memory()) == text


def test_vi_keys():
    assert typed("abc\x1bxA!\r", keys="vi") == "ab!"
    assert typed("one two\x1b0dwix\r", keys="vi") == "xtwo"


def test_tab_completes_as_readline_does():
    def complete(text, cursor):
        return [Completion(0, "/rewind", "go back")] if text.startswith("/re") else []

    async def act(reader, pipe, screen):
        reading = asyncio.ensure_future(reader.prompt())
        pipe.send_text("/re\t")
        await screen.until("wind")
        pipe.send_text("\r")
        return await asyncio.wait_for(reading, WAIT_S)

    assert at_prompt(act, complete=complete) == "/rewind"


def test_the_end_and_the_stop():
    with pytest.raises(EOFError):
        typed("\x04")
    with pytest.raises(StoppedError):
        typed("\x03")


def test_lines_are_printed_above_the_prompt_and_only_roles_are_bold():
    async def act(reader, keys, screen):
        reading = asyncio.ensure_future(reader.prompt())
        await screen.until("You:")
        reader.put((Line("first\x1b[31m", "Notice:"), Line("second")), bell=True)
        await screen.until("second\n")
        keys.send_text("done\r")
        assert await reading == "done"
        assert "Notice: first" in screen.text
        assert screen.bells == 1
        reader.put((Line("third"),))
        assert screen.text.endswith("third\n")
        assert screen.bold

    at_prompt(act)

    async def plainly(reader, keys, screen):
        reader.put((Line("words", "Notice:"),))
        assert screen.text == "Notice: words\n"
        assert not screen.bold

    at_prompt(plainly, bold=False)


def test_a_question_takes_the_prompt_away_and_gives_the_draft_back():
    async def act(reader, keys, screen):
        reading = asyncio.ensure_future(reader.prompt())
        await screen.until("You:")
        keys.send_text("half a thou")
        await screen.until("half a thou")
        asking = asyncio.ensure_future(reader.ask(Request("Really?", grave=True)))
        await screen.until("Really?")
        keys.send_text("yes\r")
        assert await asking == "yes"
        keys.send_text("ght\r")
        assert await reading == "half a thought"

    at_prompt(act)


def test_what_was_typed_before_a_grave_question_is_thrown_away():
    async def act(reader, keys, screen):
        keys.send_text("1\r1\r")
        asking = asyncio.ensure_future(reader.ask(Request("Really?", grave=True)))
        await screen.until("Really?")
        keys.send_text("no\r")
        assert await asking == "no"

    at_prompt(act, quiet_s=0.02)


def test_a_question_can_be_stopped_or_taken_away():
    async def act(reader, keys, screen):
        asking = asyncio.ensure_future(reader.ask(Request("Really?")))
        await screen.until("Really?")
        keys.send_text("\x03")
        with pytest.raises(StoppedError):
            await asking
        again = asyncio.ensure_future(reader.ask(Request("Surely?")))
        await screen.until("Surely?")
        again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await again
        keys.send_text("on\r")
        assert await asyncio.wait_for(reader.prompt(), WAIT_S) == "on"

    at_prompt(act)


def test_a_secret_is_not_shown_and_a_default_stands_there():
    async def act(reader, keys, screen):
        asking = asyncio.ensure_future(reader.ask(Request("Key:", "default", secret=True)))
        await screen.until("Key:")
        keys.send_text("hunter2\r")
        assert await asking == "hunter2"
        assert "hunter2" not in screen.text
        assert "default" not in screen.text
        asking = asyncio.ensure_future(reader.ask(Request("Name:", "anna")))
        await screen.until("anna")
        keys.send_text("\r")
        assert await asking == "anna"

    at_prompt(act)


def test_ctrl_c_as_a_signal_ends_the_prompt():
    async def act(reader, keys, screen):
        assert not reader.interrupt()
        reading = asyncio.ensure_future(reader.prompt())
        await screen.until("You:")
        assert reader.interrupt()
        with pytest.raises(StoppedError):
            await reading

    at_prompt(act)
