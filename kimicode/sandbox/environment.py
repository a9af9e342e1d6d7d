"""The environment a command gets: the user's own, without secrets, and with nobody at the terminal.

A secret is known by its name only; what this module does not do: look into values (a password in a URL stays), or hide files.
"""

import re
from collections.abc import Mapping
from typing import Final

_SECRET: Final = re.compile(
    r"(?:^|_)(?:API_?KEY|ACCESS_KEY|ACCESS_KEY_ID|SECRET_KEY|PRIVATE_KEY|AUTH_KEY|TOKEN|SECRET|PASS|PAT|CREDENTIALS?)$|(?:PASSWORD|PASSWD|PASSPHRASE|APIKEY)$",
    re.IGNORECASE,
)

_UNATTENDED: Final = {"TERM": "dumb", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
"""Nobody can page, answer or edit: programs that would wait for a person go on or fail instead."""


def is_secret(name: str) -> bool:
    """True for the names under which keys, tokens and passwords are kept: `…_API_KEY`, `…_TOKEN`, `…_SECRET`, `…PASSWORD`, …"""
    return _SECRET.search(name) is not None


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` as a command may see it. Pure."""
    return {name: value for name, value in environ.items() if not is_secret(name)} | _UNATTENDED
