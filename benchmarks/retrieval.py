"""How much of the truth an answer holds, and what it costs: plain grep, aider's repository map, and kimicode's `grep` and `symbols`.

    scripts/bench retrieval [--quick] [--packages FOLDER] [--aider VENV] [--without-aider]

235 questions about 19 real packages at fixed versions, with answers from other tools (`retrieval_questions.py`). All get the same limits:
an answer is cut at 30,000 characters; tokens are K2.6's; a place counts as found where its path and line are in the answer, a file where
its path is. Everybody asks with the name that the question gives:

- grep: `rg -n -w NAME`; for a trace also the message. Then it reads, as an agent has to: 20 lines at the definition, the 10 lines before
  each call to learn what calls; only right hits are read, and overlapping regions once. Its tokens without reading are told, too.
- tuned grep: a pattern for definitions, calls or imports in place of the bare name; a second call with the name where nothing fits.
- kimicode: `symbols`; for a trace `grep` with the message, and `symbols`. `kimicode_grep`: our `grep`, asked what plain grep is asked.
- aider: its map of the package at 4,096 tokens with the question's name as mentioned; only files can be found in it.

Half of the questions were held out while the tools were written; both halves are told. `--quick` asks a third, without aider. Prints a
table and, last, one JSON object. Aider is installed in a virtual environment of its own. What this does not do: run a model.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import repo_map
import retrieval_packages

from kimicode import tokens
from kimicode.errors import KimicodeError
from kimicode.messages import ToolCall
from kimicode.repo.codebase import Codebase
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools import grep, symbols
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox
from kimicode.tools.ripgrep import locate
from kimicode.tools.spec import full_spec

MAX_CHARS: Final = 30_000
AIDER_TOKENS: Final = 4_096
GOAL: Final = 1 / 3
_QUESTIONS: Final = Path(__file__).with_name("retrieval_questions.json")
_DEFINITION: Final = (
    r"(def|class|func|fn|function|struct|interface|type|trait|enum|macro_rules!|#\s*define|const|let|var)\s+(\([^)]*\)\s*)?{name}\b"
)
_NUMBERS: Final = re.compile(r"\d+")


class Question(msgspec.Struct):
    """One question. A place of the truth is a path with a first and a last line, either of which counts; 0 asks for the file alone."""

    id: int
    package: str
    kind: str
    name: str
    query: str
    half: str
    truth: list[tuple[str, int, int]]
    files: dict[str, str]
    message: str = ""


class Answer(msgspec.Struct):
    """What a strategy got: the texts, those that were read after them, and the calls."""

    texts: list[str]
    reads: list[str] = []
    calls: int = 1


class Package:
    """One package as a workspace: its files, a ripgrep and our tools over it."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=folder, check=True, capture_output=True, text=True).stdout
        self.files = frozenset(each for each in listed.split("\0") if each)
        self._code = Codebase(folder, os.environ, cache=scratch / "index")
        self._code.refresh()
        context = ToolContext(folder, Policy(Permission.WORKSPACE, folder), scratch, code=self._code)
        tools = (
            grep.Grep(full_spec(grep.NAME, grep.PROPERTIES, grep.REQUIRED)),
            symbols.Symbols(full_spec(symbols.NAME, symbols.PROPERTIES, symbols.REQUIRED)),
        )
        self._box = Toolbox(tools, context)
        self._rg = locate((Path(sys.executable).parent,), os.environ.get("PATH"))

    def rg(self, *arguments: str) -> str:
        """What ripgrep says, at most as much as a tool may say."""
        command = [str(self._rg), "--no-config", "--sort=path", "--no-heading", "-n", *arguments, "."]
        out = subprocess.run(command, cwd=self.folder, capture_output=True, check=False).stdout.decode("utf-8", "replace")
        return re.sub(r"^\./", "", out, flags=re.MULTILINE)[:MAX_CHARS]

    def tool(self, name: str, **arguments: str) -> str:
        """What one of our tools says."""
        try:
            return asyncio.run(self._box.execute(ToolCall("functions.x:0", name, json.dumps(arguments))))[:MAX_CHARS]
        except KimicodeError as error:
            return f"Error: {error}"

    def region(self, path: str, first: int, last: int) -> str:
        """Lines of a file as `read` shows them."""
        lines = (self.folder / path).read_text("utf-8", "replace").splitlines()
        return "\n".join(f"{number}\t{lines[number - 1]}" for number in range(max(1, first), min(len(lines), last) + 1))

    def close(self) -> None:
        """Let go of the index."""
        self._code.close()


def plain_grep(package: Package, question: Question) -> Answer:
    """One search for the name, and reading at the right hits."""
    answer = Answer([package.rg("-w", "-e", question.name)])
    if question.message:
        answer.texts.insert(0, package.rg("-F", "-e", question.message))
        answer.calls = 2
    return with_reads(package, question, answer)


