"""A call of a tool → lines: a headline, and below it what came of it."""

import re
from typing import Final

import msgspec
from rich.segment import Segment
from textual.strip import Strip

from kimicode.interactive.view.blocks import Called
from kimicode.interactive.wording import duration
from kimicode.tui.draw.diff import diff_counts, draw_diff
from kimicode.tui.draw.folding import Folded, folded, lines_in, unfolded
from kimicode.tui.draw.head import Fact, first_line, headline, state_of
from kimicode.tui.draw.highlight import highlighted_file
from kimicode.tui.draw.lines import Line, clipped, hung, safe, source_lines, strips, wrapped
from kimicode.tui.draw.markdown import fence
from kimicode.tui.draw.output import command, has_long, margin, output, tail_of
from kimicode.tui.draw.tools import CHANGES, LOOKS, Described, describe, is_ours, plan_of
from kimicode.tui.draw.values import Drawn, Look

_DIFF_LINES: Final = 20
_ERROR_LINES: Final = 3
_HEAD_ROOM: Final = 30
_EXIT: Final = re.compile(r"\[exit (-?\d{1,10})\]\s*\Z|\[timed out after ([^\]\n]{1,20})\]\s*\Z")
_MARKS: Final = {"done": ("☑", "ok"), "in_progress": ("▸", "accent")}
_DECIDED: Final = {
    "once": "you allowed it",
    "session": "you allowed it for this session",
    "always": "you allowed it for good",
    "no": "you said no",
}


def draw_call(block: Called, look: Look, *, fold: bool) -> Drawn:
    """The call. Folded: its headline and the little that is worth a glance; unfolded: everything."""
    said = describe(block.call)
    changing = bool(block.changes) and block.diffs is None
    lines = strips(_headlines(block, said, look), look.width)
    if not fold:
        lines += strips(_whole(block, said, look), look.width)
    # What a command did to files is a matter of its own: its headline counts them.
    if block.diffs and (block.call.name in CHANGES or not fold):
        lines += _diff(block, look, fold)
    lines += strips(_below(block, look, fold), look.width)
    wants = changing and (block.call.name in CHANGES or not fold)
    return Drawn(lines, foldable=_foldable(block, said, look), wants_diffs=wants)


def _headlines(block: Called, said: Described, look: Look) -> list[Line]:
    palette = look.palette
    sign, word, token = state_of(block.state, grave=block.grave)
    if block.asked:
        sign, word, token = "?", "waits for you", "warning"
    exit_word = _exit_word(block)
    if exit_word and block.state == "done":
        sign, token = "✗", "warning"
    target, more = first_line(said.target)
    facts: list[Fact] = [[(safe(clipped(said.detail, 200)), "muted")]] if said.detail else []
    facts += [[(more, "faint")]] if more else []
    facts += _outcome(block)
    facts += [[(exit_word, "error" if block.grave else "warning")]] if exit_word else []
    facts += [[(duration(block.seconds), "faint")]] if block.seconds is not None and block.seconds >= 0.5 else []
    facts += [[(word, token)]] if word else []
    facts += [[(_decision(block.decided), "muted")]] if block.decided else []
    return headline([(f"{sign} ", palette[token])], safe(said.verb), [(target, palette["text"])] if target else [], facts, look)


def _exit_word(block: Called) -> str:
    """How a command ended, where it did not end well."""
    found = _EXIT.search(block.result[-200:]) if block.call.name == "shell" else None
    if found is None or found[1] == "0":
        return ""
    return f"exit {found[1]}" if found[1] else f"timed out after {safe(found[2])}"


def _outcome(block: Called) -> list[Fact]:
    """What came of it, in numbers."""
    facts: list[Fact] = []
    added, removed = diff_counts(block.diffs or ())
    if added or removed:
        gap = [(" ", "faint")] if added and removed else []
        facts.append([*([(f"+{added}", "ok")] if added else []), *gap, *([(f"-{removed}", "error")] if removed else [])])
    elif block.changes:
        facts.append([(f"{len(block.changes)} file{'s' if len(block.changes) != 1 else ''} changed", "muted")])
    if block.state == "done" and block.call.name in LOOKS and block.result:
        lines = lines_in(block.result)
        facts.append([(f"{lines:,} line{'s' if lines != 1 else ''}", "faint")])
    return facts


def _decision(decided: str) -> str:
    choice, colon, why = decided.partition(":")
    words = _DECIDED.get(choice.strip())
    return safe(clipped(decided, 300)) if words is None else f"{words}{f': {safe(clipped(why.strip(), 300))}' if colon else ''}"


