"""`python -m engine.native.status`: which kernel computes attention unless asked otherwise, and whether experts can be kept in a store, as
one JSON line for `doctor`.

It loads llama.cpp and the library as an engine would, so that what it says was tried. What this module does not do: load a model.
"""

import json
import sys
from typing import Final

from engine.expert_loading import refusal
from engine.llama import attention_kernel
from engine.native.plugin import DEFAULT

_VERSION: Final = 1


def main() -> int:
    """Print the line; the exit code. `experts` is why they can't be kept in a store, empty where they can."""
    loaded = attention_kernel(DEFAULT, experts=True)
    said = {"v": _VERSION, "kernel": loaded.kernel, "reason": loaded.reason, "experts": refusal(loaded)}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
