"""Side files written, interrupted, continued and checked: whatever ends a run, the next one comes to the same bytes."""

import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine import prepare_command
from engine.convert.conversion import Progress
from engine.convert.disk import StoppedError
from engine.errors import EngineError, ModelFileError
from engine.prepare import prepare, remove, verify
from engine.prepare_batches import Options
from engine.prepare_gain import Gain, gain
from engine.prepare_journal import Journal
from engine.side_file import SideFileError, beside, find
from tests.engine import expertgguf

FILL = 20
SMALL = Options(workers=2, batch=150_000, sync=300_000)
"""So that a file of 2 MB has many batches, and is made durable several times."""

Work = Callable[[Path], None]


def quiet(_heard: object) -> None:
    """Hear nothing."""


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What every run must come to."""
    model, _ = expertgguf.write(tmp_path_factory.mktemp("wanted") / "m.gguf", fill=FILL)
    return prepare(model, None, quiet, quiet, SMALL).path.read_bytes()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return expertgguf.write(tmp_path / "m.gguf", fill=FILL)[0]


def finished(model: Path, wanted: bytes) -> bool:
    """Whether the side file is there, right, and nothing else is left."""
    return beside(model).read_bytes() == wanted and {path.name for path in model.parent.iterdir()} == {"m.gguf", "m.experts"}


def dies(work: Work, model: Path) -> int:
    """Do it in a process of its own; the exit status, negative for a signal."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.prepare_command", "tests.engine.expertgguf"])
    process = context.Process(target=work, args=(model,))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def kill(phase: str, share: float, model: Path) -> None:
    """Prepare, and end by SIGKILL in the middle of a phase."""

    def report(progress: Progress) -> None:
        if progress.phase == phase and progress.done >= share * progress.total:
            os.kill(os.getpid(), signal.SIGKILL)

    prepare(model, None, report, quiet, SMALL)


def kill_at_name(number: int, model: Path) -> None:
    """Prepare, and end by SIGKILL when a file is opened, cut, renamed or removed for the so-manieth time."""
    left = number

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in ("open", "os.truncate", "os.rename", "os.remove") and (
            isinstance(arguments[0], int) or str(model.parent) in str(arguments[0])
        ):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    prepare(model, None, quiet, quiet, SMALL)


