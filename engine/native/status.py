"""`python -m engine.native.status`: which kernel computes attention unless asked otherwise, as one JSON line for `doctor`.

It loads llama.cpp and the library as an engine would, so that what it says was tried. What this module does not do: load a model.
"""

import json
import sys
from dataclasses import asdict
from typing import Final

from engine.llama import attention_kernel
from engine.native.plugin import DEFAULT

_VERSION: Final = 1


def main() -> int:
    """Print the line; the exit code."""
    sys.stdout.write(json.dumps({"v": _VERSION, **asdict(attention_kernel(DEFAULT))}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
