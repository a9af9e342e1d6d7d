"""What a simple command does beyond running a program: wrappers run another command, builtins change what later words mean.

Pure tables and functions over one command's words. What this module does not do: read shell text (`script`), or judge.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from kimicode.sandbox.commands.parts import Word

_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_STEERS_BASH: Final = re.compile(
    r"PATH|IFS|ENV|BASH.*|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|GLOBIGNORE|EXECIGNORE|CDPATH|HOME|PWD|OLDPWD|SHELL|POSIXLY_CORRECT|LD_.*|DYLD_.*"
)
"""Variables that decide which program a name is, or that bash itself runs or obeys (bash's manual, Shell Variables; ld.so(8))."""

SHELLS: Final = frozenset("sh bash dash ash ksh zsh fish rbash mksh".split())
_LEARNT: Final = frozenset({"sh", "bash", "dash"})
_SHELL_FLAGS: Final = re.compile(r"-[euxl]*")
_SHELL_OPTION: Final = re.compile(r"-[euxl]*o")
_SHELL_SCRIPT: Final = re.compile(r"-[euxl]*c")
_NOT_FOR_SH: Final = re.compile(r"\+=|\$['\"\[]|\[\[|\(\(|[<>]\(|\bfunction\b|&>|\|&|<<<|;&|\{.*(,|\.\.).*\}|\btime\b|\bselect\b|\$\{\w+[:/^,]\W*\d*")
_CHANGES_SHELL: Final = frozenset("alias unalias trap enable bind complete compgen compopt shopt let fc history coproc".split())
_SETS_NAMES: Final = frozenset("export readonly declare typeset local read mapfile readarray getopts unset".split())
_DECLARES: Final = frozenset("export readonly declare typeset local".split())
_CHANGE_PLACE: Final = frozenset("cd pushd popd set exec source . eval umask ulimit shift command builtin".split())
_TAKES_VALUES: Final = frozenset("read mapfile readarray getopts".split())
"""These have words that are no names: a delimiter, a count, a prompt. Only a subscript in them is evaluated."""

_UNSURE_OPTIONS: Final = {"declare": "ni", "typeset": "ni", "local": "ni", "mapfile": "C", "readarray": "C"}
_SET_OPTIONS: Final = re.compile(r"[-+][eux]+o?|[-+]o|--")
_SET_NAMES: Final = frozenset("errexit nounset xtrace pipefail".split())
_RUNS_COMMANDS: Final = frozenset(
    "parallel watch script su runuser chroot unshare nsenter busybox toybox strace ltrace gdb lldb systemd-run at batch crontab expect "
    "ld.so rlwrap entr flock start-stop-daemon screen tmux".split()
)
"""Programs that run a command which they take in ways not learnt here."""

_GIT_HARMLESS: Final = re.compile(r"(user\.(name|email)|core\.(quotepath|pager)|color\.\w+|advice\.\w+|init\.defaultbranch|commit\.gpgsign)(=[\w .@<>-]*)?", re.I)
_GIT_RUNS: Final = {"rebase": ("-x", "--exec"), "bisect": ("run",), "submodule": ("foreach",), "filter-branch": ("",), "difftool": ("",), "mergetool": ("",)}


class Inner(msgspec.Struct, frozen=True):
    """A command that a wrapper runs."""

    words: tuple[Word, ...]


class Script(msgspec.Struct, frozen=True):
    """Text that a shell runs."""

    text: str


class Sets(msgspec.Struct, frozen=True):
    """A variable that gets a value; `source` is how that was written."""

    name: str
    source: str = ""


class Doubt(msgspec.Struct, frozen=True):
    """Why the command may do more than it says."""

    reason: str


Effect: TypeAlias = Inner | Script | Sets | Doubt


def steers_bash(name: str) -> bool:
    """True for variables whose value decides what bash runs."""
    return _STEERS_BASH.fullmatch(name) is not None


def changes_place(name: str) -> bool:
    """True for builtins after which relative paths, or the words of later commands, mean something else."""
    return name in _CHANGE_PLACE or name in _SETS_NAMES


def effects(words: Sequence[Word]) -> list[Effect]:
    """What the command that `words` are does besides running a program of that name."""
    name = words[0].text
    if name is None:
        return [Doubt("the name of the program is only known when it runs")]
    if name == "":
        return [Doubt("a command without a name")]
    plain = name.rpartition("/")[2]
    if "/" not in name and (builtin := _BUILTINS.get(name)):
        return builtin(words)
    if plain in _RUNS_COMMANDS or plain.startswith("ld-linux") or plain.startswith("ld-musl"):
        return [Doubt(f"{plain} runs other commands")]
    if plain in SHELLS:
        return _shell(plain, words)
    if learnt := _PROGRAMS.get(plain):
        return learnt(words)
    return []


# Wrappers.


class _Options(msgspec.Struct, frozen=True):
    """Options of a wrapper: `flags` stand alone, `values` take the next word (or the rest of theirs); `operands` come before the command."""

    flags: frozenset[str]
    values: frozenset[str]
    operands: int = 0
    appends: bool = False
    assigns: bool = False


def _options(flags: str, values: str = "", operands: int = 0, *, appends: bool = False, assigns: bool = False) -> _Options:
    return _Options(frozenset(flags.split()), frozenset(values.split()), operands, appends, assigns)


_WRAPPERS: Final = {
    "env": _options("-i -0 -v --ignore-environment --null --debug -", "-u --unset -C --chdir", assigns=True),
    "nohup": _options(""),
    "setsid": _options("-f -w -c --fork --wait --ctty"),
    "nice": _options("", "-n --adjustment"),
    "ionice": _options("-t --ignore", "-c -n --class --classdata"),
    "stdbuf": _options("", "-i -o -e --input --output --error"),
    "timeout": _options("-v -f -p --foreground --preserve-status --verbose", "-k -s --kill-after --signal", 1),
    "time": _options("-p -v -a -q --portability --verbose --append --quiet", "-f -o --format --output"),
    "sudo": _options("-n -E -H -S -b -k -A", "-u -g -p -C -D -h", assigns=True),
    "doas": _options("-n", "-u -C"),
    "xargs": _options("-0 -r -t -x --null --no-run-if-empty --verbose --exit", "-n -P -L -d -s -E --max-args --max-procs --delimiter", appends=True),
}


def _wrapped(learnt: _Options, words: Sequence[Word]) -> list[Effect]:
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
    return _wrapped(_WRAPPERS["xargs"], words)


def _xargs_marked(words: Sequence[Word], at: int, option: str) -> list[Effect]:
    """`-I mark`: each word that has the mark is completed from the input, and nothing is appended."""
    apart = option == "-I"
    mark = (words[at + 1].text if at + 1 < len(words) else None) if apart else option[2:]
    if not mark:
        return [Doubt("the mark of xargs -I is only known when it runs")]
    rest = [_partly(word, mark) for word in (*words[:at], *words[at + (2 if apart else 1) :])]
    found = _wrapped(_WRAPPERS["xargs"], rest)
    return [Inner(effect.words[:-1]) if isinstance(effect, Inner) else effect for effect in found]


def _partly(word: Word, mark: str) -> Word:
    """The word, whose `mark` something else will take the place of."""
    said = word.head if word.text is None else word.text
    return Word(word.start, word.end, None, said.partition(mark)[0], single=word.single) if mark in said else word


def _nice(words: Sequence[Word]) -> list[Effect]:
    if len(words) > 1 and re.fullmatch(r"-[0-9]+", words[1].text or ""):
        return _wrapped(_WRAPPERS["nice"], [words[0], *words[2:]])
    return _wrapped(_WRAPPERS["nice"], words)


_FIND_TAKES_VALUE: Final = frozenset("-name -iname -path -ipath -wholename -regex -iregex -newer -mtime -mmin -size -maxdepth -mindepth".split())


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


def _shell(plain: str, words: Sequence[Word]) -> list[Effect]:
    if plain not in _LEARNT:
        return [Doubt(f"{plain} reads commands otherwise than bash")]
    at = 1
    while at < len(words):
        text = words[at].text
        if text is None:
            return [Doubt("the options or the script of a shell are only known when it runs")]
        if _SHELL_SCRIPT.fullmatch(text):
            return _script(plain, words, at + 1)
        if _SHELL_OPTION.fullmatch(text) and at + 1 < len(words) and words[at + 1].text in _SET_NAMES:
            at += 2
        elif text in ("--norc", "--noprofile", "--posix") or (text != "-" and _SHELL_FLAGS.fullmatch(text)):
            at += 1
        elif text in ("--version", "--help"):
            return []
        elif text.startswith(("-", "+")):
            return [Doubt(f"the option {text} of {plain} was not understood")]
        else:
            return _file(text)
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


def _file(path: str) -> list[Effect]:
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


# Builtins.


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
    return _file(text)


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
    return _wrapped(_options("-c -l -cl", "-a"), words)


def _hash(words: Sequence[Word]) -> list[Effect]:
    return [] if all(word.text == "-r" for word in words[1:]) else [Doubt("hash can decide which program a name is")]


def _jobs(words: Sequence[Word]) -> list[Effect]:
    return [Doubt("jobs -x runs a command")] if any(word.text is None or "x" in word.text for word in words[1:]) else []


def _set(words: Sequence[Word]) -> list[Effect]:
    for word in words[1:]:
        if word.text == "--":
            return []
        if word.text is None or not (_SET_OPTIONS.fullmatch(word.text) or word.text in _SET_NAMES):
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
    for word, following in zip(words[1:], [*words[2:], None], strict=True):
        if word.text is None and word.head == "" and not word.single:
            return [Doubt("which test this is is only known when it runs")]
        is_test = word.text in ("-v", "-R") or (word.text is None and word.head in ("", "-"))
        if is_test and following is not None and (following.text is None or "[" in following.text):
            return [Doubt("a subscript may be computed, which can run other commands")]
    return []


def _printf(words: Sequence[Word]) -> list[Effect]:
    first = words[1] if len(words) > 1 else None
    if first is None or (first.text is not None and not first.text.startswith("-v")):
        return []
    if first.text is None:
        return [] if first.head[:1] not in ("", "-") or (first.single and len(words) == 2) else [Doubt("printf may set a variable")]
    name = first.text[2:] or (words[2].text if len(words) > 2 else None)
    if name is None or not _IDENTIFIER.fullmatch(name):
        return [Doubt("printf evaluates a subscript")]
    return [Sets(name)]


def _wait(words: Sequence[Word]) -> list[Effect]:
    return [] if all(word.text is not None and not word.text.startswith("-") for word in words[1:]) else [Doubt("wait can set a variable")]


def _wrapper(name: str) -> Callable[[Sequence[Word]], list[Effect]]:
    return lambda words: _wrapped(_WRAPPERS[name], words)


def _changes_shell(words: Sequence[Word]) -> list[Effect]:
    return [Doubt(f"{words[0].text} changes what later commands mean")]


_BUILTINS: Final[dict[str, Callable[[Sequence[Word]], list[Effect]]]] = {
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
_PROGRAMS: Final[dict[str, Callable[[Sequence[Word]], list[Effect]]]] = {
    **{name: _wrapper(name) for name in _WRAPPERS},
    "nice": _nice,
    "xargs": _xargs,
    "find": _find,
    "git": _git,
}
