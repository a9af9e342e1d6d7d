"""Where kimicode keeps a user's data: `$KIMICODE_HOME`, else the user's data folder.

Below it: `sessions/`, `scratch/` and, where there is no runtime folder, `run/`. What this module does not do: create anything.
"""

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_data_path


def kimicode_home(environ: Mapping[str, str]) -> Path:
    """The folder, absolute; it need not exist."""
    chosen = environ.get("KIMICODE_HOME", "")
    return Path(chosen).absolute() if chosen else user_data_path("kimicode")
