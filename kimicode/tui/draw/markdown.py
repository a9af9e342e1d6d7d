"""Markdown → lines: CommonMark with tables and struck-out text, read by markdown-it, drawn by our own hands.

HTML is text. Reference definitions (`[name]: address`) are text, too: a link must not depend on what comes pages later, or nothing that
streams in could ever be drawn for good. `find_boundary` says up to where it can. What this module does not do: keep what is drawn
(`answer`), or trust a word of the text.
"""

import functools
from collections.abc import Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from rich.style import Style

from kimicode.text import Untrusted, render_safe
from kimicode.tui.draw.highlight import highlighted
from kimicode.tui.draw.inline import inline
from kimicode.tui.draw.lines import Line, hung, wrapped
from kimicode.tui.draw.table import Align, table
from kimicode.tui.draw.values import Palette

_INDENT: Final = "  "
_LEAST: Final = 8
"""Cells that are left for text however deep lists and quotes are nested."""

_TASKS: Final = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])


def find_boundary(text: str, start: int) -> int:
    """The last place from `start` on where the text can be cut, such that both parts, drawn alone, are what they are together, whatever
    follows. `start` must be such a place (0 is), and is the answer where there is no other one.

    That is where the last block of what has whole lines begins: it may still grow, or become something else; those before it cannot.
    """
    tokens = _block_tokens(text, start)
    first = next((token.map[0] for token in reversed(tokens) if token.level == 0 and token.nesting >= 0 and token.map), 0)
    return _line(text, start, first)


def find_item(text: str, start: int) -> int:
    """Where the last item of the list that begins at `start` begins; `start` where there is no list, or only one item."""
    tokens = _block_tokens(text, start)
    if not tokens or tokens[0].type not in ("bullet_list_open", "ordered_list_open"):
        return start
    return _line(
        text,
        start,
        next((token.map[0] for token in reversed(tokens) if token.type == "list_item_open" and token.level == 1 and token.map), 0),
    )


def _block_tokens(text: str, start: int) -> list[Token]:
    """The blocks of what has whole lines."""
    end = text.rfind("\n", start) + 1
    tokens: list[Token] = []
    if end > start:
        _parser().block.parse(render_safe(Untrusted(text[start:end])), _parser(), {}, tokens)
    return tokens


def _line(text: str, at: int, lines: int) -> int:
    """Where the line after so many others begins."""
    for _ in range(lines):
        at = text.index("\n", at) + 1
    return at


def markdown(text: str, width: int, palette: Palette) -> list[Line]:
    """The lines of a whole text, or of a part that `find_boundary` allowed. The text need not be harmless."""
    root = SyntaxTreeNode(_parser().parse(render_safe(Untrusted(text))))
    return _stacked(root.children, width, palette, palette["text"])


def fence(text: str, language: str, width: int, palette: Palette) -> list[Line]:
    """A block of code. Lines that are too long go on below."""
    if not text:
        return []
    indent = _INDENT if width > _LEAST + len(_INDENT) else ""
    base = palette["code_block"]
    room = max(1, width - len(indent))
    lines = highlighted(text, language, palette, base)
    return [[(indent, base), *part] if indent else part for line in lines for part in wrapped(line, room, words=False)]


def _stacked(nodes: Sequence[SyntaxTreeNode], width: int, palette: Palette, base: Style, *, tight: bool = False) -> list[Line]:
    lines: list[Line] = []
    for node in nodes:
        block = _block(node, width, palette, base)
        if block and lines and not tight:
            lines.append([])
        lines += block
    return lines


def _block(node: SyntaxTreeNode, width: int, palette: Palette, base: Style) -> list[Line]:
    match node.type:
        case "paragraph":
            return _paragraph(node, width, palette, base)
        case "heading":
            style = palette["heading"] + Style(underline=True) if node.tag == "h1" else palette["heading"]
            return _paragraph(node, width, palette, style if node.tag < "h4" else style + Style(italic=True))
        case "bullet_list" | "ordered_list":
            return _list(node, width, palette, base)
        case "blockquote":
            room = width - 2 if width - 2 >= _LEAST else width
            inside = _stacked(node.children, room, palette, palette["quote"])
            bar: Line = [("▎ ", palette["border"])] if room < width else []
            return hung(bar, bar, inside)
        case "fence" | "code_block":
            words = node.info.split(maxsplit=1)
            return fence(node.content, words[0] if words else "", width, palette)
        case "hr":
            return [[("─" * width, palette["rule"])]]
        case "table":
            return _table(node, width, palette, base)
        case _:
            return wrapped([(render_safe(Untrusted(node.content)).replace("\n", " "), base)], width)


def _paragraph(node: SyntaxTreeNode, width: int, palette: Palette, base: Style) -> list[Line]:
    lines = [line for child in node.children for line in inline(child, palette, base)]
    return [part for line in lines if line for part in wrapped(line, width)]


def _list(node: SyntaxTreeNode, width: int, palette: Palette, base: Style) -> list[Line]:
    number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
    tight = all(child.hidden for item in node.children for child in item.children if child.type == "paragraph")
    last = "" if number is None else f"{number + len(node.children) - 1}. "
    lines: list[Line] = []
    for at, item in enumerate(node.children):
        mark = "• " if number is None else f"{number + at}. ".rjust(len(last))
        room = width - len(mark) if width - len(mark) >= _LEAST else width
        body = _stacked(item.children, room, palette, base, tight=tight)
        if number is None and body:
            mark, body = _task(mark, body)
        if lines and not tight:
            lines.append([])
        space: Line = [(" " * len(mark), base)] if room < width else []
        lines += hung([(mark, palette["bullet"])], space, body) if room < width else [[(mark.strip(), palette["bullet"])], *body]
        if not body and room < width:
            lines.append([(mark, palette["bullet"])])
    return lines


def _task(mark: str, body: list[Line]) -> tuple[str, list[Line]]:
    text, style = body[0][0] if body[0] else ("", Style.null())
    box = _TASKS.get(text[:4])
    return (box, [[(text[4:], style), *body[0][1:]], *body[1:]]) if box is not None else (mark, body)


def _table(node: SyntaxTreeNode, width: int, palette: Palette, base: Style) -> list[Line]:
    rows = [row for part in node.children for row in part.children]
    cells = [[_cell(cell, palette, base + palette["strong"] if at == 0 else base) for cell in row.children] for at, row in enumerate(rows)]
    aligns = [_align(cell) for cell in rows[0].children] if rows else []
    return table([(row + [[]] * len(aligns))[: len(aligns)] for row in cells], aligns, width, palette)


def _cell(node: SyntaxTreeNode, palette: Palette, base: Style) -> Line:
    return [piece for child in node.children for line in inline(child, palette, base) for piece in line]


def _align(cell: SyntaxTreeNode) -> Align:
    style = str(cell.attrs.get("style", ""))
    return "right" if style.endswith("right") else "center" if style.endswith("center") else "left"
