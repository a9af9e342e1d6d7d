"""Changes made of texts, and what the instant checks say of them."""

import difflib
import hashlib
import random
import re
import string
from collections.abc import Collection

from kimicode.review.change import Change, FileChange, Hunk
from kimicode.review.checks import CheckConfig, run_checks
from kimicode.review.finding import Finding


class Held:
    """`Contents` in memory."""

    def __init__(self, old: dict[str, bytes], new: dict[str, bytes]) -> None:
        self._old, self._new = old, new
        self.asked: list[str] = []

    def old(self, file: FileChange) -> bytes | None:
        return self._old.get(file.origin or file.path)

    def new(self, file: FileChange) -> bytes | None:
        self.asked.append(file.path)
        return self._new.get(file.path)


def file_of(path: str, new: str | None, old: str | None = None, *, mode: str = "100644", origin: str = "") -> FileChange:
    """One text file; `old` None: it is added; `new` None: it is deleted."""
    before, after = (text.splitlines() if text else [] for text in (old, new))
    hunks = []
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(3):
        lines: list[str] = []
        for tag, a, b, c, d in group:
            lines += (
                [f" {line}" for line in before[a:b]] if tag == "equal" else [f"-{x}" for x in before[a:b]] + [f"+{x}" for x in after[c:d]]
            )
        a, b, c, d = group[0][1], group[-1][2], group[0][3], group[-1][4]
        hunks.append(Hunk(a + (b > a), b - a, c + (d > c), d - c, "", tuple(lines)))
    status = "renamed" if origin else "added" if old is None else "deleted" if new is None else "modified"
    oids = [hashlib.sha1(text.encode("utf-8", "replace")).hexdigest() if text is not None else "" for text in (old, new)]
    return FileChange(
        path, origin, status, "100644" if old is not None else "", mode if new is not None else "", *oids, False, tuple(hunks)
    )


def binary_of(path: str, status: str = "added") -> FileChange:
    return FileChange(path, "", status, "", "100644", "", "b" * 40, True, ())  # type: ignore[arg-type]


def checked(
    *files: FileChange,
    old: dict[str, str | bytes] | None = None,
    new: dict[str, str | bytes] | None = None,
    config: CheckConfig | None = None,
    tracked: Collection[str] = (),
) -> tuple[Finding, ...]:
    held = Held(_bytes(old or {}), _bytes(new or {}))
    return run_checks(Change("a test", "name", files), held, config or CheckConfig(), lambda: tracked)


def found(path: str, new: str, old: str | None = None, **more: object) -> list[str]:
    """The rules that a text breaks, the worst first."""
    return [each.rule for each in findings(path, new, old, **more)]


def findings(path: str, new: str, old: str | None = None, **more: object) -> tuple[Finding, ...]:
    return checked(file_of(path, new, old), new={path: new}, old={} if old is None else {path: old}, **more)  # type: ignore[arg-type]


def _bytes(texts: dict[str, str | bytes]) -> dict[str, bytes]:
    return {path: text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass") for path, text in texts.items()}


_LETTERS = {
    "a": string.ascii_letters + string.digits,
    "A": string.ascii_uppercase + "234567",
    "l": string.ascii_letters,
    "h": "0123456789abcdef",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "+/",
    "z": string.ascii_lowercase + string.digits,
}


def spelt(template: str, seed: int = 1) -> str:
    """`{a36}` becomes 36 random letters and digits; the letter names the alphabet."""
    chance = random.Random(f"{template} {seed}")
    return re.sub(r"\{(\w)(\d+)\}", lambda each: "".join(chance.choices(_LETTERS[each[1]], k=int(each[2]))), template)
