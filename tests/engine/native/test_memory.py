"""No kernel reads or writes outside what it is given."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.engine.native import guarded

_ROOT = Path(__file__).parents[3]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run((sys.executable, *command), env=environment, capture_output=True, text=True, check=False)


def test_kernels_stay_within_their_arrays(kernel: str) -> None:
    done = _run(guarded.__file__, kernel)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("at_end", "place"), [(True, 12), (False, -1)])
def test_the_fence_holds(at_end: bool, place: int) -> None:
    """One byte outside is death, or the test above would say nothing."""
    script = f"""
import ctypes, numpy
from tests.engine.native.guarded import fenced
ctypes.string_at(fenced(numpy.zeros(12, numpy.uint8), {at_end}).ctypes.data + {place}, 1)
"""
    assert _run("-c", script).returncode < 0
    inside = np.arange(12, dtype=np.uint8)
    assert np.array_equal(guarded.fenced(inside, at_end), inside)
