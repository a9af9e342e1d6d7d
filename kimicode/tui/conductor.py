"""Between the screen and the desk: what the user does becomes a request, what happens becomes something to see.

Loaded after the first paint, because the desk brings the whole agent along. What this module does not do: lay out, draw, or decide what a
command does.
"""

import time
from collections.abc import Sequence
from typing import Final, assert_never

from textual.command import CommandPalette

from kimicode.errors import KimicodeError, UnavailableError
from kimicode.interactive.commands import COMMANDS, find, perform
from kimicode.interactive.desk import Desk
from kimicode.interactive.prompt.meaning import Command, Meaning, Shell, Words, meaning
from kimicode.interactive.shell import UserShell, run_shell
from kimicode.interactive.view.status import Status
from kimicode.interactive.waiting import Prompt
from kimicode.interactive.watcher import Attention
from kimicode.interactive.wizard import set_up
from kimicode.messages import Image
from kimicode.model.target import resolve
from kimicode.settings import UiSettings
from kimicode.tui.acts import Act
from kimicode.tui.app import KimicodeApp
from kimicode.tui.calling import Calling
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.palette import provider_of
from kimicode.tui.screen_person import ScreenPerson
from kimicode.wish import Wish

TWICE_S: Final = 1.5
"""A key that must be pressed twice must be pressed twice within this."""


