"""What the agent is about to change is kept, and what it has changed becomes an event: the one door for tools.

File tools: `keep` before a change; the event of `edited` is emitted before the change too where its outcome is known, else right after
it. Commands: `before_command`, the command, `after_command`. All methods block for as long as the disk takes, may be called from other
threads than the one that emits, and return events instead of emitting them.
What this module does not do: change a file, or undo anything (`rewind` does).
"""

from collections.abc import Mapping
from pathlib import Path

from kimicode.events import FileChange, FilesChanged, Notice
from kimicode.files.place import Place, look
from kimicode.files.state import MISSING, FileState
from kimicode.session.ignores import rules_above
from kimicode.session.names import change_of
from kimicode.session.preimages import PreImages
from kimicode.session.watch import NOTHING, USUAL, Keep, Limits, Scan, TooMany, differences, scan

_A_FOLDER = FileState("folder")


class Changes:
    """The changes of one session in `workspace`. `home` is kimicode's own folder: contents are kept below it, and it is never watched."""

    def __init__(self, home: Path, workspace: Path, *, limits: Limits = USUAL) -> None:
        self.store = PreImages(home / "preimages")
        self._home = home
        self._workspace = workspace.resolve()
        self._limits = limits
        self._scan: Scan | None = NOTHING
        self._before: Scan | None = None
        self._told_not_kept = False

    def keep(self, pre_images: Mapping[Place, tuple[FileState, bytes]]) -> None:
        """Put what places hold on disk, before they are changed. Raises `SessionError`; then nothing must be changed."""
        self.store.keep(*(data for state, data in pre_images.values() if state.kind == "file"))

    def edited(self, call_id: str, changes: Mapping[Place, tuple[FileState, FileState]]) -> FilesChanged:
        """The event for places with their states before and after; a new file's mode may be 0 where it is not known yet.

        Call it before the change: folders that are missing on the way to a new file count as made by it.
        """
        folders = {folder: (MISSING, _A_FOLDER) for place, (old, new) in changes.items() if new != MISSING for folder in _missing(place)}
        return FilesChanged(call_id, tuple(self._change(place, *states) for place, states in {**folders, **changes}.items()))

    def before_command(self) -> tuple[Notice, ...]:
        """Look at the workspace, and keep the contents of what is new or changed. Raises `SessionError`; then no command should run."""
        if self._scan is None:
            return ()
        try:
            with self.store.batch() as add:
                found = self._look(self._scan, add)
        except TooMany:
            self._scan = self._before = None
            text = (
                f"There are more than {self._limits.entries} files here: what commands change can't be rewound. What file tools change can."
            )
            return (Notice(text, "warning"),)
        if found is not None:
            self._scan = self._before = found
        return self._about_large(found or NOTHING)

    def after_command(self, call_id: str) -> tuple[FilesChanged | Notice, ...]:
        """What has changed since `before_command`; nothing where nothing has."""
        before, self._before = self._before, None
        if before is None:
            return ()
        try:
            after = self._look(before, None)
        except TooMany:
            after = None
        if after is None:
            return (Notice("What the command changed can't be told, so it can't be rewound: too many files, or no way in.", "warning"),)
        self._scan = after
        found = tuple(
            self._change(Place(self._workspace, tuple(each.path.split("/"))), each.before, each.after, kept=each.kept)
            for each in differences(before, after)
        )
        return (FilesChanged(call_id, found),) if found else ()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def _look(self, known: Scan, keep: Keep | None) -> Scan | None:
        """A scan, or None where the workspace can't be opened: the command will say so."""
        try:
            above = rules_above(self._workspace)
            return scan(self._workspace, known, keep=keep, above=above, leave=self._home, limits=self._limits)
        except OSError:
            return None

    def _about_large(self, found: Scan) -> tuple[Notice, ...]:
        if self._told_not_kept or not found.not_kept:
            return ()
        self._told_not_kept = True
        count = "1 file is" if found.not_kept == 1 else f"{found.not_kept} files are"
        return (Notice(f"{count} too large to be kept, or can't be read: what commands do to them can't be rewound."),)

    def _change(self, place: Place, before: FileState, after: FileState, *, kept: bool = True) -> FileChange:
        return change_of(place, before, after, workspace=self._workspace, kept=kept)


def _missing(place: Place) -> list[Place]:
    """The folders above `place` that are not there, outermost first."""
    folders = [Place(place.root, place.parts[:depth]) for depth in range(1, len(place.parts))]
    for number, folder in enumerate(folders):
        if look(folder) is None:
            return folders[number:]
    return []
