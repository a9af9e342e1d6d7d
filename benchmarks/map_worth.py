"""Whether a map shows what matters: how many of its definitions a project's own documentation describes.

    scripts/bench map_worth [--quick] [--folder DIR] [--aider VENV] [--budget N]

Real Python projects from PyPI, at fixed versions; the truth is what their reference documentation has directives for (`autoclass`,
`py:function` …), which nothing that ranks looks at. Each way of choosing gets the same budget in K2.6 tokens over the same outlines:
ours; PageRank of files over the same graph of who uses what, as maps of repositories usually have it; the plain number of uses; the order
of paths. With --aider also its own repo map, as it is. Prints a table and, last, one JSON object. What this program does not do: say that
a documented name is what a task needs.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import big_tree
import numpy as np
from msgspec.structs import replace
from repo_map import CACHE, THEIRS, environ

from kimicode.repo.choose import Sheet, choose
from kimicode.repo.codebase import Codebase
from kimicode.repo.digest import Numbers, digest
from kimicode.repo.focus import Focus
from kimicode.repo.lines import Lines
from kimicode.repo.map import all_shown
from kimicode.repo.rank import Ranking
from kimicode.repo.rank_keep import ranking
from kimicode.repo.sheets import sheets
from kimicode.tokens import count

PROJECTS: Final = {
    "flask": "3.0.3",
    "click": "8.1.7",
    "jinja2": "3.1.4",
    "werkzeug": "3.0.4",
    "attrs": "24.2.0",
    "urllib3": "2.2.3",
    "marshmallow": "3.23.1",
    "tornado": "6.4.1",
    "celery": "5.4.0",
    "pytest": "8.3.3",
}
QUICK: Final = ("flask", "jinja2", "marshmallow")
PLACE: Final = Path("/var/tmp/kimicode-map-projects")

_DIRECTIVE: Final = re.compile(
    r"^\s*\.\. (?:py:)?(?:auto)?(?:class|function|method|exception|decorator|data|attribute|property):: *(.+)", re.M
)
_DEFINED: Final = re.compile(r"\b(?:class|def)\s+(\w+)|^\s*(\w+)\s*[:=]")
_DAMPING: Final = 0.85
_ROUNDS: Final = 60


def documented(project: Path) -> set[str]:
    """The names that the documentation has directives for."""
    texts = (path.read_text("utf-8", "replace") for path in project.rglob("*.rst"))
    return {re.split(r"[(\s]", each.strip())[0].rpartition(".")[2] for text in texts for each in _DIRECTIVE.findall(text)}


def shown_by(pages: Sequence[Sheet], budget: int) -> list[str]:
    """The definition lines that are chosen."""
    choice = choose(pages, budget)
    return [page.units[at].text for page in pages for at in choice.lines.get(page.path, ())]


def share(lines: Sequence[str], truth: set[str]) -> tuple[int, int]:
    """How many of the definitions in these lines are documented, and how many there are."""
    names = [found[1] or found[2] for line in lines if (found := _DEFINED.search(line))]
    return sum(name in truth for name in names), len(names)


def page_rank(rank: Ranking, uses: Mapping[int, Mapping[int, int]]) -> "np.ndarray":
    """Of the files, by who uses whose names, with a name's weight shared among its definers."""
    size = len(rank.paths)
    flow = np.zeros((size, size))
    for place, own in uses.items():
        for name, weight in own.items():
            definers = rank.row(name).definers
            for definer in definers:
                flow[place, definer] += ((weight >> 32) + (weight & 15)) / len(definers)
    sums = flow.sum(axis=1, keepdims=True)
    flow = np.divide(flow, sums, out=np.full_like(flow, 1 / size), where=sums > 0)
    worth = np.full(size, 1 / size)
    for _ in range(_ROUNDS):
        worth = _DAMPING * (worth @ flow) + (1 - _DAMPING) / size
    return worth


def other_ways(pages: Sequence[Sheet], rank: Ranking, uses: Mapping[int, Mapping[int, int]]) -> Iterator[tuple[str, list[Sheet]]]:
    """The same outlines, valued in other ways."""
    worth = page_rank(rank, uses)
    places = {path: place for place, path in enumerate(rank.paths)}
    flows: dict[tuple[int, int], float] = {}
    for place, own in uses.items():
        total = sum((weight >> 32) + (weight & 15) for weight in own.values()) or 1
        for name, weight in own.items():
            definers = rank.row(name).definers
            for definer in definers:
                part = worth[place] * ((weight >> 32) + (weight & 15)) / total / len(definers)
                flows[definer, name] = flows.get((definer, name), 0.0) + part
    yield "PageRank", [valued(page, lambda unit, page=page: int(1e9 * flows.get((places[page.path], unit.name), 0.0))) for page in pages]
    yield "uses", [valued(page, lambda unit: 100 * len(rank.row(unit.name).users)) for page in pages]
    yield "paths", [valued(page, lambda _: 0) for page in pages]


