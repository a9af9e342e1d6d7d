"""The files of a folder that has no git: as ripgrep lists them, with its ignore rules.

What this module does not do: search, or name contents.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from kimicode.errors import ToolError

_TIMEOUT_S: Final = 60
_COMMAND: Final = ("--files", "--null", "--no-config", "--hidden", "--glob=!.git", "--no-require-git", "--no-messages", "--color=never")


def plain_files(root: Path, path: str | None) -> list[str]:
    """Paths below `root`, links and special files among them or not. `path` is where programs are. Raises `ToolError`."""
    command = [str(_locate(path)), *_COMMAND, "./"]
    try:
        done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False, env={})
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"listing the files of {root} took longer than {_TIMEOUT_S} s", hint="Work in a smaller folder.") from error
    except OSError as error:
        raise ToolError(f"the files of {root} can't be listed: {error}") from error
    # 1: there are none; 2: some folder could not be read, and the rest is there.
    if done.returncode not in (0, 1, 2):
        raise ToolError(f"rg failed in {root}: exit code {done.returncode}")
    return [name.removeprefix("./") for name in os.fsdecode(done.stdout).split("\0")[:-1]]


def _locate(path: str | None) -> Path:
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if os.access(folder / "rg", os.X_OK):
            return folder / "rg"
    folders = [each for each in (path or os.defpath).split(os.pathsep) if os.path.isabs(each)]
    if found := shutil.which("rg", path=os.pathsep.join(folders)):
        return Path(found)
    raise ToolError("ripgrep (rg) is not installed: neither beside Python nor on PATH. Install the package `ripgrep`.")
