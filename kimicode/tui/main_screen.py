"""The main screen: transcript, panel, activity, prompt. It lays out and shows what it is given.

From 120 columns the panel stands beside the transcript; below, a header line stands for it and F2 lays it on top. Down to 60×16 everything
that matters fits. What this module does not do: know a session (`Conductor` does).
"""

import time
from collections.abc import Callable, Iterator
from typing import ClassVar, Final, Literal, assert_never

import msgspec
from textual import events, on
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from kimicode.interactive.view.status import Status
from kimicode.interactive.waiting import Waiting
from kimicode.settings import UiSettings
from kimicode.tui.acts import Act
from kimicode.tui.bars import Bar, activity_text, header_text, keys_text
from kimicode.tui.draw.values import Look, Palette
from kimicode.tui.find_bar import FindBar
from kimicode.tui.listener import Listener
from kimicode.tui.panel import SidePanel
from kimicode.tui.prompt.editor import PromptEditor
from kimicode.tui.transcript.messages import CopyRequested, Found, NewBelow, OpenRequested, QuoteRequested, WantDiffs
from kimicode.tui.transcript.sheet import DrawBlock
from kimicode.tui.transcript.view import TranscriptView

PANEL_FROM: Final = 120
_STILL: Final = ("idle", "asking")
"""Phases in which nothing is counted. Below a dialog, which one sees through, a second that passes would draw the whole screen anew."""
_IDLE_KEYS: Final = (
    ("Enter", "send"), ("/", "commands"), ("@", "files"), ("!", "shell"), ("Ctrl+P", "search commands"), ("F1", "help"), ("F2", "panel"),
    ("Ctrl+F", "find"),
)  # fmt: skip
_BUSY_KEYS: Final = (("Esc", "stop"), ("Enter", "send next"), ("Ctrl+S", "say now"), ("Ctrl+O", "unfold"), ("F1", "help"), ("F2", "panel"))