def valued(page: Sheet, value: Callable[..., int]) -> Sheet:
    """A sheet with other values."""
    values = tuple(value(unit) for unit in page.units)
    return replace(page, values=values, worth=sum(values), extra=(), first=0)


def aider_lines(project: Path, budget: int, venv: Path) -> list[str]:
    """The lines of aider's map of the project, cut to the budget."""
    command = [str(venv / "bin" / "python"), "-c", THEIRS, str(project), str(budget)]
    done = subprocess.run(command, cwd=project, env=environ(), capture_output=True, check=True)
    shutil.rmtree(project / CACHE, ignore_errors=True)
    lines, used = [], 0
    for line in json.loads(done.stdout.splitlines()[-1])["text"].splitlines(keepends=True):
        used += count(line)
        if used > budget:
            break
        lines.append(line.replace("│", " "))
    return lines


def measure(project: Path, budget: int, venv: Path | None) -> dict[str, tuple[int, int]]:
    """By way of choosing: documented definitions, and definitions."""
    truth = documented(project)
    with tempfile.TemporaryDirectory() as cache:
        code = Codebase(project, os.environ, cache=Path(cache))
        refreshed = code.refresh()
        kept = ranking(code.index, refreshed.tree)
        pages = sheets(code.index, refreshed.tree, kept, Focus(), len(refreshed.tree.files), all_shown, Lines(code.index, project))
        places = {file.path: place for place, file in enumerate(refreshed.tree.files)}
        numbers = Numbers()
        uses = {places[file.path]: digest(file.path, symbols, numbers).uses for file, symbols in code.index.each(refreshed.tree.files)}
        found = {"ours": share(shown_by([replace(page, first=0) for page in pages], budget), truth)}
        found.update((way, share(shown_by(others, budget), truth)) for way, others in other_ways(pages, kept.ranking, uses))
        code.close()
    if venv is not None:
        found["aider"] = share(aider_lines(project, budget, venv), truth)
    return found


def build(folder: Path, names: Sequence[str]) -> None:
    """Unpack what is not there yet; each project is a repository of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (folder / name / ".git").exists():
            with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
                command = (sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary", ":all:", "-d", scratch)
                big_tree.run(*command, f"{name}=={PROJECTS[name]}", folder=folder)
                (archive,) = Path(scratch).glob("*.tar.gz")
                (Path(scratch) / "tree").mkdir()
                unpack = ("tar", "-xzf", str(archive), "--strip-components=1", "--no-same-owner", "-C", f"{scratch}/tree")
                big_tree.run(*unpack, folder=folder)
                big_tree.prune(Path(scratch) / "tree")
                big_tree.commit(Path(scratch) / "tree")
                (Path(scratch) / "tree").rename(folder / name)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three projects")
    parser.add_argument("--folder", type=Path, default=PLACE)
    parser.add_argument("--aider", type=Path, help="its virtual environment")
    parser.add_argument("--budget", type=int, default=1000)
    chosen = parser.parse_args()
    names = QUICK if chosen.quick else tuple(PROJECTS)
    build(chosen.folder, names)
    results = {name: measure(chosen.folder / name, chosen.budget, chosen.aider) for name in names}
    ways = list(next(iter(results.values())))
    print(f"{'project':<22}" + "".join(f"{way:>16}" for way in ways))
    for name, result in results.items():
        print(f"{name:<22}" + "".join(f"{hits:>8}/{total:<3} {hits / max(1, total):4.0%}" for hits, total in result.values()))
    shares = {way: sum(each[way][0] for each in results.values()) / max(1, sum(each[way][1] for each in results.values())) for way in ways}
    print(f"{'all':<22}" + "".join(f"{shares[way]:>16.0%}" for way in ways))
    print(json.dumps({"budget": chosen.budget, "projects": len(names), **{f"documented_{way}": round(shares[way], 3) for way in ways}}))


if __name__ == "__main__":
    main()
