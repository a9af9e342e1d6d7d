"""How edits fare when a model's copy of the text is not quite right: hunks of real commits, each with many seeded corruptions.

A case is a file before a hunk, the old and new text that a model would send for it (0 to 3 lines of context), and the file after it.
Systematic corruptions (indentation, newlines, quotes …) change the old and the new text alike, or the file beneath them, and the edit must
give the commit's text to the byte; others (a changed word, a lost line …) change the meaning, and refusing is right. Where a corruption
would hide what the commit itself does, or leaves the old text as it was, it is not counted. Beside it: exact matching alone.

    scripts/bench edit_corruption [--quick] [--repo DIR] [--hunks N] [--seed N] [--show-wrong]

Prints a table by corruption and, last, one JSON object. What this program does not do: ask a model, or change the repository.
"""

import argparse
import difflib
import json
import os
import random
import re
import subprocess
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from kimicode.edit.replace import replace
from kimicode.errors import ToolError

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE = 200_000
MAX_HUNK = 40


class Hunk(NamedTuple):
    """Lines with their newlines: those of the file before, the number of the first one replaced, how many are, and those put there."""

    before: list[str]
    start: int
    count: int
    new: list[str]
    where: str


class Case(NamedTuple):
    """What is sent and what must come of it; `after` is None where refusing is the only right answer."""

    text: str
    old: str
    new: str
    after: str | None


class Copy(NamedTuple):
    """A hunk with its context: lines without newlines. `kept` holds the positions in `new` of lines that `old` has too."""

    head: list[str]
    old: list[str]
    new: list[str]
    foot: list[str]
    kept: dict[int, int]
    ended: bool
    hunk: Hunk

    def case(self, old: list[str], new: list[str], *, file: list[str] | None = None, after: list[str] | None = None) -> Case:
        """`old` and `new` as sent; `file` and `after`, where the corruption is in the file: its lines at the place, before and after."""
        text = self.whole(self.old if file is None else file)
        return Case(text, self.sent(old), self.sent(new), self.whole(self.new if after is None else after))

    def sent(self, lines: list[str]) -> str:
        """Lines as text; without any there is no newline either."""
        return "\n".join(lines) + ("\n" if self.ended and lines else "")

    def refused(self, old: list[str], new: list[str] | None = None) -> Case:
        """A case whose old text is not what is there."""
        return self.case(old, self.new if new is None else new)._replace(after=None)

    def whole(self, middle: list[str]) -> str:
        """The file with `middle` at the place."""
        return "\n".join([*self.head, *middle, *self.foot])


Corruption = Callable[[random.Random, Copy], Case | None]


# The hunks.


