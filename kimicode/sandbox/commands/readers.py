"""The commands that are known to only read, with the options under which that is true.

From the programs' manuals (GNU coreutils, findutils, grep, sed, diffutils, ripgrep 14, bash 5.2). Left out on purpose, beside whatever
writes: what runs a program (`rg --pre`, `sort --compress-program`, `less`, `man`, `find -exec`), what reads names of files from a file
(`wc --files0-from`), and second operands that are written to (`uniq`, `xxd`). What this module does not do: know git (`git_readers`).
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from kimicode.sandbox.commands.git_readers import git_operands
from kimicode.sandbox.commands.options import Grammar, grammar, is_plain, leads_out, operands
from kimicode.sandbox.commands.parts import Part

_TEXT: Final = Grammar(loose=True)
_SUMS: Final = grammar("bctwz", long="binary check tag text quiet status strict warn ignore-missing zero")
_TABLE: Final[dict[str, Grammar]] = {
    **dict.fromkeys(["echo", "true", "false", ":", "pwd", "exit", "return", "break", "continue"], _TEXT),
    "ls": grammar(
        "aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1",
        "ITw",
        "all almost-all author escape directory classify file-type human-readable inode dereference numeric-uid-gid literal reverse "
        "recursive size group-directories-first no-group full-time color context si",
        "color format hide ignore indicator-style quoting-style sort time time-style tabsize width block-size hyperlink",
    ),
    "cat": grammar("AbeEnstTuv", long="show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting"),
    "head": grammar("qvz0123456789", "nc", "quiet silent verbose zero-terminated", spaced="lines bytes"),
    "tail": grammar(
        "fFqvz0123456789", "ncs", "quiet silent verbose zero-terminated follow retry", "follow", spaced="lines bytes sleep-interval"
    ),
    "wc": grammar("cmlLw", "", "bytes chars lines max-line-length words", "total"),
    "nl": grammar("p", "bdfhilnsvw", "no-renumber", "body-numbering number-width number-format number-separator starting-line-number"),
    "od": grammar(
        "abcdfilosvx", "AjNSt", "output-duplicates traditional", "address-radix skip-bytes read-bytes format width", attached="w"
    ),
    "xxd": grammar("abCeEiu", "cglos", most=1),
    "hexdump": grammar("bcCdovx", "ns"),
    "strings": grammar("awo", "ntes", "all print-file-name", "bytes radix encoding"),
    "cut": grammar("nsz", "bcdf", "complement only-delimited zero-terminated", "bytes characters delimiter fields output-delimiter"),
    "tr": grammar("cCdst", "", "complement delete squeeze-repeats truncate-set1", paths=False),
    "uniq": grammar(
        "cdDiuz", "fsw", "count repeated unique ignore-case zero-terminated", "skip-fields skip-chars check-chars group", most=1
    ),
    "sort": grammar(
        "bcCdfghiMmnrRsuVz",
        "kt",
        "ignore-leading-blanks check dictionary-order ignore-case general-numeric-sort human-numeric-sort ignore-nonprinting month-sort "
        "numeric-sort random-sort reverse version-sort stable unique zero-terminated merge debug",
        "key field-separator sort parallel",
    ),
    "comm": grammar("123z", "", "check-order nocheck-order total zero-terminated", "output-delimiter"),
    "paste": grammar("sz", "d", "serial zero-terminated", "delimiters"),
    "join": grammar("iz", "aejotv12", "ignore-case header check-order nocheck-order"),
    "fold": grammar("bs", "w", "bytes spaces", "width"),
    "expand": grammar("i", "t", "initial", "tabs"),
    "column": grammar("texn", "cos", "table", "separator output-separator columns"),
    "rev": grammar(),
    "tac": grammar("br", "s", "before regex", "separator"),
    "grep": grammar(
        "EFGPivwxycLlqsbHhnoTZzaIrRU",
        "efmABCdD",
        "extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match word-regexp line-regexp count "
        "files-without-match files-with-matches only-matching quiet silent no-messages byte-offset with-filename no-filename line-number "
        "initial-tab null null-data text recursive dereference-recursive color colour",
        "color colour",
        spaced="regexp file max-count after-context before-context context include exclude exclude-dir binary-files label directories",
    ),
    "rg": grammar(
        "iSsvwxclnNHhopUFPLuqa.0",
        "eABCgtTmMjrEf",
        "ignore-case smart-case case-sensitive invert-match word-regexp line-regexp count count-matches files files-with-matches "
        "files-without-match line-number no-line-number with-filename no-filename only-matching fixed-strings pcre2 "
        "multiline hidden no-ignore "
        "no-ignore-vcs no-heading heading json vimgrep stats trim type-list follow quiet text unrestricted null passthru "
        "column byte-offset "
        "no-messages no-config one-file-system crlf no-unicode multiline-dotall debug pretty",
        spaced="regexp after-context before-context context glob iglob type type-not max-count max-depth max-columns "
        "color colors sort sortr threads "
        "replace encoding max-filesize type-add engine file",
    ),
    "file": grammar("bhiLNk0", "F", "brief mime mime-type mime-encoding dereference no-dereference keep-going", "separator"),
    "stat": grammar("Lft", "c", "dereference file-system terse", "format printf"),
    "du": grammar(
        "0abcDhHklLmPsSx",
        "dtB",
        "all apparent-size bytes total human-readable summarize one-file-system si",
        "max-depth threshold exclude block-size",
    ),
    "df": grammar(
        "aHhiklPT", "txB", "all human-readable si inodes local portability print-type total", "type exclude-type block-size output"
    ),
    "tree": grammar("adflpsughDFqNQrtcUvxinCJXS", "LPI", "noreport dirsfirst prune du si", "filelimit charset sort gitfile"),
    "diff": grammar(
        "abBdeiEnNpPqrstTuwyZc",
        "CIUWxS",
        "text ignore-space-change ignore-blank-lines minimal brief report-identical-files new-file show-c-function "
        "recursive side-by-side "
        "ignore-case ignore-tab-expansion ignore-trailing-space ignore-all-space unified suppress-common-lines strip-trailing-cr color",
        "unified context label ignore-matching-lines exclude width color",
    ),
    "cmp": grammar("bls", "in", "print-bytes verbose quiet silent", "bytes ignore-initial"),
    "basename": grammar("az", "s", "multiple zero", "suffix", paths=False),
    "dirname": grammar("z", "", "zero", paths=False),
    "realpath": grammar(
        "eLmPqsz",
        "",
        "canonicalize-existing canonicalize-missing logical physical quiet no-symlinks strip zero",
        "relative-to relative-base",
    ),
    "readlink": grammar("efmnqsvz", "", "canonicalize canonicalize-existing canonicalize-missing no-newline quiet silent verbose zero"),
    "which": grammar("as", paths=False),
    "type": grammar("afptP", paths=False),
    "command": grammar("vVp", paths=False),
    "id": grammar("agGnruzZ", "", "user group groups name real", paths=False),
    "whoami": grammar(most=0),
    "uname": grammar("asnrvmpio", "", "all kernel-name nodename kernel-release kernel-version machine processor operating-system", most=0),
    "nproc": grammar("", "", "all", "ignore", most=0),
    "date": grammar("uR", "d", "utc universal rfc-email", "date iso-8601 rfc-3339", paths=False),
    "seq": grammar("w", "fs", "equal-width", "format separator", paths=False),
    "sleep": grammar(paths=False),
    "cd": grammar("LPe", most=1),
    "wait": grammar(paths=False),
    "umask": grammar("Sp", most=0),
    "cksum": grammar(),
    **dict.fromkeys(["md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum"], _SUMS),
}

_FIND_TESTS: Final = frozenset(
    "-name -iname -path -ipath -wholename -iwholename -regex -iregex -type -xtype -size -mtime -mmin -atime -amin -ctime "
    "-cmin -perm -user -group "
    "-uid -gid -links -inum -maxdepth -mindepth -newer -anewer -cnewer -samefile -lname -ilname -regextype -printf -fstype -used".split()
)
_FIND_PLAIN: Final = frozenset(
    "-print -print0 -ls -prune -quit -empty -true -false -readable -writable -executable -nouser -nogroup -not -a -o "
    "-and -or ! ( ) , -depth "
    "-d -mount -xdev -follow -daystart -noleaf -ignore_readdir_race -H -L -P".split()
)
_SED_PRINT: Final = re.compile(r"(?:[0-9]+|\$)(?:,(?:[0-9]+|\$))?p")


def reads_only(part: Part, workspace: str | None) -> bool:
    """True for a command that only reads: within `workspace` (real, absolute) as far as its words tell, or anywhere where that is None."""
    name = is_plain(part)
    # `cd` and `cd -` lead to folders that are not seen.
    if name is None or (name == "cd" and (len(part.argv) == 1 or "-" in part.argv)):
        return False
    special = _SPECIAL.get(name)
    if special is not None:
        found = special(part.argv, part.heads)
    else:
        known = _TABLE.get(name)
        found = operands(known, part.argv, part.heads) if known else None
        if known and not known.paths:
            return found is not None
    return found is not None and (workspace is None or not any(leads_out(operand, workspace) for operand in found))


_Words = Sequence[str | None]


def _find(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    found: list[str] = []
    at = 1
    while at < len(argv):
        word = argv[at]
        if word is None:
            if heads[at][:1] in ("", "-", "(", "!", ","):
                return None
            found.append(heads[at])
        elif word in _FIND_TESTS:
            value = argv[at + 1] if at + 1 < len(argv) else None
            if value is None:
                return None
            if word in ("-newer", "-anewer", "-cnewer", "-samefile"):
                found.append(value)
            at += 1
        elif word not in _FIND_PLAIN:
            if word[:1] in ("-", "(", "!", ","):
                return None
            found.append(word)
        at += 1
    return tuple(found)


def _sed(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    if len(argv) < 3 or argv[1] not in ("-n", "--quiet", "--silent") or not _SED_PRINT.fullmatch(argv[2] or ""):
        return None
    return operands(Grammar(), ("sed", *argv[3:]), ("sed", *heads[3:]))


def _date(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    # An operand without + is a time to set.
    found = operands(_TABLE["date"], argv, heads)
    return () if found is not None and all(word.startswith("+") for word in found) else None


def _printf(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    first = (argv[1] if argv[1] is not None else heads[1]) if len(argv) > 1 else ""
    return () if first and not first.startswith("-") else None


def _test(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    del heads
    # Nothing but files' existence comes out of it, and `-v` with a subscript is unknown already.
    return () if argv[0] == "test" or argv[-1] == "]" else None


def _set(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    del heads
    return () if all(word is not None for word in argv) else None


def _command(argv: _Words, heads: Sequence[str]) -> tuple[str, ...] | None:
    return operands(_TABLE["command"], argv, heads) if len(argv) > 2 and argv[1] in ("-v", "-V") else None


_SPECIAL: Final[dict[str, Callable[[_Words, Sequence[str]], tuple[str, ...] | None]]] = {
    "find": _find,
    "sed": _sed,
    "date": _date,
    "printf": _printf,
    "test": _test,
    "[": _test,
    "set": _set,
    "command": _command,
    "git": git_operands,
}
