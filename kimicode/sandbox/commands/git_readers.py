"""The git commands that only read, with the options under which that is true (git 2.39's manuals).

Options that run a program (`-c`, `--ext-diff`, `--textconv`, `--exec-path`, `--upload-pack`, `-O`) or write (`--output`) are not in the
tables. What git runs because a repository's own configuration says so (fsmonitor, filters) is not seen here: a command of the agent runs
in the OS sandbox for that, and `repo.git` takes care of kimicode's own.
"""

from collections.abc import Sequence
from typing import Final

from kimicode.sandbox.commands.options import Grammar, grammar, operands

_SHOWING = (
    "oneline graph all decorate no-decorate stat shortstat numstat dirstat summary name-only name-status patch no-patch "
    "raw color no-color "
    "reverse merges no-merges first-parent follow cached staged word-diff ignore-all-space ignore-space-change ignore-blank-lines "
    "no-ext-diff no-textconv full-index binary check exit-code quiet no-renames find-renames topo-order date-order "
    "abbrev-commit no-index "
    "branches tags remotes relative-date no-walk left-right cherry-pick cherry minimal patience histogram unified no-prefix root cc "
    "show-signature ignore-submodules minimal boundary simplify-by-decoration compact-summary pickaxe-regex pickaxe-all invert-grep "
    "regexp-ignore-case extended-regexp fixed-strings perl-regexp merge-base"
)
_SHOWING_VALUED = (
    "pretty format author committer grep since until after before date max-count skip diff-filter decorate stat color "
    "word-diff unified abbrev "
    "submodule ignore-submodules diff-algorithm decorate-refs find-renames inter-hunk-context relative glob exclude word-diff-regex"
)
_HISTORY: Final = grammar("pabgiEFPqrstuwzRWm0123456789", "nSGL", _SHOWING, _SHOWING_VALUED, attached="UMCBl")
_VERBS: Final[dict[str, Grammar]] = {
    "status": grammar(
        "sbvuz",
        "",
        "short branch long verbose show-stash ahead-behind no-ahead-behind renames no-renames untracked-files ignored porcelain",
        "porcelain untracked-files ignored ignore-submodules column",
    ),
    "log": _HISTORY,
    "diff": _HISTORY,
    "show": _HISTORY,
    "whatchanged": _HISTORY,
    "shortlog": grammar("nsec", "", "numbered summary email committer all", "group since until"),
    "rev-list": _HISTORY,
    "rev-parse": grammar(
        "q",
        "",
        "verify quiet show-toplevel show-prefix show-cdup git-dir absolute-git-dir git-common-dir is-inside-work-tree is-inside-git-dir "
        "is-bare-repository abbrev-ref symbolic symbolic-full-name all branches tags remotes short",
        "short abbrev-ref",
    ),
    "ls-files": grammar(
        "cdmosuktvzi",
        "x",
        "cached deleted modified others stage unmerged killed ignored exclude-standard full-name error-unmatch eol deduplicate",
        "exclude abbrev",
    ),
    "ls-tree": grammar("drtlz", "", "long name-only name-status full-name full-tree object-only", "abbrev format"),
    "blame": grammar(
        "bcefklnpstw",
        "L",
        "root show-stats porcelain line-porcelain incremental show-name show-number show-email",
        "since date abbrev",
        attached="MC",
    ),
    "describe": grammar(
        "", "", "all tags contains always long dirty exact-match first-parent debug", "abbrev match exclude candidates dirty"
    ),
    "branch": grammar(
        "avr",
        "",
        "all remotes list verbose show-current no-color no-column ignore-case",
        "sort format color column contains merged no-merged points-at",
        most=0,
    ),
    "tag": grammar("l", "", "list no-column ignore-case", "sort format contains merged points-at", most=0),
    "remote": grammar("v", "", "verbose", most=0),
    "merge-base": grammar("a", "", "all is-ancestor fork-point octopus independent"),
    "name-rev": grammar("", "", "tags all name-only always", "refs"),
    "cat-file": grammar("tspe", "", "", "", most=2),
    "for-each-ref": grammar("", "", "ignore-case", "sort format count contains merged points-at"),
    "show-ref": grammar("dhqs", "", "head heads tags dereference verify quiet", "abbrev hash"),
    "count-objects": grammar("vH", "", "verbose human-readable", most=0),
    "grep": grammar(
        "iwvnlLchHoEFGPqaIzp",
        "efmABC",
        "ignore-case word-regexp invert-match line-number files-with-matches name-only files-without-match count "
        "only-matching extended-regexp "
        "fixed-strings basic-regexp perl-regexp quiet text cached untracked no-index heading break show-function "
        "function-context all-match and or not column",
        "max-depth max-count after-context before-context context color threads",
    ),
    "version": grammar("", "", "build-options", most=0),
}
_GLOBAL: Final = frozenset("--no-pager -P --no-optional-locks --literal-pathspecs --glob-pathspecs --no-replace-objects".split())
_LISTS: Final = {"stash": ("list",), "worktree": ("list",), "submodule": ("status",), "reflog": ("show",), "notes": ("list",)}


def git_operands(argv: Sequence[str | None], heads: Sequence[str]) -> tuple[str, ...] | None:
    """The operands of a git command that only reads, None where it is not known to."""
    at = 1
    found: list[str] = []
    while at < len(argv) and (word := argv[at]) is not None and word.startswith("-"):
        if word == "-C" and at + 1 < len(argv) and (folder := argv[at + 1]) is not None:
            found.append(folder)
            at += 2
        elif word in _GLOBAL:
            at += 1
        elif word == "--version" and len(argv) == at + 1:
            return ()
        else:
            return None
    if at >= len(argv):
        return None
    verb = argv[at] or ""
    lists = at + 1 < len(argv) and argv[at + 1] in _LISTS.get(verb, ())
    if lists or (verb == "remote" and len(argv) == at + 3 and argv[at + 1] == "get-url"):
        rest = operands(Grammar(), argv[at + 1 :], heads[at + 1 :])
    elif known := _VERBS.get(verb):
        rest = operands(known, argv[at:], heads[at:])
    else:
        return None
    return None if rest is None else (*found, *rest)