def git(repo: Path, *command: str, data: bytes | None = None) -> bytes:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    settings = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"]
    done = subprocess.run(["git", *settings, "-C", str(repo), *command], env=environment, input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout


HEADER = re.compile(r"^index ([0-9a-f]{40})\.\.([0-9a-f]{40})", re.MULTILINE)
RANGE = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


def hunks_of(repo: Path, commits: int) -> Iterator[Hunk]:
    """The hunks of the last `commits` commits that change UTF-8 text in place, newest first."""
    shown = git(
        repo, "log", f"-{commits}", "--no-merges", "--no-renames", "--diff-filter=M", "--no-ext-diff", "--no-textconv",
        "--full-index", "-p", "-U0", "--format=",
    ).decode("utf-8", "replace")  # fmt: skip
    for part in re.split(r"^diff --git ", shown, flags=re.MULTILINE)[1:]:
        found = HEADER.search(part)
        if found is None:
            continue
        texts = [blob(repo, found.group(side)) for side in (1, 2)]
        if texts[0] is None or texts[1] is None:
            continue
        before, after = texts[0].split("\n"), texts[1].split("\n")
        for match in RANGE.finditer(part):
            start, count, new_start, new_count = (int(number) if number else 1 for number in match.groups())
            if count + new_count <= MAX_HUNK:
                first = start - 1 if count else start
                new_first = new_start - 1 if new_count else new_start
                yield Hunk(before, first, count, after[new_first : new_first + new_count], f"{found.group(1)[:12]}:{start}")


def blob(repo: Path, name: str) -> str | None:
    data = git(repo, "cat-file", "blob", name) if set(name) != {"0"} else b""
    if not 0 < len(data) <= MAX_FILE or b"\0" in data or b"\r" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def once(text: str, wanted: str) -> bool:
    place = text.find(wanted)
    return place >= 0 and text.find(wanted, place + 1) < 0


def copy_of(rng: random.Random, hunk: Hunk) -> Copy | None:
    """The hunk with 0 to 3 lines of context, more where it would not be unique; None where that is not enough."""
    if hunk.start + hunk.count >= len(hunk.before):
        return None  # it is about the end of a file without a final newline
    for context in range(rng.randint(0, 3), 9):
        first, last = max(0, hunk.start - context), min(len(hunk.before) - 1, hunk.start + hunk.count + context)
        head, old, foot = hunk.before[:first], hunk.before[first:last], hunk.before[last:]
        new = [*hunk.before[first : hunk.start], *hunk.new, *hunk.before[hunk.start + hunk.count : last]]
        block = "\n" + "\n".join(old) + "\n"
        text = "\n" + "\n".join(hunk.before)
        if "".join(old).strip() and old != new and text.count(block) == 1 and once(text, "\n".join(old)):
            blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
            kept = {b + n: a + n for a, b, size in blocks for n in range(size)}
            return Copy(head, old, new, foot, kept, not new or rng.random() < 0.5, hunk)
    return None


# What keeps the meaning: the edit must give the commit's own text.


def same_shape(copy: Copy, view: Callable[[str], str]) -> bool:
    """True when the commit changes the same lines in the view: it is not itself about what the view leaves out."""
    old, new = [view(line) for line in copy.old], [view(line) for line in copy.new]
    plain = difflib.SequenceMatcher(None, copy.old, copy.new, autojunk=False).get_opcodes()
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() == plain


def both(copy: Copy, change: Callable[[str], str]) -> Case | None:
    old = [change(line) for line in copy.old]
    case = copy.case(old, [change(line) for line in copy.new])
    by_chance = "\n".join(["", *old, ""]) in f"\n{case.text}"  # the corrupted lines are others of the file, and name those
    return case if old != copy.old and not by_chance and same_shape(copy, change) else None


def in_file(copy: Copy, change: Callable[[str], str]) -> Case | None:
    """The file has the corruption, in every line; the model sends the text without."""
    if not same_shape(copy, change):
        return None
    file, after = [change(line) for line in copy.old], [change(line) for line in copy.new]
    if file == copy.old:
        return None
    moved = copy._replace(head=[change(line) for line in copy.head], foot=[change(line) for line in copy.foot])
    return moved.case(copy.old, copy.new, file=file, after=after)


def untouched(_: random.Random, copy: Copy) -> Case | None:
    return copy.case(copy.old, copy.new)


def trailing_added(rng: random.Random, copy: Copy) -> Case | None:
    if any(line != line.rstrip() for line in [*copy.old, *copy.new]):
        return None
    old = [line + rng.choice(["", " ", "  ", "\t"]) for line in copy.old]
    new = [old[copy.kept[n]] if n in copy.kept else line + rng.choice(["", "  "]) for n, line in enumerate(copy.new)]
    return copy.case(old, new) if any(a != b for a, b in zip(old, copy.old, strict=True)) else None


def trailing_lost(rng: random.Random, copy: Copy) -> Case | None:
    # The first and last line are left out: an exact match ends before the blanks there, and they stay where they are.
    stays = surely_kept(copy) - {0, len(copy.old) - 1}
    gone = {n for n in range(1, len(copy.old) - 1) if n not in copy.kept.values() and copy.old[n].strip()}
    file = [line + (rng.choice(["", "  "]) if n in stays | gone else "") for n, line in enumerate(copy.old)]
    return copy.case(copy.old, copy.new, file=file, after=kept_as(copy, file)) if file != copy.old else None


def surely_kept(copy: Copy) -> set[int]:
    """The old lines of which it is clear which new line is the same: not blank, and once in each text."""
    count = Counter(copy.old + copy.new)
    return {n for n in copy.kept.values() if copy.old[n].strip() and count[copy.old[n]] == 2}


def kept_as(copy: Copy, file: list[str]) -> list[str]:
    return [file[copy.kept[n]] if n in copy.kept else line for n, line in enumerate(copy.new)]


def shift_right(rng: random.Random, copy: Copy) -> Case | None:
    unit = rng.choice(["  ", "    ", "\t", "        "])
    if unit == "\t" and any(line[:1] == " " for line in [*copy.old, *copy.new]):
        return None
    return both(copy, lambda line: unit + line if line.strip() else line)


def shift_left(_: random.Random, copy: Copy) -> Case | None:
    lines = [line for line in [*copy.old, *copy.new] if line.strip()]
    indents = [re.match(r"[ \t]*", line)[0] for line in lines]  # type: ignore[index]
    unit = min(indents, key=len) if all(indent.startswith(min(indents, key=len)) for indent in indents) else ""
    return both(copy, lambda line: line.removeprefix(unit) if line.strip() else line) if unit else None


def tabbed(line: str) -> str:
    body = line.lstrip(" ")
    width = len(line) - len(body)
    return "\t" * (width // 4) + " " * (width % 4) + body if body else line


def by_fours(copy: Copy) -> bool:
    """True when the block is indented with blanks, by four: `tabbed` is then a plain change of unit."""
    indents = [re.match(r"[ \t]*", line)[0] for line in [*copy.old, *copy.new] if line.strip()]  # type: ignore[index]
    return all("\t" not in indent and len(indent) % 4 == 0 for indent in indents) and any(indents)


def tabs_sent(_: random.Random, copy: Copy) -> Case | None:
    return both(copy, tabbed) if by_fours(copy) else None


def blanks_sent(_: random.Random, copy: Copy) -> Case | None:
    return in_file(copy, tabbed) if by_fours(copy) else None


def blanks_sent_and_shifted(rng: random.Random, copy: Copy) -> Case | None:
    case, shifted = blanks_sent(rng, copy), shift_left(rng, copy)
    return case._replace(old=shifted.old, new=shifted.new) if case and shifted else None


def has(copy: Copy, characters: str) -> bool:
    """True when the commit's own text has one of them: there is then more than one right spelling."""
    return any(char in line for line in [*copy.old, *copy.new] for char in characters)


CURLY = str.maketrans({"'": "’", '"': "”"})


def quotes_sent(_: random.Random, copy: Copy) -> Case | None:
    return None if has(copy, "‘’“”") else both(copy, lambda line: line.translate(CURLY))


def dashes_sent(_: random.Random, copy: Copy) -> Case | None:
    return None if has(copy, "–—") else both(copy, lambda line: line.replace("-", "–"))


def spaces_sent(_: random.Random, copy: Copy) -> Case | None:
    return None if has(copy, "\u00a0") else both(copy, lambda line: re.sub(r"(?<=\w) (?=\w)", "\u00a0", line))


def quotes_in_file(_: random.Random, copy: Copy) -> Case | None:
    stays = surely_kept(copy)
    file = [line.translate(CURLY) if n in stays else line for n, line in enumerate(copy.old)]
    return copy.case(copy.old, copy.new, file=file, after=kept_as(copy, file)) if file != copy.old else None


ACCENTED = str.maketrans("aeo", "äéô")


def accented(copy: Copy) -> Copy:
    """The same hunk in a text with letters that have two normal forms."""
    parts = [[line.translate(ACCENTED) for line in lines] for lines in (copy.head, copy.old, copy.new, copy.foot)]
    return copy._replace(head=parts[0], old=parts[1], new=parts[2], foot=parts[3])


def nfd(line: str) -> str:
    return unicodedata.normalize("NFD", line)


def nfd_sent(_: random.Random, copy: Copy) -> Case | None:
    return both(accented(copy), nfd)


def nfd_in_file(_: random.Random, copy: Copy) -> Case | None:
    return in_file(accented(copy), nfd)


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def crlf_sent(_: random.Random, copy: Copy) -> Case | None:
    case = copy.case(copy.old, copy.new)
    return case._replace(old=crlf(case.old), new=crlf(case.new)) if "\n" in case.old else None


def crlf_in_file(_: random.Random, copy: Copy) -> Case | None:
    case = copy.case(copy.old, copy.new)
    return case._replace(text=crlf(case.text), after=crlf(copy.whole(copy.new)))


def crlf_in_block(_: random.Random, copy: Copy) -> Case | None:
    """A mixed file: the lines of the place end in CRLF, all others in LF."""
    return copy.case(copy.old, copy.new, file=[line + "\r" for line in copy.old], after=[line + "\r" for line in copy.new])


def shifted_and_trailing(rng: random.Random, copy: Copy) -> Case | None:
    case = trailing_lost(rng, copy)
    shifted = shift_right(rng, copy)
    return case._replace(old=shifted.old, new=shifted.new) if case and shifted else None


def shifted_and_quotes(_: random.Random, copy: Copy) -> Case | None:
    if has(copy, "‘’“”") or not any("'" in line or '"' in line for line in copy.old):
        return None
    if both(copy, deeper) is None:
        return None
    return both(copy, lambda line: deeper(line).translate(CURLY))


def deeper(line: str) -> str:
    return "    " + line if line.strip() else line


# What changes the meaning: the edit must be refused.


def elsewhere_not(case: Case) -> Case | None:
    """No case where the corrupted text is by chance another text of the file: it then names that place, and rightly."""
    return None if case.old in case.text else case


def inside(rng: random.Random, lines: list[str]) -> int | None:
    """The number of a line with text that has such lines before and after it."""
    text = [n for n, line in enumerate(lines) if line.strip()]
    numbers = text[1:-1]
    return rng.choice(numbers) if numbers else None


def line_dropped(rng: random.Random, copy: Copy) -> Case | None:
    n = inside(rng, copy.old)
    return None if n is None else elsewhere_not(copy.refused([*copy.old[:n], *copy.old[n + 1 :]]))


def context_dropped(rng: random.Random, copy: Copy) -> Case | None:
    """The first or last line of context is missing in the old text alone: the new one repeats what stays."""
    if len(copy.old) < 2 or len(copy.new) < 2:
        return None
    if copy.old[0] == copy.new[0] and copy.old[0].strip() and rng.random() < 0.5:
        return copy.refused(copy.old[1:])
    return copy.refused(copy.old[:-1]) if copy.old[-1] == copy.new[-1] and copy.old[-1].strip() else None


def word_changed(rng: random.Random, copy: Copy) -> Case | None:
    places = [(n, match) for n, line in enumerate(copy.old) for match in re.finditer(r"\w{3,}", line)]
    if not places:
        return None
    n, match = rng.choice(places)
    line = copy.old[n]
    return copy.refused([*copy.old[:n], line[: match.start()] + match.group()[::-1] + "q" + line[match.end() :], *copy.old[n + 1 :]])


def context_wrong(rng: random.Random, copy: Copy) -> Case | None:
    """A line of context is another line of the file, in both texts."""
    others = [line for line in [*copy.head, *copy.foot] if line.strip() and line.strip() not in {known.strip() for known in copy.old}]
    if not others or len(copy.old) < 2 or 0 not in copy.kept or not copy.old[0].strip():
        return None
    line = rng.choice(others)
    return elsewhere_not(copy.refused([line, *copy.old[1:]], [line, *copy.new[1:]]))


def lines_swapped(rng: random.Random, copy: Copy) -> Case | None:
    pairs = [(n, copy.old[n].strip(), copy.old[n + 1].strip()) for n in range(len(copy.old) - 1)]
    numbers = [n for n, a, b in pairs if a and b and a != b]
    if not numbers:
        return None
    n = rng.choice(numbers)
    return elsewhere_not(copy.refused([*copy.old[:n], copy.old[n + 1], copy.old[n], *copy.old[n + 2 :]]))


def line_doubled(rng: random.Random, copy: Copy) -> Case | None:
    n = rng.randrange(len(copy.old))
    return elsewhere_not(copy.refused([*copy.old[: n + 1], *copy.old[n:]])) if copy.old[n].strip() else None


def block_twice(_: random.Random, copy: Copy) -> Case | None:
    """The file has the block once more: nobody can tell which is meant."""
    twin = [*copy.foot[:-1], *copy.old, *copy.foot[-1:]]
    return copy._replace(foot=twin).refused(copy.old)


def block_twice_in_a_view(rng: random.Random, copy: Copy) -> Case | None:
    """Two blocks, both indented otherwise than the model says."""
    case = shift_right(rng, copy)
    twin = [*copy.foot[:-1], *copy.old, *copy.foot[-1:]]
    return case._replace(text=copy._replace(foot=twin).whole(copy.old), after=None) if case else None


def first_truncated(rng: random.Random, copy: Copy) -> Case | None:
    line = copy.old[0]
    if len(copy.old) < 2 or len(line.strip()) < 6 or copy.ended:
        return None
    cut = rng.randint(1, len(line) - 2)
    return copy.refused([line[cut:], *copy.old[1:]])


def last_truncated(rng: random.Random, copy: Copy) -> Case | None:
    line = copy.old[-1]
    if len(copy.old) < 2 or len(line.strip()) < 6 or copy.ended or not copy.new:
        return None
    cut = rng.randint(len(line) - len(line.lstrip()) + 2, len(line) - 1)
    return copy.refused([*copy.old[:-1], line[:cut]])


def newlines_escaped(_: random.Random, copy: Copy) -> Case | None:
    case = copy.case(copy.old, copy.new)
    if "\n" not in case.old:
        return None
    return case._replace(old=case.old.replace("\n", "\\n"), new=case.new.replace("\n", "\\n"), after=None)


def middle_elided(_: random.Random, copy: Copy) -> Case | None:
    return copy.refused([copy.old[0], "...", copy.old[-1]]) if len(copy.old) > 3 else None


def placeholder_in_new(rng: random.Random, copy: Copy) -> Case | None:
    if len(copy.new) < 4:
        return None
    line = rng.choice(
        ["# ... existing code ...", "// ... rest of the code unchanged ...", "    # … (unchanged)", "/* rest of the file ... */"]
    )
    return copy.refused(copy.old, [copy.new[0], line, copy.new[-1]])


def case_changed(rng: random.Random, copy: Copy) -> Case | None:
    numbers = [n for n, line in enumerate(copy.old) if line != line.upper()]
    if not numbers:
        return None
    n = rng.choice(numbers)
    return copy.refused([*copy.old[:n], copy.old[n].upper(), *copy.old[n + 1 :]])


def blank_added(rng: random.Random, copy: Copy) -> Case | None:
    numbers = [n for n in range(1, len(copy.old)) if copy.old[n - 1].strip() and copy.old[n].strip()]
    if not numbers:
        return None
    n = rng.choice(numbers)
    return elsewhere_not(copy.refused([*copy.old[:n], "", *copy.old[n:]]))


def blank_dropped(rng: random.Random, copy: Copy) -> Case | None:
    numbers = [n for n in range(1, len(copy.old) - 1) if copy.old[n - 1].strip() and not copy.old[n].strip() and copy.old[n + 1].strip()]
    if not numbers:
        return None
    n = rng.choice(numbers)
    return elsewhere_not(copy.refused([*copy.old[:n], *copy.old[n + 1 :]]))


def newline_only_in_old(_: random.Random, copy: Copy) -> Case | None:
    """The old text ends with a newline and the new one does not: taken literally, the next line is joined."""
    if len(copy.foot) < 2 or not copy.new or not copy.new[-1].strip():
        return None
    case = copy._replace(ended=True).case(copy.old, copy.new)
    return case._replace(new=case.new[:-1], after=None)


def indented_unevenly(rng: random.Random, copy: Copy) -> Case | None:
    n = inside(rng, copy.old)
    return None if n is None else copy.refused([*copy.old[:n], "  " + copy.old[n], *copy.old[n + 1 :]])


KEEPING: dict[str, Corruption] = {
    "none": untouched,
    "trailing blanks sent": trailing_added,
    "trailing blanks in file": trailing_lost,
    "indented deeper": shift_right,
    "indentation left out": shift_left,
    "tabs for blanks": tabs_sent,
    "blanks for tabs": blanks_sent,
    "blanks for tabs, shifted": blanks_sent_and_shifted,
    "typographic quotes": quotes_sent,
    "typographic dashes": dashes_sent,
    "no-break spaces": spaces_sent,
    "quotes in file": quotes_in_file,
    "NFD sent": nfd_sent,
    "NFD in file": nfd_in_file,
    "CRLF sent": crlf_sent,
    "CRLF in file": crlf_in_file,
    "CRLF at the place only": crlf_in_block,
    "shifted, trailing blanks": shifted_and_trailing,
    "shifted, quotes": shifted_and_quotes,
}
CHANGING: dict[str, Corruption] = {
    "line dropped": line_dropped,
    "context line dropped": context_dropped,
    "word changed": word_changed,
    "context line wrong": context_wrong,
    "lines swapped": lines_swapped,
    "line doubled": line_doubled,
    "block twice in file": block_twice,
    "block twice, shifted": block_twice_in_a_view,
    "first line truncated": first_truncated,
    "last line truncated": last_truncated,
    "newlines escaped": newlines_escaped,
    "middle elided": middle_elided,
    "placeholder in new text": placeholder_in_new,
    "case changed": case_changed,
    "blank line added": blank_added,
    "blank line dropped": blank_dropped,
    "newline in old text only": newline_only_in_old,
    "indented unevenly": indented_unevenly,
}


# The counting.


def cases_of(hunk: Hunk, seed: int) -> Iterator[tuple[str, Case]]:
    """Every corruption that applies to the hunk."""
    for name, corrupt in {**KEEPING, **CHANGING}.items():
        rng = random.Random(f"{seed} {hunk.where} {name}")
        copy = copy_of(rng, hunk)
        case = corrupt(rng, copy) if copy else None
        if (
            case
            and copy
            and case.old != case.new
            and (name == "none" or (case.text, case.old, case.new) != tuple(untouched(rng, copy) or ())[:3])
        ):
            yield name, case


def ours(case: Case) -> str | None:
    try:
        return replace(case.text, case.old, case.new).text
    except ToolError:
        return None


def exact_only(case: Case) -> str | None:
    return case.text.replace(case.old, case.new) if case.text.count(case.old) == 1 else None


def outcome(case: Case, result: str | None) -> str:
    return "refused" if result is None else "right" if result == case.after else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 hunks instead of 400")
    parser.add_argument("--repo", type=Path, default=ROOT)
    parser.add_argument("--hunks", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--show-wrong", action="store_true", help="print each edit that was applied wrong, or refused though it keeps the meaning"
    )
    options = parser.parse_args()
    wanted = 50 if options.quick else options.hunks
    found = list(hunks_of(options.repo, wanted * 2))
    hunks = random.Random(options.seed).sample(found, min(wanted, len(found)))
    counts, exact, took = run(hunks, options.seed, show=options.show_wrong)
    report(counts, exact, took, len(hunks), options.seed)


def run(hunks: list[Hunk], seed: int, *, show: bool = False) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]], float]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in (*KEEPING, *CHANGING)}
    exact: dict[str, Counter[str]] = {name: Counter() for name in counts}
    took = 0.0
    for hunk in hunks:
        for name, case in cases_of(hunk, seed):
            started = time.perf_counter()
            result = ours(case)
            took += time.perf_counter() - started
            counts[name][outcome(case, result)] += 1
            exact[name][outcome(case, exact_only(case))] += 1
            if show and outcome(case, result) != ("right" if name in KEEPING else "refused"):
                explain(name, hunk, case, result)
    return counts, exact, took


