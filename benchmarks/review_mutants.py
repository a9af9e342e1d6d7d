"""What a review finds of mistakes put into real changes, kind by kind, and how often it speaks up where there is none.

Clean hunks are real ones between two pinned releases of packages in several languages; each mutant is a clean hunk with one mistake.
One set of packages was looked at while the checks were written, the other was not. Prints tables and, last, one JSON object.
`--quick` takes few packages; `--model NAME` also asks a model (`--endpoint`) about a sample.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import NamedTuple

from review_corpus import HELD_OUT, QUICK, TUNED, Held, Sample, change_of, samples_of
from review_kinds import KINDS, Kind

from kimicode.review.change import Change, FileChange, Hunk
from kimicode.review.checks import run_checks
from kimicode.review.finding import Finding

SEED = 20260726
CLEAN = 1000
EACH = 20
GOAL_CLEAN = 0.005


class Mutant(NamedTuple):
    """A mistake in its hunk."""

    kind: Kind
    sample: Sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pairs of packages of each set, 5 mutants a kind")
    parser.add_argument("--model", help="ask this model too")
    parser.add_argument("--endpoint", help="where it answers (else the engine of this machine)")
    parser.add_argument("--asked", type=int, default=60, help="clean hunks and mutants that the model is asked about, each")
    given = parser.parse_args()
    sets = {"tuned": TUNED, "held_out": HELD_OUT}
    samples = {name: samples_of(pairs[:QUICK] if given.quick else pairs, SEED, CLEAN) for name, pairs in sets.items()}
    figures: dict[str, object] = {"seed": SEED}
    for name, clean in samples.items():
        figures[f"clean_{name}"] = false_alarms(name, clean)
    mutants = mutants_of([each for found in samples.values() for each in found], 5 if given.quick else EACH)
    figures |= recalls(mutants)
    figures |= speeds(samples["held_out"] + samples["tuned"], 3 if given.quick else 9)
    if given.model:
        from review_model import asked  # what a model needs is heavy, and most runs ask none

        figures |= asked(given.model, given.endpoint, samples["held_out"], mutants, given.asked)
    print(json.dumps(figures))


def false_alarms(name: str, clean: list[Sample]) -> dict[str, object]:
    """The clean hunks that a check says something about."""
    rules, flagged, blocking = Counter[str](), 0, 0
    for sample in clean:
        found = checked([sample])
        flagged += bool(found)
        blocking += any(each.severity >= 3 for each in found)
        rules.update(each.rule for each in found)
        for each in found:
            print(f"  flagged: {sample.package} {each.path}:{each.line} {each.rule} {each.quote[:100]!r}")
    share = flagged / max(1, len(clean))
    print(f"clean hunks, {name}: {flagged} of {len(clean)} flagged ({share:.2%}), {blocking} would block; goal {GOAL_CLEAN:.1%}")
    languages = dict(Counter(each.suffix for each in clean).most_common())
    counts = {"hunks": len(clean), "flagged": flagged, "blocking": blocking, "share": round(share, 5)}
    return {**counts, "rules": dict(rules), "suffixes": languages}


def checked(samples: list[Sample]) -> tuple[Finding, ...]:
    """What the instant checks find."""
    change, held = change_of(samples)
    return run_checks(change, held)


def mutants_of(samples: list[Sample], each: int) -> list[Mutant]:
    """Up to `each` mutants of every kind, from hunks in which the checks find nothing."""
    made: list[Mutant] = []
    for kind in KINDS:
        chance = random.Random(f"{SEED} {kind.name}")
        order = list(samples)
        chance.shuffle(order)
        found = (Mutant(kind, changed) for sample in order if (changed := kind.mutate(sample, chance)) is not None)
        made += [mutant for mutant, _ in zip(found, range(each), strict=False)]
    return made


def recalls(mutants: list[Mutant]) -> dict[str, object]:
    """How many mutants of each kind are found, by a rule of any name: what matters is that someone looks there."""
    found, total, blocking = Counter[str](), Counter[str](), Counter[str]()
    for mutant in mutants:
        total[mutant.kind.name] += 1
        said = checked([mutant.sample])
        found[mutant.kind.name] += bool(said)
        blocking[mutant.kind.name] += any(each.severity >= 3 for each in said)
    for kind in KINDS:
        count = total[kind.name]
        print(f"{kind.name:<48} {found[kind.name]:>3} of {count:>3} found, {blocking[kind.name]:>3} would block")
    groups: dict[str, list[int]] = {}
    for kind in KINDS:
        sums = groups.setdefault(kind.name.partition(":")[0], [0, 0])
        sums[0] += found[kind.name]
        sums[1] += total[kind.name]
    kinds = {kind.name: [found[kind.name], total[kind.name]] for kind in KINDS}
    return {"mutants": len(mutants), "kinds": len(KINDS), "found_by_group": groups, "found_by_kind": kinds}


def speeds(samples: list[Sample], runs: int) -> dict[str, object]:
    """Milliseconds for changes of about 500 and 10,000 added lines: warm in this process, and in a fresh one, imports and all."""
    figures: dict[str, object] = {}
    for lines in (500, 10_000):
        change, held = sized(samples, lines)
        taken = []
        for _ in range(runs):
            started = time.perf_counter()
            run_checks(change, held)
            taken.append((time.perf_counter() - started) * 1000)
        added = sum(file.added_count for file in change.files)
        figures[f"warm_{lines}_ms"] = round(statistics.median(taken), 1)
        figures[f"cold_{lines}_ms"] = round(cold(change, held, runs), 1)
        print(
            f"{added:>6} added lines in {len(change.files):>4} files: {figures[f'warm_{lines}_ms']} ms warm,"
            f" {figures[f'cold_{lines}_ms']} ms in a fresh process, imports included"
        )
    return figures


def sized(samples: list[Sample], lines: int) -> tuple[Change, Held]:
    """A change of at least `lines` added lines: one hunk a file, and where they do not suffice, whole new files."""
    picked: dict[str, Sample] = {}
    for sample in samples:
        if sum(len(each.added) for each in picked.values()) >= lines // 2:
            break
        picked.setdefault(sample.path, sample)
    change, held = change_of(list(picked.values()))
    files, missing, new = list(change.files), lines - sum(file.added_count for file in change.files), dict(held._new)
    for sample in samples:
        if missing <= 0:
            break
        path = f"added/{sample.package}/{sample.path}"
        if path in new or len(sample.new) > max(300, lines // 10):
            continue
        new[path] = ("\n".join(sample.new) + "\n").encode()
        hunk = Hunk(0, 0, 1, len(sample.new), "", tuple(f"+{line}" for line in sample.new))
        files.append(FileChange(path, "", "added", "", "100644", "", "0" * 40, False, (hunk,)))
        missing -= len(sample.new)
    return Change("sized", str(lines), tuple(files)), Held(held._old, new)


_COLD = """
import pickle, sys, time
with open(sys.argv[1], "rb") as file:
    data = file.read()
started = time.perf_counter()
from kimicode.review.checks import run_checks
imported = time.perf_counter()
sys.path.insert(0, sys.argv[2])
change, held = pickle.loads(data)
loaded = time.perf_counter()
run_checks(change, held)
print((time.perf_counter() - loaded + imported - started) * 1000)
"""


def cold(change: Change, held: Held, runs: int) -> float:
    """The median time of the import and the first run in a fresh process."""
    import pickle
    import tempfile
    from pathlib import Path

    with tempfile.NamedTemporaryFile() as file:
        pickle.dump((change, held), file)
        file.flush()
        command = [sys.executable, "-c", _COLD, file.name, str(Path(__file__).parent)]
        return statistics.median(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(runs))


if __name__ == "__main__":
    main()