def starve(limit: int, model: Path) -> None:
    """Prepare where no file may grow past a limit; 75 if that was reported as a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        prepare(model, None, quiet, quiet, SMALL)
    except StoppedError as error:
        sys.exit(error.exit_code if "the disk is full" in str(error) else 1)


def interrupt(errors: Path, model: Path) -> None:
    """Run the command and press Ctrl-C when the side file is about to get its name; its exit status, its words in `errors`."""

    def hook(event: str, _arguments: tuple[object, ...]) -> None:
        if event == "os.rename":
            raise KeyboardInterrupt

    sys.addaudithook(hook)
    with errors.open("w") as sys.stderr:
        try:
            prepare_command.prepare(model)
        except typer.Exit as end:
            sys.exit(end.exit_code)


@pytest.mark.parametrize(("phase", "share"), [("writing", 0.0), ("writing", 0.5), ("writing", 1.0), ("checking", 0.5), ("checking", 1.0)])
def test_a_killed_run_goes_on_to_the_same_file(model: Path, wanted: bytes, phase: str, share: float) -> None:
    assert dies(partial(kill, phase, share), model) == -signal.SIGKILL
    assert find(model) is None
    done = prepare(model, None, quiet, quiet, SMALL)
    assert finished(model, wanted)
    assert done.kept == (done.experts if phase == "checking" else done.kept)
    assert (done.kept > 0) == (share > 0)


def test_a_run_killed_at_any_change_of_names_goes_on(model: Path, wanted: bytes) -> None:
    for number in range(1, 100):
        beside(model).unlink(missing_ok=True)
        if (status := dies(partial(kill_at_name, number), model)) == 0:
            break
        assert status == -signal.SIGKILL
        assert find(model) is None or beside(model).read_bytes() == wanted
        prepare(model, None, quiet, quiet, SMALL)
        assert finished(model, wanted)
    assert number > 8
    assert finished(model, wanted)


@pytest.mark.parametrize("limit", [100_000, 1_000_000, 2_050_000])
def test_a_full_disk_in_the_middle_keeps_what_is_done(model: Path, wanted: bytes, limit: int) -> None:
    assert len(wanted) > 2_050_000
    assert dies(partial(starve, limit), model) == 75
    assert find(model) is None
    done = prepare(model, None, quiet, quiet, SMALL)
    assert finished(model, wanted)
    assert (done.kept > 0) == (limit > 500_000)


def test_a_full_disk_is_known_before(model: Path) -> None:
    with pytest.raises(StoppedError, match=r"2\.\d MB are still to be written, but only 5 B are free: make 2\.\d MB more free or choose"):
        prepare(model, None, quiet, quiet, Options(free=lambda _: 5))
    beside(model).write_bytes(b"an old one")
    with pytest.raises(StoppedError, match="more free, as by --remove, or choose"):
        prepare(model, None, quiet, quiet, Options(free=lambda _: 5))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("batch", [1, 1 << 30])
def test_how_it_is_written_makes_no_difference(model: Path, wanted: bytes, workers: int, batch: int) -> None:
    prepare(model, None, quiet, quiet, Options(workers=workers, batch=batch, sync=1))
    assert finished(model, wanted)


def test_ctrl_c_keeps_all_that_was_written(model: Path, wanted: bytes) -> None:
    def report(progress: Progress) -> None:
        if progress.phase == "checking":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(model, None, report, quiet, SMALL)
    done = prepare(model, None, quiet, quiet, Options(batch=90_000))
    assert done.kept == done.experts
    assert finished(model, wanted)


def test_ctrl_c_keeps_also_what_was_not_yet_durable(model: Path, wanted: bytes) -> None:
    def report(progress: Progress) -> None:
        if progress.done >= progress.total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(model, None, report, quiet, Options(batch=90_000, sync=1 << 30))
    assert 0 < prepare(model, None, quiet, quiet, Options(batch=90_000)).kept < 21
    assert finished(model, wanted)


def test_ctrl_c_is_130_and_says_how_to_go_on(model: Path, wanted: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    errors = tmp_path_factory.mktemp("errors") / "stderr"
    assert dies(partial(interrupt, errors), model) == 130
    assert errors.read_text() == "interrupted; what is done is kept: run the same command again to continue\n"
    assert find(model) is None
    assert prepare(model, None, quiet, quiet).kept == 21
    assert finished(model, wanted)


def test_a_torn_journal_costs_its_last_line(model: Path, wanted: bytes) -> None:
    assert dies(partial(kill, "checking", 0.0), model) == -signal.SIGKILL
    journal = beside(model).with_name("m.experts.journal")
    journal.write_bytes(journal.read_bytes()[:-5])
    done = prepare(model, None, quiet, quiet, SMALL)
    assert 0 < done.kept < done.experts
    assert finished(model, wanted)


@pytest.mark.parametrize("lost", ["m.experts.part", "m.experts.journal"])
def test_half_of_what_is_kept_is_worth_nothing(model: Path, wanted: bytes, lost: str) -> None:
    assert dies(partial(kill, "checking", 0.0), model) == -signal.SIGKILL
    model.with_name(lost).unlink()
    assert prepare(model, None, quiet, quiet, SMALL).kept == 0
    assert finished(model, wanted)


def test_a_part_that_was_cut_is_written_again(model: Path, wanted: bytes) -> None:
    assert dies(partial(kill, "checking", 0.0), model) == -signal.SIGKILL
    os.truncate(model.with_name("m.experts.part"), 1_000_000)
    assert prepare(model, None, quiet, quiet, SMALL).kept == 0
    assert finished(model, wanted)


def test_another_model_starts_over_and_says_so(model: Path) -> None:
    assert dies(partial(kill, "checking", 0.0), model) == -signal.SIGKILL
    expertgguf.write(model, seed=1, fill=FILL)
    heard: list[str] = []
    assert prepare(model, None, quiet, heard.append, SMALL).kept == 0
    assert heard == ["the model has changed since an earlier run that did not end: starting over"]
    verify(model, None, quiet)


def test_a_stale_side_file_is_replaced_and_said(model: Path) -> None:
    prepare(model, None, quiet, quiet, SMALL)
    expertgguf.write(model, seed=1, fill=FILL)
    with pytest.raises(SideFileError, match="another model"):
        verify(model, None, quiet)
    heard: list[str] = []
    assert prepare(model, None, quiet, heard.append, SMALL).kept == 0
    assert [text.split(":")[0] for text in heard] == ["not used, and replaced"]
    verify(model, None, quiet)


def test_a_model_that_changes_meanwhile_gives_no_side_file(model: Path, wanted: bytes) -> None:
    def report(progress: Progress) -> None:
        if progress.done == progress.total:
            os.utime(model, ns=(1, 1))

    with pytest.raises(ModelFileError, match="has changed while it was read"):
        prepare(model, None, report, quiet, SMALL)
    assert find(model) is None
    prepare(model, None, quiet, quiet, SMALL)
    assert finished(model, wanted)


def test_what_reads_back_otherwise_is_never_published(model: Path, wanted: bytes) -> None:
    """A drive or memory that changes bits between writing and reading."""
    part = model.with_name("m.experts.part")

    def report(progress: Progress) -> None:
        if progress.phase == "writing" and progress.done == progress.total:
            with part.open("r+b") as file:
                file.seek(progress.total - 4096 * 3)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))

    with pytest.raises(EngineError, match="expert 4 of layer 3 does not read back as it was written"):
        prepare(model, None, report, quiet, SMALL)
    assert find(model) is None
    done = prepare(model, None, quiet, quiet, SMALL)
    assert 0 < done.kept < done.experts
    assert finished(model, wanted)


@pytest.mark.parametrize("where", [0.2, 0.5, 0.97])
def test_a_flipped_bit_is_found_and_named(model: Path, where: float) -> None:
    path = prepare(model, None, quiet, quiet, SMALL).path
    assert verify(model, None, quiet).experts == 21
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 16
    path.write_bytes(data)
    with pytest.raises(SideFileError, match=r"is damaged: one expert, the first of them expert \d of layer [123]"):
        verify(model, None, quiet)


def test_two_at_once_are_one_too_many(model: Path) -> None:
    with Journal(beside(model).with_name("m.experts.journal"), "other"), pytest.raises(EngineError, match="another process"):
        prepare(model, None, quiet, quiet)
    with Journal(beside(model).with_name("m.experts.journal"), "other"), pytest.raises(EngineError, match="another process"):
        remove(model, None)


def test_who_may_not_read_the_model_may_not_read_its_experts(model: Path) -> None:
    model.chmod(0o600)
    assert prepare(model, None, quiet, quiet).path.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_left_alone(model: Path) -> None:
    path = prepare(model, None, quiet, quiet, SMALL).path
    before = path.stat()
    assert prepare(model, None, quiet, quiet, SMALL).kept == 21
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_gain_is_measured_both_ways(model: Path) -> None:
    assert gain(model) is None
    found = gain(model, seconds=0.01, least=0)
    assert found is None or (found.apart > 0 and found.together > 0)
    assert "little or nothing" in str(Gain(1e9, 1.1e9))
    assert "2.00 times as fast" in str(Gain(1e9, 2e9))


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(prepare_command.prepare)
    return app


def test_the_command_and_its_answers(app: typer.Typer, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    runner, place = CliRunner(), ["--to", str(other)]
    first = runner.invoke(app, [str(model), *place])
    assert (first.exit_code, first.stdout) == (0, f"{other / 'm.experts'}\n")
    again = runner.invoke(app, [str(model), *place, "--json"])
    size = (other / "m.experts").stat().st_size
    assert json.loads(again.stdout) == {"state": "there", "file": f"{other / 'm.experts'}", "bytes": size, "experts": 21}
    assert "it is there already" in again.stderr
    checked = json.loads(runner.invoke(app, [str(model), *place, "--verify", "--json"]).stdout)
    assert (checked["state"], checked["experts"]) == ("verified", 21)
    assert json.loads(runner.invoke(app, [str(model), "--remove", "--json"]).stdout) == {"state": "none", "files": []}
    gone = runner.invoke(app, [str(model), *place, "--remove"])
    assert (gone.exit_code, gone.stdout, list(other.iterdir())) == (0, "", [])
    assert json.loads(runner.invoke(app, [str(model), "--measure", "--json"]).stdout) == {"state": "measured", "gain": None}
    written = json.loads(runner.invoke(app, [str(model), "--json"]).stdout)
    assert (written["state"], written["experts"], written["experts_kept"], written["gain"]) == ("written", 21, 0, None)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no.gguf"], 2, "no.gguf: no such file"),
        (["m.gguf", "--verify"], 2, "m.experts: no such file"),
        (["m.gguf", "--verify", "--remove"], 2, "give one of"),
        (["m.gguf", "--to", "nowhere"], 2, "nowhere/m.experts.journal: no such file or directory; give another folder with --to"),
        (["m.gguf", "--to", "m.gguf"], 2, "m.gguf/m.experts.journal: not a directory"),
    ],
)
def test_the_commands_errors(
    app: typer.Typer, model: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(model.parent)
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_progress_off_a_terminal_is_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 30.0, 59.0, 60.0, 61.0, 130.0, 131.0])
    shown = prepare_command.Minutely(sys.stderr, lambda: next(times))
    for done in range(7):
        shown(Progress("writing" if done < 6 else "checking", done * 10**9, 10**10))
    assert capsys.readouterr().err.splitlines() == [
        "writing 3.0 of 10.0 GB, 50 MB/s, 2 min left",
        "writing 5.0 of 10.0 GB, 38 MB/s, 2 min left",
    ]
