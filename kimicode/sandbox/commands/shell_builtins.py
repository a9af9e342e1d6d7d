"""Bash's builtins that run commands, set variables, or change how later words are read.

From bash's manual (Shell Builtin Commands), and from measuring which of them evaluate subscripts: `a[$(x)]` runs x wherever bash takes
it for a variable. What this module does not do: judge.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from kimicode.sandbox.commands.effects import Doubt, Effect, Inner, Script, Sets
from kimicode.sandbox.commands.parts import Word
from kimicode.sandbox.commands.wrappers import SET_NAMES, options, read_from, wrapped

_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_CHANGES_SHELL: Final = frozenset("alias unalias trap enable bind complete compgen compopt shopt let fc history coproc".split())
_SETS_NAMES: Final = frozenset("export readonly declare typeset local read mapfile readarray getopts unset".split())
_DECLARES: Final = frozenset("export readonly declare typeset local".split())
_CHANGE_PLACE: Final = frozenset("cd pushd popd set exec source . eval umask ulimit shift command builtin".split())
_TAKES_VALUES: Final = frozenset("read mapfile readarray getopts".split())
"""These have words that are no names: a delimiter, a count, a prompt. Only a subscript in them is evaluated."""
_UNSURE_OPTIONS: Final = {"declare": "ni", "typeset": "ni", "local": "ni", "mapfile": "C", "readarray": "C"}
_COUNT: Final = re.compile(r"%[^%A-Za-z]*[hljztL]*n")
_SET_OPTIONS: Final = re.compile(r"[-+][eux]+o?|[-+]o|--")


def changes_place(name: str) -> bool:
    """True for builtins after which relative paths, or the words of later commands, mean something else."""
    return name in _CHANGE_PLACE or name in _SETS_NAMES


def _eval(words: Sequence[Word]) -> list[Effect]:
    texts = [word.text for word in words[1:]]
    if texts and texts[0] == "--":
        texts = texts[1:]
    if any(text is None for text in texts):
        return [Doubt("eval runs text that is only known when it runs")]
    return [Script(" ".join(text for text in texts if text is not None))] if texts else []


def _source(words: Sequence[Word]) -> list[Effect]:
    text = words[1].text if len(words) > 1 else None
    if text is None or text.startswith("-"):
        return [Doubt("which commands are read is only known when it runs")]
    return read_from(text)


def _command(words: Sequence[Word]) -> list[Effect]:
    at = 1
    while at < len(words) and (text := words[at].text) is not None and text.startswith("-"):
        if text in ("-v", "-V"):
            return []
        if text == "--":
            at += 1
            break
        if text != "-p":
            return [Doubt(f"the option {text} of command was not understood")]
        at += 1
    return [Inner(tuple(words[at:]))] if at < len(words) else []


def _builtin(words: Sequence[Word]) -> list[Effect]:
    rest = words[2:] if len(words) > 1 and words[1].text == "--" else words[1:]
    return [Inner(tuple(rest))] if rest else []


def _exec(words: Sequence[Word]) -> list[Effect]:
    return wrapped(options("-c -l -cl", "-a"), words)


def _hash(words: Sequence[Word]) -> list[Effect]:
    return [] if all(word.text == "-r" for word in words[1:]) else [Doubt("hash can decide which program a name is")]


def _jobs(words: Sequence[Word]) -> list[Effect]:
    return [Doubt("jobs -x runs a command")] if any(word.text is None or "x" in word.text for word in words[1:]) else []


def _set(words: Sequence[Word]) -> list[Effect]:
    for word in words[1:]:
        if word.text == "--":
            return []
        if word.text is None or not (_SET_OPTIONS.fullmatch(word.text) or word.text in SET_NAMES):
            return [Doubt("set changes how bash reads commands")]
    return []


def _names(words: Sequence[Word]) -> list[Effect]:
    """Builtins that give variables values: names must be plain, since bash evaluates subscripts in them."""
    verb, found = words[0].text or "", list[Effect]()
    for word in words[1:]:
        text = word.text if word.text is not None else word.head
        name, equals, _ = text.partition("=")
        if text.startswith("-"):
            if word.text is None or set(text) & set(_UNSURE_OPTIONS.get(verb, "")):
                found.append(Doubt(f"{verb} {text} can run commands or rename variables"))
        elif _IDENTIFIER.fullmatch(name.removesuffix("+")) and (word.text is not None or (equals and verb in _DECLARES)):
            found.append(Sets(name.removesuffix("+"), text))
        elif word.text is None or verb not in _TAKES_VALUES or "[" in text:
            found.append(Doubt(f"which variable {verb} sets is only known when it runs"))
    return found


def _test(words: Sequence[Word]) -> list[Effect]:
    """`-v` and `-R` evaluate a subscript in their operand, which can run commands; and either may come out of a variable."""
    for word, following in zip(words[1:], [*words[2:], None], strict=False):
        if word.text is None and word.head == "" and not word.single:
            return [Doubt("which test this is is only known when it runs")]
        is_test = word.text in ("-v", "-R") or (word.text is None and word.head in ("", "-"))
        if is_test and following is not None and (following.text is None or "[" in following.text):
            return [Doubt("a subscript may be computed, which can run other commands")]
    return []


def _printf(words: Sequence[Word]) -> list[Effect]:
    first = words[1] if len(words) > 1 else None
    if first is None or (first.text is not None and not first.text.startswith("-v")):
        return [Doubt("printf %n sets a variable")] if any(_COUNT.search(word.text or "") for word in words[1:3]) else []
    if first.text is None:
        return [] if first.single and len(words) == 2 else [Doubt("printf may set a variable")]
    name = first.text[2:] or (words[2].text if len(words) > 2 else None)
    if name is None or not _IDENTIFIER.fullmatch(name):
        return [Doubt("printf evaluates a subscript")]
    return [Sets(name)]


def _wait(words: Sequence[Word]) -> list[Effect]:
    return [] if all(word.text is not None and not word.text.startswith("-") for word in words[1:]) else [Doubt("wait can set a variable")]


def _changes_shell(words: Sequence[Word]) -> list[Effect]:
    return [Doubt(f"{words[0].text} changes what later commands mean")]


BUILTINS: Final[dict[str, Callable[[Sequence[Word]], list[Effect]]]] = {
    "eval": _eval,
    "source": _source,
    ".": _source,
    "command": _command,
    "builtin": _builtin,
    "exec": _exec,
    "hash": _hash,
    "jobs": _jobs,
    "set": _set,
    "test": _test,
    "[": _test,
    "printf": _printf,
    "wait": _wait,
    **dict.fromkeys(_SETS_NAMES, _names),
    **dict.fromkeys(_CHANGES_SHELL, _changes_shell),
}
