"""Whether a model can be asked without first loading it: what a git hook must know, since a load would hold up a commit.

What this module does not do: start anything, or load an HTTP library.
"""

import socket
from collections.abc import Mapping

from kimicode.model.rundir import run_paths
from kimicode.model.target import Target

_ANSWER_S = 0.5


def is_warm(target: Target, environ: Mapping[str, str]) -> bool:
    """True for everything but an embedded model whose daemon is not up. Raises `UnavailableError` where its folder can't be used."""
    if not target.model_file:
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ANSWER_S)
        try:
            asking.connect(str(run_paths(target.model_file, environ).socket))
        except OSError:
            return False
    return True
