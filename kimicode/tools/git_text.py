"""What the tool `git` answers, as text with little in it that is not asked for: pure functions of what the repository said.

Where something is left out, the last line says what, and how to see it. What this module does not do: ask git, or decide what may be shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from kimicode.repo.git_diff import FileDiff
from kimicode.repo.git_parse import Commit, Entry, Span

ID_DIGITS: Final = 10
"""So many digits name a commit in any repository of a size that exists."""

_WIDEST: Final = 400
"""Characters of a line that are shown: a line of a minified file says nothing more with its rest."""

_FILES_A_COMMIT: Final = 20
_MANY: Final = 4
_NAMES_A_FOLDER: Final = 20
_LEFT_NAMED: Final = 15


def status_text(head: str, entries: Sequence[Entry], limit: int) -> str:
    """What differs, a path a line, in groups; at most `limit` paths."""
    groups: dict[str, list[str]] = {"conflicts": [], "staged": [], "not staged": [], "untracked": []}
    for entry in entries:
        if entry.conflicted:
            groups["conflicts"].append(f"{entry.staged}{entry.unstaged} {entry.path}")
            continue
        if entry.staged == "?":
            groups["untracked"].append(entry.path)
            continue
        if entry.staged != ".":
            groups["staged"].append(f"{entry.staged} {_moved(entry.path, entry.origin if entry.staged in 'RC' else '')}")
        if entry.unstaged != ".":
            groups["not staged"].append(f"{entry.unstaged} {_moved(entry.path, entry.origin if entry.unstaged in 'RC' else '')}")
    groups["untracked"] = _by_folder(groups["untracked"])
    if not any(groups.values()):
        return f"{head}: nothing differs from the commit"
    return "\n".join([head, *_cut_groups(groups, limit)])


def _by_folder(paths: Sequence[str]) -> list[str]:
    """The paths, those of one folder in one line where they are many: its name would be most of each."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        folders.setdefault(folder + slash, []).append(name)
    lines: list[str] = []
    for folder, names in folders.items():
        if len(names) < _MANY or not folder:
            lines += [f"{folder}{name}" for name in names]
            continue
        more = f", and {len(names) - _NAMES_A_FOLDER} more" if len(names) > _NAMES_A_FOLDER else ""
        lines.append(f"{folder}: {', '.join(names[:_NAMES_A_FOLDER])}{more}")
    return lines


def _cut_groups(groups: Mapping[str, Sequence[str]], limit: int) -> Iterable[str]:
    room = limit
    for name, lines in groups.items():
        if not lines:
            continue
        yield f"{name}:"
        yield from (f"  {line}" for line in lines[:room])
        if len(lines) > room:
            yield f"  [{_where(lines[room:])}: raise limit]"
        room = max(0, room - len(lines))


def _where(paths: Sequence[str]) -> str:
    """How many more paths there are, and in which folders most of them lie."""
    folders = Counter(path.partition("/")[0] + "/" for path in paths if "/" in path).most_common(3)
    inside = ", ".join(f"{count} in {folder}" for folder, count in folders)
    return f"{len(paths)} more" + (f", {inside}" if inside else "")


def diff_text(files: Sequence[FileDiff], limit: int) -> str:
    """The changes, whole hunks of at most `limit` lines in all; what is left out is named with its size."""
    out: list[str] = []
    left: list[str] = []
    room = limit
    for file in files:
        title = f"diff {file.path}" + (f" ({', '.join(file.notes)})" if file.notes else "")
        hunks, room = _fitting(file, room, first=not out)
        if file.hunks and not hunks:
            left.append(f"{file.path} (+{file.added} -{file.removed})")
            continue
        out += [title, *hunks]
        if len(hunks) < len(file.hunks):
            left.append(f"{file.path} (the last {len(file.hunks) - len(hunks)} of {len(file.hunks)} hunks)")
    return "\n".join([*out, *_left(left)])


def _fitting(file: FileDiff, room: int, *, first: bool) -> tuple[list[str], int]:
    """The hunks that fit into `room` lines, and what room is left. Of the very first hunk of all, a part is better than nothing."""
    shown: list[str] = []
    for hunk in file.hunks:
        lines = hunk.split("\n")
        if len(lines) > room:
            if first and not shown:
                rest = f"[{len(lines) - room} lines of this hunk left out: raise limit]"
                return ["\n".join([*map(_narrow, lines[:room]), rest])], 0
            # What follows a hunk that was left out is left out, too: a gap could be overlooked.
            return shown, 0
        room -= len(lines)
        shown.append("\n".join(map(_narrow, lines)))
    return shown, room


def _left(left: Sequence[str]) -> list[str]:
    if not left:
        return []
    more = f", and {len(left) - _LEFT_NAMED} more files" if len(left) > _LEFT_NAMED else ""
    return [f"[left out: {', '.join(left[:_LEFT_NAMED])}{more}. Send path for one of them, or raise limit]"]


def _narrow(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}… [{len(line) - _WIDEST} more characters]"


def log_text(commits: Sequence[Commit], limit: int) -> str:
    """A line for each commit, with its files below it where they are known."""
    lines: list[str] = []
    for commit in commits[:limit]:
        lines.append(f"{commit.oid[:ID_DIGITS]} {date(commit.time)} {commit.author}: {commit.subject}")
        lines += [f"  {each.letter} {_moved(each.path, each.origin)}" for each in commit.files[:_FILES_A_COMMIT]]
        if len(commit.files) > _FILES_A_COMMIT:
            lines.append(f"  and {len(commit.files) - _FILES_A_COMMIT} more")
    more = [f"[there are more than {limit} commits: raise limit, or send path or revision]"] if len(commits) > limit else []
    return "\n".join([*lines, *more])


def commit_text(commit: Commit) -> str:
    """Who, when and why."""
    merge = f"\nmerge of {' and '.join(parent[:ID_DIGITS] for parent in commit.parents)}; below, what it changed of the first"
    head = f"commit {commit.oid}{merge if len(commit.parents) > 1 else ''}\n{commit.author}, {date(commit.time)}"
    return f"{head}\n\n{commit.message.strip()}"


def blame_text(spans: Sequence[Span], limit: int) -> str:
    """A line for each commit that wrote any of the lines, in the order of its first one."""
    wrote: dict[str, list[Span]] = {}
    for span in spans:
        wrote.setdefault(span.oid, []).append(span)
    lines = []
    for oid, parts in list(wrote.items())[:limit]:
        who = f"{oid[:ID_DIGITS]} {date(parts[0].time)} {parts[0].author}: {parts[0].subject}" if oid else "not committed yet"
        ranges = ", ".join(str(part.first) if part.first == part.last else f"{part.first}-{part.last}" for part in parts)
        lines.append(f"{ranges}  {who}")
    more = [f"[{len(wrote) - limit} more commits: raise limit, or send lines]"] if len(wrote) > limit else []
    return "\n".join([*lines, *more])


def date(seconds: int) -> str:
    """The day, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "?"


def _moved(path: str, origin: str) -> str:
    return f"{origin} → {path}" if origin else path
