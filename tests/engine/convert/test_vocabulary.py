"""The vocabulary of a GGUF: K2.6's own, from its three published files, and files that are not what they should be."""

import base64
import ctypes
import json
from pathlib import Path

import gguf
import llama_cpp.llama_cpp as api
import pytest

from engine.convert import vocabulary
from engine.convert.conversion import Options, Progress, convert_vocabulary
from engine.errors import ModelFileError
from engine.tokenizer import Tokenizer, TokenType, bytes_to_alphabet
from tests.engine.conftest import Rows
from tests.engine.convert import checkpoints
from tests.engine.convert.checkpoints import VOCABULARY

K26 = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "kimi-k2",
    "tokenizer.ggml.add_bos_token": "false",
    "tokenizer.ggml.bos_token_id": "163584",
    "tokenizer.ggml.eos_token_id": "163586",
    "tokenizer.ggml.padding_token_id": "163839",
    "deepseek2.block_count": "61",
    "deepseek2.expert_count": "384",
    "deepseek2.attention.key_length": "576",
    "deepseek2.context_length": "262144",
    "deepseek2.rope.scaling.original_context_length": "4096",
    "deepseek2.rope.scaling.yarn_log_multiplier": "0.100000",
}
"""Some of K2.6's metadata, as llama.cpp spells values."""


@pytest.fixture(scope="module")
def k26(vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of K2.6's vocabulary alone, made from three files without any weights."""
    target = tmp_path_factory.mktemp("vocabulary") / "k26.gguf"
    assert convert_vocabulary(vectors, target, Options(), quiet).files == (target,)
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoints.write_vocabulary(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(checkpoints.text_config(checkpoints.Sizes())))
    return tmp_path


def quiet(_progress: Progress) -> None:
    """Report to nobody."""


def fields(path: Path) -> dict[str, object]:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def test_k26_s_vocabulary_gives_the_ids_of_the_vectors(k26: Path, rows: Rows) -> None:
    tokenizer = Tokenizer.from_gguf(k26)
    assert all(tokenizer.encode(str(row["text"])) == row["ids"] for row in rows("tokenizer"))
    assert len(tokenizer) == 163_840
    assert tokenizer.control_id("<|im_end|>") == 163_586
    assert tokenizer.control_id("<|reserved_token_163589|>") == 163_589


def test_llama_cpp_loads_it_and_merges_as_the_vectors_do(k26: Path, rows: Rows) -> None:
    """English only: llama.cpp cuts words with combining marks elsewhere, which is why the engine has its own tokenizer."""
    api.llama_backend_init()
    parameters = api.llama_model_default_params()
    parameters.vocab_only = True
    model = api.llama_model_load_from_file(str(k26).encode(), parameters)
    assert model is not None
    try:
        assert {name: _meta(model, name) for name in K26} == K26
        handle = api.llama_model_get_vocab(model)
        assert (api.llama_vocab_n_tokens(handle), api.llama_vocab_eos(handle)) == (163_840, 163_586)
        texts = [row for row in rows("tokenizer") if str(row["text"]).isascii() and 0 < len(str(row["text"])) < 2000]
        assert len(texts) > 20
        assert all(_encode(handle, str(row["text"])) == row["ids"] for row in texts)
    finally:
        api.llama_model_free(model)


def _meta(model: int, name: str) -> str:
    buffer = ctypes.create_string_buffer(256)
    api.llama_model_meta_val_str(model, name.encode(), buffer, len(buffer))
    return buffer.value.decode()


def _encode(handle: int, text: str) -> list[int]:
    data = text.encode()
    tokens = (ctypes.c_int32 * (len(data) + 1))()
    return list(tokens[: api.llama_tokenize(handle, data, len(data), tokens, len(tokens), False, False)])


def test_a_small_vocabulary_has_its_control_tokens_and_fills_the_rest(folder: Path) -> None:
    convert_vocabulary(folder, folder / "v.gguf", Options(), quiet)
    found = fields(folder / "v.gguf")
    tokens, types = found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"]
    assert isinstance(tokens, list)
    assert isinstance(types, list)
    assert (len(tokens), len(types)) == (VOCABULARY, VOCABULARY)
    assert (tokens[265], types[265]) == ("<|im_end|>", TokenType.CONTROL)
    assert (tokens[270], types[270]) == ("<|reserved_token_270|>", TokenType.CONTROL)
    assert (tokens[-1], types[-1]) == (f"[PAD{VOCABULARY - 1}]", TokenType.UNUSED)
    space = bytes_to_alphabet(b" ")
    assert found["tokenizer.ggml.merges"] == ["h e", "l l", "he ll", "hell o", f"{space} {space}", "i n", f"{space} in"]


@pytest.mark.parametrize("where", ["file", "configuration"])
def test_a_chat_template_comes_along(folder: Path, where: str) -> None:
    if where == "file":
        (folder / "chat_template.jinja").write_text("{{ messages }}")
    else:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": "{{ messages }}"}))
    convert_vocabulary(folder, folder / "v.gguf", Options(), quiet)
    assert fields(folder / "v.gguf")["tokenizer.chat_template"] == "{{ messages }}"


def ranks(*tokens: bytes) -> str:
    return "".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens))


BYTES = tuple(bytes([byte]) for byte in range(256))


def spoil(folder: Path, name: str, content: str | None) -> None:
    """Replace or remove one of the files."""
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"tiktoken\.model: no such file or directory; download it into this folder"),
        ("????", r"tiktoken\.model: line 1 is not a token and its rank; download it again"),
        ("AA== 0\nAQ== 2\n", r"tiktoken\.model: its ranks are not 0, 1, 2"),
        (ranks(*BYTES[:255]), "lacks 1 of the 256 single bytes, first 0xff"),
        (ranks(*BYTES, b"hello"), r"token 256 \(b'hello'\) is not made of two earlier tokens"),
        (ranks(*BYTES, *(b"a" * length for length in range(2, 300))), "vocab_size is 544"),
    ],
)
def test_a_bad_list_of_ranks(folder: Path, content: str | None, message: str) -> None:
    spoil(folder, "tiktoken.model", content)
    spoil(folder, "tokenizer_config.json", "{}")
    with pytest.raises(ModelFileError, match=message):
        convert_vocabulary(folder, folder / "v.gguf", Options(), quiet)
    assert not (folder / "v.gguf").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"tokenizer_config\.json: no such file"),
        ("[]", r"tokenizer_config\.json: not a JSON object; download it again"),
        ('{"added_tokens_decoder": 3}', "added_tokens_decoder is 3, but must be an object"),
        ('{"added_tokens_decoder": {"12": {"content": "x"}}}', "added token '12' is not one of the ids 263 to 518"),
        ('{"added_tokens_decoder": {"263": {"content": "he"}}}', "a control token is spelled like another token"),
        ('{"added_tokens_decoder": {"263": {"content": "x"}, "264": {"content": "x"}}}', "two control tokens have the same name"),
    ],
)
def test_a_bad_list_of_names(folder: Path, content: str | None, message: str) -> None:
    spoil(folder, "tokenizer_config.json", content)
    with pytest.raises(ModelFileError, match=message):
        convert_vocabulary(folder, folder / "v.gguf", Options(), quiet)
    assert not (folder / "v.gguf").exists()


def test_merges_are_the_pairs_that_byte_pair_encoding_joins() -> None:
    tokens = {token: rank for rank, token in enumerate([b"a", b"b", b"ab", b"aba", b"abab", b"ababab"])}
    assert list(vocabulary.merges(tokens)) == [(b"a", b"b"), (b"ab", b"a"), (b"ab", b"ab"), (b"abab", b"ab")]
