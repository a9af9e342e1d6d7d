"""Generated projects: one bug, in one place, seen by a test; held-out names that training never sees."""

import re

import pytest

from engine.nano.projects import is_held_out, make_project


@pytest.mark.parametrize("held_out", [False, True])
def test_every_project_has_one_bug_whose_line_is_unique(held_out: bool):
    for seed in range(200):
        project = make_project(seed, held_out=held_out)
        bug = project.bug
        assert project.files[bug.path].count(bug.wrong) == 1, bug
        assert bug.wrong != bug.right
        assert f"def {bug.function}(" in project.files[bug.path]
        assert bug.doc in project.files[bug.path]
        for path, text in project.files.items():
            compile(text, path, "exec")


def test_the_same_seed_gives_the_same_project_and_others_differ():
    assert make_project(7) == make_project(7)
    assert make_project(7) != make_project(8)
    assert make_project(7) != make_project(7, held_out=True)


def names(*, held_out: bool) -> set[str]:
    found: set[str] = set()
    for seed in range(300):
        for path, text in make_project(seed, held_out=held_out).files.items():
            if not path.startswith("test_"):
                found |= {part for name in re.findall(r"def (\w+)", text) for part in name.split("_")} | {path.removesuffix(".py")}
    return found


def test_held_out_names_never_occur_in_training():
    training, held_out = names(held_out=False), names(held_out=True)
    assert len(held_out) > 100
    assert not training & held_out
    assert all(map(is_held_out, held_out))
    assert not any(map(is_held_out, training))


def constants(*, held_out: bool) -> set[int]:
    found: set[int] = set()
    for seed in range(300):
        doc = make_project(seed, held_out=held_out).bug.doc
        found |= {int(number) for number in re.findall(r"\d+", doc)}
    return found


def test_held_out_constants_never_occur_in_training():
    training, held_out = constants(held_out=False), constants(held_out=True)
    assert min(len(training), len(held_out)) > 20
    assert not training & held_out