def _cut(said: Described, look: Look) -> bool:
    """True where the headline may have no room for what the call is about."""
    return "\n" in said.target.strip("\n") or len(said.target) > max(look.width // 2, look.width - _HEAD_ROOM)


def _whole(block: Called, said: Described, look: Look) -> list[Line]:
    """What the headline has no room for: a command, or the arguments of a tool that we have no words for."""
    if is_ours(block.call.name):
        return command(said.target, look) if _cut(said, look) else []
    try:
        text = msgspec.json.format(block.call.arguments.encode("utf-8", "replace"), indent=2).decode("utf-8", "replace")
    except msgspec.MsgspecError:
        text = block.call.arguments
    bar: Line = [("  │ ", look.palette["border"])] if look.width >= 30 else []
    return hung(bar, bar, fence(unfolded(text).head, "json", max(1, look.width - (4 if bar else 0)), look.palette))


def _diff(block: Called, look: Look, fold: bool) -> tuple[Strip, ...]:
    """What it did to files. The name of a single one stands in the headline already."""
    assert block.diffs is not None
    space = margin(look.width)
    alone = len(block.diffs) == 1 and not block.diffs[0].note and block.diffs[0].path == describe(block.call).target
    narrow = msgspec.structs.replace(look, width=max(1, look.width - len(space)))
    drawn = draw_diff(block.diffs, narrow, max_lines=_DIFF_LINES + alone if fold else None)
    before = Segment(space, look.palette["text"])
    return tuple(Strip([before, *strip], strip.cell_length + len(space)) for strip in drawn[1 if alone else 0 :])


def _below(block: Called, look: Look, fold: bool) -> list[Line]:
    """What it printed or answered, as far as that is worth showing."""
    name, keep = block.call.name, look.fold_lines
    if block.state == "running":
        return output(tail_of(block.output, keep) if fold else unfolded(block.output), look, fold=fold)
    if block.state in ("failed", "refused"):
        token = "error" if block.grave and block.state == "failed" else "muted"
        return output(folded(block.result, _ERROR_LINES, 0) if fold else unfolded(block.result), look, token, fold=fold)
    if name == "todo":
        return _plan(block, look)
    if fold and (name in LOOKS or name in CHANGES):
        return []
    if name == "read":
        return _source(block, look)
    text = block.result[:-200] + _EXIT.sub("", block.result[-200:]) if name == "shell" else block.result
    text = text.rstrip("\n")
    return output(folded(text, keep // 3, keep - keep // 3) if fold else unfolded(text), look, fold=fold)


def _plan(block: Called, look: Look) -> list[Line]:
    palette = look.palette
    space = margin(look.width)
    lines: list[Line] = []
    for item in plan_of(block.call):
        sign, token = _MARKS.get(item.status, ("☐", "muted"))
        style = palette["strong"] if item.status == "in_progress" else palette["muted" if item.status == "done" else "text"]
        rows = wrapped([(safe(clipped(item.text, 1_000)), style)], max(1, look.width - len(space) - 2))
        lines += hung([(f"{space}{sign} ", palette[token])], [(f"{space}  ", palette["text"])], rows)
    return lines


def _source(block: Called, look: Look) -> list[Line]:
    if not block.result:
        return []
    part = unfolded(block.result)
    space: Line = [(margin(look.width), look.palette["text"])]
    room = max(1, look.width - len(margin(look.width)))
    lines = highlighted_file(source_lines(part.head), describe(block.call).target, look.palette, look.palette["code_block"])
    rows = [row for line in lines for row in wrapped(line, room, words=False)]
    return hung(space, space, rows) + (output(Folded("", part.tail, part.hidden), look, fold=False) if part.hidden else [])


def _foldable(block: Called, said: Described, look: Look) -> bool:
    if _cut(said, look) or block.diffs or (block.changes and block.call.name not in CHANGES):
        return True
    if not is_ours(block.call.name):
        return True
    if block.state == "running":
        return lines_in(block.output) > look.fold_lines or has_long(block.output, look)
    if block.call.name == "todo" and block.state == "done":
        return False
    if block.state in ("failed", "refused") or block.call.name == "shell":
        keep = _ERROR_LINES if block.state in ("failed", "refused") else look.fold_lines
        return lines_in(block.result) > keep + 1 or has_long(block.result, look)
    return bool(block.result)
