"""`python -m kimicode.model.key_ring_process`: one question to the system's keyring, in a process that can be ended when it hangs.

A request comes as one JSON object on stdin, the answer goes as one to stdout; keys are in neither arguments nor environment.
What this module does not do: keep anything, or say more of a failure than its kind, since words of a keyring could hold the key.
"""

import sys
from typing import Literal

import keyring
import keyring.core
import msgspec
from keyring.errors import PasswordDeleteError

from kimicode.streams import write_payload

SERVICE = "kimicode"
"""Under this name the keyring has our keys; the user is the endpoint."""


class Question(msgspec.Struct, frozen=True):
    """`name` is the endpoint, `value` the key to store."""

    do: Literal["look", "get", "set", "forget"]
    name: str = ""
    value: str = ""


class Answer(msgspec.Struct, frozen=True):
    """`ok`: done. `found` is the keyring's name for `look` and the key for `get`; `why` is what went wrong."""

    ok: bool
    found: str = ""
    why: str = ""


def answer(question: Question) -> Answer:
    """Ask the keyring of this user; it may wait for a person, or for ever."""
    backend = keyring.get_keyring()
    # Below 1 are those that keep nothing, or keep it readable: our own file does that as well.
    if not keyring.core.recommended(backend):
        return Answer(ok=False, why="this machine has no keyring")
    match question.do:
        case "look":
            return Answer(ok=True, found=str(backend.name))
        case "get":
            value = backend.get_password(SERVICE, question.name)
            return Answer(ok=bool(value), found=value or "", why="" if value else "it is not there")
        case "set":
            backend.set_password(SERVICE, question.name, question.value)
        case "forget":
            try:
                backend.delete_password(SERVICE, question.name)
            except PasswordDeleteError:
                return Answer(ok=True, why="it was not there")
    return Answer(ok=True)


def main() -> int:
    """Answer what stdin asks; the exit code."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        said = answer(question)
    except Exception as error:  # noqa: BLE001  every keyring has errors of its own
        said = Answer(ok=False, why=f"the keyring failed ({type(error).__name__})")
    write_payload(sys.stdout, msgspec.json.encode(said).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
