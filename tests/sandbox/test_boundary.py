"""The values that the parts of the sandbox agree on."""

from pathlib import Path

import pytest

from kimicode.sandbox.boundary import Boundary, Limits, Network, limits_for

GIB = 1024**3


@pytest.mark.parametrize(("machine", "expected"), [(64 * GIB, 32 * GIB), (3 * GIB, 2 * GIB), (0, 2 * GIB)])
def test_a_command_may_use_half_of_the_memory_but_at_least_what_a_compiler_needs(machine: int, expected: int) -> None:
    assert limits_for(machine).memory_bytes == expected


def test_a_boundary_says_nothing_allows_nothing() -> None:
    limits = Limits(memory_bytes=GIB)
    boundary = Boundary(writable=(), temporary=Path("/t"), environ={}, limits=limits, cwd=Path("/"))
    assert boundary.network == Network(access="none", proxy=None)
    assert (boundary.protected, boundary.hidden) == ((), ())
    with pytest.raises(AttributeError):
        boundary.writable = (Path("/"),)  # type: ignore[misc]
