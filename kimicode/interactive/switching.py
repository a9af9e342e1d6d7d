"""Another session, or the same one with other settings, such that a failure leaves the user where they were.

What this module does not do: ask, or say what happened.
"""

from kimicode.errors import KimicodeError
from kimicode.interactive.desk import Desk
from kimicode.settings import Settings
from kimicode.wish import Wish


async def switch(desk: Desk, wish: Wish, settings: Settings | None = None) -> None:
    """Open the wanted session. Raises `KimicodeError`; then the one that was open is open again, with the settings it had."""
    before = desk.session_id
    try:
        await desk.open(wish, settings)
    except KimicodeError:
        if before:
            await desk.open(Wish(resume=before))
        raise


async def reopen(desk: Desk, settings: Settings) -> None:
    """The same session with other settings; a new one where none is open. Raises `KimicodeError`, as `switch`."""
    await switch(desk, Wish(resume=desk.session_id) if desk.session_id else Wish(), settings)
