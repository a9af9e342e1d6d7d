"""An approval: the whole change or command, why it is asked, what each answer would do, and no key that was not meant for it.

The action stands on top and never scrolls; below it scrolls everything else: what runs later because of it, why it is asked, which parts
need the answer, and the whole diff. Where not all of it is to be seen, a line says so. The answers are at the bottom; No has the focus.
Until nobody has typed for a moment (`quiet`), keys and clicks are absorbed and the answers are dim.
What this module does not do: decide when a dialog may open (`person`), or draw diffs (`Drawing`).
"""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

import msgspec
from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Button, Input, Static

from kimicode.sandbox.approval import Answer, Choice, Question
from kimicode.text import render_exact
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.drawing import Drawing
from kimicode.tui.dialogs.exact import shortened, spelled
from kimicode.tui.dialogs.lines import LinesView, folded
from kimicode.tui.dialogs.quiet import Quiet, begin
from kimicode.tui.dialogs.word import Line
from kimicode.tui.dialogs.words import label, one_line
from kimicode.tui.draw.diff import SPLIT_FROM
from kimicode.tui.draw.values import Look

Said: TypeAlias = Literal["no", "once", "session", "always", "why"]

_BESIDES: Final = 6
"""Lines of the frame that are neither the action nor the rest: border, what is seen, answers, two of explanation."""
_SMALL: Final = (90, 26)
"""On a smaller screen the dialog takes all of it."""


