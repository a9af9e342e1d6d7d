"""A model's parts as one file that llama.cpp reads through a C stream: the same bytes, the same answers, its own errors."""

import ctypes
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import llama_cpp.llama_cpp as api
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.c_stream import BUFFER, Stream, unsupported
from engine.errors import ModelFileError
from engine.expert_files import is_expert
from engine.expert_loading import load_around
from engine.one_file import OneFile
from engine.parts import Parts, read_parts
from tests.engine import tinygguf
from tests.engine.splitgguf import split

NANO = Path(__file__).parents[2] / "engine" / "nano" / "kimi-nano.gguf"
TOKENS = (104, 101, 108, 108, 111)
NONE: Callable[[str], bool] = lambda _name: False  # noqa: E731


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kimi-nano in several parts."""
    return split(NANO, tmp_path_factory.mktemp("parts"), 30)


@pytest.fixture(scope="module")
def empty_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return split(NANO, tmp_path_factory.mktemp("empty"), 50, empty_first=True)


@contextmanager
def no_new_files() -> Iterator[None]:
    """Whatever is opened inside is closed."""
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def content(path: Path) -> bytes:
    """The whole virtual file."""
    with OneFile(read_parts(path), NONE) as file:
        found = bytearray(file.size)
        address = ctypes.addressof((ctypes.c_char * file.size).from_buffer(found))
        at = 0
        while count := file.read_into(address + at, file.size - at, at):
            at += count
    return bytes(found)


def logits(model: int | None) -> NDArray[np.float32]:
    """The last token's scores after `TOKENS`. The model is freed."""
    assert model is not None
    settings = api.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 64, 1, 1
    context = api.llama_init_from_model(model, settings)
    try:
        tokens = (api.llama_token * len(TOKENS))(*TOKENS)
        assert api.llama_decode(context, api.llama_batch_get_one(tokens, len(TOKENS))) == 0
        size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        return np.ctypeslib.as_array(api.llama_get_logits_ith(context, -1), shape=(size,)).copy()
    finally:
        api.llama_free(context)
        api.llama_model_free(model)


def loaded(parts: Parts, leave: Callable[[str], bool] = NONE, progress: Callable[[], bool] = lambda: True) -> int | None:
    api.llama_backend_init()
    parameters = api.llama_model_default_params()
    callback = api.llama_progress_callback(lambda _done, _data: progress())
    parameters.progress_callback = callback
    return load_around(parts, parameters, leave)


@pytest.mark.parametrize("model", ["nano", "parts", "empty_first"])
def test_llama_cpp_says_the_same(model: str, request: pytest.FixtureRequest) -> None:
    path = NANO if model == "nano" else request.getfixturevalue(model)
    api.llama_backend_init()
    theirs = logits(api.llama_model_load_from_file(os.fsencode(path), api.llama_model_default_params()))
    with no_new_files():
        np.testing.assert_array_equal(logits(loaded(read_parts(path))), theirs)


@pytest.mark.parametrize("model", ["parts", "empty_first"])
def test_parts_are_the_file_that_they_were(model: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path = request.getfixturevalue(model)
    assert read_parts(path).count > 2
    (one := tmp_path / "one.gguf").write_bytes(content(path))
    ours, theirs = gguf.GGUFReader(one), gguf.GGUFReader(NANO)
    assert [tensor.name for tensor in ours.tensors] == [tensor.name for tensor in theirs.tensors]
    for mine, other in zip(ours.tensors, theirs.tensors, strict=True):
        assert (mine.tensor_type, list(mine.shape)) == (other.tensor_type, list(other.shape))
        np.testing.assert_array_equal(mine.data, other.data)
    for name, field in theirs.fields.items():
        if not name.startswith("GGUF."):
            assert ours.fields[name].contents() == field.contents(), name


def test_one_file_alone_keeps_every_byte() -> None:
    assert content(NANO) == NANO.read_bytes()


def c_library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.fread.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)
    library.fseeko.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int)
    library.ftello.argtypes, library.ftello.restype = (ctypes.c_void_p,), ctypes.c_int64
    return library


