"""Makes the questions of the retrieval benchmark, with answers that do not come from kimicode's own index.

    python benchmarks/retrieval_questions.py [--packages FOLDER]

The truth: for Python its own parser (`ast`), for JavaScript and TypeScript the checker of TypeScript 5.6 (`retrieval_truth.mjs`), for Go,
Java, Rust and C the definitions of universal-ctags and the includes and package clauses as written. Names are drawn at random with a
fixed seed among those whose truth is sure: what could be two things to the parser is left out. Writes `retrieval_questions.json`.
What this does not do: run any tool.
"""

import argparse
import hashlib
import json
import random
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import retrieval_packages
from retrieval_python import python_questions

SEED: Final = 20261
QUESTIONS: Final = Path(__file__).with_name("retrieval_questions.json")
_TYPESCRIPT: Final = "5.6.3"
_ABOVE: Final = 3
"""Lines above a name that may be its attributes, annotations or result, and so the beginning of the definition."""

_EACH: Final = {"definition": 4, "callers": 3, "dependencies": 3}
_CTAGS_KINDS: Final = {
    "golang-github-spf13-cobra": ("Go", {"func", "struct", "interface", "type"}, r"(_test\.go|^doc/|^debian/)"),
    "junit4": ("Java", {"class", "method", "interface"}, r"(^src/test/|^debian/)"),
    "rust-ripgrep": ("Rust", {"function", "struct", "enum", "trait", "interface", "method", "macro"}, r"(^tests/|^debian/)"),
    "lua5.4": ("C", {"function", "macro"}, r"(^debian/)"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=Path.home() / ".cache" / "kimicode-bench" / "retrieval")
    folders = retrieval_packages.build(parser.parse_args().packages)
    questions: list[dict[str, object]] = []
    for name in retrieval_packages.PYPI:
        questions += python_questions(name, folders[name], random.Random(f"{SEED} {name}"))
    questions += typescript_questions({name: folders[name] for name in retrieval_packages.NPM})
    for name in retrieval_packages.DEBIAN:
        questions += ctags_questions(name, folders[name], random.Random(f"{SEED} {name}"))
    order = random.Random(SEED)
    for number, question in enumerate(questions):
        question["id"] = number
        question["half"] = order.choice(("tuned", "held out"))
        files = sorted({place[0] for place in question["truth"]})
        question["files"] = {path: hashlib.sha256((folders[question["package"]] / path).read_bytes()).hexdigest()[:12] for path in files}
    QUESTIONS.write_text("[\n" + ",\n".join(json.dumps(each, sort_keys=True) for each in questions) + "\n]\n")
    print(f"{len(questions)} questions in {QUESTIONS.name}")


def typescript_questions(folders: dict[str, Path]) -> list[dict[str, object]]:
    """Questions whose truth is TypeScript's."""
    script = Path(__file__).with_name("retrieval_truth.mjs")
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["npm", "install", "--silent", "--ignore-scripts", f"typescript@{_TYPESCRIPT}"], cwd=scratch, check=True)
        for name, folder in folders.items():
            run = subprocess.run(["node", str(script), scratch, str(folder)], check=True, capture_output=True, text=True)
            found += chosen(name, json.loads(run.stdout), random.Random(f"{SEED} {name}"))
    return found


def chosen(package: str, candidates: dict[str, list[dict[str, object]]], draw: random.Random) -> list[dict[str, object]]:
    """Some of the candidates of each kind."""
    questions = []
    for kind, number in _EACH.items():
        some = sorted(candidates.get(kind, []), key=lambda each: str(each["name"]))
        questions += [{"package": package, "kind": kind, **each} for each in draw.sample(some, min(number, len(some)))]
    return questions


def ctags_questions(package: str, folder: Path, draw: random.Random) -> list[dict[str, object]]:
    """Definitions by ctags; for C and Java the includes and imports as written, where only one file can be meant."""
    language, kinds, aside = _CTAGS_KINDS[package]
    command = [
        "ctags",
        "-R",
        "--output-format=json",
        "--fields=+nKe",
        f"--languages={language}",
        f"--langmap={language}:+.h",
        "-f",
        "-",
        ".",
    ]
    if language != "C":
        command.remove(f"--langmap={language}:+.h")
    run = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    tags = [json.loads(line) for line in run.stdout.splitlines()]
    places: dict[str, set[tuple[str, int]]] = {}
    for tag in tags:
        places.setdefault(tag["name"], set()).add((tag["path"].removeprefix("./"), tag["line"]))
    wanted = {
        tag["name"]
        for tag in tags
        if tag["kind"] in kinds
        and len(tag["name"]) > 4
        and len(places[tag["name"]]) <= 2
        and not re.search(aside, tag["path"].removeprefix("./"))
    }
    definitions = [
        {"name": name, "query": name, "truth": [[path, max(1, line - _ABOVE), line] for path, line in sorted(places[name])]}
        for name in sorted(wanted)
    ]
    return chosen(package, {"definition": definitions, "dependencies": dependencies(language, folder)}, draw)


def dependencies(language: str, folder: Path) -> list[dict[str, object]]:
    """Who includes a header (C), who imports a class by its whole name (Java)."""
    users: dict[str, set[str]] = {}
    if language == "C":
        headers: dict[str, list[Path]] = {}
        for path in folder.rglob("*.h"):
            headers.setdefault(path.name, []).append(path)
        for path in sorted([*folder.rglob("*.c"), *folder.rglob("*.h")]):
            for name in re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"/]+)"', path.read_text("latin-1"), re.MULTILINE):
                if len(headers.get(name, ())) == 1:
                    users.setdefault(str(headers[name][0].relative_to(folder)), set()).add(str(path.relative_to(folder)))
    elif language == "Java":
        classes: dict[str, list[Path]] = {}
        for path in folder.rglob("*.java"):
            package = re.search(r"^package ([\w.]+);", path.read_text("latin-1"), re.MULTILINE)
            if package:
                classes.setdefault(f"{package[1]}.{path.stem}", []).append(path)
        for path in sorted(folder.rglob("*.java")):
            for name in re.findall(r"^import (?:static )?([\w.]+?)(?:\.[a-z_]\w*|\.\*)?;", path.read_text("latin-1"), re.MULTILINE):
                if len(classes.get(name, ())) == 1:
                    users.setdefault(str(classes[name][0].relative_to(folder)), set()).add(str(path.relative_to(folder)))
    return [
        {"name": target, "query": target, "truth": [[path, 0, 0] for path in sorted(found - {target})]}
        for target, found in sorted(users.items())
        if 2 <= len(found - {target}) <= 60
    ]


if __name__ == "__main__":
    main()
