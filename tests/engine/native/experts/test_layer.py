"""A layer of experts: the same whatever comes when, and what its products in 64 bits are."""

from pathlib import Path
from typing import Final

import pytest

from tests.engine.native.programs import compiled, output

_WATCHED: Final = {"memory": "-fsanitize=address,undefined", "threads": "-fsanitize=thread"}

ROUNDING: Final = 1e-5
"""32-bit sums of 96 products, and of these 256."""

ORDER: Final = 1e-5
"""Between a whole layer and its products: the order in which a few numbers are added."""


@pytest.mark.parametrize("watched", _WATCHED)
def test_order_threads_and_room_change_nothing(watched: str, tmp_path: Path) -> None:
    parts = ("experts/layer", "experts/queue", "experts/grouping", "team", "memory")
    program = compiled(tmp_path, "experts/try_layer", parts, _WATCHED[watched])
    error, apart, order, fault = output(program).split()
    assert float(error) < ROUNDING
    assert float(apart) < ORDER
    assert (order, fault) == ("same", "raised")
