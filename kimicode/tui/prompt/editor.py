"""The prompt editor: what each key means, what is sent, and everything that helps while a prompt is written.

Keys are answered at once: what waits for the disk is done in threads (`completing.py` looks for files).
The app sets `busy` and `commands`, listens for `Sent`, `Cleared`, `Interrupt`, `Leaving` and `Trouble`, and may call `set_text` and
`restore`. What this module does not do: know what a prompt means to the agent, or show what went wrong (`Trouble` carries it).
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import ClassVar, Final, Self

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import TextArea

from kimicode.errors import KimicodeError
from kimicode.interactive.prompt.complete import Item, Offer
from kimicode.interactive.prompt.files import Listed, WorkspaceFiles
from kimicode.interactive.prompt.meaning import mentions
from kimicode.interactive.prompt.tokens import Tokens, expand
from kimicode.interactive.waiting import Prompt
from kimicode.messages import Image
from kimicode.tui.prompt.area import PromptArea
from kimicode.tui.prompt.completing import Completer
from kimicode.tui.prompt.keyboard import NEW_LINE, teach_alt_enter
from kimicode.tui.prompt.pasting import Paster
from kimicode.tui.prompt.popup import CompletionList
from kimicode.tui.prompt.recalling import Recaller
from kimicode.tui.prompt.surroundings import Files, Surroundings

_IDLE: Final = "Ask, or type / for commands, @ for files, ! for a shell"
_BUSY: Final = "Enter queues it, Ctrl+S says it now, Escape stops"


class PromptEditor(Vertical):
    """The widget. Give it the focus by `focus()`."""

    DEFAULT_CSS = "PromptEditor { height: auto; }"
    BINDING_GROUP_TITLE = "Prompt"
    HELP: ClassVar[str | None] = (
        "Enter sends, Shift+Enter or Ctrl+J starts a line. `/` commands, `@` files, `!` shell. Ctrl+R searches what you sent."
    )

    busy: reactive[bool] = reactive(False)
    """The agent is at work: what is sent waits, or steers."""

    class Sent(Message):
        """A prompt, expanded. `steer`: into the work that goes on."""

        def __init__(self, text: str, images: tuple[Image, ...], *, steer: bool) -> None:
            super().__init__()
            self.text = text
            self.images = images
            self.steer = steer

        @property
        def prompt(self) -> Prompt:
            """It as a value."""
            return Prompt(self.text, self.images)

    class Cleared(Message):
        """Ctrl+C took a text away; it can be had back by undo, and is in the history."""

    class Interrupt(Message):
        """Escape, or Ctrl+C where there is no text. `key` says which."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class GoOn(Message):
        """Enter where there is no text: what is held may go."""

    class Leaving(Message):
        """Ctrl+D where there is no text."""

    class Trouble(Message):
        """Something that the user asked for did not work, and why."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(
        self,
        surroundings: Surroundings | None = None,
        *,
        files: Files | None = None,
        commands: Sequence[Offer] = (),
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.surroundings = surroundings or Surroundings()
        self.area = PromptArea(self._pressed, self._pasted)
        self.popup = CompletionList()
        self._look: tuple[str, bool, bool] | None = None
        self._completer = Completer(self.area, self.popup, files or WorkspaceFiles(lambda: Listed(())), self._beside)
        self._completer.commands = commands
        self._completer.arguments = self.surroundings.arguments
        self._paster = Paster(self.area, self.surroundings, self._beside, self._trouble)
        self._recaller = Recaller(self.area, self.popup, self._completer, self._paster, self.surroundings.past, self._beside)
        self._keys: dict[str, Callable[[], bool]] = {
            "enter": self._enter,
            **dict.fromkeys(NEW_LINE, self._newline),
            "ctrl+s": self._steer,
            "ctrl+c": self._clear,
            "ctrl+d": self._leave,
            "ctrl+g": self._edit_outside,
            "ctrl+r": self._search_past,
            "ctrl+v": self._paster.take_picture,
            "escape": self._escape,
            "up": self._recaller.older,
            "down": self._recaller.newer,
            "tab": self._completer.reopen,
        }

    def compose(self) -> ComposeResult:
        """The list, which takes no room, and the text."""
        yield self.popup
        yield self.area

    def on_mount(self) -> None:
        """Look right, and read what was sent before."""
        teach_alt_enter()
        self._look_like()
        self._recaller.load()

    def focus(self, scroll_visible: bool = True) -> Self:
        """Give the text the focus."""
        self.area.focus(scroll_visible)
        return self

    @property
    def commands(self) -> Sequence[Offer]:
        """The commands that can be completed."""
        return self._completer.commands

    @commands.setter
    def commands(self, commands: Sequence[Offer]) -> None:
        self._completer.commands = commands

    @property
    def files(self) -> Files:
        """The files that can be completed."""
        return self._completer.files

    @files.setter
    def files(self, files: Files) -> None:
        self._completer.files = files

    @property
    def text(self) -> str:
        """What stands there, with tokens as they are shown."""
        return self.area.text

    @property
    def is_empty(self) -> bool:
        """True where nothing but blanks stands there."""
        return not self.text.strip()

    def set_text(self, text: str) -> None:
        """Put `text` there instead of what is; can be undone."""
        self._paster.replace(text)

    def restore(self, prompt: Prompt) -> None:
        """Put a prompt there that was sent or queued, with its pictures."""
        self._paster.restore(prompt)

    def watch_busy(self) -> None:
        """Say what Enter does now; and where the agent was at work, there may be other files."""
        self._look_like()
        self._completer.files.expire()

    # Keys

    def _pressed(self, key: str) -> bool:
        """Take a key, or leave it to the text."""
        if key in ("enter", "tab") and not self._recaller.searching:
            self._completer.catch_up()
        if self.popup.is_open and self._for_popup(key):
            return True
        action = self._keys.get(key)
        return action() if action is not None else False

    def _for_popup(self, key: str) -> bool:
        match key:
            case "up" | "ctrl+p":
                self.popup.step(-1)
            case "down" | "ctrl+n":
                self.popup.step(1)
            case "pageup" | "pagedown":
                self.popup.step(-5 if key == "pageup" else 5)
            case "tab":
                if self.popup.item is None:
                    self.popup.step(1)
                self._accept(self.popup.item)
            case "enter":
                return self._accept(self.popup.item, send=True)
            case "escape":
                self._close()
            case "ctrl+r" if self._recaller.searching:
                self.popup.step(1)
            case _:
                return False
        return True

    def _enter(self) -> bool:
        cursor = self.area.offset_of_cursor
        if self.text[cursor - 1 : cursor] == "\\" and self.text[cursor : cursor + 1] in ("", "\n"):
            self.area.put("\n", cursor - 1, cursor)
            return True
        self._send(steer=False)
        return True

    def _newline(self) -> bool:
        self.area.replace("\n", *self.area.selection, maintain_selection_offset=False)
        return True

    def _steer(self) -> bool:
        self._send(steer=self.busy)
        return True

    def _clear(self) -> bool:
        if not self.area.selection.is_empty:
            return False
        if self.is_empty:
            self.post_message(self.Interrupt("ctrl+c"))
            return True
        self._recaller.remember()
        self._paster.replace("")
        self.post_message(self.Cleared())
        return True

    def _leave(self) -> bool:
        if self.text:
            return False
        self.post_message(self.Leaving())
        return True

    def _escape(self) -> bool:
        self.post_message(self.Interrupt("escape"))
        return True

    def _search_past(self) -> bool:
        self._recaller.search()
        return True

    def _send(self, *, steer: bool) -> None:
        if self.is_empty:
            self.post_message(self.GoOn())
            return
        whole = expand(self.text, self.area.tokens)
        for each in mentions(self.text):
            self._completer.files.use(each.path)
        self._recaller.remember()
        self.area.load_text("")
        self.area.tokens = Tokens()
        self._close()
        self.post_message(self.Sent(whole.text, whole.images, steer=steer))

    # Completions

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """The text is another one."""
        event.stop()
        self._look_like()
        if self._recaller.searching:
            self._recaller.search()
        else:
            self._completer.update()

    def on_text_area_selection_changed(self, event: TextArea.SelectionChanged) -> None:
        """The cursor is somewhere else."""
        event.stop()
        if self.popup.is_open and not self._recaller.searching:
            self._completer.catch_up()

    def on_completion_list_chosen(self, event: CompletionList.Chosen) -> None:
        """A click on a row."""
        event.stop()
        self._accept(event.item)
        self.focus()

    def _accept(self, item: Item | None, *, send: bool = False) -> bool:
        """Take what is chosen. False where there is nothing to put into the text: Enter means to send, then."""
        if self._recaller.searching:
            self._recaller.accept()
            return True
        taken = self._completer.accept()
        if send and taken is not None and taken.kind == "command" and item is not None and not item.goes_on:
            self._send(steer=False)
        return taken is not None

    def _close(self) -> None:
        self._recaller.searching = False
        self._completer.close()

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        self.run_worker(work, group="beside")

    # The rest

    def _pasted(self, text: str) -> None:
        self._paster.paste(text)

    def _edit_outside(self) -> bool:
        if self.surroundings.outside is None:
            return False
        try:
            edited = self.surroundings.outside(self.text)
        except KimicodeError as error:
            self._trouble(str(error))
            return True
        if edited is not None:
            self._paster.replace(edited.replace("\r\n", "\n"))
            self._close()
        return True

    def _trouble(self, words: str) -> None:
        self.post_message(self.Trouble(words))

    def _look_like(self) -> None:
        """The frame says what will happen with what is typed."""
        text = self.text
        kind = "shell" if text.startswith("!") else "command" if text.startswith("/") and "\n" not in text else "prompt"
        if (look := (kind, self.busy, bool(text))) == self._look:
            return
        self._look = look
        self.area.set_class(kind == "shell", "-shell")
        self.area.set_class(kind == "command", "-command")
        self.area.border_title = kind
        self.area.border_subtitle = _BUSY if self.busy and text else ""
        self.area.placeholder = _BUSY if self.busy else _IDLE
