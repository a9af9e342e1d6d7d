"""The application: paints first, then opens the session; hands every key and message to whom it belongs.

It has a main screen (`MainScreen`) and, once the session is being opened, a `Conductor` between that screen and the `Desk`. What takes
long to import or to do comes after the first paint. A crash leaves the terminal as it was, a file about it, and the way back into the
session. What this module does not do: decide anything about the agent, or draw.
"""

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Protocol, cast

import msgspec
from rich.console import RenderableType
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import WorkerFailed

from kimicode.errors import Interrupted, KimicodeError
from kimicode.home import kimicode_home
from kimicode.interactive.view.blocks import Block
from kimicode.messages import Image
from kimicode.model.client import ModelClient
from kimicode.settings import Settings, UiSettings
from kimicode.streams import complain
from kimicode.tui.acts import Act
from kimicode.tui.crash import last_words, write_crash
from kimicode.tui.draw.values import Drawn, Look, Palette
from kimicode.tui.main_screen import MainScreen
from kimicode.tui.prompt.editor import PromptEditor
from kimicode.tui.prompt.standard import standard_surroundings, workspace_files
from kimicode.tui.signals import leaving
from kimicode.tui.themes import theme_for
from kimicode.tui.transcript.sheet import DrawBlock

_LATELY_S: Final = 30.0


class Order(msgspec.Struct, frozen=True):
    """What is wanted: settings, which session (`resume` an id, `latest`), and a first prompt, where one was given.

    `background` is the terminal's, where it said; `model` replaces the one that the settings name.
    """

    settings: Settings
    environ: Mapping[str, str]
    workspace: Path
    resume: str | None = None
    latest: bool = False
    prompt: str = ""
    background: tuple[int, int, int] | None = None
    model: ModelClient | None = None


class Conducting(Protocol):
    """What the application needs of a `Conductor`, or of whoever else brings the main screen to life."""

    @property
    def session_id(self) -> str:
        """The id of the session, or empty."""
        ...

    async def begin(self) -> None:
        """The first paint is over."""
        ...

    async def end(self) -> None:
        """The application has ended."""
        ...

    def give_back(self) -> None:
        """The terminal is about to be left."""
        ...

    def act(self, what: Act) -> None:
        """A key asks for something."""
        ...

    def arguments(self, name: str) -> Sequence[str]:
        """What the command of that name takes."""
        ...


Bring = Callable[["KimicodeApp"], Conducting]
"""Makes who brings the main screen to life."""


