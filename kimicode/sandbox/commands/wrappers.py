"""Programs that run another command: which words are their own, and where the other command begins.

An option that is not in the tables is a doubt, since it may take the next word with it. What this module does not do: know bash's own
wrappers (`shell_builtins`).
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kimicode.sandbox.commands.effects import Doubt, Effect, Inner, Script, Sets
from kimicode.sandbox.commands.parts import Word

SHELLS: Final = frozenset("sh bash dash ash ksh zsh fish rbash mksh".split())
_LEARNT: Final = frozenset({"sh", "bash", "dash"})
_SHELL_FLAGS: Final = re.compile(r"-[euxl]*")
_SHELL_OPTION: Final = re.compile(r"-[euxl]*o")
_SHELL_SCRIPT: Final = re.compile(r"-[euxl]*c")
_NOT_FOR_SH: Final = re.compile(
    r"\+=|\$['\"\[]|\[\[|\(\(|[<>]\(|\bfunction\b|&>|\|&|<<<|;&|\{.*(,|\.\.).*\}|\btime\b|\bselect\b|\$\{\w+[:/^,]\W*\d*"
)
SET_NAMES: Final = frozenset("errexit nounset xtrace pipefail".split())
RUN_COMMANDS: Final = frozenset(
    "parallel watch script su runuser chroot unshare nsenter busybox toybox strace ltrace gdb lldb systemd-run at batch crontab expect "
    "ld.so rlwrap entr flock start-stop-daemon screen tmux".split()
)
"""Programs that run a command which they take in ways not learnt here."""
_GIT_HARMLESS: Final = re.compile(
    r"(user\.(name|email)|core\.(quotepath|pager)|color\.\w+|advice\.\w+|init\.defaultbranch|commit\.gpgsign)(=[\w .@<>-]*)?", re.I
)
_GIT_RUNS: Final = {
    "rebase": ("-x", "--exec"),
    "bisect": ("run",),
    "submodule": ("foreach",),
    "filter-branch": ("",),
    "difftool": ("",),
    "mergetool": ("",),
}


class Options(msgspec.Struct, frozen=True):
    """Options of a wrapper: `flags` stand alone, `values` take the next word or the rest of theirs; `operands` come before the command.

    `appends`: words from its input are added to the command. `assigns`: assignments may stand before it.
    """

    flags: frozenset[str]
    values: frozenset[str]
    operands: int = 0
    appends: bool = False
    assigns: bool = False


def options(flags: str, values: str = "", operands: int = 0, *, appends: bool = False, assigns: bool = False) -> Options:
    """Options from strings of words."""
    return Options(frozenset(flags.split()), frozenset(values.split()), operands, appends, assigns)


_WRAPPERS: Final = {
    "env": options("-i -0 -v --ignore-environment --null --debug -", "-u --unset -C --chdir", assigns=True),
    "nohup": options(""),
    "setsid": options("-f -w -c --fork --wait --ctty"),
    "nice": options("", "-n --adjustment"),
    "ionice": options("-t --ignore", "-c -n --class --classdata"),
    "stdbuf": options("", "-i -o -e --input --output --error"),
    "timeout": options("-v -f -p --foreground --preserve-status --verbose", "-k -s --kill-after --signal", 1),
    "time": options("-p -v -a -q --portability --verbose --append --quiet", "-f -o --format --output"),
    "sudo": options("-n -E -H -S -b -k -A", "-u -g -p -C -D -h", assigns=True),
    "doas": options("-n", "-u -C"),
    "xargs": options(
        "-0 -r -t -x --null --no-run-if-empty --verbose --exit", "-n -P -L -d -s -E --max-args --max-procs --delimiter", appends=True
    ),
}


def wrapped(learnt: Options, words: Sequence[Word]) -> list[Effect]:
    """What a wrapper with these options runs and sets, or why that is not known."""
    found: list[Effect] = []
    at, operands = 1, learnt.operands
    while at < len(words):
        text = words[at].text
        if text is None:
            return [*found, Doubt("the options or the command of a wrapper are only known when it runs")]
        option, equals, _ = text.partition("=")
        if text == "--":
            at += 1
            break
        if text in learnt.flags or (equals and option in learnt.values and option.startswith("--")):
            at += 1
        elif text in learnt.values:
            if at + 1 < len(words) and words[at + 1].text is None:
                return [*found, Doubt("the options of a wrapper are only known when it runs")]
            at += 2
        elif len(text) > 2 and text[:2] in learnt.values and not text.startswith("--"):
            at += 1
        elif text.startswith("-"):
            return [*found, Doubt(f"the option {text} of {words[0].text} was not understood")]
        else:
            break
    while learnt.assigns and at < len(words) and (assigned := words[at].text or words[at].head) and "=" in assigned:
        found.append(Sets(assigned.partition("=")[0], assigned))
        at += 1
    if any(word.text is None for word in words[at : at + operands]):
        return [*found, Doubt("the operands of a wrapper are only known when it runs")]
    inner = tuple(words[at + operands :])
    if learnt.appends:
        inner = (*(inner or (_said(words[0], "echo"),)), _some(words[-1]))
    return [*found, Inner(inner)] if inner else found


def _said(like: Word, text: str) -> Word:
    return Word(like.start, like.start, text, text)


def _some(like: Word) -> Word:
    return Word(like.end, like.end, None, "")


def _xargs(words: Sequence[Word]) -> list[Effect]:
    at = 1
    while at < len(words) and (words[at].text or "").startswith(("-", *"0123456789")):
        text = words[at].text or ""
        if text.startswith("-I"):
            return _xargs_marked(words, at, text)
        at += 1
    return wrapped(_WRAPPERS["xargs"], words)


def _xargs_marked(words: Sequence[Word], at: int, option: str) -> list[Effect]:
    """`-I mark`: each word that has the mark is completed from the input, and nothing is appended."""
    apart = option == "-I"
    mark = (words[at + 1].text if at + 1 < len(words) else None) if apart else option[2:]
    if not mark:
        return [Doubt("the mark of xargs -I is only known when it runs")]
    rest = [_partly(word, mark) for word in (*words[:at], *words[at + (2 if apart else 1) :])]
    found = wrapped(_WRAPPERS["xargs"], rest)
    return [Inner(effect.words[:-1]) if isinstance(effect, Inner) else effect for effect in found]


def _partly(word: Word, mark: str) -> Word:
    """The word, whose `mark` something else will take the place of."""
    said = word.head if word.text is None else word.text
    return Word(word.start, word.end, None, said.partition(mark)[0], single=word.single) if mark in said else word


def _nice(words: Sequence[Word]) -> list[Effect]:
    if len(words) > 1 and re.fullmatch(r"-[0-9]+", words[1].text or ""):
        return wrapped(_WRAPPERS["nice"], [words[0], *words[2:]])
    return wrapped(_WRAPPERS["nice"], words)


_FIND_TAKES_VALUE: Final = frozenset(
    "-name -iname -path -ipath -wholename -regex -iregex -newer -mtime -mmin -size -maxdepth -mindepth".split()
)


def _find(words: Sequence[Word]) -> list[Effect]:
    found: list[Effect] = []
    at = 1
    while at < len(words):
        if words[at].text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = at + 1
            while end < len(words) and words[end].text != ";" and not (words[end].text == "+" and words[end - 1].text == "{}"):
                end += 1
            inner = tuple(_partly(word, "{}") for word in words[at + 1 : end])
            if not inner:
                return [Doubt("a find -exec without a command")]
            found.append(Inner(inner))
            at = end
        elif words[at].text is None and not _harmless_in_find(words, at):
            return [Doubt("what find does is only known when it runs")]
        at += 1
    return found


def _harmless_in_find(words: Sequence[Word], at: int) -> bool:
    """Whether the dynamic word can't be an action: a path by its beginning, a test's value, or the one path before the tests."""
    word, before = words[at], words[at - 1].text or ""
    following = words[at + 1].text if at + 1 < len(words) else "-"
    if word.head[:1] not in ("", "-", "(", "!"):
        return True
    return word.single and (before in _FIND_TAKES_VALUE or (at == 1 and (following or "").startswith("-")))


def shell(plain: str, words: Sequence[Word]) -> list[Effect]:
    """What a shell of the name `plain` runs."""
    if plain not in _LEARNT:
        return [Doubt(f"{plain} reads commands otherwise than bash")]
    at = 1
    while at < len(words):
        text = words[at].text
        if text is None:
            return [Doubt("the options or the script of a shell are only known when it runs")]
        if _SHELL_SCRIPT.fullmatch(text):
            return _script(plain, words, at + 1)
        if _SHELL_OPTION.fullmatch(text) and at + 1 < len(words) and words[at + 1].text in SET_NAMES:
            at += 2
        elif text in ("--norc", "--noprofile", "--posix") or (text != "-" and _SHELL_FLAGS.fullmatch(text)):
            at += 1
        elif text in ("--version", "--help"):
            return []
        elif text.startswith(("-", "+")):
            return [Doubt(f"the option {text} of {plain} was not understood")]
        else:
            return read_from(text)
    return [Doubt(f"{plain} reads its commands from its input")]


def _script(plain: str, words: Sequence[Word], at: int) -> list[Effect]:
    text = words[at].text if at < len(words) else None
    if text is None:
        return [Doubt("the script of a shell is only known when it runs")]
    if text.startswith(("-", "+")):
        return [Doubt("options between -c and its script")]
    if plain != "bash" and _NOT_FOR_SH.search(text):
        return [Doubt(f"{plain} may read this otherwise than bash"), Script(text)]
    return [Script(text)]


def read_from(path: str) -> list[Effect]:
    """What reading commands from a file means: the file is not looked into, but a device or a process is no file."""
    return [Doubt("commands are read from a device or a process")] if path.startswith(("/dev/", "/proc/")) or path == "-" else []


def _git(words: Sequence[Word]) -> list[Effect]:
    texts = [word.text for word in words]
    at = 1
    while at < len(texts):
        text = texts[at]
        if text is None:
            return [Doubt("what git does is only known when it runs")]
        if text == "-c":
            value = texts[at + 1] if at + 1 < len(texts) else None
            if value is None or not _GIT_HARMLESS.fullmatch(value) or (value.startswith("core.pager") and value != "core.pager=cat"):
                return [Doubt("git -c can name programs to run")]
            at += 2
        elif text.startswith(("--exec-path=", "--config-env")) or (text.startswith("-c") and text != "-c"):
            return [Doubt(f"git {text} can name programs to run")]
        elif text in ("-C", "--git-dir", "--work-tree", "--namespace"):
            at += 2
        elif text.startswith("-"):
            at += 1
        else:
            break
    verb, rest = (texts[at] if at < len(texts) else ""), texts[at + 1 :]
    for mark in _GIT_RUNS.get(verb or "", ()):
        if mark == "" or any(word is None or word == mark or word.startswith(mark + "=") for word in rest):
            return [Doubt(f"git {verb} runs other commands")]
    return []


def _wrapper(name: str) -> Callable[[Sequence[Word]], list[Effect]]:
    return lambda words: wrapped(_WRAPPERS[name], words)


PROGRAMS: Final[dict[str, Callable[[Sequence[Word]], list[Effect]]]] = {
    **{name: _wrapper(name) for name in _WRAPPERS},
    "nice": _nice,
    "xargs": _xargs,
    "find": _find,
    "git": _git,
}
