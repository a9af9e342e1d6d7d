"""Renaming: every name of the project changes everywhere, and nothing else does."""

import random
import re

from engine.nano.projects import make_project
from engine.nano.rename import rename
from engine.nano.trajectories import trajectory


def words(value: object) -> list[str]:
    return re.findall(r"[A-Za-z]+|[^A-Za-z]", str(value))


def test_names_change_consistently_and_formats_stay():
    for seed in range(6):
        project = make_project(seed)
        before = trajectory(project)
        after = rename(before, ["ka", "lo", "mi", "tu"], random.Random(seed))
        old, new = words(before), words(after)
        assert len(old) == len(new)
        changed = {a: b for a, b in zip(old, new, strict=True) if a != b}
        assert all((b == changed[a]) if a in changed else a == b for a, b in zip(old, new, strict=True))
        assert len(set(changed.values())) == len(changed)
        assert {*project.bug.function.split("_"), project.bug.path.removesuffix(".py")} <= set(changed)
        assert all(set(re.findall("..", b)) <= {"ka", "lo", "mi", "tu"} for b in changed.values())
