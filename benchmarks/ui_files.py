"""How long a key takes while a file is chosen by `@`: among 50,000 and 100,000 paths, typed character by character and taken back.

Each time is one search, from the query to the best 50 paths with their matches, in the thread that searches. Beside it, in the same run and
for the same queries, what two libraries do: `textual.fuzzy.Matcher` asked about each path (the command palette's way) and
`prompt_toolkit.completion.FuzzyCompleter` over a `WordCompleter`, both sorted, the best 50 taken. The paths are made up, from a fixed
seed, in the shape of source trees. Prints a line a figure and, last, one JSON object. `--quick` asks the peers fewer queries.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

from prompt_toolkit.completion import CompleteEvent, FuzzyCompleter, WordCompleter
from prompt_toolkit.document import Document
from textual.fuzzy import Matcher

from kimicode.interactive.prompt.fuzzy import Finder

SIZES: Final = (50_000, 100_000)
BEST: Final = 50
GOAL_MS: Final = 30.0
QUERIES: Final = ("prompteditor", "githist", "src/core/t", "stream_token", "e", "a.py", "PromptEd", "zzz", "viewsrender")
PEER_QUERIES: Final = ("githist", "token", "e")
WORDS: Final = (
    "core server client model engine view render token parse git history index cache utils test spec widget prompt editor screen file path "
    "tool agent session config loader data stream src"
).split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, and fewer queries for the peers")
    quick = parser.parse_args().quick
    figures: dict[str, float] = {"goal_ms": GOAL_MS}
    for size in SIZES:
        paths = tree_of(size)
        started = time.perf_counter()
        finder = Finder(paths)
        figures[f"build_{size}_ms"] = since(started)
        figures |= told(f"finder_{size}", keys(finder, 2 if quick else 10))
        for name, search in peers(paths).items():
            peer_queries = PEER_QUERIES[:1] if quick else PEER_QUERIES
            figures |= told(f"{name}_{size}", [timed(search, query[:end]) for query in peer_queries for end in range(1, len(query) + 1)])
    largest = max(SIZES)
    for name in ("textual", "prompt_toolkit"):
        figures[f"{name}_to_finder"] = round(figures[f"{name}_{largest}_median_ms"] / figures[f"finder_{largest}_median_ms"], 1)
    worst = figures[f"finder_{largest}_p95_ms"]
    print(f"goal: a key within {GOAL_MS:g} ms among {largest:,} paths (p95): {'met' if worst <= GOAL_MS else 'MISSED'}")
    print(json.dumps(figures))


def tree_of(size: int) -> list[str]:
    """Paths as they are in source trees: some thousand folders, names of one to three words in several styles."""
    rng = random.Random(6)
    folders = [
        "/".join(rng.choice(WORDS) + rng.choice(["", str(rng.randint(0, 9))]) for _ in range(rng.randint(1, 5))) for _ in range(4_000)
    ]
    paths: set[str] = set()
    while len(paths) < size:
        words = rng.sample(WORDS, rng.randint(1, 3))
        name = rng.choice(["_".join(words), "-".join(words), "".join(map(str.title, words))]) + str(rng.randint(0, 99))
        paths.add(f"{rng.choice(folders)}/{name}.{rng.choice(['py', 'ts', 'rs', 'md'])}")
    return sorted(paths)


def keys(finder: Finder, rounds: int) -> list[float]:
    """Milliseconds a key: each query typed, and the last half of it taken back."""
    ends = [(query, end) for query in QUERIES for end in (*range(1, len(query) + 1), *range(len(query) - 1, len(query) // 2, -1))]
    return [timed(lambda text: finder.search(text, BEST), query[:end]) for _ in range(rounds) for query, end in ends]


def peers(paths: Sequence[str]) -> dict[str, Callable[[str], object]]:
    completer = FuzzyCompleter(WordCompleter(list(paths)), pattern=r"^\S*")

    def textual(query: str) -> object:
        matcher = Matcher(query)
        scored = [(score, path) for path in paths if (score := matcher.match(path)) > 0]
        return [matcher.highlight(path) for _, path in sorted(scored, key=lambda each: -each[0])[:BEST]]

    def prompt_toolkit(query: str) -> object:
        # It yields completions in order, once all are found: what is not asked for costs nothing more.
        found = completer.get_completions(Document(query, len(query)), CompleteEvent(text_inserted=True))
        return [completion for completion, _ in zip(found, range(BEST), strict=False)]

    return {"textual": textual, "prompt_toolkit": prompt_toolkit}


def timed(search: Callable[[str], object], query: str) -> float:
    started = time.perf_counter()
    search(query)
    return since(started)


def since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def told(name: str, taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    figures = {
        f"{name}_median_ms": round(statistics.median(taken), 2),
        f"{name}_p95_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
        f"{name}_max_ms": ordered[-1],
    }
    print(
        f"{name:<24} "
        + "   ".join(f"{key.removeprefix(name + '_')} {value:10.2f}" for key, value in figures.items())
        + f"   n {len(taken)}"
    )
    return figures


if __name__ == "__main__":
    main()