def tuned_grep(package: Package, question: Question) -> Answer:
    """One search for what the question is about; where nothing fits, the name."""
    name = re.escape(question.name)
    pattern = {
        "definition": _DEFINITION.replace("{name}", name),
        "callers": rf"\b{name}\s*\(",
        "imports": rf"\bimport\b.*\b{name}\b",
        "dependencies": rf"\b(import|from|include|require|export)\b.*\b{name}\b",
        "trace": rf"\b{name}\s*\(",
    }[question.kind]
    text = package.rg("-e", pattern)
    answer = Answer([text]) if text else Answer([package.rg("-w", "-e", question.name)], calls=2)
    if question.message:
        answer.texts.insert(0, package.rg("-F", "-e", question.message))
        answer.calls += 1
    return with_reads(package, question, answer)


def with_reads(package: Package, question: Question, answer: Answer) -> Answer:
    """What has to be read to know more than lines: only where the hits are right."""
    hits = places("\n".join(answer.texts), package.files)[0]
    found = [each for each in question.truth if each[1] and any((each[0], line) in hits for line in range(each[1], each[2] + 1))]
    if question.kind == "imports":
        return answer
    before, after = (2, 18) if question.kind == "definition" else (10, 1)
    regions: dict[str, list[list[int]]] = {}
    for path, first, last in sorted(found):
        spans = regions.setdefault(path, [])
        if spans and first - before <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], last + after)
        else:
            spans.append([first - before, last + after])
    answer.reads = [package.region(path, first, last) for path, spans in regions.items() for first, last in spans]
    return answer


def kimicode(package: Package, question: Question) -> Answer:
    """The tool that the question is for."""
    match question.kind:
        case "definition":
            return Answer([package.tool("symbols", query=question.query, kind="definition")])
        case "callers":
            return Answer([package.tool("symbols", query=question.query, kind="callers")])
        case "trace":
            first = package.tool("grep", pattern=re.escape(question.message))
            return Answer([first, package.tool("symbols", query=question.query, kind="callers")], calls=2)
        case _:
            return Answer([package.tool("symbols", query=question.query, kind="references")])


def kimicode_grep(package: Package, question: Question) -> Answer:
    """Our grep, asked what plain grep is asked."""
    answer = Answer([package.tool("grep", pattern=rf"\b{re.escape(question.name)}\b")])
    if question.message:
        answer.texts.insert(0, package.tool("grep", pattern=re.escape(question.message)))
        answer.calls = 2
    return answer


def aider(python: Path, scratch: Path) -> Callable[[Package, Question], Answer]:
    """The map for each question; made by aider's own Python, all of a package's at once."""
    kept: dict[tuple[Path, str], str] = {}

    def ask(package: Package, question: Question) -> Answer:
        key = (package.folder, question.name)
        if key not in kept:
            names = sorted({each.name for each in load() if each.package == question.package})
            script = str(Path(__file__).with_name("retrieval_aider.py"))
            # Aider keeps its cache in the folder that it maps; ours must not meet it.
            copy = scratch / "aider" / question.package
            shutil.copytree(package.folder, copy)
            order = json.dumps({"folder": str(copy), "files": sorted(package.files), "names": names, "tokens": AIDER_TOKENS})
            run = subprocess.run([str(python), script], input=order, cwd=scratch, capture_output=True, text=True, check=True)
            kept.update({(package.folder, name): text for name, text in json.loads(run.stdout.splitlines()[-1]).items()})
        return Answer([kept[key]])

    return ask


def places(text: str, files: frozenset[str]) -> tuple[set[tuple[str, int]], set[str]]:
    """The places and the files that an answer names, in any of the forms that the tools have."""
    found: set[tuple[str, int]] = set()
    named: set[str] = set()
    current = ""
    for line in text.split("\n"):
        head, _, rest = line.partition(": ")
        if line.rstrip(":") in files:
            current = line.rstrip(":")
            named.add(current)
            continue
        if head in files:
            named.add(head)
            found |= {(head, int(number)) for part in rest.split("; ") for number in _NUMBERS.findall(part.split(" ")[0])}
        elif line.startswith("also ") and current:
            found |= {(current, int(number)) for part in line[5:].split("; ") for number in _NUMBERS.findall(part.split(" ")[0])}
        elif current and (match := re.match(r"(\d+)(?: [^:]*)?:", line)):
            found.add((current, int(match[1])))
        for path, number in re.findall(r"([\w./+@-]+):(\d+)", line):
            if path in files:
                found.add((path, int(number)))
        named |= {word for word in re.split(r"[\s,:()]+", line) if word in files}
    return found, named | {path for path, _ in found}


def recall(question: Question, answer: Answer, files: frozenset[str], *, only_files: bool = False) -> float:
    """The share of the truth that is in the answer."""
    found, named = places("\n".join(answer.texts), files)
    right = 0
    for path, first, last in question.truth:
        alone = only_files or not first
        right += path in named if alone else any((path, line) in found for line in range(first, last + 1))
    return right / len(question.truth)


def load() -> list[Question]:
    return msgspec.json.decode(_QUESTIONS.read_bytes(), type=list[Question])


