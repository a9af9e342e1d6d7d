"""The side panel: model, context, cost, safety, plan, files changed, git, engine. A pure function from `Status` to lines, and its widget.

What this module does not do: know when the panel is shown (`KimicodeApp` does).
"""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from kimicode.interactive.view.status import Engine, PlanItem, Status, Touched
from kimicode.interactive.wording import count, money, percent
from kimicode.text import Untrusted, render_safe
from kimicode.tui.draw.values import Palette
from kimicode.tui.wording import fill, lines, where

WIDTH: Final = 36
_SIGNS: Final = {"done": ("✓", "ok"), "in_progress": ("▸", "accent"), "pending": ("·", "muted")}
_MOST_FILES: Final = 30
_PLAIN: Final = Style(bold=False)
_MOST_PARTS: Final = 3
"""Lines for what of the model lives in one place."""


def panel_text(status: Status, width: int, palette: Palette) -> Text:
    """All sections, `width` cells wide. Those with nothing in them are left out."""
    sections = [
        _section("Model", _model(status, width, palette), palette),
        _section("Context", _context(status, width, palette), palette),
        _section("Engine", _engine(status.engine, width, palette), palette),
        _section("Plan", _plan(status.plan, width, palette), palette),
        _section("Changed", _touched(status.touched, width, palette), palette),
        _section("Git", _git(status, width, palette), palette),
        _section("Session", _session(status, width, palette), palette),
    ]
    return Text("\n\n").join(section for section in sections if section.plain)


def _section(title: str, rows: Iterator[Text], palette: Palette) -> Text:
    found = list(rows)
    return Text("\n").join([Text(title, palette["heading"]), *found]) if found else Text()


def _row(label: str, value: str, width: int, palette: Palette, token: str = "text") -> Text:
    """A label and its value; both are cut to what there is."""
    label = set_cell_size(_line(label, 10, "muted", palette).plain, 10)
    safe = render_safe(Untrusted(value)).replace("\n", " ").replace("\t", " ")
    room = max(1, width - 11)
    shown = safe if cell_len(safe) <= room else set_cell_size(safe, room - 1).rstrip() + "…"
    return Text.assemble((f"{label} ", palette["muted"]), (shown, palette[token]))


def _line(text: str, width: int, style_token: str, palette: Palette) -> Text:
    safe = render_safe(Untrusted(text)).replace("\n", " ").replace("\t", " ")
    return Text(safe if cell_len(safe) <= width else set_cell_size(safe, width - 1).rstrip() + "…", palette[style_token])


def _model(status: Status, width: int, palette: Palette) -> Iterator[Text]:
    if not status.model:
        return
    yield _line(status.model, width, "text", palette)
    yield _row("runs", where(status), width, palette)
    if status.speed:
        yield _row("speed", f"{status.speed:.1f} tokens/s", width, palette)
    if cost := money(status.cost_usd):
        yield _row("cost", cost, width, palette)


def _context(status: Status, width: int, palette: Palette) -> Iterator[Text]:
    if not status.model:
        return
    share = min(1.0, status.context_used / status.context) if status.context else 0.0
    token = "error" if share > 0.9 else "warning" if share > 0.75 else "accent"
    full = round(share * width) if share == 0 else max(1, round(share * width))
    yield Text.assemble(("━" * full, palette[token]), ("─" * (width - full), palette["faint"]))
    yield _row("used", fill(status), width, palette)
    if status.cached is not None:
        yield _row("from cache", percent(status.cached), width, palette)
    yield _row("tokens", f"{count(status.usage.prompt)} in, {count(status.usage.completion)} out", width, palette)


def _engine(engine: Engine | None, width: int, palette: Palette) -> Iterator[Text]:
    if engine is None:
        return
    yield _row("state", engine.state, width, palette, "ok" if engine.state == "ok" else "warning")
    for place in engine.places.split("; ") if engine.places else ():
        device, _, parts = place.partition(": ")
        for number, line in enumerate(wrap(parts, width - 11, max_lines=_MOST_PARTS, placeholder=" …") or [""]):
            yield _row("" if number else device, line, width, palette)
    if engine.experts:
        yield _row("experts", engine.experts, width, palette)
    if engine.hits is not None:
        yield _row("found", f"{percent(engine.hits)} in memory", width, palette)


def _plan(plan: tuple[PlanItem, ...], width: int, palette: Palette) -> Iterator[Text]:
    for item in plan:
        sign, token = _SIGNS.get(item.status, _SIGNS["pending"])
        rest = _line(item.text, width - 2, "muted" if item.status == "done" else "text", palette)
        yield Text.assemble((f"{sign} ", palette[token]), rest)


def _touched(touched: tuple[Touched, ...], width: int, palette: Palette) -> Iterator[Text]:
    for file in touched[:_MOST_FILES]:
        counts = lines(file.added, file.removed)
        safe = render_safe(Untrusted(file.path)).replace("\n", " ").replace("\t", " ")
        room = width - cell_len(counts) - 1
        name = safe if cell_len(safe) <= room else "…" + _tail(safe, room - 1)
        added, _, removed = counts.partition(" ")
        gap = " " * max(1, width - cell_len(name) - cell_len(counts))
        yield Text.assemble(
            (name, palette["text"]), gap, (added, palette["ok"]), " " if removed else "", (removed, palette["error"] + _PLAIN)
        )
    if len(touched) > _MOST_FILES:
        yield Text(f"and {len(touched) - _MOST_FILES} more", palette["muted"])


def _tail(text: str, width: int) -> str:
    while cell_len(text) > width:
        text = text[1:]
    return text


def _git(status: Status, width: int, palette: Palette) -> Iterator[Text]:
    if status.git is None:
        return
    yield _row("branch", status.git.branch or "(a commit)", width, palette)
    if status.git.changed:
        yield _row("changed", f"{status.git.changed} file{'' if status.git.changed == 1 else 's'}", width, palette)


def _session(status: Status, width: int, palette: Palette) -> Iterator[Text]:
    if status.title:
        yield _line(status.title, width, "text", palette)
    if status.permission:
        yield _row("permission", status.permission, width, palette, "warning" if status.permission == "full" else "text")
    if status.sandbox:
        weak = status.sandbox in ("none", "no commands", "landlock")
        yield _row("sandbox", status.sandbox, width, palette, "warning" if weak else "text")
    if status.session_id:
        yield _row("id", status.session_id, width, palette, "muted")


class SidePanel(VerticalScroll, can_focus=False):
    """Shows a `Status` beside the transcript, or on top of it where there is no room beside."""

    DEFAULT_CSS = f"""
    SidePanel {{ width: {WIDTH + 4}; height: 1fr; padding: 1 0 1 2; border-left: vkey $border-blurred; scrollbar-size-vertical: 1; }}
    SidePanel > Static {{ width: {WIDTH - 1}; height: auto; }}
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = Static(markup=False)
        self._shown = Text()

    def compose(self) -> Iterator[Static]:
        """One text."""
        yield self._text

    def show(self, status: Status, palette: Palette) -> None:
        """Draw `status`; nothing happens where it looks the same."""
        text = panel_text(status, WIDTH - 1, palette)
        if text != self._shown:
            # What has as many lines as before needs no new layout.
            same = text.plain.count("\n") == self._shown.plain.count("\n")
            self._shown = text
            self._text.update(text, layout=not same)
