"""A measurement by native code, asked of a process of its own: it can end a process, and libraries that come with it take their settings
once. The process prints one JSON object and ends with 0; or says on stderr why not. What this module does not do: measure.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.errors import EngineError

Found = TypeVar("Found")


def ask(what: str, command: Sequence[str], kind: type[Found], seconds: float) -> Found:
    """What `command` measures, as a `kind`. Raises `EngineError` where it fails or takes more than `seconds`, about `what`, with the
    process's last words."""
    package = os.fspath(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    # As the engine sets it: threads that wait without end would be measured against whatever else runs here.
    environ = {"GOMP_SPINCOUNT": "5000", **os.environ, "PYTHONPATH": paths}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{what} could not be measured: {error}") from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise EngineError(f"{what} could not be measured: {words[-1] if words else f'exit code {done.returncode}'}")
    try:
        return msgspec.json.decode(done.stdout, type=kind)
    except msgspec.MsgspecError:
        raise EngineError(f"{what}: measured with an unreadable result; build the native library again") from None
