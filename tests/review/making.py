"""Changes for tests, made from the texts before and after, and models that answer about them."""

import asyncio
import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence

from kimicode.messages import User
from kimicode.model.client import ModelRequest
from kimicode.model.scripted import ScriptedClient
from kimicode.review.change import Change, Contents, FileChange, parse_diff
from kimicode.review.checks import CheckConfig
from kimicode.review.finding import Finding

Texts = Mapping[str, str | None]


class Made:
    """The change from the texts `old` to the texts `new`, by path; None is no file. It is its own `Contents`."""

    def __init__(self, old: Texts, new: Texts, *, merging: bool = False, context: int = 8) -> None:
        self._old, self._new = old, new
        paths = sorted({*old, *new})
        diff = b"".join(one_diff(path, old.get(path), new.get(path), context) for path in paths)
        self.change = Change("what is staged", hashlib.sha256(diff).hexdigest(), parse_diff(diff), merging)

    def old(self, file: FileChange) -> bytes | None:
        return encoded(self._old.get(file.path))

    def new(self, file: FileChange) -> bytes | None:
        return encoded(self._new.get(file.path))


def encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def one_diff(path: str, old: str | None, new: str | None, context: int) -> bytes:
    """What git would say about one file."""
    if old == new:
        return b""
    kind = "new file mode 100644\n" if old is None else "deleted file mode 100644\n" if new is None else ""
    names = [hashlib.sha1((text or "").encode("utf-8", "surrogateescape")).hexdigest() for text in (old, new)]
    head = f"diff --git a/{path} b/{path}\n{kind}index {names[0]}..{names[1]}{'' if kind else ' 100644'}\n"
    lines = [*difflib.unified_diff(split(old or ""), split(new or ""), f"a/{path}", f"b/{path}", lineterm="\n", n=context)]
    if old is None and lines:
        lines[0] = "--- /dev/null\n"
    if new is None and lines:
        lines[1] = "+++ /dev/null\n"
    body = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return (head + body).encode("utf-8", "surrogateescape")


def split(text: str) -> list[str]:
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def no_checks(_change: Change, _contents: Contents, _config: CheckConfig) -> tuple[Finding, ...]:
    return ()


def defect(line: int, quote: str, **more: object) -> dict[str, object]:
    """A finding as a model says it."""
    said: dict[str, object] = {
        "path": "src/a.py",
        "line": line,
        "end_line": line,
        "quote": quote,
        "title": "it fails",
        "scenario": "with 0 it raises",
        "category": "correctness",
        "severity": "high",
        "confidence": 0.9,
        "suggestion": "check it",
        "replacement": "",
    }
    return said | more


def found(*defects: dict[str, object]) -> str:
    """The answer of the first pass."""
    return json.dumps({"findings": defects})


def verdicts(*said: str, quote: str = "") -> str:
    """The answer of the second pass."""
    return json.dumps({"verdicts": [{"number": n, "why": "so", "quote": quote, "verdict": word} for n, word in enumerate(said, 1)]})


def shown(request: ModelRequest) -> str:
    """The code that a request shows, without the task."""
    last = request.messages[2]
    assert isinstance(last, User)
    return last.content.partition("\n</change>\n")[0]


def nothing(count: int) -> ScriptedClient:
    """A model that finds nothing, `count` times."""
    return ScriptedClient([found()] * count)


class FakeClock:
    """A clock that stands still; it rings when the test says so, or at once where no time is left."""

    def __init__(self, times: Sequence[float] = ()) -> None:
        self._times = iter(times)
        self._now = 0.0
        self.rings = asyncio.Event()
        self.asked: list[float] = []

    def now(self) -> float:
        self._now = next(self._times, self._now)
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        if seconds > 0:
            await self.rings.wait()