def unchanged(question: Question, folder: Path) -> bool:
    """Whether the files of the truth are those that the question was made from."""
    return all(
        (folder / path).is_file() and hashlib.sha256((folder / path).read_bytes()).hexdigest()[:12] == digest
        for path, digest in question.files.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the questions, without aider")
    parser.add_argument("--packages", type=Path, default=Path.home() / ".cache" / "kimicode-bench" / "retrieval")
    parser.add_argument("--aider", type=Path, help="the virtual environment that aider-chat 0.86.2 is installed in, or will be")
    parser.add_argument("--without-aider", action="store_true", help="only kimicode and grep")
    parser.add_argument("--half", choices=("tuned", "held out"), help="only these questions")
    parser.add_argument("--show", type=int, default=0, help="so many of the worst answers in full")
    chosen = parser.parse_args()
    folders = retrieval_packages.build(chosen.packages.absolute())
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-") as scratch:
        strategies: dict[str, Callable[[Package, Question], Answer]] = {
            "grep": plain_grep, "tuned_grep": tuned_grep, "kimicode": kimicode, "kimicode_grep": kimicode_grep,
        }  # fmt: skip
        if not (chosen.without_aider or chosen.quick):
            strategies["aider"] = aider(repo_map.aider(chosen.aider), Path(scratch))
        questions = [each for each in load() if chosen.half in (None, each.half)][:: 3 if chosen.quick else 1]
        fit = [each for each in questions if unchanged(each, folders[each.package])]
        rows = asked(fit, folders, strategies, Path(scratch))
    report(rows, len(questions) - len(fit))
    shown(rows, chosen.show)


def asked(
    questions: list[Question], folders: dict[str, Path], strategies: dict[str, Callable[[Package, Question], Answer]], scratch: Path
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    packages: dict[str, Package] = {}
    for question in questions:
        if question.package not in packages:
            packages[question.package] = Package(folders[question.package], scratch)
        package = packages[question.package]
        for name, strategy in strategies.items():
            answer = strategy(package, question)
            texts = sum(map(tokens.count, answer.texts))
            rows.append(
                {
                    "strategy": name, "kind": question.kind, "half": question.half, "question": question, "answer": answer,
                    "recall": recall(question, answer, package.files, only_files=name == "aider"),
                    "texts": texts, "tokens": texts + sum(map(tokens.count, answer.reads)), "calls": answer.calls + bool(answer.reads),
                }
            )  # fmt: skip
    for package in packages.values():
        package.close()
    return rows


def report(rows: list[dict[str, object]], dropped: int) -> None:
    """The table, and the figures as JSON."""
    figures: dict[str, object] = {"questions": len({id(row["question"]) for row in rows}), "dropped_because_changed": dropped}
    kinds = sorted({str(row["kind"]) for row in rows})
    print(f"{'':16}{'recall':>8}{'tokens':>9}{'no reads':>9}{'calls':>7}   means")
    for name in dict.fromkeys(str(row["strategy"]) for row in rows):
        for part in ("all", *kinds, "tuned", "held out"):
            some = [row for row in rows if row["strategy"] == name and part in ("all", row["kind"], row["half"])]
            if not some:
                continue
            mean = {key: sum(float(str(row[key])) for row in some) / len(some) for key in ("recall", "tokens", "texts", "calls")}
            label = name if part == "all" else f"  {part}"
            print(f"{label:16}{mean['recall']:8.3f}{mean['tokens']:9.0f}{mean['texts']:9.0f}{mean['calls']:7.2f}   {len(some)} questions")
            key = name if part == "all" else f"{name}_{part.replace(' ', '_')}"
            figures[f"{key}_recall"] = round(mean["recall"], 4)
            figures[f"{key}_tokens"] = round(mean["tokens"])
            if part == "all":
                figures[f"{key}_tokens_without_reads"] = round(mean["texts"])
                figures[f"{key}_calls"] = round(mean["calls"], 2)
    share = float(str(figures["kimicode_tokens"])) / float(str(figures["grep_tokens"]))
    bare = float(str(figures["kimicode_tokens"])) / float(str(figures["grep_tokens_without_reads"]))
    better = float(str(figures["kimicode_recall"])) >= float(str(figures["grep_recall"]))
    figures |= {"tokens_to_grep": round(share, 3), "tokens_to_grep_without_reads": round(bare, 3), "goal_tokens_to_grep": round(GOAL, 3)}
    print(f"goal: at least grep's recall with a third of its tokens: {'met' if better and share <= GOAL else 'MISSED'}")
    print(json.dumps(figures))


def shown(rows: list[dict[str, object]], number: int) -> None:
    """The answers of kimicode that lack most, for whoever works on it."""
    ours = sorted((row for row in rows if row["strategy"] == "kimicode"), key=lambda row: float(str(row["recall"])))
    for row in ours[:number]:
        question, answer = row["question"], row["answer"]
        assert isinstance(question, Question)
        assert isinstance(answer, Answer)
        print(f"\n=== {row['recall']:.2f} {question.package} {question.kind} {question.query}\ntruth: {question.truth[:8]}")
        print("\n".join(answer.texts)[:1500])


if __name__ == "__main__":
    main()
