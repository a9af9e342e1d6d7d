"""Real changes for the benchmark of reviews: hunks between two pinned releases of packages, fetched by pip and npm into a cache.

`TUNED` was looked at while the checks were written; `HELD_OUT` was not. What this module does not do: run a check, or change a hunk.
"""

import difflib
import hashlib
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from kimicode.home import kimicode_cache
from kimicode.review.change import Change, FileChange, Hunk

CONTEXT: Final = 8
MAX_HUNK_LINES: Final = 80
_MAX_FILE_BYTES: Final = 100_000
_LONG_LINE: Final = 400
_SUFFIXES: Final = frozenset(
    ".py .pyi .js .jsx .mjs .cjs .ts .tsx .c .h .cc .cpp .hpp .rs .go .java .kt .swift .rb .php .sh .json .toml .yaml .cfg .css".split()
)

Registry = Literal["pip", "npm"]


class Pair(NamedTuple):
    """Two releases of a package."""

    registry: Registry
    name: str
    old: str
    new: str


TUNED: Final = (
    Pair("pip", "urllib3", "2.0.7", "2.3.0"),
    Pair("pip", "psutil", "5.9.8", "6.1.1"),
    Pair("pip", "aiohttp", "3.9.5", "3.11.11"),
    Pair("pip", "pytest", "7.4.4", "8.3.4"),
    Pair("pip", "werkzeug", "2.3.8", "3.1.3"),
    Pair("pip", "pillow", "10.2.0", "11.1.0"),
    Pair("pip", "paramiko", "3.4.0", "3.5.0"),
    Pair("npm", "eslint", "8.57.0", "9.20.0"),
    Pair("npm", "webpack", "5.90.0", "5.97.1"),
    Pair("npm", "axios", "1.6.0", "1.7.9"),
    Pair("npm", "zod", "3.22.0", "3.24.0"),
    Pair("npm", "expo-modules-core", "1.11.0", "2.1.0"),
    Pair("npm", "@capacitor/android", "5.7.0", "6.2.0"),
    Pair("npm", "react-native-reanimated", "3.6.0", "3.16.0"),
)
HELD_OUT: Final = (
    Pair("pip", "jinja2", "3.1.2", "3.1.5"),
    Pair("pip", "tornado", "6.3.3", "6.4.2"),
    Pair("pip", "scrapy", "2.11.0", "2.12.0"),
    Pair("pip", "celery", "5.3.6", "5.4.0"),
    Pair("pip", "uvloop", "0.19.0", "0.21.0"),
    Pair("npm", "fastify", "4.25.0", "5.2.0"),
    Pair("npm", "mongoose", "8.0.0", "8.9.0"),
    Pair("npm", "knex", "3.0.0", "3.1.0"),
    Pair("npm", "jest-runtime", "29.7.0", "30.0.0"),
    Pair("npm", "react-native-screens", "3.29.0", "4.4.0"),
    Pair("npm", "react-native-gesture-handler", "2.14.0", "2.21.0"),
    Pair("npm", "node-gyp", "10.0.0", "11.0.0"),
)
QUICK: Final = 3
"""With `--quick` only so many pairs of each set."""


class Sample(NamedTuple):
    """One hunk: `new` is a real file; before it, `removed` stood where `added` stands from line index `start` on."""

    package: str
    path: str
    new: tuple[str, ...]
    start: int
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def old(self) -> tuple[str, ...]:
        """The lines of the file before the hunk."""
        return self.new[: self.start] + self.removed + self.new[self.start + len(self.added) :]

    @property
    def suffix(self) -> str:
        """The suffix of the path, in small letters."""
        return Path(self.path).suffix.lower()

    def mutated(self, added: list[str]) -> "Sample":
        """The same with other added lines."""
        new = self.new[: self.start] + tuple(added) + self.new[self.start + len(self.added) :]
        return self._replace(new=new, added=tuple(added))


class Held:
    """`Contents` of samples and made-up files."""

    def __init__(self, old: dict[str, bytes], new: dict[str, bytes]) -> None:
        self._old, self._new = old, new

    def old(self, file: FileChange) -> bytes | None:
        """The content before."""
        return self._old.get(file.origin or file.path)

    def new(self, file: FileChange) -> bytes | None:
        """The content after."""
        return self._new.get(file.path)


