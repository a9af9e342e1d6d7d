"""What a command really runs: stub programs in a folder of their own write down how they were called."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kimicode.sandbox.commands.parts import Analysis, Part

STUBS = [f"kc{letter}" for letter in "abcdefg"]
_REAL = ["env", "xargs", "timeout", "nice", "nohup", "bash", "sh"]


class Stubs:
    """`run` gives the argument lists of every stub that ran. Nothing but stubs and a few wrappers is on the path."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._cwd, self._log = folder / "bin", folder / "cwd", folder / "log"
        for made in (self._bin, self._cwd):
            made.mkdir()
        for name in STUBS:
            stub = self._bin / name
            # One write for each call, so that calls at the same time don't mix.
            stub.write_text(f"#!/bin/sh\nprintf '%s\\0' {name} \"$@\" '\n' >> {self._log}\necho {name}out\n")
            stub.chmod(0o755)
        for name in _REAL:
            found = next(Path(folder, name) for folder in ("/bin", "/usr/bin") if Path(folder, name).exists())
            (self._bin / name).symlink_to(found)

    def run(self, command: str, *, timeout_s: float = 3) -> list[tuple[str, ...]]:
        self._log.write_bytes(b"")
        ended, held = os.pipe()
        process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc", "-c", command],
            cwd=self._cwd,
            env={"PATH": str(self._bin), "HOME": str(self._cwd)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(held,),
        )
        os.close(held)
        # The end of the pipe comes when the last process of the command is gone, those in the background too.
        select.select([ended], [], [], timeout_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ended)
        records = self._log.read_bytes().split(b"\0\n\0")[:-1]
        return [tuple(word.decode("utf-8", "replace") for word in record.split(b"\0")) for record in records]


def shown(executed: Sequence[str], analysis: Analysis) -> bool:
    """Whether some part of the analysis says that this may run."""
    return any(part.kind in ("command", "wrapper") and _matches(list(part.argv), part, 0, executed, 0) for part in analysis.parts)


def _matches(argv: list[str | None], part: Part, at: int, executed: Sequence[str], place: int) -> bool:
    if at == len(argv):
        return place == len(executed)
    word = argv[at]
    if word is not None:
        return place < len(executed) and executed[place] == word and _matches(argv, part, at + 1, executed, place + 1)
    end = place
    while True:
        if _matches(argv, part, at + 1, executed, end):
            return True
        if end >= len(executed) or not executed[end].startswith(part.heads[at]):
            return False
        end += 1
