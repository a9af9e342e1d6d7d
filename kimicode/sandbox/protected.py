"""Names that nobody but the user changes: git's own files, the configuration of agents and editors, start-up files of shells.

Whoever can write these runs code later, outside every sandbox: a hook, a task, an alias. Names are compared the way forgiving file
systems see them: without regard to case, Unicode form and invisible characters (CVE-2014-9390, CVE-2025-59944). What this module does
not do: enforce anything (file tools ask `sandbox.policy`; commands are held by the tier), or notice a repository that has no `.git`.
"""

import os
import unicodedata
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kimicode.errors import UsageError
from kimicode.sandbox.executable import executable_config

__all__ = ["AT_ROOT", "executable_config", "folded", "is_protected", "nested_metadata", "protected_paths"]

AGENT_CONFIG: Final = (
    ".kimicode",
    ".kimi",
    ".agents",
    ".claude",
    ".codex",
    ".cursor",
    ".gemini",
    ".mcp.json",
    ".vscode",
    ".idea",
)
"""What makes an agent or an editor run something: hooks, servers, tasks."""

AT_ROOT: Final = (".git", *AGENT_CONFIG, ".envrc")
"""Protected in a workspace even while nothing is there (CVE-2026-25725 made the missing file)."""

_IN_HOME: Final = tuple(
    """.bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .zlogout .kshrc .cshrc
    .tcshrc .login .inputrc .xprofile .xsessionrc .xinitrc .pam_environment .gitconfig .hgrc .ssh .gnupg .netrc .npmrc .pypirc .pip
    .pythonrc .vimrc .vim .exrc .emacs .emacs.d .tmux.conf .screenrc .gdbinit .lldbinit .docker .aws .kube .config .local bin""".split()
)
"""In the home folder: what shells, git and tools read at every start. `.config` and `.local` whole: autostart, fish, git, programs."""

_GIT: Final = "git's own files are protected"
_AGENT: Final = "configuration of agents and editors is protected"
_ENVRC: Final = "what direnv runs is protected"
_HOME: Final = "start-up files and configuration in the home folder are protected"

_MAX_DEPTH: Final = 4
_MAX_ENTRIES: Final = 4_000
_MAX_FOUND: Final = 256
_MAX_POINTER_BYTES: Final = 4096
_PASSED_OVER: Final = frozenset({"node_modules", "site-packages", "__pycache__", ".venv", "venv", "target", ".tox", ".mypy_cache"})

_IGNORABLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_IGNORABLE_CATEGORIES: Final = frozenset({"Cf", "Cc", "Mn", "Me"})
_DOTLESS: Final = str.maketrans("ı", "i")


def folded(name: str) -> str:
    """The one form of all spellings of `name` that some file system takes for the same: no case, no marks, no invisible characters,
    no trailing blanks and dots, no stream after a colon; `git~1` is how DOS spells `.git`. Pure."""
    text = unicodedata.normalize("NFKD", name).casefold()
    text = "".join(c for c in text if c not in _IGNORABLE and unicodedata.category(c) not in _IGNORABLE_CATEGORIES)
    text = unicodedata.normalize("NFKC", text).casefold().translate(_DOTLESS).split(":", 1)[0]
    text = text.rstrip(". ") or text
    return ".git" if text == "git~1" else text


def is_protected(parts: tuple[str, ...], home: tuple[str, ...] | None = None) -> str | None:
    """Why the path of these `parts` below a writable folder is protected, None where it is not. Pure.

    `home` is the home folder below that same folder, None where it lies elsewhere; `()` where it is that folder.
    """
    for part in parts:
        match folded(part):
            case ".git":
                return _GIT
            case ".envrc":
                return _ENVRC
            case name if name in _AGENT_NAMES:
                return _AGENT
    if home is not None and parts[: len(home)] == home and len(parts) > len(home) and folded(parts[len(home)]) in _HOME_NAMES:
        return _HOME
    return None


def protected_paths(workspace: Path, home: Path | None, *, within: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """The protected paths below `workspace` for the OS sandbox, sorted: those at its root even where missing, those that exist deeper
    (a bounded search), and the real git folders that pointers lead to, where these lie in the workspace or in a folder of `within`.

    `workspace`, `home` and `within` are resolved. Raises `UsageError` where one at the root is a symbolic link: what a link leads to
    can be protected, but not the link.
    """
    found = {workspace / name for name in AT_ROOT}
    if home is not None and home.is_relative_to(workspace):
        found |= {home / name for name in _IN_HOME}
    for path in sorted(found):
        _refuse_link(path)
    nested = set(nested_metadata(workspace))
    for path in [*found, *nested]:
        if path.name == ".git":
            found |= {real for real in _git_folders(path) if any(real.is_relative_to(root) for root in (workspace, *within))}
    return tuple(sorted(found | nested))


def nested_metadata(workspace: Path) -> tuple[Path, ...]:
    """Protected names that exist below the folders of `workspace`, sorted. Looks at four levels and some thousand entries, never
    through links, and not into folders of packages and builds."""
    return tuple(sorted(path for _, path in zip(range(_MAX_FOUND), _search(workspace), strict=False)))


_AGENT_NAMES: Final = frozenset(folded(name) for name in AGENT_CONFIG)
_HOME_NAMES: Final = frozenset(folded(name) for name in _IN_HOME)
_ANY_NAMES: Final = _AGENT_NAMES | {".git", ".envrc"}


def _search(workspace: Path) -> Iterator[Path]:
    # Breadth first: what is near counts more than the rest of the first deep folder.
    waiting: deque[tuple[str, int]] = deque([(str(workspace), 1)])
    looked_at = 0
    while waiting and looked_at < _MAX_ENTRIES:
        folder, depth = waiting.popleft()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                looked_at += 1
                # Nearly every name is plain: folding each would cost more than reading the folder.
                plain = entry.name.isascii() and entry.name[0] not in ".gG"
                protected = not plain and folded(entry.name) in _ANY_NAMES
                if protected and (depth > 1 or entry.name not in AT_ROOT):
                    yield Path(entry.path)
                elif not protected and depth < _MAX_DEPTH and entry.name not in _PASSED_OVER and entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, depth + 1))


def _git_folders(pointer: Path) -> Iterator[Path]:
    """Where `pointer`, a `.git` that is a file or a link, leads to, and the common folder of that."""
    folder = pointer
    with suppress(OSError, ValueError, RuntimeError):
        if pointer.is_symlink():
            folder = pointer.resolve()
            yield folder
        if pointer.is_file():
            said = _first_line(pointer)
            if not said.startswith("gitdir:"):
                return
            folder = (pointer.parent / said.removeprefix("gitdir:").strip()).resolve()
            yield folder
        if (common := _first_line(folder / "commondir")) != "":
            yield (folder / common).resolve()


def _first_line(path: Path) -> str:
    with suppress(FileNotFoundError, NotADirectoryError), open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return os.fsdecode(file.read(_MAX_POINTER_BYTES).split(b"\n", 1)[0]).strip()
    return ""


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        hint = "Replace it by what it leads to, start kimicode in another folder, or run with --permission full."
        raise UsageError(f"{path} is a symbolic link: it can't be protected against being replaced by a command", hint=hint)
