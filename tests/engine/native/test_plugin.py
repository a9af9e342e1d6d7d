"""Our attention inside llama.cpp: it is taken, it says what stock says, and where it can't be used stock is, with a reason.

Who computes attention is settled once a process, so that each wish has a process of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.commands import AttentionChoice
from engine.daemon import ServeOptions, load
from engine.gguf import inspect
from engine.llama import KvType
from engine.native.build import TARGET
from engine.native.library import Library
from engine.native.plugin import AUTO, DEFAULT, Attention, wish
from engine.native.sources import FOLDER
from kimicode.commands import doctor
from tests.engine.native.nano import MODEL, ROOT, STEPS, Result, Wish, run

NEAR = 0.15
"""Scores that lie so near are a tie, which any rounding may decide: stock's own code paths differ from each other by as much."""


@pytest.fixture(scope="module")
def stock(library: Library, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """What stock says, by the type of cells."""
    return {kind: run(tmp_path_factory.mktemp("stock"), Wish("stock", kind)) for kind in ("F16", "Q8_0")}


def python(code: str, *arguments: object, **environ: str) -> str:
    """What `code` prints; nothing may be said on stderr."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def loaded(path: Path, **environ: str) -> dict[str, str | None]:
    """What comes of loading the library at `path`."""
    code = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from engine.llama import attention_kernel
from engine.native.plugin import Attention
print(json.dumps(asdict(attention_kernel(Attention.PRECISE, Path(sys.argv[1])))))
"""
    result: dict[str, str | None] = json.loads(python(code, path, **environ))
    return result


def agreement(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """How often both choose the same token; where they don't, both must have been near."""
    mine, other = ours.argmax(axis=-1, keepdims=True), theirs.argmax(axis=-1, keepdims=True)
    for scores in (ours, theirs):
        assert np.abs(np.take_along_axis(scores, mine, -1) - np.take_along_axis(scores, other, -1)).max() < NEAR
    return float((mine == other).mean())


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
@pytest.mark.parametrize("attention", [Attention.PRECISE, Attention.FAST])
def test_several_sequences_say_what_stock_says(attention: Attention, kind: str, stock: dict[str, Result], tmp_path: Path) -> None:
    theirs = stock[kind]
    ours = run(tmp_path, Wish(attention.value, kind, str(theirs.folder), str(theirs.folder)))
    names = Library().kernels()
    assert ours.kernel == (names[0] if attention is Attention.FAST else next(name for name in names if name.endswith("-exact")))
    assert (ours.operations, theirs.operations) == (True, False)
    assert (ours.reason, theirs.kernel, theirs.reason) == ("", None, "")
    assert not np.array_equal(ours.scores, theirs.scores), "the kernel was never asked"
    assert agreement(ours.scores, theirs.scores) >= 0.97


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
def test_cells_go_from_stock_to_ours_and_back(kind: str, stock: dict[str, Result], tmp_path: Path) -> None:
    theirs = stock[kind]
    (there := tmp_path / "there").mkdir()
    (back := tmp_path / "back").mkdir()
    ours = run(there, Wish("precise", kind, str(theirs.folder), str(theirs.folder)))
    again = run(back, Wish("stock", kind, str(theirs.folder), str(there)))
    for result in (ours, again):
        assert agreement(result.again, result.scores[-1, 0]) == 1
        np.testing.assert_allclose(result.again, theirs.scores[-1, 0], atol=0.5)


def test_exact_cells_keep_exact_attention(tmp_path: Path) -> None:
    result = run(tmp_path, Wish("precise", "F32"))
    assert (result.operations, result.kernel, result.reason) == (False, None, "")
    assert result.tokens.shape[0] == STEPS


def test_a_loaded_model_says_who_computes() -> None:
    options = ServeOptions(MODEL, context=256, cells=256, kv_type=KvType.F16, threads=1)
    llama, model = load(inspect(MODEL), options)
    llama.close()
    assert model.attention == llama.attention
    assert (model.attention.name, model.attention.reason) == (Library().kernels()[0], "")


def test_a_missing_library_is_built_by_hand(tmp_path: Path) -> None:
    result = loaded(tmp_path / "none.so")
    assert result["kernel"] is None
    assert "not built: install a C++ compiler" in str(result["reason"])
    assert f"{sys.executable} -m engine.native.build" in str(result["reason"])


def test_an_installation_without_kernels_runs_on_stock(stock: dict[str, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "engine", tmp_path / "engine", ignore=shutil.ignore_patterns("*.so", "*.state", "__pycache__"))
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (folder := tmp_path / "result").mkdir()
    result = run(folder, Wish("precise", "F16"), tmp_path)
    assert (result.kernel, result.operations) == (None, False)
    np.testing.assert_array_equal(result.scores, stock["F16"].scores)
    monkeypatch.chdir(tmp_path)
    check = next(doctor.native((sys.executable, "-m", "engine.native.status")))
    assert check.state == "limited"
    assert check.advice == f"{result.reason[:1].upper()}{result.reason[1:]}."


def test_another_ggml_is_refused(library: Library, tmp_path: Path) -> None:
    (version,) = re.findall(rb'VERSION = "([0-9.]+)"', (FOLDER / "ggml_abi.hpp").read_bytes())
    other = version[:-1] + (b"9" if version[-1:] != b"9" else b"8")
    folder = Path(llama_cpp.__file__).parent / "lib"
    for file in folder.glob("lib*"):
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content.replace(version + b"\0", other + b"\0") if "ggml-base" in file.name else content)
    result = loaded(TARGET, LLAMA_CPP_LIB_PATH=str(tmp_path))
    assert result["kernel"] is None
    assert f"it is made for ggml {version.decode()}, and this is {other.decode()}" in str(result["reason"])
    assert "install kimicode again" in str(result["reason"])


@pytest.mark.parametrize("content", [b"", b"not a library at all\n" * 99, b"\x7fELF"])
def test_a_damaged_library_is_built_again(content: bytes, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(content)
    result = loaded(damaged)
    assert result["kernel"] is None
    assert str(result["reason"]).startswith(f"{damaged}: the attention kernels can't be loaded: ")
    assert "-m engine.native.build" in str(result["reason"])


def test_another_library_lacks_functions(tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    other.symlink_to(next(Path(sys.modules["numpy"].__path__[0]).rglob("_multiarray_umath*.so")))
    assert "can't be loaded" in str(loaded(other)["reason"])


def test_a_process_keeps_its_first_wish(library: Library) -> None:
    code = """
from engine.errors import EngineError
from engine.llama import attention_kernel
from engine.native.plugin import Attention
first = attention_kernel(Attention.FAST)
assert attention_kernel(Attention.FAST) is first
for other in (Attention.PRECISE, Attention.STOCK):
    try:
        attention_kernel(other)
    except EngineError as error:
        print(error)
"""
    said = python(code).splitlines()
    assert [line.partition(":")[0] for line in said] == [
        f"attention is fast in this process and can't become {name}" for name in ("precise", "stock")
    ]


def test_experts_get_the_library_also_without_its_attention(library: Library, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from engine.devices import devices
from engine.llama import attention_kernel
from engine.native.plugin import Attention
path = Path(sys.argv[1])
def names():
    return [device.name for device in devices() if device.name in ("MLA", "EXP")]
print(attention_kernel(Attention.STOCK, path).missing, names())
loaded = attention_kernel(Attention.STOCK, path, experts=True)
print((loaded.kernel, loaded.reason), loaded.missing, sorted(names()))
assert attention_kernel(Attention.STOCK, path, experts=True) is attention_kernel(Attention.STOCK, path) is loaded
"""
    assert python(code, TARGET).splitlines() == [" []", "(None, '')  ['EXP', 'MLA']"]
    without = python(code, tmp_path / "none.so").splitlines()
    assert without[0] == " []"
    assert re.fullmatch(r"\(None, ''\) kimicode's kernels are not built: .* \[\]", without[1])


def test_names_on_the_command_line() -> None:
    assert [choice.value for choice in AttentionChoice] == [AUTO, *sorted(kind.value for kind in Attention)]
    assert [wish(kind.value) for kind in Attention] == list(Attention)
    assert wish(AUTO) is DEFAULT


@pytest.mark.parametrize(("name", "code"), [("quick", 2), ("stock", 2)])
def test_an_engine_takes_the_names_alone(name: str, code: int, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "engine",
        "serve",
        "--socket",
        str(tmp_path / "s"),
        "--model",
        str(tmp_path / "absent"),
        "--attention",
        name,
    ]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, "invalid choice: 'quick'" in done.stderr) == (code, name == "quick")


def test_status_is_one_line(library: Library) -> None:
    command = [sys.executable, "-P", "-m", "engine.native.status"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == {"v": 1, "kernel": library.kernels()[0], "reason": "", "experts": ""}