class MainScreen(Screen[None]):
    """See the module."""

    DEFAULT_CSS = """
    MainScreen { layout: vertical; background: $background; color: $foreground; }
    MainScreen #middle { height: 1fr; margin-bottom: 1; }
    MainScreen.-low #middle { margin-bottom: 0; }
    MainScreen #left { width: 1fr; height: 1fr; }
    MainScreen TranscriptView { height: 1fr; width: 1fr; }
    MainScreen SidePanel { display: none; }
    MainScreen.-panel SidePanel { display: block; }
    MainScreen.-over SidePanel { dock: right; layer: over; background: $surface; height: 100%; }
    MainScreen { layers: base over; }
    MainScreen #header { background: $surface; }
    MainScreen.-panel #header { display: none; }
    MainScreen.-over #header { display: block; }
    MainScreen #below { display: none; text-align: center; background: $surface; }
    MainScreen #below.-some { display: block; }
    MainScreen #activity { display: none; }
    MainScreen #activity.-some { display: block; }
    MainScreen.-low #keys { display: none; }
    MainScreen.-low.-hint #keys { display: block; }
    """
    HELP: ClassVar[str] = """
Write what you want and press Enter; what is said and done stands above. `/help` lists all commands.

| key | does |
|---|---|
| Enter | send; while the agent works: send when it is done |
| Ctrl+S | say it now, between two steps of the agent |
| Shift+Enter, Ctrl+J | a new line |
| Esc, Ctrl+C | stop the agent; again: at once |
| Esc Esc | go back to an earlier turn |
| @ | name a file |
| / | a command |
| ! | a command of your own shell |
| Up, Down | what you sent before; Ctrl+R searches it |
| Ctrl+G | write the prompt in your editor |
| Ctrl+V | take a picture from the clipboard |
| Alt+Up, Alt+Down | walk through the transcript: Enter unfolds, c copies, y puts it into the prompt, o opens it in your editor |
| Page Up, Page Down, Shift+Up, Shift+Down | scroll; End: to the end |
| Ctrl+O | unfold or fold everything |
| Ctrl+F | find |
| F2 | panel |
| Ctrl+P | search commands |
| Ctrl+L | choose a model |
| Shift+Tab | choose what the agent may do |
| Ctrl+T | the agent's plan |
| Ctrl+Z | suspend |
| Ctrl+D | quit |
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before the prompt gets them: it is short, and the transcript is what one wants to scroll.
        Binding("pageup", "scroll('page_up')", "scroll", show=False, priority=True),
        Binding("pagedown", "scroll('page_down')", "scroll", show=False, priority=True),
        Binding("shift+up", "scroll('scroll_up')", "scroll", show=False, priority=True),
        Binding("shift+down", "scroll('scroll_down')", "scroll", show=False, priority=True),
        Binding("ctrl+home", "scroll('scroll_home')", "to the beginning", show=False, priority=True),
        Binding("ctrl+end", "scroll('scroll_end')", "to the end", show=False, priority=True),
        Binding("end", "end", "to the end", show=False, priority=True),
        # Textual's own would move the focus.
        Binding("shift+tab", "app.act('permission')", "permission", show=False),
    ]
    AUTO_FOCUS: ClassVar[str | None] = "#prompt PromptArea"

    def __init__(
        self, ui: UiSettings, palette: Palette, draw: DrawBlock, prompt: PromptEditor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(id="main")
        self._clock = clock
        self._ui, self._palette, self._width = ui, palette, 80
        self.transcript = TranscriptView(draw, self.look, max_width=ui.width, id="transcript")
        self.prompt = prompt
        # A blinking cursor would draw twice a second while nothing happens.
        prompt.area.cursor_blink = False
        self.panel = SidePanel()
        self.find_bar = FindBar(id="find")
        self._header, self._below = Bar(id="header"), Bar(id="below")
        self._activity, self._keys = Bar(id="activity"), Bar(id="keys")
        self._status = Status()
        self._waiting = Waiting()
        self._hint = ""
        self._wanted: bool | None = None
        self._ticking: Timer | None = None
        self._listener: Listener | None = None
        self._early: list[PromptEditor.Sent] = []
        self._unfolded = False

    def listen(self, listener: Listener) -> None:
        """Tell this one from now on, and what has been sent so far."""
        self._listener = listener
        early, self._early = self._early, []
        for event in early:
            self._sent(event)

    def compose(self) -> Iterator[Widget]:
        """From top to bottom."""
        yield self._header
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield self.transcript
                yield self._below
            yield self.panel
        yield self.find_bar
        yield self._activity
        yield self.prompt
        yield self._keys

    def restyle(self, ui: UiSettings, palette: Palette) -> None:
        """Other looks, from now on."""
        self._ui, self._palette, self._width = ui, palette, 80
        self.transcript.set_max_width(ui.width)
        self.transcript.set_look(self.look)
        self._place()
        self._draw()

    @property
    def look(self) -> Look:
        """How things are drawn now; the transcript puts its own width in."""
        return Look(self._width, self._palette, self._ui.diff, self._ui.fold_lines, self._ui.thinking)

    def show(self, status: Status, waiting: Waiting) -> None:
        """What is so at the moment."""
        before, self._status = self._status, status
        if waiting == self._waiting and _shown(status) == _shown(before):
            return
        self._waiting = waiting
        self.prompt.busy = status.phase != "idle"
        if (before.phase in _STILL) != (status.phase in _STILL):
            self._tick(status.phase not in _STILL)
        if (before.phase == "idle") != (status.phase == "idle"):
            self._hint = ""
        self._draw()

    def hint(self, text: str) -> None:
        """Words in place of the keys, until the next ones; empty for the keys."""
        self._hint = text
        self._draw()

    def act_here(self, what: Literal["panel", "find", "unfold", "previous", "following"]) -> None:
        """What a key asks of the screen itself."""
        match what:
            case "panel":
                self.toggle_panel()
            case "find":
                self.find_bar.open()
            case "unfold":
                self.toggle_folds()
            case "previous":
                self.walk(-1)
            case "following":
                self.walk(1)
            case _:
                assert_never(what)

    def toggle_panel(self) -> None:
        """Show the panel, or hide it."""
        self._wanted = not self.has_class("-panel")
        self._place()
        self._draw()

    def toggle_folds(self) -> None:
        """Unfold everything, or fold it again."""
        self._unfolded = not self._unfolded
        self.transcript.fold_all(not self._unfolded)

    def action_scroll(self, how: str) -> None:
        """Scroll the transcript, unless the key means something to a list that is open, or to a text of many lines."""
        if self.prompt.popup.is_open or (how.startswith("scroll") and "\n" in self.prompt.text and self.focused is self.prompt.area):
            raise SkipAction
        match how:
            case "page_up":
                self.transcript.action_page_up()
            case "page_down":
                self.transcript.action_page_down()
            case "scroll_up":
                self.transcript.action_scroll_up()
            case "scroll_down":
                self.transcript.action_scroll_down()
            case "scroll_home":
                self.transcript.action_scroll_home()
            case _:
                self.transcript.action_scroll_end()

    def action_end(self) -> None:
        """End, where there is no text to go to the end of: the end of the transcript."""
        if not self.prompt.is_empty and self.focused is self.prompt.area:
            raise SkipAction
        self.transcript.follow_end()

    def walk(self, step: int) -> None:
        """Move the cursor of the transcript by a block."""
        self.set_focus(self.transcript)
        self.transcript.move_cursor(step)

    def copy_selection(self, copy: Callable[[str], None]) -> bool:
        """Copy what is selected; False where nothing is."""
        text = self.get_selected_text()
        if not text:
            return False
        copy(text)
        self.clear_selection()
        return True

    def _tick(self, on: bool) -> None:
        """Seconds are counted while something goes on, and only then."""
        if self._ticking is not None:
            self._ticking.stop()
            self._ticking = None
        if on:
            self._ticking = self.set_interval(1.0, self._draw_activity)

    def on_resize(self, event: events.Resize) -> None:
        """Room for more, or for less."""
        self._width = event.size.width
        self.set_class(event.size.height < 20, "-low")
        self._place()
        self._draw()

    def _place(self) -> None:
        wide = self.size.width >= PANEL_FROM
        by_setting = {"auto": wide, "on": True, "off": False}[self._ui.panel]
        shown = by_setting if self._wanted is None else self._wanted
        if self._wanted is None and not wide:
            shown = False
        self.set_class(shown, "-panel")
        self.set_class(shown and not wide, "-over")

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        width = max(1, self.size.width - 2)
        if self.has_class("-panel"):
            self.panel.show(self._status, self._palette)
        self._header.show(header_text(self._status, width, self._palette))
        self.set_class(bool(self._hint), "-hint")
        if self._hint:
            self._keys.show(keys_text(((self._hint, ""),), width, self._palette))
        else:
            keys = _IDLE_KEYS if self._status.phase == "idle" else _BUSY_KEYS
            self._keys.show(keys_text(keys, width, self._palette))
        self._draw_activity()

    def _draw_activity(self) -> None:
        text = activity_text(self._status, self._waiting, self._clock(), max(1, self.size.width - 2), self._palette)
        self._activity.set_class(bool(text.plain), "-some")
        self._activity.show(text)

    @on(NewBelow)
    def _new_below(self, event: NewBelow) -> None:
        self._below.set_class(event.count > 0, "-some")
        if event.count:
            self._below.show(keys_text((("▼ new below", "End to follow"),), max(1, self.size.width - 2), self._palette))

    @on(PromptEditor.Sent)
    def _sent(self, event: PromptEditor.Sent) -> None:
        if self._listener is None:
            self._early.append(event)
        else:
            self._listener.sent(event.text, event.images, now=event.steer)

    @on(PromptEditor.Interrupt)
    def _interrupt(self, event: PromptEditor.Interrupt) -> None:
        self._act("stop" if event.key == "escape" else "interrupt")

    @on(PromptEditor.GoOn)
    def _go_on(self) -> None:
        self._act("go on")

    @on(PromptEditor.Leaving)
    def _leaving(self) -> None:
        self._act("end")

    @on(PromptEditor.Trouble)
    def _trouble(self, event: PromptEditor.Trouble) -> None:
        self.app.notify(event.words, severity="warning", markup=False)

    @on(QuoteRequested)
    def _quote(self, event: QuoteRequested) -> None:
        self.prompt.set_text(f"{self.prompt.text}{event.text}")
        self.set_focus(self.prompt.area)

    def _act(self, what: Act) -> None:
        if self._listener is not None:
            self._listener.act(what)
        elif what in ("interrupt", "end"):
            # Nothing has begun yet that would have to be ended.
            self.app.exit(0)

    @on(WantDiffs)
    def _want_diffs(self, event: WantDiffs) -> None:
        if self._listener is not None:
            self._listener.want_diffs(event.call_id)

    @on(CopyRequested)
    def _copy(self, event: CopyRequested) -> None:
        if self._listener is not None:
            self._listener.copy(event.text)

    @on(OpenRequested)
    def _open(self, event: OpenRequested) -> None:
        if self._listener is not None:
            self._listener.open(self.transcript.text_of(event.index))

    @on(FindBar.Wanted)
    def _find(self, event: FindBar.Wanted) -> None:
        self.transcript.find(event.text)

    @on(FindBar.Next)
    def _find_next(self, event: FindBar.Next) -> None:
        self.transcript.find_next(event.step)

    @on(FindBar.Closed)
    def _found(self) -> None:
        self.transcript.find("")
        self.set_focus(self.prompt.area)

    @on(Found)
    def _count_found(self, event: Found) -> None:
        more = "" if event.done else "…"
        self.find_bar.tell(f"{event.number} of {event.count}{more}" if event.count else "nothing found" if event.done else "…")

    def before_key(self, event: events.Key) -> None:
        """Letters that the transcript does not take are meant for the prompt, which gets the focus before they are on their way: a key
        that bubbles up while the focus moves would be overtaken by the next one, or lost."""
        if self.focused is self.transcript and event.is_printable and not self.transcript.takes(event.key):
            self.transcript.set_cursor(None)
            self.set_focus(self.prompt.area)

    def on_key(self, event: events.Key) -> None:
        """In the transcript."""
        if self.focused is not self.transcript:
            return
        if event.key == "escape":
            event.stop()
            self.set_focus(self.prompt.area)
            if self._status.phase != "idle":
                self._act("stop")
        elif event.key == "ctrl+d":
            event.stop()
            self._act("end")

    def on_click(self, event: events.Click) -> None:
        """The line that says that there is more leads there."""
        if event.widget is self._below:
            self.transcript.follow_end()


def _shown(status: Status) -> Status:
    """What of a status is to be seen: the parts that a speed is made of are not."""
    return msgspec.structs.replace(status, first=None, streamed=0, timed=0.0)
