"""`python -m kimicode.repo.worker`: a process that reads source files for the one that started it.

The first message is the workspace, each further one a list of files; the answers are one message for each file, in their order. It ends
when nobody listens, and by itself between two lists when it has grown large. What this module does not do: open the index.
"""

import gc
import os
import resource
import sys
from pathlib import Path
from typing import Final

import msgspec

from kimicode.repo.frames import Ended, receive, send
from kimicode.repo.reading import Wanted, outcome

_LARGE_KIB: Final = 384 << 10
"""Memory that trees took comes back in pieces; a new process is cheaper than a large one."""

_NICENESS: Final = 5
_JOBS: Final = msgspec.msgpack.Decoder(list[Wanted])


def main() -> None:
    """Serve until the other side is gone."""
    os.nice(_NICENESS)
    # What is left of one file is never part of a cycle; collecting would walk all grammars again and again.
    gc.disable()
    try:
        root = Path(os.fsdecode(receive(0)))
        while True:
            for wanted in _JOBS.decode(receive(0)):
                send(1, msgspec.msgpack.encode(outcome(root, wanted)))
            gc.collect()
            if _size_kib() > _LARGE_KIB:
                return
    except Ended:
        return


def _size_kib() -> int:
    """Memory of this process; where the system does not say it for now, the most it ever was."""
    try:
        # On Linux the most it ever was begins with what the process that started it had.
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak >> 10 if sys.platform == "darwin" else peak
    return pages * resource.getpagesize() >> 10


if __name__ == "__main__":
    main()
