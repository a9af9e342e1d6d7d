"""A text has as many tokens for the package as for the engine, whatever it is, and lines add up."""

import base64
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tokenizer import Tokenizer
from kimicode import tokens
from kimicode.tokens import count, count_lines, pack

TRICKY = st.sampled_from(
    [
        "don't",
        "HTTPServer",
        "snake_case",
        "\t\t",
        "  ",
        " \n",
        "\n\n",
        "\r\n",
        "12345",
        "漢字",
        "Ünïcode",
        "हिन्दी",
        "🧪",
        "->",
        "\x1c",
        "\u2028",
        "\x85",
        "ſ'ſ",
    ]
)
TEXTS = st.lists(st.one_of(TRICKY, st.text(max_size=8), st.text(st.characters(max_codepoint=127), max_size=8))).map("".join)


@pytest.fixture(scope="module")
def folder():
    root = Path(os.environ.get("KIMICODE_VECTORS") or Path(__file__).parents[2] / "shared" / "vectors") / "k26"
    if not root.is_dir():
        pytest.fail(f"no K2.6 vectors at {root}: set KIMICODE_VECTORS to the folder that holds k26/")
    return root


@pytest.fixture(scope="module")
def published(folder):
    pairs = (line.split() for line in (folder / "tiktoken.model").read_bytes().splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


@pytest.fixture(scope="module")
def engine(published):
    return Tokenizer(published, {})


def test_the_package_has_the_published_vocabulary(published):
    kept = Path(tokens.__file__).with_name("k26.bin").read_bytes()
    assert kept == pack(sorted(published, key=published.__getitem__))
    assert len(kept) < 1_000_000


def test_published_texts_have_as_many_tokens_as_published(folder):
    rows = [json.loads(line) for line in (folder / "tokenizer.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) >= 100
    assert [count(row["text"]) for row in rows] == [len(row["ids"]) for row in rows]


@settings(deadline=None)
@given(TEXTS)
def test_package_and_engine_agree(engine, text):
    assert count(text) == len(engine.encode(text))


@pytest.mark.parametrize("text", ["ab" * 30_000, " " * 60_000, "x = 1\n" * 70_000, "é" * 26_000, "<|im_end|>", "\ud800", ""])
def test_long_and_odd_texts_too(engine, text):
    assert count(text) == len(engine.encode(text))


LINES = st.lists(TEXTS.map(lambda text: text.replace("\n", "") + "\n").filter(lambda line: not re.match(r"\s*[\r\n]", line)), max_size=8)


@settings(deadline=None)
@given(LINES, TEXTS.map(lambda text: text.replace("\n", "").replace("\r", "")))
def test_lines_without_blank_ones_add_up(lines, last):
    lines = [*lines, last]
    assert sum(count_lines(lines)) == count("".join(lines))


def test_blank_lines_do_not_add_up():
    assert sum(count_lines(["{\n", "\n", "}\n"])) != count("{\n\n}\n")
