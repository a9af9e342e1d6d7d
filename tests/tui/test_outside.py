"""What reaches the terminal beside the screen: the title, notifications, the last words of a crash; and what a terminal answers."""

import asyncio
import os
import pty
import threading
from pathlib import Path

import msgspec
import pytest

from kimicode.events import SessionStarted
from kimicode.interactive.view.status import Status
from kimicode.settings import Settings, UiSettings
from kimicode.tui.app import KimicodeApp, Order
from kimicode.tui.background import terminal_background
from kimicode.tui.bars import Bar
from kimicode.tui.calling import Calling
from kimicode.tui.crash import last_words, write_crash
from kimicode.tui.player import Player
from tests.tui.waiting import until


class Written(KimicodeApp):
    """An application that keeps what it would send to its terminal."""

    sent: list[str]

    def write_sequence(self, sequence: str) -> None:
        self.sent.append(sequence)


ORDER = Order(Settings(ui=UiSettings(theme="dark")), {"HOME": "/nowhere", "KIMICODE_HOME": "/nowhere/home"}, Path("/nowhere/bakery"))


def written(*, title: bool = True) -> Written:
    app = Written(msgspec.structs.replace(ORDER, settings=Settings(ui=UiSettings(theme="dark", title=title))))
    app.sent = []
    return app


def test_the_title_says_what_goes_on_and_goes_back() -> None:
    app = written()
    calling = Calling(app, ORDER.environ)
    calling.title(Status(workspace="/nowhere/bakery"))
    calling.title(Status(workspace="/nowhere/bakery"))
    calling.title(Status(workspace="/nowhere/bakery", phase="answering"))
    calling.title(Status(workspace="/nowhere/bakery", phase="asking", title="bread\x1b]0;evil\x07"))
    calling.end()
    assert app.sent[0] == "\x1b[22;0t"
    assert [text for text in app.sent if "bakery — kimicode" in text] == ["\x1b]0;bakery — kimicode\x07", "\x1b]0;· bakery — kimicode\x07"]
    assert "\x1b" not in app.sent[3][4:]
    assert app.sent[-1] == "\x1b[23;0t"


def test_a_title_that_is_not_wanted_is_not_touched() -> None:
    app = written(title=False)
    calling = Calling(app, ORDER.environ)
    calling.title(Status(workspace="/nowhere/bakery"))
    calling.end()
    assert app.sent == []


def test_nobody_is_called_who_typed_just_now() -> None:
    app = written()
    app.last_key = float("inf")
    assert app.watched() is True
    app.last_key = float("-inf")
    assert app.watched() is None


def test_a_crash_leaves_a_private_file_and_the_way_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken oven") as caught:
        raise ValueError("broken oven")
    path = write_crash(caught.value, tmp_path, "20261126-101500-abcd")
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "broken oven" in text
    assert "20261126-101500-abcd" in text
    words = last_words(caught.value, path, "20261126-101500-abcd")
    assert str(path) in words
    assert "kimicode --resume 20261126-101500-abcd" in words
    assert "Traceback" not in words
    assert "Nothing could be written" in last_words(caught.value, None, "")


def test_a_crash_that_can_not_be_written_is_told_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "crashes").write_text("in the way")
    assert write_crash(ValueError(), tmp_path, "") is None


@pytest.mark.parametrize(
    ("answer", "colour"),
    [
        (b"\x1b]11;rgb:1a1a/2b2b/3c3c\x1b\\\x1b[?62;22c", (0x1A, 0x2B, 0x3C)),
        (b"\x1b[?62;22c", None),
        (b"", None),
    ],
)
def test_a_terminal_is_asked_for_its_background_and_may_not_know(answer: bytes, colour: tuple[int, int, int] | None) -> None:
    ours, theirs = pty.openpty()

    def terminal() -> None:
        asked = b""
        while b"\x1b[c" not in asked:
            asked += os.read(ours, 100)
        os.write(ours, answer)

    answering = threading.Thread(target=terminal)
    answering.start()
    try:
        assert terminal_background(theirs, theirs) == colour
    finally:
        answering.join()
        os.close(theirs)
        os.close(ours)


def test_what_is_no_terminal_has_no_background() -> None:
    read, write = os.pipe()
    try:
        assert terminal_background(read, write) is None
    finally:
        os.close(read)
        os.close(write)


def test_a_key_before_anybody_can_act_is_not_lost() -> None:
    async def main() -> None:
        app = KimicodeApp(ORDER, lambda app: Player(app, (), 0.0))
        app.action_act("panel")
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.main.has_class("-panel"))

    asyncio.run(main())


def test_a_recording_takes_no_words() -> None:
    events = (SessionStarted("s", "/nowhere/bakery", "kimi-k2.6", "moonshot", "workspace", ()),)

    async def main() -> None:
        app = KimicodeApp(ORDER, lambda app: Player(app, events, 0.0))
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.conductor is not None and app.main.transcript.blocks == 1)
            app.main.prompt.set_text("Hello?")
            await pilot.press("enter")
            await until(pilot, lambda: "recording" in str(app.main.query_one("#keys", Bar).content))

    asyncio.run(main())
