"""Ways to be left alone by the hooks: `SKIP`, as pre-commit has it, and `KIMICODE_REVIEW=off`. Git's own is `--no-verify`. Pure.

What this module does not do: say it aloud; whoever is bypassed does.
"""

from collections.abc import Iterable, Mapping
from typing import Final

SKIP: Final = "SKIP"
SWITCH: Final = "KIMICODE_REVIEW"
HOW: Final = f"{SWITCH}=off git …, or git … --no-verify"

_OFF: Final = frozenset({"off", "0", "no", "false"})


def bypassed(environ: Mapping[str, str], names: Iterable[str]) -> str | None:
    """What asks for no review here, as it would be typed; None where nothing does. `names` are the hook's own in `SKIP`."""
    if environ.get(SWITCH, "").strip().lower() in _OFF:
        return f"{SWITCH}={environ[SWITCH].strip()}"
    skipped = {each.strip() for each in environ.get(SKIP, "").split(",")}
    return next((f"{SKIP}={name}" for name in names if name in skipped), None)
