"""What is left of a crash: a private file with everything that a report needs, and two lines for the user.

What this module does not do: catch anything, or restore the terminal (Textual does).
"""

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from kimicode import __version__
from kimicode.session.private import make_private


def write_crash(error: BaseException, home: Path, session_id: str) -> Path | None:
    """Write what happened below `home`; where it is, or None where it could not be written. No text of the conversation goes in."""
    now = datetime.now(UTC)
    folder = home / "crashes"
    path = folder / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    trace = "".join(traceback.format_exception(error))
    try:
        make_private(folder)
        with open(path, "x", encoding="utf-8", errors="replace", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(f"kimicode {__version__}, {now.isoformat(timespec='seconds')}, session {session_id or 'none'}\n\n{trace}")
    except OSError:
        return None
    return path


def last_words(error: BaseException, log: Path | None, session_id: str) -> str:
    """What the user reads once the terminal is theirs again."""
    where = f"What happened is in {log}; please report it." if log else "Nothing could be written about it."
    again = f"\n  Nothing of the session is lost: kimicode --resume {session_id}" if session_id else ""
    return f"kimicode: the user interface failed ({type(error).__name__}: {error}).\n  {where}{again}"