class Conductor:
    """Holds the `Desk`; is its `Watcher`, and the listener of the main screen."""

    def __init__(self, app: KimicodeApp) -> None:
        order = app.order
        self._app = app
        self._main = app.main
        self.person = ScreenPerson(app)
        self.desk = Desk(self.person, self, settings=order.settings, environ=order.environ, workspace=order.workspace, model=order.model)
        self._calling = Calling(app, order.environ)
        self._shell = UserShell(order.environ, order.workspace)
        self._pressed: dict[str, float] = {}
        self._early: list[tuple[str, Sequence[Image], bool]] | None = []
        self._over = False

    @property
    def session_id(self) -> str:
        """The id of the session, or empty."""
        return self.desk.session_id

    async def begin(self) -> None:
        """Open the session that was asked for, after the first questions where nothing is configured; then the first prompt."""
        order = self._app.order
        self._main.listen(self)
        self._main.prompt.commands = COMMANDS
        settings = order.settings
        if order.model is None and not _resolves(self.desk):
            chosen = await set_up(self.desk)
            if chosen is None:
                self._app.give_up(UnavailableError("no model was chosen", hint="Start kimicode again, or name one: --model kimi-nano."))
                return
            settings = chosen
        try:
            await self.desk.open(Wish(resume=order.resume, latest=order.latest), settings)
        except KimicodeError as error:
            self._app.give_up(error)
            return
        if order.prompt:
            self.desk.enter(order.prompt)
        early, self._early = self._early or [], None
        if early:
            self._main.hint("")
        for text, images, now in early:
            self.sent(text, images, now=now)

    async def end(self) -> None:
        """Close everything, in order and once. There is no screen any more that what ends now could be shown on."""
        if self._over:
            return
        self._over = True
        await self.desk.aclose()

    def give_back(self) -> None:
        """What was borrowed from the terminal (its title) goes back, while it can still be written to."""
        self._calling.end()

    # What the desk tells.

    def changed(self, blocks: range) -> None:
        """See `Watcher.changed`."""
        if not self._over:
            self._main.transcript.changed(blocks)

    def replaced(self) -> None:
        """See `Watcher.replaced`."""
        if not self._over:
            self._main.transcript.show(self.desk.transcript.blocks)

    def status(self, status: Status) -> None:
        """See `Watcher.status`."""
        if not self._over:
            self._main.show(status, self.desk.waiting)
            self._calling.title(status)

    def attention(self, why: Attention) -> None:
        """See `Watcher.attention`."""
        if not self._over:
            self._calling.call(why, self.desk)

    def restyled(self, ui: UiSettings) -> None:
        """See `Watcher.restyled`."""
        self._app.restyle(ui)
        self._main.restyle(ui, self._app.palette)

    def leave(self) -> None:
        """See `Watcher.leave`."""
        self._app.exit(0)

    # What the user does.

    def sent(self, text: str, images: Sequence[Image], *, now: bool) -> None:
        """Something was entered; `now`: into the run that goes on. What comes before the session is open waits for it."""
        if self._early is not None:
            self._early.append((text, images, now))
            self._main.hint("It is sent as soon as the session is open.")
            return
        self._main.transcript.follow_end()
        said: Meaning = meaning(text)
        match said:
            case Command():
                self.desk.background(perform(self.desk, text))
            case Shell(command=command):
                self.desk.background(run_shell(self.desk, self._shell, command))
            case Words():
                if now:
                    self.desk.steer(text, images)
                else:
                    self.desk.send(Prompt(text, tuple(images)))

    def want_diffs(self, call_id: str) -> None:
        """A call is to be seen whose changes nobody looked up."""
        self.desk.want_diffs(call_id)

    def copy(self, text: str) -> None:
        """Text is to go into the clipboard."""
        self.desk.background(self._copy(text))

    def open(self, text: str) -> None:
        """A block is to be read in an editor."""
        self.desk.background(self.person.read_outside(text))

    def arguments(self, name: str) -> Sequence[str]:
        """What a command takes."""
        command = find(name)
        return command.complete(self.desk) if command is not None and command.complete is not None else ()

    def act(self, what: Act) -> None:
        """What a key of the application asks for."""
        match what:
            case "interrupt":
                self._interrupt()
            case "withdraw":
                self._withdraw()
            case "stop":
                self._stop()
            case "end":
                self._end_of_input()
            case "leave":
                self.leave()
            case "go on":
                self.desk.go_on()
            case "help":
                self.desk.background(self.person.help())
            case "plan" | "model" | "permission":
                self._command(f"/{what}")
            case "palette":
                self._palette()
            case "panel" | "find" | "unfold" | "previous" | "following":
                self._main.act_here(what)
            case _:
                assert_never(what)

    def _command(self, line: str) -> None:
        self.desk.background(perform(self.desk, line))

    def _palette(self) -> None:
        if not CommandPalette.is_open(self._app):
            provider = provider_of(lambda: COMMANDS, lambda command: self._command(f"/{command.name}"))
            self._app.push_screen(CommandPalette(providers=[provider], placeholder="Search commands", id="--command-palette"))

    def _interrupt(self) -> None:
        """Ctrl+C: what is selected, what is written, what runs, and then the program."""
        if self._main.copy_selection(self.copy):
            return
        if self._shell.interrupt():
            return
        if self.desk.interrupt():
            self._main.hint("Stopping. Ctrl+C once more: at once.")
            return
        if self._twice("leave", "Ctrl+C once more to leave."):
            self.leave()

    def _withdraw(self) -> None:
        """Ctrl+C in a dialog: what is selected, or the dialog, and the run where it is the one that asks."""
        screen = self._app.screen
        if text := screen.get_selected_text():
            self.copy(text)
            screen.clear_selection()
            return
        asked = self.desk.status.phase == "asking"
        if isinstance(screen, Dialog):
            screen.withdraw()
        else:
            screen.dismiss()
        if asked and self.desk.interrupt():
            self._main.hint("Stopping. Ctrl+C once more: at once.")

    def _stop(self) -> None:
        """Escape on an empty prompt."""
        if self._shell.interrupt():
            return
        if self.desk.interrupt():
            self._main.hint("Stopping. Esc once more: at once.")
        elif self._twice("rewind", "Esc once more to go back to an earlier turn."):
            self._command("/rewind")

    def _end_of_input(self) -> None:
        """Ctrl+D on an empty prompt."""
        if not self.desk.busy or self._twice("end", "The agent is at work. Ctrl+D once more to leave."):
            self.leave()

    def _twice(self, what: str, hint: str) -> bool:
        now = time.monotonic()
        before = self._pressed.get(what, -TWICE_S)
        self._pressed[what] = now
        if now - before < TWICE_S:
            self._main.hint("")
            return True
        self._main.hint(hint)
        self._app.set_timer(TWICE_S, lambda: self._main.hint(""))
        return False

    async def _copy(self, text: str) -> None:
        self.person.say(await self._calling.copy(text))


def _resolves(desk: Desk) -> bool:
    """Whether the settings lead to a model. What is wrong in another way is said when the session is opened."""
    try:
        resolve(desk.settings.endpoint, desk.settings.model, desk.environ)
    except UnavailableError:
        return False
    except KimicodeError:
        return True
    return True