def change_of(samples: list[Sample]) -> tuple[Change, Held]:
    """The change that is these hunks, each of its own file."""
    files = tuple(_file(sample) for sample in samples)
    held = Held({s.path: _bytes(s.old) for s in samples}, {s.path: _bytes(s.new) for s in samples})
    return Change("a hunk", hashlib.sha256(repr(files).encode()).hexdigest(), files), held


def _file(sample: Sample) -> FileChange:
    before = sample.new[max(0, sample.start - CONTEXT) : sample.start]
    behind = sample.start + len(sample.added)
    after = sample.new[behind : behind + CONTEXT]
    lines = tuple(
        [f" {x}" for x in before] + [f"-{x}" for x in sample.removed] + [f"+{x}" for x in sample.added] + [f" {x}" for x in after]
    )
    around, first = len(before) + len(after), sample.start - len(before) + 1
    hunk = Hunk(first, around + len(sample.removed), first, around + len(sample.added), "", lines)
    return FileChange(sample.path, "", "modified", "100644", "100644", _oid(sample.old), _oid(sample.new), False, (hunk,))


def _bytes(lines: tuple[str, ...]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _oid(lines: tuple[str, ...]) -> str:
    return hashlib.sha1(_bytes(lines)).hexdigest()


def samples_of(pairs: tuple[Pair, ...], seed: int, most: int) -> list[Sample]:
    """Hunks of all pairs, at most `most`, drawn evenly; what is only deleted, very long, minified or not text is left out."""
    chance, each = random.Random(seed), []
    for pair in pairs:
        found = list(_hunks(pair))
        chance.shuffle(found)
        each.append(found)
        print(f"  {pair.name} {pair.old}..{pair.new}: {len(found)} hunks", file=sys.stderr)
    drawn: list[Sample] = []
    while len(drawn) < most and any(each):
        drawn += [found.pop() for found in each if found]
    return drawn[:most]


def _hunks(pair: Pair) -> Iterator[Sample]:
    old, new = _unpacked(pair, pair.old), _unpacked(pair, pair.new)
    for path in sorted(new.rglob("*")):
        relative = path.relative_to(new)
        before = old / relative
        if path.suffix.lower() in _SUFFIXES and path.is_file() and before.is_file() and path.stat().st_size < _MAX_FILE_BYTES:
            yield from _between(pair.name, relative.as_posix(), before, path)


def _between(package: str, path: str, before: Path, after: Path) -> Iterator[Sample]:
    try:
        old, new = (each.read_text("utf-8").split("\n") for each in (before, after))
    except UnicodeDecodeError:
        return
    old, new = ([line.removesuffix("\r") for line in lines[:-1]] for lines in (old, new))
    if old == new or any(len(line) > _LONG_LINE for line in new):
        return
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if tag in ("replace", "insert") and d - c <= MAX_HUNK_LINES and b - a <= MAX_HUNK_LINES and any(line.strip() for line in new[c:d]):
            yield Sample(package, path, tuple(new), c, tuple(old[a:b]), tuple(new[c:d]))


def _unpacked(pair: Pair, version: str) -> Path:
    folder = kimicode_cache(dict(os.environ)) / "benchmarks" / "review" / f"{pair.name.replace('/', '+')}-{version}"
    if not (folder / ".done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _extract(_fetched(pair, version, folder), folder / "tree")
        (folder / ".done").touch()
    tree = folder / "tree"
    inner = list(tree.iterdir())
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else tree


def _fetched(pair: Pair, version: str, folder: Path) -> Path:
    """The source archive, or where its sources can't be had without building, the wheel."""
    if pair.registry == "npm":
        subprocess.run(["npm", "pack", "--silent", f"{pair.name}@{version}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return next(folder.glob("*.tgz"))
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), f"{pair.name}=={version}"]
    if subprocess.run([*pip, "--no-binary", ":all:"], stderr=subprocess.DEVNULL, check=False).returncode:
        subprocess.run(pip, check=True)
    return next(path for path in folder.iterdir() if path.name.endswith((".tar.gz", ".whl", ".zip")))


def _extract(archive: Path, tree: Path) -> None:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(tree)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(tree, filter="data")
