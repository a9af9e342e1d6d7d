"""The helper's own parts, in this process: whom it would end, and that it starts with next to nothing."""

import os
import subprocess
import sys
from pathlib import Path

from kimicode.sandbox import helper

SLOW = {"signal", "enum", "subprocess", "json", "re", "typing", "ctypes", "asyncio", "kimicode", "msgspec", "collections"}


def test_descendants_are_found_through_all_generations() -> None:
    script = "sleep 1000 & (setsid sleep 1000 & echo $!; wait) & wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        detached = int(process.stdout.readline())
        found = helper.descendants(os.getpid())
        try:
            assert {process.pid, detached} <= set(found)
            assert found.index(process.pid) < found.index(detached), "parents first"
            assert os.getpid() not in found
        finally:
            for pid in helper.descendants(process.pid):
                os.kill(pid, 9)
            process.kill()


def test_there_is_nothing_below_a_process_that_has_gone() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert helper.descendants(process.pid) == []


def test_it_imports_nothing_that_is_slow_or_ours() -> None:
    """The interpreter starts as it does for a command; what it has loaded afterwards is the price of every command."""
    program = (
        f"import sys; exec(compile(open({helper.__file__!r}).read(), 'helper', 'exec'), {{'__name__': 'helper'}}); print(*sys.modules)"
    )
    done = subprocess.run([Path(sys.executable).resolve(), "-I", "-S", "-E", "-c", program], capture_output=True, text=True, check=True)
    assert SLOW & set(done.stdout.split()) == set()


def test_landlock_is_asked_for_its_version() -> None:
    assert helper.landlock_abi() >= 3
