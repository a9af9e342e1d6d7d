"""The command: arguments in, files and exit codes out, progress on stderr."""

import io
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.convert.command import LINE_SECONDS, Line, convert, describe
from engine.convert.conversion import Progress
from engine.gguf import inspect
from tests.engine.convert import checkpoints, crash


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(convert)
    return app


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    checkpoints.write(folder)
    return folder


def test_it_writes_the_model_and_says_its_name(app: typer.Typer, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "k2.gguf"
    result = CliRunner().invoke(app, [str(source), str(target)])
    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    assert inspect(target).context == 4096


def test_parts_vocabulary_and_check(app: typer.Typer, source: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(source), str(tmp_path / "k2.gguf"), "--split-max-size", "100K", "--verify", "--outtype", "q8_0"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 1
    assert "checksum is right" in result.stderr
    assert CliRunner().invoke(app, [str(source), str(tmp_path / "v.gguf"), "--vocab-only"]).exit_code == 0
    assert (tmp_path / "v.gguf").stat().st_size < 100_000


def test_verify_alone_finds_damage(app: typer.Typer, source: Path, tmp_path: Path) -> None:
    arguments = [str(source), str(tmp_path / "k2.gguf"), "--verify"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    again = CliRunner().invoke(app, arguments)
    assert (again.exit_code, again.stdout) == (0, "")
    (tmp_path / "k2.gguf").write_bytes(b"GGUF")
    damaged = CliRunner().invoke(app, arguments)
    assert damaged.exit_code == 2
    assert "k2.gguf is damaged" in damaged.stderr


def test_model_and_vision_tower_and_what_is_finished_is_kept(app: typer.Typer, tmp_path: Path) -> None:
    """The same command must go on also where it ended between its two files."""
    checkpoints.add_vision(tmp_path / "source", checkpoints.write(tmp_path / "source").tensors)
    model, vision = tmp_path / "k2.gguf", tmp_path / "vision.gguf"
    arguments = [str(tmp_path / "source"), str(model), "--mmproj", str(vision)]
    first = CliRunner().invoke(app, arguments)
    assert (first.exit_code, first.stdout) == (0, f"{vision}\n{model}\n")
    twice = CliRunner().invoke(app, arguments)
    assert (twice.exit_code, "exists already" in twice.stderr) == (2, True)
    for lost in (model, vision):
        lost.unlink()
        lost.with_name(f"{lost.name}.sha256").unlink()
        again = CliRunner().invoke(app, arguments)
        assert (again.exit_code, again.stdout) == (0, f"{lost}\n")
        assert "is finished already and kept" in again.stderr
    assert CliRunner().invoke(app, [*arguments, "--verify"]).exit_code == 0


def test_ctrl_c_exits_130_and_the_next_run_goes_on(app: typer.Typer, source: Path, tmp_path: Path) -> None:
    assert crash.interrupted(source, tmp_path / "k2.gguf", tmp_path / "errors") == 130
    assert (tmp_path / "errors").read_text() == "interrupted; what is done is kept: run the same command again to continue\n"
    assert not (tmp_path / "k2.gguf").exists()
    assert CliRunner().invoke(app, [str(source), str(tmp_path / "k2.gguf")]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give OUT.gguf, --mmproj OUT, or both"),
        (["k2.gguf", "--split-max-size", "many"], "is not a size such as 50G or 800M"),
        (["k2.gguf", "--split-max-size", "0"], "is not a size such as 50G or 800M"),
        (["k2.gguf", "--outtype", "q3"], "'q3' is not one of"),
        (["k2.gguf"], "nowhere"),
        (["--mmproj", "v.gguf"], "nowhere"),
    ],
)
def test_bad_input_exits_2_with_one_line_of_reason(app: typer.Typer, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "nowhere"), *arguments])
    assert result.exit_code == 2
    assert message in result.stderr


def test_progress_elsewhere_than_on_a_terminal_is_a_line_every_few_seconds() -> None:
    stream, now = io.StringIO(), [0.0]
    line = Line(stream, clock=lambda: now[0])
    for second in range(13):
        now[0] = float(second)
        line(Progress("writing", second * 10**9, 100 * 10**9))
    line.close()
    assert stream.getvalue().splitlines() == [
        "writing 5.0 of 100.0 GB, 1000 MB/s, 2 min left",
        "writing 10.0 of 100.0 GB, 1000 MB/s, 90 s left".replace("90 s", "2 min"),
    ]
    assert LINE_SECONDS == 5


def test_progress_on_a_terminal_is_one_line_that_changes() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream, now = Terminal(), [1.0]
    line = Line(stream, clock=lambda: now[0])
    line(Progress("writing", 0, 2 * 10**9))
    now[0] += 1
    line(Progress("writing", 2 * 10**9, 2 * 10**9))
    line.close()
    assert stream.getvalue() == "\r\x1b[Kwriting 0.0 of 2.0 GB\r\x1b[Kwriting 2.0 of 2.0 GB, 2000 MB/s, 0 s left\n"


def test_the_rate_counts_only_what_this_run_moved() -> None:
    assert describe(Progress("writing", 90 * 10**9, 100 * 10**9), 10**9, 2.0) == "writing 90.0 of 100.0 GB, 500 MB/s, 20 s left"
    assert describe(Progress("writing", 0, 10**9), 0, 0.0) == "writing 0.0 of 1.0 GB"
