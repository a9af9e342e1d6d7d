"""The folder that a command was started in.

What this module does not do: check what may be done there.
"""

from pathlib import Path

from kimicode.errors import UsageError


def current_folder() -> Path:
    """The current directory. Raises `UsageError` where it is gone or can't be reached."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the current directory can't be used: {error.strerror}", hint="Change to a folder that exists and that you can read."
        ) from error
