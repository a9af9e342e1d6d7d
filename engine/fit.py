"""`python -m engine.fit MODEL …`: in a moment, how much memory there is and whether known models fit, as one JSON line for `doctor`.

Nothing is measured, started or downloaded: speeds are those of an earlier `kimicode models plan`, or absent. GPUs are not looked for,
because their drivers may take seconds. What this module does not do: judge; that is `doctor`'s part.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine import known
from engine.advice import size
from engine.machine import Machine
from engine.outlook import Wishes
from engine.plan import Plan, plan
from engine.survey import quick, remembered

_VERSION: Final = 1


def main(models: Sequence[str]) -> int:
    """Print the line; the exit code."""
    machine = quick(None, Path.cwd(), remembered())
    rate = machine.memory_rate
    facts = {
        "v": _VERSION,
        "memory_bytes": machine.memory.total,
        "available_bytes": machine.memory.available,
        "limit": machine.memory.limit,
        "memory_rate": None if rate is None else rate.value,
        "models": [_fit(name, machine) for name in models],
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


def _fit(name: str, machine: Machine) -> dict[str, object]:
    """One model: does it run, in a sentence, and what to do for more; its usual file, or the smallest where only that runs."""
    shape = known.find(name)
    smallest = min((shape, *(other for other, _ in known.siblings(shape))), key=lambda model: model.bytes)
    first = plan(shape, machine, Wishes())
    chosen = first if first.runs or smallest is shape else plan(smallest, machine, Wishes())
    answer = chosen if chosen.runs else first
    return {"model": answer.model.name, "runs": answer.runs, "found": _sentence(answer), "advice": _advice(answer)}


def _sentence(answer: Plan) -> str:
    layout = answer.outlook.layout
    model = f"{answer.model.name} ({size(answer.model.bytes)})"
    if answer.problems:
        return f"{model} can't run here: {answer.problems[0]}"
    where = f"with {layout.resident:.0%} of its routed experts in memory, the rest read from disk" if layout.disk else "in memory"
    speed = f", about {answer.outlook.decode:.2g} tokens a second" if answer.outlook.decode else ""
    return f"{model} runs {where}{speed}"


def _advice(answer: Plan) -> str:
    best = max(answer.advice, key=lambda advice: advice.decode, default=None)
    if answer.runs and not answer.outlook.speeds:
        return f"`kimicode models plan {answer.model.name}` measures this machine and says how fast it would be."
    if not answer.runs and not answer.outlook.layout.missing:
        return "Free some space, or choose a folder on another disk; an endpoint needs neither."
    if best is None or not best.decode:
        return "" if answer.runs else "Use an endpoint for this model: `kimicode models list`."
    return f"{best.change[:1].upper()}{best.change[1:]}: about {best.decode:.2g} tokens a second ({best.why})."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
