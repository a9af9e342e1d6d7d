"""The corruption benchmark in small, over hunks made here: nothing is applied wrong, and nearly all that keeps its meaning is right."""

import random

from benchmarks.edit_corruption import CHANGING, KEEPING, Hunk, cases_of, ours, outcome, run

WORDS = "alpha beta gamma delta total count items value result index name path".split()


def line(rng: random.Random, depth: int) -> str:
    a, b, c = (rng.choice(WORDS) for _ in range(3))
    forms = [
        f"{a} = {b}('{c}', \"{a} of it\") - {rng.randint(1, 99)}",
        f"return {a}[{b}] - {c}",
        f"# the {a} of {b} and {c}",
        f"{a}({b}, {c}={b})",
    ]
    return "    " * depth + rng.choice(forms)


def statement(rng: random.Random) -> list[str]:
    return [line(rng, 1)] if rng.random() < 0.7 else [f"    if {rng.choice(WORDS)}:", line(rng, 2)]


def function(rng: random.Random, number: int) -> list[str]:
    body = [each for _ in range(rng.randint(2, 5)) for each in statement(rng)]
    if rng.random() < 0.5:
        body.insert(2, "")
    return [f"def {rng.choice(WORDS)}_{number}({rng.choice(WORDS)}):", *body, "", ""]


def hunks(seed: int, count: int) -> list[Hunk]:
    rng = random.Random(seed)
    made: list[Hunk] = []
    for number in range(count):
        before = [each for n in range(12) for each in function(rng, n)] + [""]
        start, removed = rng.randrange(3, len(before) - 8), rng.randint(0, 3)
        new = [each for _ in range(rng.randint(0 if removed else 1, 3)) for each in statement(rng)]
        made.append(Hunk(before, start, removed, new, f"made:{number}"))
    return made


def test_nothing_is_applied_wrong() -> None:
    counts, exact, _ = run(hunks(7, 60), seed=7)
    assert sum(count.total() for count in counts.values()) > 1000
    assert {name: count["wrong"] for name, count in counts.items() if count["wrong"]} == {}
    right, total = (
        sum(counter(counts[name]) for name in KEEPING) for counter in (lambda count: count["right"], lambda count: count.total())
    )
    assert right / total > 0.98
    # The benchmark can fail: exact matching alone does.
    assert sum(count["wrong"] for count in exact.values()) > 100


def test_every_corruption_is_met_and_does_something() -> None:
    seen: dict[str, set[str]] = {name: set() for name in (*KEEPING, *CHANGING)}
    for hunk in hunks(8, 60):
        for name, case in cases_of(hunk, 8):
            assert case.old != case.new
            assert (case.after is None) == (name in CHANGING)
            seen[name].add(outcome(case, ours(case)))
    assert all("right" in seen[name] for name in KEEPING)
    assert {name: found for name, found in seen.items() if name in CHANGING and found != {"refused"}} == {}
