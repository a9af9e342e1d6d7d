"""Where in a file a text that is not there was probably meant to be, and what differs: words for a model that got it wrong.

Pure and bounded: lines vote for where the text would start if they are where they say, whitespace aside; only when no line votes,
the most telling line is compared with those of the file. What this module does not do: change anything, or claim that the place is right.
"""

import difflib
from collections import Counter, defaultdict
from typing import Final

_MAX_LINES_COMPARED: Final = 4000
_MAX_COMPARED_CHARS: Final = 200
_MAX_VOTES_OF_A_LINE: Final = 100
_MAX_LINES_SOUGHT: Final = 20
_MAX_CHARS: Final = 4_000_000
_SHOWN: Final = 4
_SHOWN_CHARS: Final = 160
_ALIKE: Final = 0.6
_NEARLY: Final = 0.8
_NAMES: Final = {"\t": "a tab", " ": "a space", "\r": "a carriage return", "\u00a0": "a no-break space", "": "the end of the line"}


def describe_nearest(text: str, wanted: str) -> str:
    """One paragraph: the nearest place's lines beside the wanted ones, tabs (→), spaces at the ends (·) and returns (␍) made visible.

    Where another place is nearly as near, it is named too.
    """
    have, want = text.split("\n"), wanted.strip("\n").split("\n")
    starts = _voted(_by_finding(text, want) if len(text) > _MAX_CHARS else _by_words(have, want), len(want))
    if not starts and (like := _by_likeness(have, want)) is not None:
        starts = [like]
    if not starts:
        return "Nothing in the file is like it. Read the file again and copy the text from there."
    return _describe(have, want, starts[0]) + (_second(have, want, starts[1]) if len(starts) > 1 else "")


def _words(line: str) -> str:
    return " ".join(line.split())


def _by_finding(text: str, want: list[str]) -> Counter[int]:
    """Votes in a long text: of the longest lines alone, and found as they are but for the blanks around them."""
    votes: Counter[int] = Counter()
    longest = sorted(range(len(want)), key=lambda number: -len(want[number].strip()))[:_MAX_LINES_SOUGHT]
    for offset, key in ((number, want[number].strip()) for number in longest if want[number].strip()):
        place, counted, line = text.find(key), 0, 0
        for _ in range(_MAX_VOTES_OF_A_LINE):
            if place < 0:
                break
            line, counted = line + text.count("\n", counted, place), place
            if line >= offset:
                votes[line - offset] += len(key)
            place = text.find(key, place + 1)
    return votes


def _by_words(have: list[str], want: list[str]) -> Counter[int]:
    """The votes of every line, inner blanks aside too, each weighing as many as it is long."""
    lines: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(have):
        lines[_words(line)].append(number)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(want):
        key = _words(line)
        found = lines.get(key, ()) if key else ()
        if len(found) <= _MAX_VOTES_OF_A_LINE:
            # A long line says more about the place than a bracket does.
            votes.update({number - offset: len(key) for number in found if number >= offset})
    return votes


def _voted(votes: Counter[int], length: int) -> list[int]:
    """The place with most votes, and the next one where it has nearly as many and lies apart."""
    if not votes:
        return []
    first = min(votes, key=lambda start: (-votes[start], start))
    apart = {start: count for start, count in votes.items() if abs(start - first) >= length and count >= _NEARLY * votes[first]}
    return [first, min(apart, key=lambda start: (-apart[start], start))] if apart else [first]


def _by_likeness(have: list[str], want: list[str]) -> int | None:
    offset = max(range(len(want)), key=lambda number: len(want[number].strip()))
    key = want[offset].strip()[:_MAX_COMPARED_CHARS]
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(key)
    best, start = _ALIKE, None
    for number, line in enumerate(have[:_MAX_LINES_COMPARED]):
        matcher.set_seq1(line.strip()[:_MAX_COMPARED_CHARS])
        if key and matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, start = ratio, max(0, number - offset)
    return start


def _describe(have: list[str], want: list[str], start: int) -> str:
    pairs = [(start + n, have[start + n] if start + n < len(have) else None, line) for n, line in enumerate(want)]
    different = [pair for pair in pairs if pair[1] != pair[2]]
    if not different:
        return f"The lines from {start + 1} on are the same but for newlines at the ends of old_string; send them without."
    said = [f"The nearest place starts at line {start + 1}; {len(different)} of {len(want)} lines differ:"]
    for number, line, sent in different[:_SHOWN]:
        said.append(f"line {number + 1} is   {_visible(line) if line is not None else '(past the end of the file)'}")
        said.append(f"you sent{' ' * (len(str(number + 1)))} {_visible(sent)}")
    first = different[0]
    if first[1] is not None:
        said.append(_first_difference(first[0], first[1], first[2]))
    said.append("(→ is a tab, · a space at an end, ␍ a carriage return.) Send the file's text exactly.")
    return "\n".join(said)


def _second(have: list[str], want: list[str], start: int) -> str:
    different = sum(start + n >= len(have) or have[start + n] != line for n, line in enumerate(want))
    return f"\nAnother place like it starts at line {start + 1}; {different} of {len(want)} lines differ."


def _first_difference(number: int, line: str, sent: str) -> str:
    column = next((n for n, (a, b) in enumerate(zip(line, sent, strict=False)) if a != b), min(len(line), len(sent)))
    here, there = _name(line[column : column + 1]), _name(sent[column : column + 1])
    return f"At line {number + 1}, column {column + 1}, the file has {here}, you sent {there}."


def _name(char: str) -> str:
    if char in _NAMES:
        return _NAMES[char]
    return f"'{char}'" if char.isascii() and char.isprintable() else f"'{char}' (U+{ord(char):04X})"


def _visible(line: str) -> str:
    line = line if len(line) <= _SHOWN_CHARS else line[:_SHOWN_CHARS] + "…"
    body = line.strip(" \t\r")
    left = line[: len(line) - len(line.lstrip(" \t\r"))]
    right = line[len(left) + len(body) :]
    shown = left.replace(" ", "·") + body + right.replace(" ", "·")
    return shown.replace("\t", "→").replace("\r", "␍")
