"""The system's keyring, asked through a process of its own, because a keyring may hang, crash, or wait for somebody to unlock it.

`KIMICODE_NO_KEYRING=1` switches it off. What this module does not do: load the library `keyring`, or decide when a key is taken from it.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

COMMAND: Final = (sys.executable, "-P", "-m", "kimicode.model.key_ring_process")

LOOK_SECONDS: Final = 3.0
"""How long it may take to say whether there is a keyring."""

UNLOCK_SECONDS: Final = 20.0
"""How long it may take to use one: somebody may have to type a password."""


class Reply(msgspec.Struct, frozen=True):
    """What the keyring said; `found` may be a key, `why` never holds one."""

    ok: bool
    found: str = ""
    why: str = ""

    def __repr__(self) -> str:
        return f"Reply(ok={self.ok}, why={self.why!r})"


class KeyRing:
    """The user's keyring. `command` answers one question; every question has a deadline."""

    def __init__(self, environ: Mapping[str, str], command: Sequence[str] = COMMAND, *, deadline: float | None = None) -> None:
        self._environ = environ
        self._command = command
        self._deadline = deadline

    def look(self) -> Reply:
        """Is there one that keeps secrets? `found` is its name."""
        return self._ask("look", seconds=LOOK_SECONDS)

    def get(self, name: str) -> Reply:
        """The key of the endpoint `name`."""
        return self._ask("get", name)

    def set(self, name: str, value: str) -> Reply:
        """Keep a key."""
        return self._ask("set", name, value)

    def forget(self, name: str) -> Reply:
        """Keep it no longer; well where it was not there."""
        return self._ask("forget", name)

    def _ask(self, do: Literal["look", "get", "set", "forget"], name: str = "", value: str = "", seconds: float = UNLOCK_SECONDS) -> Reply:
        if switched_off(self._environ):
            return Reply(ok=False, why="KIMICODE_NO_KEYRING is set")
        question, seconds = msgspec.json.encode({"do": do, "name": name, "value": value}), self._deadline or seconds
        try:
            done = subprocess.run(
                self._command, input=question, capture_output=True, timeout=seconds, check=False, env=dict(self._environ), cwd="/"
            )
            return msgspec.json.decode(done.stdout, type=Reply)
        except subprocess.TimeoutExpired:
            # Without the cause: it holds what was asked.
            why = f"the keyring did not answer in {seconds:g} s"
        except OSError as error:
            why = f"can't ask the keyring: {error.strerror}"
        except msgspec.DecodeError:
            why = "the keyring failed without a word"
        return Reply(ok=False, why=why)


def switched_off(environ: Mapping[str, str]) -> bool:
    """Whether the user wants no keyring."""
    return environ.get("KIMICODE_NO_KEYRING", "") not in ("", "0")
