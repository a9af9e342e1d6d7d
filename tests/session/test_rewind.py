"""Going back: each file to what it was, the user's own work left alone, all or nothing, and never a way out of the workspace."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.errors import SessionError, UsageError
from kimicode.events import Event, FileChange, FilesChanged, MessageAdded, Rewound, RunFinished, SessionStarted, encode_event
from kimicode.files.place import Place
from kimicode.files.state import MISSING, FileState, digest, state_of
from kimicode.messages import System, Usage, User
from kimicode.session.changes import Changes
from kimicode.session.log import SessionLog, read_events
from kimicode.session.perform import finish_interrupted, look_and_plan, perform
from kimicode.session.preimages import packs
from kimicode.session.replay import replay
from kimicode.session.rewind import RewindPlan, plan_rewind
from kimicode.session.store import SessionStore
from kimicode.session.watch import Limits

Tree = dict[str, FileState]


class Session:
    """A session whose turns are functions that change the work folder, as a command of the agent would."""

    def __init__(self, root: Path, *, limits: Limits | None = None) -> None:
        self.work = root / "work"
        self.work.mkdir()
        self.store = SessionStore(root / "home")
        self.id, self.log = self.store.create()
        self.changes = Changes(self.store.root, self.work, **({"limits": limits} if limits else {}))
        self.log.append(SessionStarted(self.id, str(self.work), "m", "e", "workspace", ()))
        self.log.append(MessageAdded(System("s")))

    def turn(self, *commands: Callable[[], object]) -> None:
        self.log.append(MessageAdded(User("do it")))
        for command in commands:
            self.changes.before_command()
            command()
            for event in self.changes.after_command("c"):
                self.log.append(event)
        self.log.append(RunFinished("done", 0, "", 1, Usage(), 1.0))

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(read_events(self.store.path(self.id)))

    def plan(self, turn: int, overwrite: bool = False, **parts: bool) -> RewindPlan:
        wanted = {"conversation": True, "files": True, **parts}
        return look_and_plan(self.events, turn, self.changes.store, overwrite=lambda step: overwrite, **wanted)

    def rewind(self, turn: int, overwrite: bool = False) -> RewindPlan:
        plan = self.plan(turn, overwrite)
        self.perform(plan)
        return plan

    def perform(self, plan: RewindPlan) -> Rewound:
        return perform(plan, self.store, self.id, self.log.append, contents=self.changes.store, workspace=self.work)

    def write(self, name: str, data: str | bytes) -> None:
        (self.work / name).write_bytes(data if isinstance(data, bytes) else data.encode())

    def read(self, name: str) -> bytes:
        return (self.work / name).read_bytes()

    def tree(self) -> Tree:
        paths = (path.relative_to(self.work) for path in sorted(self.work.rglob("*")))
        return {str(path): state_of(Place(self.work, path.parts)) for path in paths}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(tmp_path)
    yield made
    made.log.close()
    made.changes.close()


def words(plan: RewindPlan) -> dict[str, str]:
    return {step.name: step.problem or step.conflict or ("stays" if step.stays else step.action) for step in plan.files}


def everything(session: Session) -> None:
    """One of everything, as it was before the agent came."""
    session.write("text", "one\r\ntwo\n")
    session.write("binary", b"\0\xff")
    session.write("empty", b"")
    session.write("moded", "m")
    session.write("to-folder", "f")
    session.write(os.fsdecode(b"\xff"), "odd name")
    (session.work / "d" / "e").mkdir(parents=True)
    session.write("d/e/f", "deep")
    (session.work / "link").symlink_to("text")
    (session.work / "dangling").symlink_to("nowhere")


def upheaval(session: Session) -> None:
    session.write("text", "one\n")
    session.write(os.fsdecode(b"\xff"), "changed")
    for name in ("binary", "empty", "to-folder", "link", "dangling"):
        (session.work / name).unlink()
    (session.work / "moded").chmod(0o700)
    shutil.rmtree(session.work / "d")
    session.write("d", "a file now")
    (session.work / "to-folder").mkdir()
    session.write("to-folder/inside", "x")
    (session.work / "link").symlink_to("moded")
    session.write("dangling", "a file now")
    (session.work / "new" / "folder").mkdir(parents=True)
    session.write("new/folder/file", "y")
    (session.work / "new" / "way").symlink_to("folder")


def test_everything_comes_back_and_goes_forth_again(session: Session) -> None:
    everything(session)
    before = session.tree()
    session.turn(lambda: upheaval(session))
    after = session.tree()
    assert session.rewind(1).refused == ()
    assert session.tree() == before
    assert replay(session.events).conversation == ()
    session.rewind(2)
    assert session.tree() == after
    assert len(replay(session.events).conversation) == 2
    assert session.plan(2).files == ()


def test_each_turn_can_be_gone_back_to(session: Session) -> None:
    trees = []
    for number in range(4):
        trees.append(session.tree())
        session.turn(lambda number=number: session.write("a", f"{number}"), lambda number=number: session.write(f"b{number}", "b"))
    trees.append(session.tree())
    for turn in (4, 2, 3, 1):
        session.rewind(turn)
        assert session.tree() == trees[turn - 1]
        session.rewind(len(replay(session.events).starts))
        assert session.tree() == trees[4]


def test_files_or_the_conversation_alone(session: Session) -> None:
    session.turn(lambda: session.write("a", "1"))
    session.perform(session.plan(1, files=False))
    assert session.read("a") == b"1"
    assert replay(session.events).conversation == ()
    session.perform(session.plan(2, files=False))
    assert len(replay(session.events).conversation) == 2
    session.perform(session.plan(1, conversation=False))
    assert not (session.work / "a").exists()
    assert len(replay(session.events).conversation) == 2


def test_what_the_user_changed_is_left_alone_unless_he_says_so(session: Session) -> None:
    for name in ("edited", "deleted", "untouched"):
        session.write(name, "old")
    session.turn(lambda: [session.write(name, "agent") for name in ("edited", "deleted", "untouched", "made", "made-and-kept")])
    session.write("edited", "user")
    (session.work / "deleted").unlink()
    session.write("made", "user")
    plan = session.rewind(1)
    assert words(plan) == {
        "edited": "it was changed since",
        "deleted": "it was removed since",
        "made": "it was changed since",
        "untouched": "restore",
        "made-and-kept": "remove",
    }
    assert {name: session.read(name) for name in os.listdir(session.work)} == {"edited": b"user", "made": b"user", "untouched": b"old"}
    assert session.rewind(1, overwrite=True).refused == ()
    assert {name: session.read(name) for name in os.listdir(session.work)} == {"edited": b"old", "deleted": b"old", "untouched": b"old"}
    session.rewind(3)
    assert session.read("edited") == b"user"


def test_one_conflict_can_be_decided_alone(session: Session) -> None:
    session.turn(lambda: [session.write(name, "agent") for name in "ab"])
    for name in "ab":
        session.write(name, "user")
    plan = look_and_plan(session.events, 1, session.changes.store, conversation=True, files=True, overwrite=lambda step: step.name == "b")
    session.perform(plan)
    assert os.listdir(session.work) == ["a"]


def test_what_the_user_changed_between_two_changes_is_a_conflict(session: Session) -> None:
    session.write("a", "old")
    session.turn(lambda: session.write("a", "agent"))
    session.write("a", "user")
    session.turn(lambda: session.write("a", "agent again"))
    assert words(session.plan(1)) == {"a": "it was changed by others in between"}
    assert words(session.plan(2)) == {"a": "restore"}
    session.rewind(2)
    assert session.read("a") == b"user"


def test_what_is_as_it_was_needs_nothing(session: Session) -> None:
    session.write("a", "old")
    session.turn(lambda: session.write("a", "agent"), lambda: session.write("made", "x"))
    session.write("a", "old")
    (session.work / "made").unlink()
    assert session.plan(1).files == ()


def test_a_mode_that_the_user_changed_is_a_conflict(session: Session) -> None:
    session.write("a", "old")
    session.turn(lambda: session.write("a", "agent"))
    (session.work / "a").chmod(0o755)
    assert words(session.plan(1)) == {"a": "it was changed since"}


def test_a_folder_with_the_user_s_files_stays(session: Session) -> None:
    def command() -> None:
        (session.work / "d" / "e").mkdir(parents=True)
        session.write("d/made", "x")

    session.turn(command)
    session.write("d/mine", "user")
    plan = session.rewind(1)
    assert words(plan) == {"d": "stays", "d/e": "remove", "d/made": "remove"}
    assert plan.refused == ()
    assert session.tree().keys() == {"d", "d/mine"}


def test_a_file_whose_folder_the_user_removed(session: Session) -> None:
    (session.work / "d").mkdir()
    session.write("d/a", "old")
    session.turn(lambda: session.write("d/a", "agent"))
    shutil.rmtree(session.work / "d")
    assert words(session.plan(1)) == {"d/a": "it was removed since"}
    session.rewind(1, overwrite=True)
    assert session.read("d/a") == b"old"


def test_no_link_leads_out(session: Session, tmp_path: Path) -> None:
    (session.work / "d").mkdir()
    session.write("d/a", "old")
    session.turn(lambda: session.write("d/a", "agent"), lambda: session.write("d/made", "agent"))
    (session.work / "d").rename(tmp_path / "outside")
    (session.work / "d").symlink_to(tmp_path / "outside")
    plan = session.rewind(1, overwrite=True)
    assert words(plan) == {"d/a": "d is no folder any more"}
    assert (tmp_path / "outside" / "a").read_bytes() == b"agent"
    assert (tmp_path / "outside" / "made").exists()


def test_a_link_that_is_put_in_at_the_last_moment_stops_it(session: Session, tmp_path: Path) -> None:
    (session.work / "d").mkdir()
    session.write("d/a", "old")
    session.turn(lambda: session.write("d/a", "agent"))
    plan = session.plan(1)
    shutil.copytree(session.work / "d", tmp_path / "outside")
    shutil.rmtree(session.work / "d")
    (session.work / "d").symlink_to(tmp_path / "outside")
    with pytest.raises(SessionError, match="changed just now"):
        session.perform(plan)
    assert (tmp_path / "outside" / "a").read_bytes() == b"agent"


def test_what_changes_after_the_preview_stops_it(session: Session) -> None:
    session.write("a", "old")
    session.write("b", "old")
    session.turn(lambda: [session.write(name, "agent") for name in "ab"])
    plan = session.plan(1)
    session.write("b", "user")
    with pytest.raises(SessionError, match="changed just now"):
        session.perform(plan)
    assert (session.read("a"), session.read("b")) == (b"agent", b"user")
    assert not any(isinstance(event, Rewound) for event in session.events)
    assert words(session.rewind(1)) == {"a": "restore", "b": "it was changed since"}


@pytest.mark.parametrize("path", ["../out", "/etc/x", "", ".", "a/../../b", "a\0b"])
def test_a_log_can_not_name_places_outside(session: Session, path: str) -> None:
    state = FileState("file", 0o644, digest(b"x"), size=1)
    session.turn(lambda: session.write("a", "x"))
    forged = FilesChanged("c", (FileChange(path, state, MISSING),))
    plan = look_and_plan([*session.events, forged], 1, session.changes.store, conversation=True, files=True, overwrite=lambda step: True)
    assert {step.name: step.problem for step in plan.files} in (
        {"a": ""}, {"a": "", path: "it is outside the workspace"}
    )  # fmt: skip


def test_what_was_not_kept_can_not_come_back(tmp_path: Path) -> None:
    session = Session(tmp_path, limits=Limits(file_bytes=10))
    session.write("large", "x" * 20)
    session.write("small", "x")
    session.turn(lambda: [session.write(name, "y" * 20) for name in ("large", "small")])
    plan = session.rewind(1, overwrite=True)
    assert words(plan) == {"large": "its content was too large to be kept", "small": "restore"}
    assert (session.read("large"), session.read("small")) == (b"y" * 20, b"x")
    session.log.close()
    session.changes.close()


def test_a_damaged_content_concerns_its_file_alone(session: Session) -> None:
    session.write("a", "old a")
    session.write("b", "old b")
    session.turn(lambda: [session.write(name, "agent") for name in "ab"])
    (pack,) = packs(session.store.preimages)
    pack.write_bytes(pack.read_bytes().replace(b"old b", b"OLD b"))
    plan = session.rewind(1, overwrite=True)
    assert session.read("a") == b"old a"
    assert session.read("b") == b"agent"
    assert "damaged" in words(plan)["b"]


def test_a_change_that_was_told_but_did_not_happen(session: Session) -> None:
    session.write("a", "old")
    session.turn(lambda: session.write("a", "agent"))
    place = Place(session.work, ("a",))
    now = state_of(place)
    never = FileState("file", 0o644, digest(b"never"), size=5)
    session.log.append(MessageAdded(User("again")))
    session.log.append(session.changes.edited("c", {place: (now, never)}))
    assert words(session.plan(2)) == {}
    assert words(session.plan(1)) == {"a": "restore"}
    session.log.append(session.changes.edited("c", {place: (now, never)}))
    session.turn(lambda: session.write("a", "agent again"))
    assert words(session.plan(1)) == {"a": "restore"}


def test_a_new_file_whose_mode_was_not_known(session: Session) -> None:
    place = Place(session.work, ("d", "new"))
    session.turn()
    session.log.append(session.changes.edited("c", {place: (MISSING, FileState("file", 0, digest(b"x"), size=1))}))
    (session.work / "d").mkdir()
    session.write("d/new", "x")
    session.rewind(1)
    assert session.tree() == {}


def test_a_turn_that_there_is_not(session: Session) -> None:
    session.turn()
    for turn in (0, 2):
        with pytest.raises(UsageError, match=f"no turn {turn}: they go from 1 to 1"):
            session.plan(turn)
    with pytest.raises(UsageError, match="there is none yet"):
        plan_rewind([], 1, conversation=True, files=True, current=state_of, listing=lambda place: ())


def test_an_intent_without_deeds_is_dropped_and_one_with_them_is_kept(session: Session) -> None:
    session.write("a", "old")
    session.turn(lambda: session.write("a", "agent"))
    event = Rewound(1, True, True, tuple(_reversed(session)), "then")
    intent = session.store.intent(session.id)
    intent.parent.mkdir(exist_ok=True)
    intent.write_bytes(encode_event(event))
    (told,) = finish_interrupted(session.store, session.id, session.log.append)
    assert "had changed nothing yet" in told
    assert event not in session.events
    session.write("a", "old")
    intent.write_bytes(encode_event(event))
    (told,) = finish_interrupted(session.store, session.id, session.log.append)
    assert "was finished" in told
    assert session.events[-1] == event
    intent.write_bytes(encode_event(event))
    (told,) = finish_interrupted(session.store, session.id, session.log.append)
    assert "had ended in time" in told
    assert session.events.count(event) == 1
    assert finish_interrupted(session.store, session.id, session.log.append) == ()


def _reversed(session: Session) -> Iterator[FileChange]:
    for event in session.events:
        if isinstance(event, FilesChanged):
            for change in event.changes:
                yield FileChange(change.path, change.after, change.before)


NAMES = ["a", "b", "d/a", "d/b", "d/e/a"]
ACTS = st.lists(
    st.tuples(st.sampled_from(["write", "remove", "mode", "link", "folder"]), st.sampled_from(NAMES), st.sampled_from("xyz")), max_size=8
)


def act(session: Session, acts: list[tuple[str, str, str]]) -> None:
    """What a command can do; what is not possible it does not do."""
    for kind, name, text in acts:
        path = session.work / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            match kind:
                case "write":
                    path.write_text(text)
                case "remove":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                case "mode":
                    path.chmod(0o700 if text == "x" else 0o644, follow_symlinks=True)
                case "link":
                    path.symlink_to(text)
                case _:
                    path.mkdir()
        except OSError:
            continue


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=ACTS, turns=st.lists(ACTS, min_size=1, max_size=3), data=st.data())
def test_whatever_commands_did_every_turn_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    start: list[tuple[str, str, str]],
    turns: list[list[tuple[str, str, str]]],
    data: st.DataObject,
) -> None:
    session = Session(tmp_path_factory.mktemp("any"))
    act(session, start)
    trees = []
    for acts in turns:
        trees.append(session.tree())
        session.turn(lambda acts=acts: act(session, acts))
    last = session.tree()
    turn = data.draw(st.integers(1, len(turns)))
    assert session.rewind(turn).refused == ()
    assert session.tree() == trees[turn - 1]
    session.rewind(len(replay(session.events).starts))
    assert session.tree() == last
    session.log.close()
    session.changes.close()


def test_the_log_stays_readable_after_all_that(session: Session) -> None:
    session.turn(lambda: session.write(os.fsdecode(b"\xfe"), "x"))
    session.rewind(1)
    session.log.close()
    with SessionLog(session.store.path(session.id)) as log:
        log.append(MessageAdded(User("next")))
    assert replay(session.events).conversation == (User("next"),)
