"""The prompts of earlier sessions, of this workspace first, in one file that both user interfaces
share: `prompts.jsonl` in kimicode's home.

One JSON object a line, appended under a lock; only the user can read it. A line that is torn or strange is passed over. When there are many
more than `MOST`, the oldest go. What looks like a secret is not kept, nor what starts with a blank.
What this module does not do: know keys (`Recall` is what Up and Down do), or expand tokens.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from kimicode.files.locks import take
from kimicode.home import kimicode_home
from kimicode.sandbox.environment import is_secret
from kimicode.text import well_formed

MOST: Final = 2_000
_SLACK: Final = 500
_LONGEST: Final = 100_000
_SEARCHED: Final = 2_000
_WAIT_S: Final = 2.0


_ASSIGNED: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\s*[=:]\s*(\S+)")
_RANDOM: Final = re.compile(r"(?=\S*[0-9])(?=\S*[A-Za-z])\S{8,}")
_FLAG: Final = re.compile(r"--?(?:api-?key|password|passwd|token|secret)(?:[= ]\S|\Z)", re.IGNORECASE)
_KEY: Final = re.compile(
    r"\b(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|AIza|hf_)[A-Za-z0-9_-]{12,}"
    r"|[a-z][a-z0-9+.-]*://[^/?#\s@:]*:[^/?#\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\bBearer\s+[\w.~+/-]{16,}",
    re.IGNORECASE,
)


def history_file(environ: Mapping[str, str]) -> Path:
    """Where the prompts are; it need not exist."""
    return kimicode_home(environ) / "prompts.jsonl"


class Entry(msgspec.Struct, frozen=True):
    """A line of the file. `at` is in seconds since 1970."""

    text: str
    workspace: str = ""
    at: float = 0.0


class Recall(msgspec.Struct, frozen=True):
    """Walking through `prompts`, newest first. `at` is -1 at the draft, which is kept."""

    prompts: tuple[str, ...] = ()
    at: int = -1
    draft: str = ""

    def older(self, text: str) -> "Recall | None":
        """One further back from `text`, which stands in the editor; None where there is none."""
        if self.at + 1 >= len(self.prompts):
            return None
        return Recall(self.prompts, self.at + 1, text if self.at < 0 else self.draft)

    def newer(self) -> "Recall | None":
        """One nearer, the draft at last; None at the draft."""
        return None if self.at < 0 else Recall(self.prompts, self.at - 1, self.draft)

    @property
    def text(self) -> str:
        """What stands in the editor then."""
        return self.draft if self.at < 0 else self.prompts[self.at]


class History:
    """The file at `path`, seen from `workspace`. Every call reads or writes the disk; a lost write is no error."""

    def __init__(self, path: Path, workspace: Path) -> None:
        self._path = path
        self._workspace = os.fsencode(workspace).decode("utf-8", "replace")

    def load(self) -> tuple[str, ...]:
        """All prompts, newest first, each once: those of this workspace, then the others."""
        try:
            entries = _entries(self._path.read_bytes())
        except OSError:
            return ()
        entries.reverse()
        own = [entry.text for entry in entries if entry.workspace == self._workspace]
        return tuple(dict.fromkeys([*own, *(entry.text for entry in entries)]))

    def add(self, text: str) -> bool:
        """Keep a prompt; False where it is not to be kept, or could not be."""
        text = well_formed(text)
        if not keeps(text):
            return False
        line = msgspec.json.encode(Entry(text, self._workspace, round(time.time(), 3))) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._path.with_suffix(".lock")):
                self._append(line)
        except OSError:
            return False
        return True

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            # Whoever wrote last may have been killed in the middle of a line.
            torn = size > 0 and (file.seek(size - 1), file.read(1))[1] != b"\n"
            file.write(b"\n" + line if torn else line)
            file.seek(0)
            data = file.read()
        if data.count(b"\n") > MOST + _SLACK:
            self._trim(data)

    def _trim(self, data: bytes) -> None:
        kept = _entries(data)[-MOST:]
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.writelines(msgspec.json.encode(entry) + b"\n" for entry in kept)
        os.replace(fresh, self._path)


def keeps(text: str) -> bool:
    """False for what no history should hold: blank, very long, hidden by a blank before it, or with a secret in it."""
    if not text.strip() or text[0].isspace() or len(text) > _LONGEST:
        return False
    if _KEY.search(text) or (text[0] in "!/" and _FLAG.search(text)):
        return False
    values = (found[2] for found in _ASSIGNED.finditer(text) if is_secret(found[1].replace("-", "_")))
    # "token: the next one" in words is no secret; in a command any value may be one.
    return not any(text[0] in "!/" or _RANDOM.match(value) for value in values)


def matching(prompts: Sequence[str], query: str) -> tuple[str, ...]:
    """Those that start with `query`, then those that contain it early on, in order; case does not count."""
    wanted = query.casefold()
    folded = [(prompt, prompt[:_SEARCHED].casefold()) for prompt in prompts]
    first = [prompt for prompt, low in folded if low.startswith(wanted)]
    return tuple(dict.fromkeys([*first, *(prompt for prompt, low in folded if wanted in low)]))


def _entries(data: bytes) -> list[Entry]:
    decoder = msgspec.json.Decoder(Entry)
    found: list[Entry] = []
    for line in data.split(b"\n"):
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        if entry.text:
            found.append(entry)
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not take(descriptor, fcntl.LOCK_EX, time.monotonic() + _WAIT_S):
            raise TimeoutError(f"{path} is held by another kimicode")
        yield
    finally:
        os.close(descriptor)
