"""The person at a line terminal: choices by number, pages printed, forms as questions, approvals with everything in front of them.

Where nobody can answer (a pipe) every answer is none, and that is said. What this module does not do: decide what is asked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar, assert_never

from kimicode.interactive.person import Field, Form, Level, Menu, Option, Page, Rows, Step
from kimicode.line import approving, choosing
from kimicode.line.choosing import Again, Chosen, Listing, Look
from kimicode.line.pages import page_lines
from kimicode.line.reader import Reader, Request, StoppedError
from kimicode.line.speak import notice_lines
from kimicode.line.words import Line, flat, heading, safe
from kimicode.sandbox.approval import Answer, Choice, Question

_EVERY_S: Final = 5.0
_EVERY_SHARE: Final = 0.1

_ONE_BY_ONE: Final = 6
"""A form with more fields is filled in by picking the fields to change."""

_EMPTY: Final = "-"
_PICKING: Final = "Change any of them by its number; - empties one. Then k keeps all of it, x or Enter leaves everything as it was."
_NOBODY: Final = "nobody can answer here, so the answer is no. Allow it beforehand, with a rule or --permission."


T = TypeVar("T")

KEYS: Final = Page(
    "Keys",
    (
        Rows(
            (
                ("Enter", "send; behind a backslash: a new line"),
                ("Alt+Enter, Ctrl+J", "a new line"),
                ("Ctrl+C", "clear what is typed; else interrupt the run, twice at once; twice with nothing to do: quit"),
                ("Ctrl+D", "quit, on an empty line"),
                ("Tab", "complete a /command or an @file"),
                ("Up, Down", "earlier prompts; those that begin so where something is typed"),
                ("Ctrl+R", "search earlier prompts"),
                ("Ctrl+X Ctrl+E, or v in vi's normal mode", "write the prompt in your editor"),
                ("> at the start", "say it to the run that goes on"),
                ("! at the start", "run a command in your own shell"),
            )
        ),
        Rows(
            (
                ("/speak", "what is read out, and how much of it"),
                ("/output", "all that the last command printed"),
                ("/thinking show", "the last thoughts"),
                ("/transcript", "the whole session"),
                ("/picture", "a file, or what is on the clipboard, goes with your next prompt"),
            )
        ),
    ),
)


class LinePerson:
    """Implements `Person`. `interrupt` is called for Ctrl-C at an approval, which ends the run as well."""

    def __init__(self, reader: Reader, *, interrupt: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._interrupt = interrupt
        self._clock = clock
        self._jobs: list[asyncio.Task[None]] = []
        # Questions take turns: an answer must not reach another question than the one that was read.
        self._turn = asyncio.Lock()

    def stop_work(self) -> bool:
        """Stop what `work` does at the moment. False where it does nothing."""
        if not self._jobs:
            return False
        self._jobs[-1].cancel()
        return True

    def say(self, text: str, level: Level = "info") -> None:
        """Print a notice, a warning or an error."""
        self._reader.put(notice_lines(text, level))

    async def show(self, page: Page) -> None:
        """Print a page."""
        self._reader.put(page_lines(page, self._reader.width))

    async def choose(self, menu: Menu) -> int | None:
        """A choice by number, name or key."""
        async with self._turn:
            return await self._choose(menu)

    async def _choose(self, menu: Menu) -> int | None:
        if not self._can_ask(menu.title) or not menu.options:
            return None
        self._head(menu.title, menu.words)
        listing = choosing.opened(menu)
        self._reader.put(choosing.listing_lines(menu, listing))
        return await self._chosen(menu, listing)

    async def _chosen(self, menu: Menu, listing: Listing) -> int | None:
        """The answer to a menu that was read out."""
        while True:
            said = await self._asked(Request(choosing.asked_for(menu), choices=tuple(option.label for option in menu.options)))
            while True:
                match choosing.move(menu, listing, said or ""):
                    case Chosen(index=index):
                        return index
                    case Look(index=index):
                        if menu.preview is not None:
                            await self.show(await menu.preview(index))
                        said = await self._asked(Request(choosing.asked_for(menu)))
                    case Again(listing=listing, words=words):
                        if words:
                            self._reader.put((Line(words),))
                        self._reader.put(choosing.listing_lines(menu, listing))
                        break
                    case other:
                        assert_never(other)

    async def confirm(self, question: str, *, detail: str = "") -> bool:
        """Yes or no."""
        if not self._can_ask(question):
            return False
        async with self._turn:
            self._head("", detail)
            said = await self._asked(Request(f"{flat(question)} [y/N]", grave=True))
        return (said or "").strip().lower() in ("y", "yes")

    async def word(self, field: Field) -> str | None:
        """One line of text, right by its check."""
        if not self._can_ask(field.label):
            return None
        async with self._turn:
            return await self._field(field)

    async def fill(self, form: Form) -> Mapping[str, str] | None:
        """All fields: one after the other, or those that are picked where there are many."""
        if not self._can_ask(form.title):
            return None
        fields = [field for _, group in form.groups for field in group]
        async with self._turn:
            self._head(form.title, form.words)
            return await (self._one_by_one(form) if len(fields) <= _ONE_BY_ONE else self._picked(form, fields))

    async def approve(self, question: Question) -> Answer:
        """Read everything out, then ask. Nothing that was typed before counts."""
        if not self._reader.answers:
            self._reader.put((*approving.question_lines(question, answers=False), Line(_NOBODY, "Notice:")))
            return Answer(Choice.NO, "Nobody was there to be asked.")
        if self._turn.locked():
            self._reader.put((Line("an approval is wanted; it comes when this is answered.", "Notice:"),))
        async with self._turn:
            return await self._approved(question)

    async def _approved(self, question: Question) -> Answer:
        await self._reader.calm()
        self._reader.begin_aside()
        try:
            self._reader.put(approving.question_lines(question))
            answer = await self._answer(question)
            self._reader.put((approving.answered_line(answer),))
            return answer
        except asyncio.CancelledError:
            self._reader.put((Line("the question is gone.", "Notice:"),))
            raise
        finally:
            self._reader.end_aside()

    async def lend(self, work: Callable[[], T]) -> T:
        """Let another program have the terminal; see `LendsTerminal`."""
        self._reader.begin_aside()
        try:
            await self._reader.calm()
            return work()
        finally:
            self._reader.end_aside()

    def keys(self) -> Page:
        """The keys of this mode; see `ExplainsKeys`."""
        return KEYS

    async def work(self, title: str, job: Callable[[Step], Awaitable[None]]) -> bool:
        """Do `job`, and say now and then how far it is. Ctrl-C stops it."""
        self._reader.put((Line(f"{flat(title)}. Ctrl-C stops it."),))
        telling = _Telling(self._reader, self._clock)

        async def doing() -> None:
            await job(telling)

        task = asyncio.get_running_loop().create_task(doing())
        self._jobs.append(task)
        try:
            await asyncio.wait({task})
        finally:
            self._jobs.remove(task)
            if not task.done():
                task.cancel()
        if task.cancelled():
            self._reader.put((Line("stopped.", "Notice:"),))
            return False
        task.result()
        self._reader.put((Line(f"{flat(title)}: done."),))
        return True

    async def _answer(self, question: Question) -> Answer:
        try:
            return await self._decided(question)
        except StoppedError:
            self._interrupt()
        except EOFError:
            pass
        return Answer()

    async def _decided(self, question: Question) -> Answer:
        grave = True
        while True:
            said = await self._reader.ask(Request(approving.asked_for(question), grave=grave))
            grave = False
            if approving.wants_to_say_why(said):
                return Answer(Choice.NO, (await self._reader.ask(Request("Why, or what to do instead:"))).strip())
            answer = approving.understood(question, said)
            if answer is not None:
                return answer
            self._reader.put((Line("That is no answer here."),))

    async def _field(self, field: Field) -> str | None:
        if field.choices:
            options = tuple(Option(choice or "empty", current=choice == field.value) for choice in field.choices)
            chosen = await self._choose(Menu(field.label, options, words=field.help))
            return field.value if chosen is None and field.value in field.choices else None if chosen is None else field.choices[chosen]
        self._head("", field.help)
        while True:
            said = await self._asked(Request(f"{flat(field.label)}:", field.value, secret=field.secret, grave=field.secret))
            if said is None:
                return None
            value = "" if said.strip() == _EMPTY and not field.secret else said
            wrong = field.check(value) if field.check is not None else ""
            if not wrong:
                return value
            self._reader.put(notice_lines(wrong, "error"))

    async def _one_by_one(self, form: Form) -> Mapping[str, str] | None:
        values: dict[str, str] = {}
        for title, group in form.groups:
            self._head(title, "")
            for field in group:
                value = await self._field(field)
                if value is None:
                    return None
                values[field.name] = value
        return values

    async def _picked(self, form: Form, fields: list[Field]) -> Mapping[str, str] | None:
        values = {field.name: field.value for field in fields}
        labels = {field.name: f"{title}, {field.label}" if title else field.label for title, group in form.groups for field in group}
        self._reader.put((Line(_PICKING),))
        read_out = False
        while True:
            options = tuple(
                Option(labels[field.name], "hidden" if field.secret else values[field.name] or "empty", values[field.name] != field.value)
                for field in fields
            )
            menu = Menu(form.title, (*options, Option("keep these", key="k"), Option("leave everything as it was", key="x")))
            listing = choosing.opened(menu)
            if not read_out:
                self._reader.put(choosing.listing_lines(menu, listing))
            read_out = True
            chosen = await self._chosen(menu, listing)
            if chosen is None or chosen == len(fields) + 1:
                return None
            if chosen == len(fields):
                return values
            field = fields[chosen]
            shown = Field(field.name, field.label, values[field.name], field.help, field.choices, field.secret, field.check)
            value = await self._field(shown)
            if value is not None:
                values[field.name] = value
                said = "is set" if field.secret else f"is {flat(value) or 'empty'} now"
                self._reader.put((Line(f"{flat(labels[field.name])} {said}."),))

    def _head(self, title: str, words: str) -> None:
        lines = [heading(title)] if title else []
        lines += [Line(line) for line in safe(words).split("\n")] if words else []
        if lines:
            self._reader.put(lines)

    def _can_ask(self, what: str) -> bool:
        if self._reader.answers:
            return True
        self._reader.put((Line(f"{flat(what)}: nobody can answer here.", "Notice:"),))
        return False

    async def _asked(self, request: Request) -> str | None:
        """An answer; None where they leave without one."""
        try:
            return await self._reader.ask(request)
        except (EOFError, StoppedError):
            return None


class _Telling:
    """A step's progress in words, not too often."""

    def __init__(self, reader: Reader, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._clock = clock
        self._last = clock()
        self._share = 0.0
        self._text = ""

    def tell(self, text: str, share: float | None = None) -> None:
        """See `Step`."""
        now = self._clock()
        far = share is not None and share - self._share >= _EVERY_SHARE
        if text == self._text and share is None:
            return
        if not far and now - self._last < _EVERY_S:
            return
        self._last, self._text = now, text
        self._share = self._share if share is None else share
        percent = "" if share is None else f", {100 * share:.0f} percent"
        self._reader.put((Line(f"{flat(text)}{percent}", "Progress:"),))
