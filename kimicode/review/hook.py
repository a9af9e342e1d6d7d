"""Git's hooks in a repository: put ours there, take them away, say what is there.

The folder is the one git itself uses, `core.hooksPath` and linked worktrees included. What was there before is kept under another name
and run first; taking ours away gives it its name back, the very same file. Everything is decided for all hooks (`hook_plan`) before the
first is touched, and each is replaced whole or not at all. What this module does not do: run a hook, or print.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, assert_never

import msgspec

from kimicode.errors import RefusedError, ToolError
from kimicode.files.atomic import replace_file
from kimicode.files.place import about, place_of
from kimicode.repo.git import Repository
from kimicode.review.hook_plan import (
    Chain,
    Found,
    Nothing,
    Refusal,
    Remove,
    Restore,
    Slot,
    Step,
    Write,
    manager,
    plan_install,
    plan_uninstall,
)
from kimicode.review.hook_script import HOOK_NAMES, HookName, Script, before_name

_READ_BYTES: Final = 1 << 20
_MODE: Final = 0o755


class Wish(msgspec.Struct, frozen=True):
    """Which hooks somebody wants. `background`: only instant checks before the commit, the model after it. `pre_push`: a push looks for
    verdicts, so they are written too. `python`: the interpreter by its absolute path. `force`: although other repositories use the folder
    as well, another program looks after a hook, or one of ours was changed."""

    python: str
    pre_push: bool = False
    background: bool = False
    strict: bool = False
    force: bool = False


class Folder(msgspec.Struct, frozen=True):
    """Where git looks for hooks. `shared`: it lies outside the repository, so that other repositories may use it too. `tracked`: it lies
    among the files, so that others get what is in it."""

    path: Path
    shared: bool
    tracked: bool


class Done(msgspec.Struct, frozen=True):
    """What was done with one hook."""

    name: HookName
    step: Step


class Installed(msgspec.Struct, frozen=True):
    """What is there now. `chained`: an earlier hook is run first. `manager`: another program that looks after this hook, "" for none.
    `moved`: another name under which a script of ours lies, because somebody put a hook in its place."""

    name: HookName
    found: Found
    chained: Found
    manager: str
    moved: str


def hooks_folder(repository: Repository) -> Folder:
    """The folder, free of links."""
    path = repository.hooks_folder().resolve()
    layout = repository.layout
    inside = any(path.is_relative_to(each) for each in (layout.git_dir, layout.common_dir))
    tracked = not inside and path.is_relative_to(layout.work_tree)
    return Folder(path, not inside and not tracked, tracked)


def install(repository: Repository, wish: Wish) -> tuple[Done, ...]:
    """Make the hooks as wished; those that are not wished for and are ours go. Raises `RefusedError` with nothing done, `OSError`."""
    folder = hooks_folder(repository)
    _check(folder, wish.force)
    scripts = {each.name: each for each in wanted(wish, tracked=folder.tracked)}

    def plan(slot: Slot) -> Step:
        script = scripts.get(slot.name)
        if script is not None:
            return plan_install(slot, script, force=wish.force)
        # What is not wished for and not ours is nobody's business here.
        return plan_uninstall(slot, force=wish.force) if slot.hook.own else Nothing()

    return _perform(folder, plan)


def uninstall(repository: Repository, *, force: bool = False) -> tuple[Done, ...]:
    """Take our hooks away and bring back what was there before. Raises `RefusedError` with nothing done, `OSError`."""
    return _perform(hooks_folder(repository), lambda slot: plan_uninstall(slot, force=force))


def status(repository: Repository) -> tuple[Installed, ...]:
    """What is there, for each hook that kimicode could have."""
    folder = hooks_folder(repository)
    return tuple(_installed(folder, slot) for slot in _slots(folder))


def wanted(wish: Wish, *, tracked: bool) -> tuple[Script, ...]:
    """The scripts that fulfil a wish. In a `tracked` folder they name no path of this machine."""
    python = "" if tracked else wish.python
    scripts = [Script("pre-commit", python, wish.strict, not wish.background)]
    if wish.background or wish.pre_push:
        scripts += [Script("post-commit", python), Script("pre-push", python, wish.strict)]
    return tuple(scripts)


def _check(folder: Folder, force: bool) -> None:
    if os.path.lexists(folder.path) and not folder.path.is_dir():
        raise RefusedError(
            f"git looks for hooks in {folder.path}, which is no folder: no hook is run here",
            hint="Look at core.hooksPath: git config --show-origin core.hooksPath",
        )
    if folder.shared and not force:
        raise RefusedError(
            f"git looks for hooks in {folder.path}, outside this repository: a hook there is run in others as well",
            hint="Let this repository have its own: git config --local core.hooksPath .git/hooks\n"
            "  Or mean it: kimicode hook install --force",
        )


def _perform(folder: Folder, plan: Callable[[Slot], Step]) -> tuple[Done, ...]:
    planned = tuple(Done(slot.name, plan(slot)) for slot in _slots(folder))
    for each in planned:
        if isinstance(each.step, Refusal):
            raise RefusedError(each.step.why, hint=each.step.advice)
    for each in planned:
        _take(folder.path, each.name, each.step)
    return planned


def _take(folder: Path, name: HookName, step: Step) -> None:
    place = place_of(folder / name)
    with about(place):
        match step:
            case Nothing() | Refusal():
                return
            case Write(data):
                replace_file(place, data, mode=_MODE)
            case Chain(data):
                with _kept(folder, name):
                    replace_file(place, data, mode=_MODE)
            case Restore():
                os.replace(folder / before_name(name), folder / name)
            case Remove():
                (folder / name).unlink()
            case _:
                assert_never(step)


@contextmanager
def _kept(folder: Path, name: HookName) -> Iterator[None]:
    """The hook also under its other name; as before where what follows fails."""
    hook, before = folder / name, folder / before_name(name)
    try:
        # A second name first, so that at no moment the hook is missing.
        os.link(hook, before, follow_symlinks=False)
    except (OSError, NotImplementedError):
        os.rename(hook, before)
    try:
        yield
    except BaseException:
        os.replace(before, hook)
        # To replace one name of a file by another of its names does nothing.
        with suppress(FileNotFoundError):
            before.unlink()
        raise


def _slots(folder: Folder) -> tuple[Slot, ...]:
    return tuple(Slot(name, str(folder.path), _look(folder.path / name), _look(folder.path / before_name(name))) for name in HOOK_NAMES)


def _look(path: Path) -> Found:
    if path.is_symlink():
        data = _read(path) if path.is_file() else b""
        return Found("link", data, os.readlink(path), os.access(path, os.X_OK))
    if not os.path.lexists(path):
        return Found()
    if not path.is_file():
        return Found("other")
    return Found("file", _read(path), "", os.access(path, os.X_OK))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_READ_BYTES)
    except PermissionError as error:
        raise ToolError(f"can't read the hook {path}", hint="Look at its owner and its mode.") from error


def _installed(folder: Folder, slot: Slot) -> Installed:
    managed = None if slot.hook.own or slot.hook.kind == "missing" else manager(slot.hook, slot.folder)
    # Where pre-commit installs itself over a hook it keeps that one under this name, and runs it.
    moved = f"{slot.name}.legacy"
    other = _look(folder.path / moved)
    return Installed(slot.name, slot.hook, slot.before, managed[0] if managed else "", moved if other.own else "")
