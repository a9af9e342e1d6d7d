"""The sixty cases are all there, the tests they name exist, and docs/attacks.md says what the catalogue says."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.security.attacks import ATTACKS
from tests.security.cases import CASES
from tests.security.table import PAGE, page

ROOT = Path(__file__).parents[2]


@cache
def functions(file: str) -> frozenset[str]:
    """The test functions of a file."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_all_sixty_cases_are_there() -> None:
    assert list(CASES) == list(range(1, 61))
    run = {attack.case for attack in ATTACKS}
    assert [number for number, case in CASES.items() if number not in run and not case.elsewhere] == []


@pytest.mark.parametrize("number", CASES)
def test_the_tests_elsewhere_exist(number: int) -> None:
    for each in CASES[number].elsewhere:
        file, _, name = each.partition("::")
        assert name.startswith("test_")
        assert name in functions(file), f"{file} has no {name}: the table of attacks points to nothing"


def test_ids_are_unique() -> None:
    ids = [attack.id for attack in ATTACKS]
    assert len(ids) == len(set(ids))


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python -m tests.security.table`"
