"""Three one-line bars: what this is (where there is no side panel), what goes on, which keys help. Pure texts, and one widget for all.

What this module does not do: keep time: whoever shows the activity calls again while something goes on.
"""

from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.widgets import Static

from kimicode.interactive.view.status import Status
from kimicode.interactive.waiting import Waiting
from kimicode.interactive.wording import duration, money
from kimicode.text import Untrusted, render_safe
from kimicode.tui.draw.values import Palette
from kimicode.tui.wording import fill, phase, where

_BAR: Final = 16


class Bar(Static):
    """One line of text that is never wrapped."""

    DEFAULT_CSS = "Bar { height: 1; width: 100%; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(markup=False, id=id)
        self._shown: Text | None = None

    def show(self, text: Text) -> None:
        """Draw `text`; nothing happens where it is the same."""
        if text != self._shown:
            self._shown = text
            self.update(text, layout=False)


def header_text(status: Status, width: int, palette: Palette) -> Text:
    """What a side panel would say, in a line: the most important first, as much as fits."""
    parts = [
        (_safe(status.title or status.model or "kimicode"), "heading"),
        (_safe(f"{status.model} {where(status)}".strip()) if status.title else _safe(where(status)), "muted"),
        (status.permission, "warning" if status.permission == "full" else "muted"),
        (f"context {fill(status)}" if status.model else "", "muted"),
        (money(status.cost_usd), "muted"),
        (_safe(status.git.branch) if status.git else "", "muted"),
    ]
    text = Text()
    for part, token in parts:
        if not part:
            continue
        piece = Text.assemble(("  ·  " if text.plain else "", palette["faint"]), (part, palette[token]))
        if cell_len(text.plain) + cell_len(piece.plain) > width:
            break
        text.append_text(piece)
    return text


def activity_text(status: Status, waiting: Waiting, now: float, width: int, palette: Palette) -> Text:
    """What goes on and since when, how to stop it, what waits: as much of it as fits. Empty while nothing does."""
    what = phase(status)
    parts: list[Text] = []
    if what:
        parts.append(Text(what, palette["accent"]))
        if status.progress is not None and status.progress.total:
            full = round(_BAR * status.progress.done / status.progress.total)
            parts.append(Text.assemble(("━" * full, palette["accent"]), ("─" * (_BAR - full), palette["faint"])))
        if status.phase != "asking":
            parts.append(Text(duration(now - status.since), palette["muted"]))
        if status.phase not in ("asking", "stopping"):
            parts.append(Text("Esc stops", palette["muted"]))
    if waiting.prompts:
        state = "held" if waiting.paused else "waiting"
        hint = " (Enter sends)" if waiting.paused else ""
        parts.append(Text(f"{len(waiting.prompts)} {state}{hint}", palette["warning"]))
    item = next((item for item in status.plan if item.status == "in_progress"), None)
    if item is not None and status.phase != "idle":
        done = sum(each.status == "done" for each in status.plan)
        parts.append(Text(f"{done + 1}/{len(status.plan)} {_safe(item.text)}", palette["text"]))
    text = parts[0] if parts else Text()
    for part in parts[1:]:
        longer = Text.assemble(text, ("  ·  ", palette["faint"]), part)
        if cell_len(longer.plain) <= width:
            text = longer
    return text if cell_len(text.plain) <= width else Text(set_cell_size(text.plain, max(0, width - 1)) + "…", palette["accent"])


def keys_text(keys: tuple[tuple[str, str], ...], width: int, palette: Palette) -> Text:
    """Which keys help, as many as fit."""
    text = Text()
    for key, does in keys:
        piece = Text.assemble("  " if text.plain else "", (key, palette["accent"]), (f" {does}", palette["muted"]))
        if cell_len(text.plain) + cell_len(piece.plain) > width:
            break
        text.append_text(piece)
    return text


def _safe(text: str) -> str:
    return render_safe(Untrusted(text)).replace("\n", " ").replace("\t", " ")