def test_a_c_program_reads_anywhere(parts: Path) -> None:
    whole, draw, library = content(parts), random.Random(1), c_library()
    memory = ctypes.create_string_buffer(3 * BUFFER)
    with OneFile(read_parts(parts), NONE) as file, Stream(file) as stream:
        assert library.fseeko(stream.pointer, 0, os.SEEK_END) == 0
        assert library.ftello(stream.pointer) == len(whole)
        for _ in range(300):
            at, count = draw.randrange(len(whole)), draw.choice([1, 7, 4096, BUFFER, 2 * BUFFER + 5])
            assert library.fseeko(stream.pointer, at, os.SEEK_SET) == 0
            assert library.ftello(stream.pointer) == at
            taken = library.fread(memory, 1, count, stream.pointer)
            assert memory.raw[:taken] == whole[at : at + count]
            assert library.ftello(stream.pointer) == at + taken
        assert library.fseeko(stream.pointer, -1, os.SEEK_SET) == -1
        assert stream.problem is None


def test_who_goes_to_what_is_left_out_is_at_the_end(parts: Path, tmp_path: Path) -> None:
    whole, library = content(parts), c_library()
    (one := tmp_path / "one.gguf").write_bytes(whole)
    starts = {int(tensor.data_offset): tensor.name for tensor in gguf.GGUFReader(one).tensors}
    with OneFile(read_parts(parts), is_expert) as file, Stream(file) as stream:
        for at, name in [*starts.items(), *reversed(starts.items())]:
            assert library.fseeko(stream.pointer, at, os.SEEK_SET) == 0
            assert library.ftello(stream.pointer) == (len(whole) if is_expert(name) else at), name


class Counted:
    """A source that counts what is asked of another one."""

    def __init__(self, file: OneFile) -> None:
        self.size = file.size
        self.passed = file.passed
        self._file = file
        self.reads = self.bytes = 0

    def read_into(self, address: int, count: int, position: int) -> int:
        taken = self._file.read_into(address, count, position)
        self.reads += 1
        self.bytes += taken
        return taken


def test_llama_cpp_reads_no_byte_of_what_is_left_out(parts: Path) -> None:
    found = read_parts(parts)
    tensors = [tensor for _, tensor in found.tensors()]
    dense = sum(tensor.bytes for tensor in tensors if not is_expert(tensor.name))
    api.llama_backend_init()
    parameters = api.llama_model_default_params()
    parameters.load_mode, parameters.lazy_mode = api.LLAMA_LOAD_MODE_NONE, api.LLAMA_LAZY_MODE_OFF
    with OneFile(found, is_expert) as file:
        counted = Counted(file)
        with Stream(counted) as stream:
            model = api.llama_model_load_from_file_ptr(stream.pointer, parameters)
        assert model is not None
        api.llama_model_free(model)
    # Each tensor costs a byte more, where the C library looks for it.
    assert dense < counted.bytes < found.files[0].header.data + dense + 100 * len(tensors)
    assert counted.reads < 5 * len(tensors) + 10


def test_what_is_left_out_is_not_read_and_no_memory_is_touched(parts: Path, tmp_path: Path) -> None:
    (one := tmp_path / "one.gguf").write_bytes(content(parts))
    untouched = b"\xaa" * (1 << 20)
    memory = ctypes.create_string_buffer(untouched, len(untouched))
    with OneFile(read_parts(parts), is_expert) as file:
        for tensor in gguf.GGUFReader(one).tensors:
            if not is_expert(tensor.name):
                continue
            start, end = int(tensor.data_offset), int(tensor.data_offset + tensor.n_bytes)
            for at in (start, (start + end) // 2, end - 1):
                assert file.read_into(ctypes.addressof(memory), len(untouched), at) == min(end - at, len(untouched))
                assert memory.raw == untouched


def test_more_than_two_gigabytes_are_no_trouble(tmp_path: Path) -> None:
    path, rows = tmp_path / "large.gguf", 600_000
    writer = gguf.GGUFWriter(path, "deepseek2")
    for name in ("a", "b"):
        writer.add_tensor_info(name, (rows, 1024), np.dtype(np.float32), rows * 4096)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    end = 2 * rows * 4096 + os.path.getsize(path)
    end += -end % 32
    os.truncate(path, end)
    with path.open("r+b") as sparse:
        sparse.seek(end - 4)
        sparse.write(b"last")
    library, memory = c_library(), ctypes.create_string_buffer(4)
    with OneFile(read_parts(path), NONE) as file, Stream(file) as stream:
        assert library.fseeko(stream.pointer, -4, os.SEEK_END) == 0
        assert library.ftello(stream.pointer) == file.size - 4 > 1 << 32
        assert library.fread(memory, 4, 1, stream.pointer) == 1
    assert memory.raw == b"last"


def test_a_cut_or_missing_part_never_reaches_llama_cpp(tmp_path: Path) -> None:
    path = split(tinygguf.write(tmp_path / "tiny.gguf"), tmp_path, 12)
    last = max(tmp_path.glob("split-*.gguf"))
    whole = last.read_bytes()
    draw = random.Random(2)
    lengths = [*range(0, 64, 9), *(draw.randrange(len(whole)) for _ in range(60)), len(whole) - 1]
    for length in lengths:
        last.write_bytes(whole[:length])
        with no_new_files(), pytest.raises(ModelFileError, match=last.name):
            OneFile(read_parts(path), NONE)
    last.unlink()
    with no_new_files(), pytest.raises(ModelFileError, match="missing"):
        OneFile(read_parts(path), NONE)


def test_a_cut_file_of_one_part_never_reaches_llama_cpp(tmp_path: Path) -> None:
    path = tinygguf.write(tmp_path / "tiny.gguf")
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ModelFileError, match="cut off"):
        OneFile(read_parts(path), NONE)