def explain(name: str, hunk: Hunk, case: Case, result: str | None) -> None:
    print(f"--- {name} {hunk.where}\nold {case.old!r}\nnew {case.new!r}")
    if result is None:
        try:
            replace(case.text, case.old, case.new)
        except ToolError as error:
            print(f"refused: {error.message}")
        return
    wanted = (case.after or case.text).splitlines(keepends=True)
    for line in list(difflib.unified_diff(wanted, result.splitlines(keepends=True), "wanted", "got", n=1))[:30]:
        print(repr(line))


def report(counts: dict[str, Counter[str]], exact: dict[str, Counter[str]], took: float, hunks: int, seed: int) -> None:
    print(f"{'corruption':<28}{'edits':>7}{'right':>8}{'refused':>9}{'wrong':>7}   exact only:{'right':>6}{'refused':>9}{'wrong':>7}")
    for name, count in counts.items():
        row, other = ([c["right"], c["refused"], c["wrong"]] for c in (count, exact[name]))
        print(f"{name:<28}{count.total():>7}{row[0]:>8}{row[1]:>9}{row[2]:>7}   {'':<11}{other[0]:>6}{other[1]:>9}{other[2]:>7}")
    keeping = sum((counts[name] for name in KEEPING), Counter())
    figures = {
        "hunks": hunks,
        "seed": seed,
        "edits": sum(count.total() for count in counts.values()),
        "wrong": sum(count["wrong"] for count in counts.values()),
        "right_of_keeping_percent": round(100 * keeping["right"] / max(1, keeping.total()), 2),
        "exact_only_wrong": sum(count["wrong"] for count in exact.values()),
        "exact_only_right_of_keeping_percent": round(100 * sum(exact[name]["right"] for name in KEEPING) / max(1, keeping.total()), 2),
        "ms_per_edit": round(1000 * took / max(1, sum(count.total() for count in counts.values())), 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
