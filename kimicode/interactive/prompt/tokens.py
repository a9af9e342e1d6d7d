"""Long pastes and pictures in a prompt: one short token each, `[pasted 1: 120 lines]` or `[picture 2: shot.png]`.

A token stands for what was pasted as long as its text is whole; one that was changed is only text. For an editor it is one character:
`token_at` says what the cursor is in. When a prompt is sent, pastes are put where their tokens are, and pictures go along; their tokens
stay, so that the model knows which is meant. Everything here is pure. What this module does not do: read a picture.
"""

import re
from typing import Final, TypeAlias

import msgspec

from kimicode.messages import Image

MOST_LINES: Final = 15
MOST_CHARS: Final = 1_000
KEPT_CHARS: Final = 10_000
"""A paste of up to so many characters is kept in the history whole."""

_NAME_CHARS: Final = 40
_NO_NAME: Final = re.compile(r"[^\w .()+,=~-]+")


class Paste(msgspec.Struct, frozen=True):
    """A long text."""

    label: str
    text: str


class Picture(msgspec.Struct, frozen=True):
    """A picture."""

    label: str
    image: Image


Item: TypeAlias = Paste | Picture


class Span(msgspec.Struct, frozen=True):
    """A token in a text: `text[start:end]`."""

    start: int
    end: int
    item: Item


class Expanded(msgspec.Struct, frozen=True):
    """A prompt as it is sent."""

    text: str
    images: tuple[Image, ...] = ()


def is_long(text: str) -> bool:
    """True for what becomes a token when it is pasted."""
    return len(text) > MOST_CHARS or text.count("\n") >= MOST_LINES


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of one prompt that is being written. `last` is the highest number that was given away."""

    items: tuple[Item, ...] = ()
    last: int = 0

    def with_paste(self, text: str, among: str = "") -> tuple[str, "Tokens"]:
        """A token for `text` in a prompt that says `among`: what is to be inserted, and the tokens with it."""
        lines = text.count("\n") + (not text.endswith("\n"))
        what = f"{lines} lines" if lines > 1 else f"{len(text)} characters"
        number, label = self._fresh("pasted {}: " + what, among)
        return label, Tokens((*self.items, Paste(label, text)), number)

    def with_picture(self, image: Image, among: str = "") -> tuple[str, "Tokens"]:
        """A token for a picture, likewise."""
        number, label = self._fresh("picture {}: " + _named(image), among)
        return label, Tokens((*self.items, Picture(label, image)), number)

    def spans(self, text: str) -> tuple[Span, ...]:
        """The whole tokens in `text`, in order."""
        if not self.items or "[" not in text:
            return ()
        by_label = {item.label: item for item in self.items}
        pattern = re.compile("|".join(map(re.escape, by_label)))
        return tuple(Span(*match.span(), by_label[match[0]]) for match in pattern.finditer(text))

    def _fresh(self, shape: str, among: str) -> tuple[int, str]:
        """The next number whose token does not stand there already, as text."""
        number = self.last + 1
        while (label := f"[{shape.replace('{}', str(number), 1)}]") in among:
            number += 1
        return number, label


def expand(text: str, tokens: Tokens) -> Expanded:
    """The prompt as it is sent: pastes in full, and the pictures whose tokens are there, each once."""
    pieces: list[str] = []
    images: dict[Image, None] = {}
    at = 0
    for span in tokens.spans(text):
        match span.item:
            case Paste(text=pasted):
                pieces += [text[at : span.start], pasted]
                at = span.end
            case Picture(image=image):
                images[image] = None
    return Expanded("".join([*pieces, text[at:]]), tuple(images))


def remembered(text: str, tokens: Tokens) -> str:
    """The prompt as a history keeps it: short pastes in full, of long ones and of pictures only that they were there."""
    pieces: list[str] = []
    at = 0
    for span in tokens.spans(text):
        whole = isinstance(span.item, Paste) and len(span.item.text) <= KEPT_CHARS
        kept = span.item.text if isinstance(span.item, Paste) and whole else f"{span.item.label[:-1]}, not kept]"
        pieces += [text[at : span.start], kept]
        at = span.end
    return "".join([*pieces, text[at:]])


def restored(text: str, images: tuple[Image, ...]) -> tuple[str, Tokens]:
    """An expanded prompt, to be edited once more: its text with a token for each picture, and the tokens."""
    items: list[Item] = []
    last = 0
    missing: list[Image] = []
    for image in images:
        name = re.escape(_named(image))
        used = {item.label for item in items}
        found = next((match for match in re.finditer(rf"\[picture (\d{{1,9}}): {name}\]", text) if match[0] not in used), None)
        if found is None:
            missing.append(image)
            continue
        items.append(Picture(found[0], image))
        last = max(last, int(found[1]))
    tokens = Tokens(tuple(items), last)
    for image in missing:
        label, tokens = tokens.with_picture(image, text)
        text = f"{text} {label}" if text else label
    return text, tokens


def token_at(text: str, position: int, tokens: Tokens) -> Span | None:
    """The token that `position` (between two characters) lies inside of; None at its edges."""
    return next((span for span in tokens.spans(text) if span.start < position < span.end), None)


def snapped(text: str, position: int, tokens: Tokens, *, forwards: bool) -> int:
    """`position`, or the edge of the token that it lies inside of."""
    span = token_at(text, position, tokens)
    return position if span is None else span.end if forwards else span.start


def delete(text: str, start: int, end: int, tokens: Tokens) -> tuple[str, int]:
    """`text` without `[start:end]` and without the tokens that this touches, and where the cursor is then."""
    first, last = snapped(text, start, tokens, forwards=False), snapped(text, end, tokens, forwards=True)
    return text[:first] + text[last:], first


def _named(image: Image) -> str:
    """What a picture is called in its token: short, in one line, without brackets."""
    name = _NO_NAME.sub("_", image.name).strip() or "picture"
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 9]}~{name[-8:]}"