class Approval(Dialog[Answer]):
    """Asks one question. `quiet` is made when it opens; `clock` is its clock."""

    DEFAULT_CSS = """
    Approval > .frame { width: 92%; max-width: 130; border: round $warning; border-title-color: $text-warning; }
    Approval.-full > .frame { width: 100%; max-width: 100%; }
    Approval #action { height: 1; text-style: bold; }
    Approval #seen, Approval #meaning { height: 1; color: $text-muted; }
    Approval #meaning { height: 2; }
    Approval.-loose #seen { margin-bottom: 1; }
    Approval #seen.-more { color: $text-warning; text-style: bold; }
    Approval #answers { height: 1; }
    Approval #answers:disabled { opacity: 50%; }
    Approval #reason { display: none; }
    Approval.-why #reason { display: block; }
    Approval.-why #answers { display: none; }
    Approval .approval--warning { color: $text-warning; text-style: bold; }
    Approval .approval--fact { color: $text-muted; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"approval--warning", "approval--fact"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "say('once')", "Yes, once", show=False),
        Binding("s", "say('session')", "Yes, for this session", show=False),
        Binding("a", "say('always')", "Yes, always: writes a rule", show=False),
        Binding("n", "say('no')", "No", show=False),
        Binding("r", "say('why')", "No, with a reason", show=False),
        Binding("escape", "escape", "No", show=False),
        Binding("f", "full", "Full screen", show=False),
        Binding("t", "turn", "Diff unified or split", show=False),
        Binding("e", "spell", "Every letter of the change", show=False),
        Binding("left", "move(-1)", "Answer before", show=False),
        Binding("right", "move(1)", "Next answer", show=False),
        Binding("up", "scroll('up')", "Scroll up", show=False),
        Binding("down", "scroll('down')", "Scroll down", show=False),
        Binding("pageup", "scroll('page_up')", "A page up", show=False),
        Binding("pagedown,space", "scroll('page_down')", "A page down", show=False),
        Binding("home", "scroll('home')", "To the top", show=False),
        Binding("end", "scroll('end')", "To the end", show=False),
    ]
    AUTO_FOCUS = ""
    HELP = "An action that waits for your answer. Nothing runs until you say yes; leaving means no."

    def __init__(
        self,
        question: Question,
        look: Callable[[], Look],
        drawing: Drawing,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(Answer())
        self._question = question
        self._look = look
        self._drawing = drawing
        self._clock = clock
        self._quiet: Quiet | None = None
        self._drawn: tuple[tuple[int, bool, bool, int], Sequence[Strip]] | None = None
        self._turned = False
        self._spells = False
        self._wants_full = False
        self.ready = False

    def compose(self) -> ComposeResult:
        """The action, everything else, what is seen, the answers."""
        question = self._question
        frame = Vertical(classes="frame")
        frame.border_title = label(f"Allow {question.tool}?")
        frame.border_subtitle = label(f"{question.behind} more wait behind" if question.behind else "")
        with frame:
            yield LinesView(self._draw_action, id="action", focusable=False)
            yield LinesView(self._draw_rest, id="rest", focusable=False)
            yield Static("", markup=False, id="seen")
            with Horizontal(id="answers", disabled=True):
                for key, words in _answers(question):
                    yield Button(label(words), id=key, compact=True)
            yield Line(placeholder="Why not, or what to do instead · Enter says it · Esc goes back", id="reason", disabled=True)
            yield Static("", markup=False, id="meaning")

    def on_mount(self) -> None:
        """The quiet time begins."""
        self._explain()
        self._quiet = begin(self._clock())
        self.wake()

    def on_resize(self) -> None:
        """Lay out anew."""
        self.call_after_refresh(self._lay_out)

    def on_key(self, event: events.Key) -> None:
        """Absorb what was typed for something else."""
        if not self.ready:
            event.stop()
            event.prevent_default()
            self._heard()

    def on_paste(self, event: events.Paste) -> None:
        """A paste is never an answer."""
        event.stop()
        self._heard()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No answer before it is quiet, none that is not offered, none while a reason is written."""
        if action not in ("say", "escape", "full", "turn", "spell", "move", "scroll"):
            return True
        if not self.ready:
            return False
        if action == "say":
            return not self.has_class("-why") and parameters[0] in dict(_answers(self._question))
        return action not in ("turn", "spell") or bool(self._question.files)

    def action_say(self, said: Said) -> None:
        """An answer."""
        match said:
            case "once" | "session" | "always" | "no":
                self.finish(Answer(Choice(said)))
            case "why":
                self.add_class("-why")
                reason = self.query_one("#reason")
                reason.disabled = False
                reason.focus()
                self._explain()
            case _:
                assert_never(said)

    def action_escape(self) -> None:
        """Back from the reason; otherwise no."""
        if self.has_class("-why"):
            self.remove_class("-why")
            self.query_one("#reason").disabled = True
            self.query_one("#no").focus()
        else:
            self.finish(Answer())

    def action_full(self) -> None:
        """The whole screen, or less."""
        self._wants_full = not self._wants_full
        self.call_after_refresh(self._lay_out)

    def action_turn(self) -> None:
        """The diff in one column or two."""
        self._turned = not self._turned
        self.query_one("#rest", LinesView).redraw()

    def action_spell(self) -> None:
        """The change letter by letter, or as a diff again."""
        self._spells = not self._spells
        self.query_one("#rest", LinesView).redraw()

    def action_move(self, step: int) -> None:
        """Another answer."""
        buttons = list(self.query(Button))
        at = buttons.index(self.focused) if isinstance(self.focused, Button) else 0
        buttons[(at + step) % len(buttons)].focus()

    def action_scroll(self, where: Literal["up", "down", "page_up", "page_down", "home", "end"]) -> None:
        """See the rest."""
        rest = self.query_one("#rest", LinesView)
        match where:
            case "up":
                rest.scroll_up(animate=False)
            case "down":
                rest.scroll_down(animate=False)
            case "page_up":
                rest.scroll_page_up(animate=False)
            case "page_down":
                rest.scroll_page_down(animate=False)
            case "home":
                rest.scroll_home(animate=False)
            case "end":
                rest.scroll_end(animate=False)
            case _:
                assert_never(where)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A click, or Enter on what is focused."""
        match event.button.id:
            case "once" | "session" | "always" | "no" | "why" as said if self.ready:
                self.action_say(said)
            case _:
                pass

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """No, and why."""
        self.finish(Answer(Choice.NO, event.value.strip()))

    def on_descendant_focus(self) -> None:
        """Say what the focused answer does."""
        self._explain()

    def on_lines_view_moved(self) -> None:
        """Say what is seen."""
        self._tell_seen()

    def wake(self) -> None:
        """Keys count if it is quiet by now. If not, one timer until it may be."""
        if self.ready or self._quiet is None:
            return
        now = self._clock()
        if not self._quiet.over(now):
            self.set_timer(max(0.01, self._quiet.until - now), self.wake)
            return
        self.ready = True
        self.query_one("#answers").disabled = False
        self.query_one("#no").focus()
        self._explain()

    def _heard(self) -> None:
        if self._quiet is not None:
            self._quiet = self._quiet.key(self._clock())

    def _lay_out(self) -> None:
        width, height = self.size
        full = self._wants_full or width < _SMALL[0] or height < _SMALL[1]
        self.set_class(full, "-full")
        inner = (width if full else min(130, width * 92 // 100)) - 5
        action, rest = self.query_one("#action", LinesView), self.query_one("#rest", LinesView)
        tall = min(len(self._whole_action(inner)), self._most_action())
        action.styles.height = tall
        most = height if full else height * 92 // 100
        wanted = tall + _BESIDES + len(self._draw_rest(inner))
        # An empty line before the answers, where nothing has to give way to it.
        loose = wanted < most
        self.set_class(loose, "-loose")
        self.query_one(".frame").styles.height = height if self._wants_full else min(most, wanted + loose)
        action.redraw()
        rest.redraw()

    def _most_action(self) -> int:
        height = self.size.height
        return max(2, height // 4 if self._question.files else height // 2 - 3)

    def _whole_action(self, width: int) -> list[Strip]:
        return folded(self._question.text(), width)

    def _draw_action(self, width: int) -> Sequence[Strip]:
        strips = self._whole_action(width)
        most = self._most_action()
        if len(strips) <= most:
            return strips
        cut = f"… {len(strips) - most + 1} more lines of it; all of it stands below"
        return [*strips[: most - 1], *folded(cut, width, self._style("warning"))[:1]]

    def _draw_rest(self, width: int) -> Sequence[Strip]:
        key = width, self._turned, self._spells, self._most_action()
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, self._everything_else(width)
        return self._drawn[1]

    def _everything_else(self, width: int) -> Sequence[Strip]:
        question = self._question
        strips: list[Strip] = []
        for path in question.executable_config:
            strips += folded(f"! Other programs run or obey this later: {render_exact(path)}", width, self._style("warning"))
        if not self._spells and shortened(question.files, width):
            strips += folded(
                "! Long lines or many: the diff may leave letters out. Press e for every letter.", width, self._style("warning")
            )
        facts = [f"Why you are asked: {one_line(question.reason)}"]
        facts += [f"Needs your answer: {part}" for part in question.part_texts() if part != question.text()]
        if question.rule:
            facts.append(f"“Always” writes this rule: {render_exact(question.rule)}")
        for fact in facts:
            strips += folded(fact, width, self._style("fact"))
        if len(self._whole_action(width)) > self._most_action():
            strips += [Strip.blank(0), *folded("All of it:", width, self._style("fact")), *self._whole_action(width)]
        if question.files:
            changes = spelled(question.files, width) if self._spells else self._drawing.diff(question.files, self._diff_look(width))
            strips += [Strip.blank(0), *changes]
        return strips

    def _diff_look(self, width: int) -> Look:
        look = msgspec.structs.replace(self._look(), width=width)
        if not self._turned:
            return look
        split = look.diff == "split" or (look.diff == "auto" and width >= SPLIT_FROM)
        return msgspec.structs.replace(look, diff="unified" if split else "split")

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"approval--{name}", partial=True)

    def _tell_seen(self) -> None:
        rest = self.query_one("#rest", LinesView)
        first, last = rest.seen
        more = rest.line_count - last
        seen = self.query_one("#seen", Static)
        seen.set_class(more > 0, "-more")
        place = f"Lines {first}–{last} of {rest.line_count}"
        if more > 0:
            text = f"↓ {more} more lines below · {place} · PgDn, f full screen"
        else:
            text = f"This is the end · {place}" if first > 1 else "All of it is on the screen."
        seen.update(Content(text))

    def _explain(self) -> None:
        if self.has_class("-why"):
            text = "Your reason goes to the model, and the answer is no."
        elif not self.ready:
            text = "Wait: keys count as an answer once nothing is typed for a moment."
        else:
            text = self._meaning(self.focused.id if self.focused is not None else None)
        meaning = self.query_one("#meaning", Static)
        if meaning.size.width and cell_len(text) > 2 * meaning.size.width - 20:
            text = "Runs this, and writes the rule that is shown above, whole, to your settings."
        meaning.update(Content(text))

    def _meaning(self, answer: str | None) -> str:
        match answer:
            case "once":
                return "Runs this, now. The next one asks again."
            case "session":
                return "Runs this, and asks no more for exactly this until the session ends."
            case "always":
                return f"Runs this, and writes to your settings: {one_line(render_exact(self._question.rule))}"
            case "why":
                return "Does not run; you tell the model why, or what to do instead."
            case _:
                return "Does not run. ← → choose, Enter answers · f full screen" + (" · t turn · e exact" if self._question.files else "")


def _answers(question: Question) -> Sequence[tuple[Said, str]]:
    """What can be answered, with the words on the buttons. The letter in brackets is its key."""
    answers: list[tuple[Said, str]] = [("no", "No (n)"), ("once", "Once (y)")]
    if question.can_grant:
        answers.append(("session", "Session (s)"))
    if question.rule:
        answers.append(("always", "Always (a)"))
    return [*answers, ("why", "No, why (r)")]
