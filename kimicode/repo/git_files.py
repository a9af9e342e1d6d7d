"""Which files a working tree has, as git sees it: what is in the index, what differs from it on disk, what is untracked.

Three cheap questions instead of `git status`: nothing is compared with a commit, no rename is looked for, no submodule is entered.
What this module does not do: look at a file itself, or run git in another way than `git_call` does.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.git_call import Guarded
from kimicode.repo.tree import TreeFile

_LIST: Final = ("ls-files", "-z", "-v", "--stage", "--full-name", "--")
_CHANGED: Final = (
    "diff-files",
    "-z",
    "--raw",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=all",
    "--no-abbrev",
    "--",
)
_OTHERS: Final = ("ls-files", "-z", "--others", "--exclude-standard", "--full-name", "--")


class Listing(msgspec.Struct, frozen=True):
    """The index. `files` are regular ones whose content git watches, in git's order; `unsure` are paths where what is on disk has to be
    looked at: unmerged, or assumed to be unchanged. `submodules` are paths of other repositories, `links` are symbolic ones."""

    files: tuple[TreeFile, ...]
    unsure: tuple[str, ...]
    submodules: tuple[str, ...]
    links: tuple[str, ...]


class Others(msgspec.Struct, frozen=True):
    """What is on disk and neither in the index nor ignored. `repositories` are folders that have a `.git` of their own."""

    files: tuple[str, ...]
    repositories: tuple[str, ...]


def listing(repository: Guarded, folder: str) -> bytes:
    """The index below `folder` ("" for all of it), as git prints it, for `parse_listing`: equal bytes mean an equal index."""
    return repository.answer(*_LIST, *([folder] if folder else [])).out


def parse_listing(data: bytes, *, strip: int = 0, prefix: str = "") -> Listing:
    """What `listing` gave, without the first `strip` characters of each file's path and with `prefix` before it.

    Files that a sparse checkout leaves out are not in it.
    """
    files: list[TreeFile] = []
    unsure: dict[str, None] = {}
    submodules: list[str] = []
    links: list[str] = []
    wide = 64 if len(data) > 51 and data[49:50] != b" " else 40
    start, end, path_at = 9, 9 + wide, 9 + wide + 3
    own_at = path_at + strip
    for entry in os.fsdecode(data).split("\0")[:-1]:
        if entry[:4] == "H 10" and entry[end + 1] == "0":
            files.append(TreeFile(prefix + entry[own_at:], entry[start:end]))
            continue
        tag, mode, path = entry[0], entry[2:8], entry[path_at:]
        if mode == "160000":
            submodules.append(path)
        elif mode == "120000":
            links.append(path)
        elif mode[:3] == "100" and tag not in "Ss":
            unsure[path] = None
    return Listing(tuple(files), tuple(unsure), tuple(submodules), tuple(links))


def changed(repository: Guarded, paths: Sequence[str]) -> tuple[str, ...]:
    """Paths of the index whose file has other content or another kind, or is gone, or may be any of that; of `paths` and below, or all."""
    fields = iter(os.fsdecode(repository.answer(*_CHANGED, *paths).out).split("\0")[:-1])
    return tuple(dict.fromkeys(_second_of_pairs(fields)))


def others(repository: Guarded, paths: Sequence[str]) -> Others:
    """What is untracked of `paths` and below, or everywhere; each file by itself."""
    found = os.fsdecode(repository.answer(*_OTHERS, *paths).out).split("\0")[:-1]
    return Others(tuple(path for path in found if path[-1] != "/"), tuple(path[:-1] for path in found if path[-1] == "/"))


def ignored(repository: Guarded, paths: Iterable[str]) -> frozenset[str]:
    """Those of `paths`, none of them in the index or in a submodule, that git ignores."""
    # This command takes no literal paths; with "./" before it none is anything else.
    asked = "".join(f"./{path}\0" for path in paths)
    literal = {"GIT_LITERAL_PATHSPECS": "0"}
    answer = repository.answer("check-ignore", "-z", "--stdin", fine=(0, 1), stdin=os.fsencode(asked), variables=literal)
    return frozenset(path.removeprefix("./") for path in os.fsdecode(answer.out).split("\0")[:-1])


def rule_files(repository: Guarded) -> tuple[Path, ...] | None:
    """The files outside the working tree that say what is ignored, and those that say which these are, whether they exist or not.

    None where that depends on more than files.
    """
    layout, environ = repository.layout, repository.environ
    home = Path(environ.get("HOME") or "/")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = {layout.common_dir / "info" / "exclude", config / "git" / "ignore", Path("/etc/gitconfig")}
    files |= {home / ".gitconfig", home / ".config/git/config", config / "git" / "config"}
    files |= {layout.common_dir / "config", layout.git_dir / "config.worktree"}
    fields = os.fsdecode(repository.answer("config", "--list", "-z", "--show-origin").out).split("\0")[:-1]
    for origin, setting in zip(fields[::2], fields[1::2], strict=True):
        name, _, value = setting.partition("\n")
        strange = name == "core.excludesfile" and value.startswith(("%(", "~")) and not value.startswith("~/")
        if strange or name.startswith("includeif."):
            return None
        if origin.startswith("file:"):
            files.add(repository.work_tree / origin.removeprefix("file:"))
        if name == "core.excludesfile":
            files.add(home / value[2:] if value.startswith("~/") else repository.work_tree / value)
    return tuple(sorted(files))


def _second_of_pairs(fields: Iterator[str]) -> Iterator[str]:
    for facts in fields:
        if not facts.startswith(":"):
            raise ToolError(f"git diff-files wrote something unknown: {facts[:80]!r}")
        yield next(fields)