class KimicodeApp(App[object]):
    """See the module. `conductor` is None until the first paint is over; `clock` is what the main screen counts seconds by."""

    TITLE = "kimicode"
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True
    ESCAPE_TO_MINIMIZE = False
    CSS_PATH = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "act('interrupt')", "stop", show=False),
        Binding("ctrl+c", "withdraw", "leave the dialog", show=False, priority=True),
        Binding("ctrl+q", "act('leave')", "quit", show=False),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True),
        Binding("f1", "act('help')", "help"),
        Binding("f2", "act('panel')", "panel"),
        Binding("ctrl+f", "act('find')", "find", priority=True),
        Binding("ctrl+o", "act('unfold')", "unfold"),
        Binding("ctrl+t", "act('plan')", "plan", show=False),
        Binding("ctrl+l", "act('model')", "model", show=False),
        Binding("alt+up", "act('previous')", "block before", show=False, priority=True),
        Binding("alt+down", "act('following')", "block after", show=False, priority=True),
    ]

    def __init__(self, order: Order, bring: Bring | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        # Without colours Textual must know at once that the theme has the terminal's own: it would make black letters on black of them.
        super().__init__(ansi_color=True if "NO_COLOR" in order.environ else None)
        self.order = order
        self._bring = bring
        self._clock = clock
        self.ui = order.settings.ui
        self.conductor: Conducting | None = None
        self.failure: BaseException | None = None
        self.parting: KimicodeError | None = None
        self.last_key = 0.0
        self.main: MainScreen
        self._tells_focus = False
        self._early: Act | None = None
        self.restyle(order.settings.ui)

    @property
    def palette(self) -> Palette:
        """The styles in force."""
        return self._palette

    def restyle(self, ui: UiSettings) -> None:
        """Other looks, from now on."""
        self.ui = ui
        skin = theme_for(ui.theme, terminal_background=self.order.background, no_color=self.no_color)
        self._palette = skin.palette
        if skin.theme.name not in self.available_themes:
            self.register_theme(skin.theme)
        self.theme = skin.theme.name

    def get_default_screen(self) -> Screen[None]:
        """The main screen, made when there is an application to belong to."""
        order = self.order
        surroundings = standard_surroundings(self, order.environ, order.workspace, keep=self._keep, arguments=self._arguments)
        prompt = PromptEditor(surroundings, files=workspace_files(order.environ, order.workspace), id="prompt")
        self.main = MainScreen(self.ui, self._palette, _draw, prompt, self._clock)
        return self.main

    def on_mount(self) -> None:
        """Paint; everything else comes afterwards."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.run_worker(self._conduct(), exit_on_error=True)

    async def _conduct(self) -> None:
        bring = self._bring
        if bring is None:
            module = await asyncio.to_thread(importlib.import_module, "kimicode.tui.conductor")
            for late in ("kimicode.tui.draw.block", "kimicode.interactive.prompt.fuzzy"):
                await asyncio.to_thread(importlib.import_module, late)
            bring = cast(Bring, module.Conductor)
        self.conductor = bring(self)
        if self._early is not None:
            self.call_later(self.conductor.act, self._early)
        await self.conductor.begin()

    def action_act(self, what: Act) -> None:
        """Something that a key asks for. What comes in the moment before anybody can do it is done then; leaving is always possible."""
        if self.conductor is not None:
            self.conductor.act(what)
        elif what in ("interrupt", "leave"):
            self.exit(0)
        else:
            self._early = what

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Ctrl+C leaves a dialog where there is one. What moves the focus on the main screen, at once so that the next key goes there, does
        nothing in dialogs."""
        if action == "act" and parameters and parameters[0] in ("find", "previous", "following"):
            return self.screen is self.main
        return action != "withdraw" or len(self.screen_stack) > 1

    def action_withdraw(self) -> None:
        """Leave the dialog on top."""
        self.action_act("withdraw")

    def action_command_palette(self) -> None:
        """The commands, to be searched."""
        self.action_act("palette")

    def action_help_quit(self) -> None:
        """Textual's own answer to Ctrl+C is not ours."""

    def watched(self) -> bool | None:
        """Whether somebody looks here, as far as the terminal tells; where it does not, whoever typed lately does. None: nobody knows."""
        if self._tells_focus:
            return self.app_focus
        return True if time.monotonic() - self.last_key < _LATELY_S else None

    async def on_event(self, event: events.Event) -> None:
        """Note when something was typed last: nothing may open over live typing. Where something is pasted, somebody is."""
        self._tells_focus = self._tells_focus or isinstance(event, events.AppBlur | events.AppFocus)
        if isinstance(event, events.Key | events.Paste):
            self.last_key = time.monotonic()
            self.app_focus = True
        if isinstance(event, events.Key) and not event.is_forwarded and self.screen is self.main:
            self.main.before_key(event)
        await super().on_event(event)

    def watch_app_focus(self, focus: bool) -> None:
        """The focus for what opened while the terminal had none; Textual gives it only to what opens while the terminal has it."""
        screen = self.screen
        if focus and screen.focused is None:
            wanted = self.AUTO_FOCUS if screen.AUTO_FOCUS is None else screen.AUTO_FOCUS
            widgets = screen.query(wanted) if wanted else ()
            screen.set_focus(next((widget for widget in widgets if widget.focusable), None), scroll_visible=False)

    async def close(self) -> None:
        """Close what is open behind the screen."""
        if self.conductor is not None:
            await self.conductor.end()

    def write_sequence(self, sequence: str) -> None:
        """Send a control sequence to the terminal, between two frames."""
        driver = self._driver  # Textual has no public way to its writer
        if driver is not None and not self.is_headless:
            driver.write(sequence)
            driver.flush()

    def _keep(self, source: Path | bytes, name: str) -> Image:
        """A private copy of a picture, with the session that it was shown to."""
        from kimicode.model.pictures import keep_picture

        return keep_picture(source, name, kimicode_home(self.order.environ) / "pictures")

    def _arguments(self, name: str) -> Sequence[str]:
        return self.conductor.arguments(name) if self.conductor is not None else ()

    def give_up(self, error: KimicodeError) -> None:
        """Leave because nothing can be done here; the message is for the terminal that is left."""
        self.parting = error
        self.exit(error.exit_code)

    def exit(self, result: object = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave; what was borrowed from the terminal goes back first."""
        if self.conductor is not None:
            self.conductor.give_back()
        super().exit(result, return_code, message)

    def _handle_exception(self, error: Exception) -> None:
        """A fault of ours: leave in order and say where to read about it, instead of a traceback."""
        if self.failure is None:
            self.failure = error.error if isinstance(error, WorkerFailed) else error
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._return_code = 1
        if self.conductor is not None:
            self.conductor.give_back()
        self._close_messages_no_wait()


def run_tui(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    workspace: Path,
    resume: str | None = None,
    latest: bool = False,
    prompt: str = "",
    model: ModelClient | None = None,
) -> int:
    """Run the full-screen user interface to its end; the exit code."""
    order = Order(settings, environ, workspace, resume, latest, prompt, _background(settings.ui), model)
    return run_app(KimicodeApp(order))


def run_app(app: KimicodeApp) -> int:
    """Run an application to its end, and say what is to be said afterwards; the exit code."""
    code = asyncio.run(_run(app, mouse=app.ui.mouse))
    session_id = app.conductor.session_id if app.conductor else ""
    if app.failure is not None:
        log = write_crash(app.failure, kimicode_home(app.order.environ), session_id)
        complain(last_words(app.failure, log, session_id))
        return KimicodeError.exit_code
    if app.parting is not None:
        complain(f"kimicode: {app.parting}")
    elif session_id:
        complain(f"Session {session_id}. Go on with it: kimicode --resume {session_id}")
    return code


async def _run(app: KimicodeApp, *, mouse: bool) -> int:
    try:
        with leaving(lambda: app.exit(Interrupted.exit_code), app.close):
            code = await app.run_async(mouse=mouse)
    finally:
        await app.close()
    return code if isinstance(code, int) else 0


def _background(ui: UiSettings) -> tuple[int, int, int] | None:
    if ui.theme != "auto":
        return None
    from kimicode.tui.background import terminal_background

    return terminal_background(0, 2)


def _draw(block: Block, look: Look, *, folded: bool, before: Drawn | None) -> Drawn:
    # What draws is loaded with the first block: the first paint has none.
    draw = cast(DrawBlock, importlib.import_module("kimicode.tui.draw.block").draw_block)
    return draw(block, look, folded=folded, before=before)
