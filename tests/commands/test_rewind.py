"""`sessions rewind`: what it lists, previews, asks and does, and that nothing in it can trick a terminal."""

from pathlib import Path

import pytest

from kimicode.commands.rewind import Ask, Wanted, rewind, sessions_rewind
from kimicode.errors import RefusedError, SessionError, UsageError
from kimicode.events import MessageAdded, Rewound, RunFinished, SessionStarted
from kimicode.messages import System, Usage, User
from kimicode.session.changes import Changes
from kimicode.session.log import read_events
from kimicode.session.preimages import PreImages
from kimicode.session.store import SessionStore

Capture = pytest.CaptureFixture[str]


class Made:
    def __init__(self, root: Path) -> None:
        self.work, self.store = root / "work", SessionStore(root / "home")
        self.work.mkdir()
        (self.work / "a").write_text("one\ntwo\n")
        (self.work / "m").write_text("m")
        (self.work / "gone").write_bytes(b"\0\1")
        changes = Changes(self.store.root, self.work)
        self.id, log = self.store.create()
        with log:
            log.append(SessionStarted(self.id, str(self.work), "m", "e", "workspace", ()))
            log.append(MessageAdded(System("s")))
            log.append(MessageAdded(User("<environment>\nx\n</environment>\n\nmake it\x1b[2J good\nplease"), "2026-11-24T12:00:00+00:00"))
            changes.before_command()
            (self.work / "a").write_text("one\n2\n3\n")
            (self.work / "m").chmod(0o755)
            (self.work / "gone").unlink()
            (self.work / "new\x1b[2J\n\u202e").write_text("x")
            for event in changes.after_command("c"):
                log.append(event)
            log.append(RunFinished("done", 0, "", 1, Usage(), 1.0))
            log.append(MessageAdded(User("x" * 100)))
        changes.close()

    def back(self, to: int | None = 1, *, files=False, conversation=False, preview=False, yes=True, force=False) -> int:  # type: ignore[no-untyped-def]
        return sessions_rewind(self.id[-4:], to, files, conversation, preview, yes, force)

    def asked(self, *answers: str, wanted: Wanted = Wanted(1, True, True)) -> tuple[int, list[str]]:  # noqa: B008
        questions: list[str] = []

        def ask(question: str) -> str:
            questions.append(question)
            return answers[len(questions) - 1]

        return self.go(ask, wanted), questions

    def go(self, ask: Ask, wanted: Wanted) -> int:
        with PreImages(self.store.preimages) as contents:
            return rewind(self.store, self.id, wanted, contents, ask)

    def rewinds(self) -> int:
        return sum(isinstance(event, Rewound) for event in read_events(self.store.path(self.id)))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
    return Made(tmp_path)


def test_turns_are_listed(made: Made, capsys: Capture) -> None:
    assert made.back(None) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "1"
    assert "4 files  make it" in first
    assert "please" not in first
    assert second.split()[:3] == ["2", "0", "files"]
    assert second.endswith("x…")
    assert "\x1b" not in first
    made.back()
    capsys.readouterr()
    made.back(None)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.endswith("[rewound]")
    assert second.endswith("[rewound]")
    assert third.endswith("(rewound to before turn 1)")


def test_no_turns_yet(made: Made, capsys: Capture) -> None:
    session_id, log = made.store.create()
    log.close()
    assert sessions_rewind(session_id, None, False, False, False, False, False) == 0
    assert capsys.readouterr() == ("", "No turns yet.\n")


def test_a_preview_says_what_would_be_done_and_does_nothing(made: Made, capsys: Capture) -> None:
    assert made.back(preview=True, yes=False) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0] + " " + line.split()[1]: line for line in shown.splitlines()}
    assert lines["conversation to"]
    assert lines["restore a"].endswith("+1 -2")
    assert lines["restore m"].endswith("mode 755 to 644")
    assert lines["recreate gone"].endswith("binary, 0 to 2 bytes")
    assert len(lines) == 5
    assert not {"\x1b", "\u202e"} & set(shown)
    assert (made.work / "a").read_text() == "one\n2\n3\n"
    assert made.rewinds() == 0


def test_a_preview_needs_no_lock(made: Made) -> None:
    with made.store.open(made.id):
        assert made.back(preview=True) == 0
        with pytest.raises(SessionError, match="using this session"):
            made.back()


def test_it_goes_back(made: Made, capsys: Capture) -> None:
    assert made.back() == 0
    assert capsys.readouterr().err == "Rewound to before turn 1: 4 files changed back.\n"
    assert sorted(path.name for path in made.work.iterdir()) == ["a", "gone", "m"]
    assert made.rewinds() == 1


@pytest.mark.parametrize(("files", "conversation"), [(True, False), (False, True), (True, True)])
def test_one_half_or_both(made: Made, files: bool, conversation: bool) -> None:
    assert made.back(files=files, conversation=conversation) == 0
    *_, event = read_events(made.store.path(made.id))
    assert isinstance(event, Rewound)
    assert (event.files, event.conversation) == (files, conversation)
    assert (made.work / "gone").exists() is files


def test_without_a_terminal_it_wants_yes(made: Made) -> None:
    with pytest.raises(UsageError, match="no terminal") as caught:
        made.back(yes=False)
    assert "--yes" in caught.value.hint
    assert made.rewinds() == 0


def test_conflicts_are_left_and_said_and_forced(made: Made, capsys: Capture) -> None:
    (made.work / "a").write_text("mine")
    assert made.back() == RefusedError.exit_code == 77
    out, err = capsys.readouterr()
    assert "conflict      a  it was changed since" in out
    assert "1 left as they are" in err
    assert (made.work / "a").read_text() == "mine"
    assert (made.work / "gone").exists()
    assert made.back(force=True) == 0
    assert (made.work / "a").read_text() == "one\ntwo\n"


def test_only_conflicts_are_nothing_to_do(made: Made, capsys: Capture) -> None:
    made.back()
    (made.work / "a").write_text("mine")
    assert made.back(files=True) == 77
    assert "Nothing to rewind." in capsys.readouterr().err
    (made.work / "a").write_text("one\ntwo\n")
    assert made.back(files=True) == 0
    assert made.rewinds() == 1


def test_a_person_is_asked_about_each_conflict_and_about_it_all(made: Made) -> None:
    (made.work / "a").write_text("mine")
    (made.work / "m").write_text("mine")
    code, questions = made.asked("y", "", "yes")
    assert code == 77
    assert len(questions) == 3
    assert "Overwrite a, although it was changed since" in questions[0]
    assert (made.work / "a").read_text() == "one\ntwo\n"
    assert (made.work / "m").read_text() == "mine"


def test_no_means_nothing(made: Made) -> None:
    for answer in ("n", "", "nonsense"):
        with pytest.raises(RefusedError, match="not rewound"):
            made.asked(answer)
    assert made.rewinds() == 0
    assert not (made.work / "gone").exists()


def test_what_can_go_wrong(made: Made) -> None:
    with pytest.raises(UsageError, match="no turn 3: they go from 1 to 2"):
        made.back(3)
    with pytest.raises(UsageError, match="no session"):
        sessions_rewind("nothing", 1, False, False, False, True, False)
