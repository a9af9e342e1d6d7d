"""What a simple command does beyond running a program: wrappers run another command, builtins change what later words mean.

What this module does not do: read shell text (`script`), or judge.
"""

import re
from collections.abc import Sequence
from typing import Final

from kimicode.sandbox.commands.effects import Doubt, Effect
from kimicode.sandbox.commands.parts import Word
from kimicode.sandbox.commands.shell_builtins import BUILTINS
from kimicode.sandbox.commands.wrappers import PROGRAMS, RUN_COMMANDS, SHELLS, shell

_STEERS_BASH: Final = re.compile(
    r"PATH|IFS|ENV|BASH.*|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|GLOBIGNORE|EXECIGNORE|CDPATH|HOME|PWD|OLDPWD|SHELL|POSIXLY_CORRECT|LD_.*|DYLD_.*"
    r"|RANDOM|SRANDOM|HISTCMD|OPTIND|SECONDS|LINENO|BASHPID|PPID|UID|EUID|EPOCH.*|histchars"
)
"""Variables that decide which program a name is, or that bash itself runs or obeys (bash's manual, Shell Variables; ld.so(8)), and those
that bash keeps as integers, so that it evaluates what is assigned (measured with bash 5.2: `RANDOM='a[$(x)]'` runs x)."""


def steers_bash(name: str) -> bool:
    """True for variables whose value decides what bash runs."""
    return _STEERS_BASH.fullmatch(name) is not None


def effects(words: Sequence[Word]) -> list[Effect]:
    """What the command that `words` are does besides running a program of that name."""
    name = words[0].text
    if name is None:
        return [Doubt("the name of the program is only known when it runs")]
    if name == "":
        return [Doubt("a command without a name")]
    plain = name.rpartition("/")[2]
    if "/" not in name and (builtin := BUILTINS.get(name)):
        return builtin(words)
    if plain in RUN_COMMANDS or plain.startswith(("ld-linux", "ld-musl")):
        return [Doubt(f"{plain} runs other commands")]
    if plain in SHELLS:
        return shell(plain, words)
    if learnt := PROGRAMS.get(plain):
        return learnt(words)
    return []
