"""Lines from a terminal that gives nothing else, and from a pipe."""

import asyncio
import os
import sys

import pytest

from kimicode.line.plain import PlainReader
from kimicode.line.reader import Request, StoppedError
from kimicode.line.words import Line


def reading(source_of, act):
    async def main():
        source, sink = source_of
        reader = PlainReader(source, sink)
        try:
            return await asyncio.wait_for(act(reader, source, sink), 30)
        finally:
            source.end()

    return asyncio.run(main())


@pytest.fixture
def streams(streams_of):
    return lambda terminal: streams_of(terminal=terminal)


def test_lines_prompts_and_the_end(streams):
    async def act(reader, source, sink):
        source.put("one\r\ntwo \\\nthree\nlast without an end")
        source.end()
        assert [await reader.prompt() for _ in range(3)] == ["one", "two \nthree", "last without an end"]
        with pytest.raises(EOFError):
            await reader.prompt()
        with pytest.raises(EOFError):
            await reader.prompt()
        assert sink.getvalue() == ""

    reading(streams(False), act)


def test_a_pipe_answers_no_question(streams):
    async def act(reader, source, sink):
        source.put("yes\n")
        assert not reader.answers
        with pytest.raises(EOFError):
            await reader.ask(Request("Really?"))
        assert await reader.prompt() == "yes"

    reading(streams(False), act)


def test_a_question_comes_before_the_prompt(streams):
    async def act(reader, source, sink):
        prompting = asyncio.ensure_future(reader.prompt())
        await asyncio.sleep(0)
        asking = asyncio.ensure_future(reader.ask(Request("Really?", "no")))
        await asyncio.sleep(0)
        source.put("\nnext\n")
        assert await asking == "no"
        assert await prompting == "next"
        assert sink.getvalue() == "You: \nReally? [no] "

    reading(streams(True), act)


def test_output_starts_on_a_line_of_its_own_and_the_prompt_comes_back_when_asked_to(streams):
    async def act(reader, source, sink):
        prompting = asyncio.ensure_future(reader.prompt())
        await asyncio.sleep(0)
        reader.put((Line("words", "Notice:"),))
        reader.put((Line("more"),), bell=True)
        reader.remind()
        reader.remind()
        assert sink.getvalue() == "You: \nNotice: words\nmore\n\aYou: "
        assert reader.interrupt()
        with pytest.raises(StoppedError):
            await prompting
        assert not reader.interrupt()

    reading(streams(True), act)


def test_bytes_that_are_no_text_are_replaced(streams):
    async def act(reader, source, sink):
        source.put_bytes(b"a\xffb\n")
        assert await reader.prompt() == "a\ufffdb"

    reading(streams(False), act)


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
def test_a_real_terminal_without_an_editor_keeps_a_secret_and_forgets_what_was_typed_early():
    outside, inside = os.openpty()

    async def main():
        with stdin, stdout:
            reader = PlainReader(stdin, stdout)
            os.write(outside, b"early\n")
            assert await reader.prompt() == "early"
            os.write(outside, b"1\n")
            asking = asyncio.ensure_future(reader.ask(Request("Really?", grave=True)))
            await until(outside, b"Really?")
            os.write(outside, b"no\n")
            assert await asking == "no"
            asking = asyncio.ensure_future(reader.ask(Request("Key:", secret=True)))
            await until(outside, b"Key:")
            os.write(outside, b"hunter2\n")
            assert await asking == "hunter2"
            reader.put((Line("end"),))
            seen = await until(outside, b"end")
            assert b"hunter2" not in seen
            assert b"\x1b" not in seen
            os.write(outside, b"\x04")
            with pytest.raises(EOFError):
                await reader.prompt()

    async def until(terminal, wanted):
        seen = b""
        while wanted not in seen:
            seen += await asyncio.to_thread(os.read, terminal, 4096)
        return seen

    stdin, stdout = os.fdopen(inside, closefd=False), os.fdopen(inside, "w", closefd=False)
    try:
        asyncio.run(asyncio.wait_for(main(), 30))
    finally:
        os.close(inside)
        os.close(outside)