def test_a_damaged_header_is_refused_or_passed_on_as_it_is(tmp_path: Path) -> None:
    path = tinygguf.write(tmp_path / "tiny.gguf")
    whole, draw = path.read_bytes(), random.Random(3)
    data = read_parts(path).first.header.data
    passed = 0
    for _ in range(400):
        damaged = bytearray(whole)
        at = draw.randrange(4, data)
        damaged[at] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            with OneFile(read_parts(path), NONE) as file:
                memory = ctypes.create_string_buffer(data)
                file.read_into(ctypes.addressof(memory), data, 0)
        except ModelFileError:
            continue
        passed += 1
        assert (memory.raw[:24], b"tokenizer.ggml.tokens" in memory.raw) == (bytes(damaged[:24]), b"tokenizer.ggml.tokens" in damaged)
    assert 0 < passed < 400


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tinygguf.write(tmp_path / "tiny.gguf")
    found = read_parts(path)
    with path.open("ab") as file:
        file.write(b"more")
    with no_new_files(), pytest.raises(ModelFileError, match="has just been changed"):
        OneFile(found, NONE)
    path.unlink()
    with no_new_files(), pytest.raises(ModelFileError, match="No such file"):
        OneFile(found, NONE)


def test_a_file_that_ends_while_it_loads_is_an_error_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "nano.gguf"
    path.write_bytes(NANO.read_bytes())

    def cut() -> bool:
        os.truncate(path, path.stat().st_size // 2)
        return True

    with no_new_files(), pytest.raises(ModelFileError, match=rf"{path}: the file ended at byte [\d,]+ while it was read"):
        loaded(read_parts(path), progress=cut)


def test_loading_stops_when_nobody_wants_it(parts: Path) -> None:
    answers = iter([True] * 20)
    with no_new_files():
        assert loaded(read_parts(parts), progress=lambda: next(answers, False)) is None
    assert next(answers, None) is None, "it stopped half way"


class Failing:
    """A source whose reads raise."""

    size = 100

    def __init__(self, problem: BaseException) -> None:
        self._problem = problem

    def passed(self, position: int) -> bool:
        return False

    def read_into(self, address: int, count: int, position: int) -> int:
        raise self._problem


@pytest.mark.parametrize("problem", [ModelFileError("gone"), KeyboardInterrupt(), MemoryError(), ZeroDivisionError()])
def test_a_failing_source_fails_the_read_and_is_remembered(problem: BaseException, capfd: pytest.CaptureFixture[str]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    library.fread.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)
    library.ferror.argtypes = (ctypes.c_void_p,)
    with Stream(Failing(problem)) as stream:
        assert library.fread(ctypes.create_string_buffer(4), 4, 1, stream.pointer) == 0
        assert library.ferror(stream.pointer)
        assert stream.problem is problem
    assert capfd.readouterr() == ("", "")


def test_closing_twice_is_harmless() -> None:
    assert unsupported() == ""
    with OneFile(read_parts(NANO), NONE) as file:
        stream = Stream(file)
        stream.close()
        stream.close()
        assert stream.pointer is None
        file.close()
