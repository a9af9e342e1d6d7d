"""A trained model and the file made of it say the same: weights through llama.cpp, vocabulary, template."""

import random
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.chat import prompt_text, render
from engine.llama import Entry, Llama, Options
from engine.nano import vocabulary
from engine.nano.documents import document, lean_tools
from engine.nano.export import export
from engine.nano.model import Nano, Shape
from engine.nano.projects import make_project
from engine.nano.trajectories import Message, trajectory
from engine.tokenizer import Tokenizer
from engine.tooldecl import declare


@pytest.fixture(scope="module")
def conversations() -> list[list[Message]]:
    return [trajectory(make_project(seed)) for seed in range(3)]


@pytest.fixture(scope="module")
def learned(conversations: list[list[Message]]) -> tuple[dict[bytes, int], dict[str, int]]:
    texts = [str(message["content"]) for messages in conversations for message in messages]
    return vocabulary.learn([*texts, *vocabulary.constant_texts()], 512)


@pytest.fixture(scope="module")
def exported(learned: tuple[dict[bytes, int], dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Nano, Path]:
    torch.manual_seed(5)
    vocab = len(learned[0]) + len(learned[1])
    model = Nano(Shape(vocab=vocab, width=64, layers=3, nope=32, rope=32, value=32, q_lora=32, kv_lora=32, dense_ff=96, expert_ff=32))
    for experts in model.experts():
        experts.bias.uniform_(-0.3, 0.3)  # selection by score plus bias must differ from selection by score
    path = tmp_path_factory.mktemp("export") / "nano.gguf"
    export(model, *learned, path)
    return model, path


def test_llama_cpp_computes_what_was_trained(exported: tuple[Nano, Path]):
    model, path = exported
    ids = torch.randint(0, 300, (1, 60), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = model.head(model(ids))[0, -1].numpy()
    with Llama(path, Options(cells=256)) as llama:
        llama.decode([Entry(token, place, 0, place == 59) for place, token in enumerate(ids[0].tolist())])
        theirs = llama.logits(59).copy()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    assert np.abs(ours - theirs).max() < 0.05 * np.abs(ours).max()


def test_the_vocabulary_survives_and_its_merges_rebuild_every_token(
    exported: tuple[Nano, Path], learned: tuple[dict[bytes, int], dict[str, int]], conversations: list[list[Message]]
):
    ranks, control = learned
    loaded = Tokenizer.from_gguf(exported[1])
    text = str(conversations[0][6]["content"])
    assert loaded.encode(text) == vocabulary.tokenizer(ranks, control).encode(text)
    assert loaded.decode_bytes(loaded.encode(text)).decode() == text
    assert loaded.control == control
    assert [left + right for left, right in vocabulary.merges(ranks)] == [token for token in ranks if len(token) > 1]


def test_the_template_renders_what_the_engine_renders(exported: tuple[Nano, Path], conversations: list[list[Message]]):
    template = gguf.GGUFReader(exported[1]).fields["tokenizer.chat_template"].contents()
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    declaration = declare(lean_tools())
    for messages in conversations:
        ours = prompt_text(render(messages, declaration=declaration, preserve_thinking=True))
        theirs = environment.from_string(template).render(
            messages=messages, tools=lean_tools(), tools_ts_str=declaration, add_generation_prompt=True
        )
        assert theirs == ours


def test_only_what_the_model_writes_weighs_one(learned: tuple[dict[bytes, int], dict[str, int]], conversations: list[list[Message]]):
    tokenizer = vocabulary.tokenizer(*learned)
    made = document(tokenizer, conversations[0], random.Random(0), with_prefix=True)
    written = tokenizer.decode_bytes([token for token, weight in zip(made.ids, made.weights, strict=True) if weight == 1.0]).decode()
    assert written.startswith("Run the tests.</think><|tool_calls_section_begin|>")
    assert written.endswith("The tests pass.<|im_end|>")
    assert "[exit 1]" not in written
    assert written.count("<|im_end|>") == 5
