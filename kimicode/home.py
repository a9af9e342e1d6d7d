"""Where kimicode keeps a user's data: `$KIMICODE_HOME`, else the user's data folder; and what can be made again, in the cache folder.

Below the first: `sessions/`, `scratch/` and, where there is no runtime folder, `run/`. Below the second: `index/`, `review/`.
What this module does not do: create anything.
"""

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path, user_data_path


def kimicode_home(environ: Mapping[str, str]) -> Path:
    """The folder, absolute; it need not exist."""
    chosen = environ.get("KIMICODE_HOME", "")
    return Path(chosen).absolute() if chosen else user_data_path("kimicode")


def kimicode_cache(environ: Mapping[str, str]) -> Path:
    """The folder for what can be made again, absolute; it need not exist. With `$KIMICODE_HOME` set it lies there."""
    chosen = environ.get("KIMICODE_HOME", "")
    return Path(chosen).absolute() / "cache" if chosen else user_cache_path("kimicode")
