"""What is inside a paragraph of Markdown → pieces of text with styles: emphasis, code, links, images.

A link shows where it leads wherever that is not its text already, and only a plain http(s) address becomes one that a terminal can open.
All text is made harmless here once more, because entities (`&#x202E;`) become characters only while Markdown is read. What this module does
not do: wrap.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it.tree import SyntaxTreeNode
from rich.style import Style

from kimicode.tui.draw.lines import Line, safe
from kimicode.tui.draw.values import Palette

_OPENS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
"""An address in visible ASCII: what is shown of it is what it is."""

_BARE: Final = re.compile(r"https?://[!-~]*[A-Za-z0-9/_=#&-]")
_MOST_SHOWN: Final = 300


def inline(node: SyntaxTreeNode, palette: Palette, base: Style) -> list[Line]:
    """The lines of an inline node, not wrapped yet: only hard breaks end one."""
    lines: list[Line] = [[]]
    for piece in _pieces(node.children, palette, base):
        if piece is None:
            lines.append([])
        elif piece[0]:
            lines[-1].append(piece)
    return lines


def opening(url: str, style: Style) -> Style:
    """`style`, such that a terminal can open `url` where it is a plain http(s) address."""
    return style + Style(link=url) if _OPENS.fullmatch(url) else style


def _pieces(nodes: Sequence[SyntaxTreeNode], palette: Palette, base: Style) -> Iterator[tuple[str, Style] | None]:
    for node in nodes:
        match node.type:
            case "text":
                yield from _text(node.content, palette, base)
            case "softbreak":
                yield " ", base
            case "hardbreak":
                yield None
            case "code_inline":
                yield safe(node.content), base + palette["code"]
            case "strong":
                yield from _pieces(node.children, palette, base + palette["strong"])
            case "em":
                yield from _pieces(node.children, palette, base + palette["emphasis"])
            case "s":
                yield from _pieces(node.children, palette, base + palette["struck"])
            case "link":
                yield from _link(node, palette, base)
            case "image":
                yield from _image(node, palette, base)
            case _:
                yield safe(node.content), base


def _text(text: str, palette: Palette, base: Style) -> Iterator[tuple[str, Style]]:
    shown = safe(text)
    if "://" not in shown:
        yield shown, base
        return
    at = 0
    for found in _BARE.finditer(shown):
        yield shown[at : found.start()], base
        yield found[0], opening(found[0], base + palette["link"])
        at = found.end()
    yield shown[at:], base


def _link(node: SyntaxTreeNode, palette: Palette, base: Style) -> Iterator[tuple[str, Style] | None]:
    url = safe(str(node.attrs.get("href", "")))
    style = opening(url, base + palette["link"])
    inside = list(_plain(node.children))
    text = "".join(inside)
    if text in (url, url.removeprefix("mailto:")):
        yield text, style
        return
    yield from _pieces(node.children, palette, base + palette["link"])
    if url:
        yield f" ({url[:_MOST_SHOWN]}{'…' if len(url) > _MOST_SHOWN else ''})", opening(url, base + palette["faint"])


def _image(node: SyntaxTreeNode, palette: Palette, base: Style) -> Iterator[tuple[str, Style]]:
    url = safe(str(node.attrs.get("src", "")))
    yield f"[image: {safe(node.content)}]" if node.content else "[image]", base + palette["muted"]
    if url:
        yield f" ({url[:_MOST_SHOWN]}{'…' if len(url) > _MOST_SHOWN else ''})", opening(url, base + palette["faint"])


def _plain(nodes: Sequence[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        if node.children:
            yield from _plain(node.children)
        else:
            yield safe(node.content)
