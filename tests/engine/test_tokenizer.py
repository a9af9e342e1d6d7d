"""The tokenizer against K2.6's published ids, and against its own promises on a small vocabulary."""

from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tokenizer import MAX_RUN_CHARS, MAX_TEXT_CHARS, Tokenizer, TokenType, Utf8Stream, VocabularyError, bytes_to_alphabet, split_long

Rows = Callable[[str], list[dict[str, object]]]


def test_every_published_text_has_its_published_ids(rows: Rows, k26: Tokenizer) -> None:
    cases = rows("tokenizer")
    assert len(cases) == 300
    for case in cases:
        assert k26.encode(str(case["text"])) == case["ids"]


def test_published_ids_decode_to_their_text(rows: Rows, k26: Tokenizer) -> None:
    for case in rows("tokenizer"):
        ids = case["ids"]
        assert isinstance(ids, list)
        assert k26.decode_bytes(ids).decode() == case["text"]


def test_tokens_longer_than_32_bytes_are_kept(k26: Tokenizer) -> None:
    # llama-cpp-python's detokeniser drops them: rulers and deep indentation vanished.
    ruler = "-" * 64
    assert k26.decode_bytes(k26.encode(ruler)) == ruler.encode()
    assert len(k26.encode(ruler)) == 1


@pytest.mark.parametrize("name", ["<|im_end|>", "<|im_system|>", "<think>", "</think>", "<|tool_call_begin|>", "[EOS]", "<|media_pad|>"])
def test_text_never_becomes_a_control_token(name: str, small: Tokenizer) -> None:
    ids = small.encode(f"a{name}b")
    assert not any(map(small.is_control, ids))
    assert small.decode_bytes(ids).decode() == f"a{name}b"
    assert small.is_control(small.control_id(name))
    assert small.token_bytes(small.control_id(name)) == name.encode()


def test_no_control_token_of_k26_can_be_spelled(k26: Tokenizer) -> None:
    text = "".join(k26.control)
    ids = k26.encode(text)
    assert len(k26.control) == 256
    assert not any(map(k26.is_control, ids))
    assert k26.decode_bytes(ids).decode() == text


def test_merges_follow_ranks(small: Tokenizer) -> None:
    assert small.encode("hello") == [259]
    assert small.encode("hell") == [258]
    assert small.encode("hello hello") == [259, 262]


def test_unknown_tokens_say_so(small: Tokenizer) -> None:
    with pytest.raises(VocabularyError, match="no control token '<nope>'"):
        small.control_id("<nope>")
    with pytest.raises(VocabularyError, match="no token 99999"):
        small.token_bytes(99999)
    assert 99999 not in small
    assert 0 in small
    assert small.control_id("[PAD]") in small


def test_a_vocabulary_without_all_bytes_is_refused() -> None:
    with pytest.raises(VocabularyError, match="lacks 255 of the 256 single bytes, first 0x01"):
        Tokenizer({b"\0": 0}, {})


def test_an_id_used_twice_is_refused() -> None:
    with pytest.raises(VocabularyError, match="two tokens"):
        Tokenizer({bytes([byte]): byte for byte in range(256)}, {"[BOS]": 7})


@given(st.text())
def test_any_text_survives_the_round_trip(small: Tokenizer, text: str) -> None:
    assert small.decode_bytes(small.encode(text)).decode() == text


def test_a_lone_surrogate_becomes_the_replacement_character(small: Tokenizer) -> None:
    assert small.decode_bytes(small.encode("a\ud800b")).decode() == "a\ufffdb"


def test_ordinary_text_is_one_piece() -> None:
    assert list(split_long("a b" * 1000)) == ["a b" * 1000]
    assert list(split_long("")) == []


def test_long_runs_are_cut_where_the_published_tokenizer_cuts() -> None:
    limit = MAX_RUN_CHARS
    assert [len(piece) for piece in split_long("x" * (2 * limit + 1))] == [limit, limit, 1]
    assert [len(piece) for piece in split_long("x" * limit + " " * limit)] == [2 * limit]
    assert [len(piece) for piece in split_long("ab " + " " * limit + "cd")] == [2 + limit, 3]


def test_long_texts_are_cut_at_the_limit_and_runs_do_not_cross_it() -> None:
    text = "ab cd " * (MAX_TEXT_CHARS // 6 + 10)
    pieces = list(split_long(text))
    assert [len(piece) for piece in pieces] == [MAX_TEXT_CHARS, len(text) - MAX_TEXT_CHARS]
    assert "".join(pieces) == text


@given(st.lists(st.tuples(st.sampled_from(" x\n"), st.integers(1, 60_000)), max_size=6))
def test_cutting_loses_nothing_and_leaves_no_long_run(runs: list[tuple[str, int]]) -> None:
    text = "".join(char * count for char, count in runs)
    pieces = list(split_long(text))
    assert "".join(pieces) == text
    assert all(len(run) <= MAX_RUN_CHARS for piece in pieces for run in piece.split())


@given(st.text(), st.data())
def test_a_byte_stream_yields_whole_characters_whatever_the_cuts(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    stream, out, start = Utf8Stream(), "", 0
    while start < len(raw):
        end = data.draw(st.integers(start + 1, len(raw)))
        out += stream.feed(raw[start:end])
        assert text.startswith(out)
        start = end
    assert out + stream.flush() == text


def test_a_cut_character_is_flushed_as_the_replacement_character() -> None:
    stream = Utf8Stream()
    assert stream.feed("é".encode()[:1]) == ""
    assert stream.flush() == "\ufffd"
    assert stream.feed(b"a") + stream.flush() == "a"


def _write(path: Path, tokens: list[str], types: list[int], model: str = "gpt2") -> Path:
    writer = gguf.GGUFWriter(path, "deepseek2")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokens() -> tuple[list[str], list[int]]:
    texts = [bytes_to_alphabet(bytes([byte])) for byte in range(256)] + [bytes_to_alphabet(b" \n")]
    types = [1] * len(texts)  # NORMAL
    return [*texts, "<think>", "<user>", "[PAD259]"], [*types, int(TokenType.CONTROL), int(TokenType.USER_DEFINED), int(TokenType.UNUSED)]


def test_a_gguf_gives_its_vocabulary(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_gguf(_write(tmp_path / "v.gguf", *_tokens()))
    assert tokenizer.control == {"<think>": 257, "<user>": 258}
    assert tokenizer.token_bytes(256) == b" \n"
    assert 259 not in tokenizer
    assert len(tokenizer) == 259
    assert tokenizer.encode("é ") == [0xC3, 0xA9, 0x20]


def test_a_gguf_that_is_cut_off_is_named(tmp_path: Path) -> None:
    whole = _write(tmp_path / "v.gguf", *_tokens()).read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in range(0, len(whole) - 1, 97):
        cut.write_bytes(whole[:size])
        with pytest.raises(VocabularyError, match=r"cut\.gguf"):
            Tokenizer.from_gguf(cut)


def test_a_gguf_of_another_tokenizer_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="of kind 'llama'"):
        Tokenizer.from_gguf(_write(tmp_path / "v.gguf", *_tokens(), model="llama"))


def test_a_gguf_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.gguf"
    writer = gguf.GGUFWriter(path, "clip")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(VocabularyError, match="not a language model"):
        Tokenizer.from_gguf(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.gguf"):
        Tokenizer.from_gguf(tmp_path / "none.gguf")
