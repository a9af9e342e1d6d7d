"""The store with a reader that the test leads: order, loans, announcements, errors, sizes, memory, threads; under the sanitizers too."""

from pathlib import Path
from typing import Final

import pytest

from tests.engine.native.programs import compiled, output

PARTS: Final = (
    *(f"experts/{name}" for name in ("loan", "places", "policy", "policy_ranking", "store", "store_desk", "store_layout", "store_shelf")),
    "memory",
)
WATCHED: Final = {
    # Compiled in half the time without optimisation.
    "memory": ("-O0", "-g1", "-fsanitize=address,undefined", "-fno-sanitize=vptr", "-fno-sanitize-recover=all"),
    "threads": ("-O0", "-g1", "-fsanitize=thread"),
}


def broken(program: Path, folder: Path) -> list[str]:
    """The promises that the program found broken."""
    kept = dict(line.split() for line in output(program, folder).splitlines())
    assert kept
    return [name for name, works in kept.items() if works != "1"]


@pytest.mark.parametrize("watched", WATCHED)
def test_the_store_keeps_its_promises(watched: str, tmp_path: Path) -> None:
    program = compiled(tmp_path, "experts/try_store", PARTS, *WATCHED[watched])
    assert broken(program, tmp_path) == []


def test_memory_is_used_again_and_given_back(tmp_path: Path) -> None:
    assert broken(compiled(tmp_path, "experts/try_store_memory", PARTS), tmp_path) == []
