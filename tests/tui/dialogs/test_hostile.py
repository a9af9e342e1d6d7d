"""Text from outside is shown as it is, or as its stand-in, in every place of every dialog; it is never markup and never obeyed."""

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.interactive.person import Code, Diff, Field, Form, Menu, Option, Page, Rows, Share, Step, Words
from kimicode.sandbox.approval import FileText, Question
from kimicode.text import Untrusted, render_safe
from kimicode.tui.dialogs.approval import Approval
from kimicode.tui.dialogs.base import Dialog
from tests.tui.dialogs.app import Sitting, sitting

HOSTILE = [
    "[bold]x[/] [@click=app.boom]x[/] [/] [not closed $(rm)[red on $error] \\[bold] 👩‍👩‍👧‍👦 漢字 שלום",
    "\x1b[2J\x1b]0;title\x07 \u202eevil\u2066 \x00\x9b31m\x7f a\tb\nc\rd ]8;;http://x\x1b\\",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30), st.lists(st.sampled_from(HOSTILE), max_size=3).map(" ".join))


def _requests(sit: Sitting, text: str) -> list[Awaitable[object]]:
    async def preview(index: int) -> Page:
        return page

    async def job(step: Step) -> None:
        step.tell(text)
        await asyncio.Event().wait()

    file = FileText(text, text, text + text, text)
    page = Page(text, (Words(text), Code(text), Rows(((text, text),), (text, text)), Share(text, 1, 2, text), Diff((file,))))
    plain = Field(text, text, text, text, check=lambda _: text)
    field = Field(text, text, text, text, choices=(text, "other"))
    person = sit.person
    return [
        person.show(page),
        person.choose(Menu(text, (Option(text, text, key=text[:1]), Option(text, current=True)), preview, text)),
        person.confirm(text, detail=text),
        person.word(plain),
        person.word(field),
        person.fill(Form(text, ((text, (plain, field)),), text)),
        person.approve(Question(text, text, text, (text, text), (text,), rule=text, files=(file,), behind=1)),
        person.work(text, job),
    ]


async def _look_at_all(sit: Sitting, text: str) -> str:
    seen = ""
    for number in range(len(_names())):
        requests = _requests(sit, text)
        for at, request in enumerate(requests):
            if at != number:
                request.close()  # type: ignore[attr-defined]
        task = asyncio.ensure_future(requests[number])
        await sit.until(lambda: isinstance(sit.app.screen, Dialog) and sit.app.screen.is_mounted)
        await _drawn(sit)
        if isinstance(sit.app.screen, Approval):
            sit.clock.now += 10
            sit.app.screen.wake()
        sit.app.screen.focus_next()
        sit.app.screen.refresh()
        await _drawn(sit)
        seen += checked(sit)
        task.cancel()
        await asyncio.wait({task})
        await sit.until(lambda: len(sit.app.screen_stack) == 1)
    return seen


async def _drawn(sit: Sitting) -> None:
    """Until the screen has handled all that came before, and drawn."""
    done = asyncio.Event()
    sit.app.screen.call_after_refresh(done.set)
    await done.wait()


def _names() -> list[str]:
    return ["page", "menu", "confirm", "word", "choice", "form", "approval", "work"]


def checked(sit: Sitting) -> str:
    """The screen's text, once it is sure that there is nothing in it to be obeyed."""
    for strip in sit.app.screen._compositor.render_strips():
        for segment in strip:
            assert render_safe(Untrusted(segment.text)) == segment.text
            assert "\n" not in segment.text
            assert "\t" not in segment.text
            if segment.style is not None:
                assert "@click" not in segment.style.meta
                assert not segment.style.link
    return sit.text()


@pytest.mark.parametrize("size", [(60, 16), (120, 36)])
def test_hostile_texts_are_shown_as_they_are(size: tuple[int, int]):
    async def go() -> None:
        async with sitting(*size) as sit:
            for text in HOSTILE:
                seen = await _look_at_all(sit, text)
                for word in render_safe(Untrusted(text)).split()[:4]:
                    assert word in seen, word
            assert not sit.app.quit_by_markup

    asyncio.run(go())


@settings(max_examples=8, deadline=None)
@given(texts)
def test_any_text_is_harmless(text: str):
    async def go() -> None:
        async with sitting(60, 16) as sit:
            await _look_at_all(sit, text)
            assert not sit.app.quit_by_markup

    asyncio.run(go())
