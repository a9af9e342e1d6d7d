"""The trainer: it learns, it can be stopped, and it goes on from its checkpoint."""

import json
from pathlib import Path

from engine.nano import corpus
from engine.nano.model import Shape
from engine.nano.projects import make_project
from engine.nano.train import Batches, Plan, exact, learning_rate, load_model, train, vocabulary_of
from engine.nano.trajectories import trajectory
from engine.nano.vocabulary import tokenizer

SHAPE = Shape(vocab=512, width=32, layers=2, heads=2, nope=16, rope=16, value=16, q_lora=32, kv_lora=32, dense_ff=32, expert_ff=32)


def folder_with_corpus(folder: Path, count: int) -> Path:
    lines = (json.dumps(trajectory(make_project(seed))) for seed in range(count))
    (folder / "conversations.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_a_second_run_goes_on_from_the_checkpoint(tmp_path: Path):
    folder = folder_with_corpus(tmp_path, 4)
    checkpoint = train(folder, Plan(minutes=0.001, tokens=512, shape=SHAPE, held_out=1))
    _, state = load_model(checkpoint)
    before = dict(state["progress"])
    train(folder, Plan(minutes=before["seconds"] / 60 + 0.001, tokens=512, shape=SHAPE, held_out=1))
    _, state = load_model(checkpoint)
    assert state["progress"]["steps"] > before["steps"] > 0
    assert state["progress"]["seconds"] > before["seconds"]


def test_batches_get_the_prefix_towards_the_end(tmp_path: Path):
    folder = folder_with_corpus(tmp_path, 4)
    tokens = tokenizer(*vocabulary_of(folder, 512))
    batches = Batches(folder / "conversations.jsonl", tokens, Plan(minutes=1, tokens=2048), seed=1)
    system = tokens.control_id("<|im_system|>")
    assert all(made.ids[0] != system for made in batches.batch(0.0))
    for _ in range(200):
        last = batches.batch(1.0)
    assert all(made.ids[0] == system for made in last)


def test_exact_counts_whole_conversations(tmp_path: Path):
    folder = folder_with_corpus(tmp_path, 2)
    checkpoint = train(folder, Plan(minutes=0.01, tokens=512, shape=SHAPE, held_out=1))
    model, _ = load_model(checkpoint)
    tokens = tokenizer(*vocabulary_of(folder, 512))
    documents = Batches(folder / "conversations.jsonl", tokens, Plan(minutes=1, tokens=2048), seed=1).batch(0.5)
    whole, right = exact(model, documents)
    assert whole == 0.0
    assert 0.0 <= right < 0.9


def test_the_learning_rate_is_constant_and_then_falls_to_zero():
    assert learning_rate(0.0) == learning_rate(0.4) == 1.0
    assert 0.4 < learning_rate(0.7) < 0.6
    assert learning_rate(1.0) == 0.0


def test_a_corpus_grows_where_it_stopped_and_skips_a_torn_line(tmp_path: Path):
    path = tmp_path / "conversations.jsonl"
    corpus.grow(path, 2, workers=1)
    first = path.read_bytes()
    corpus.grow(path, 3, workers=1)
    assert path.read_bytes().startswith(first)
    whole = list(corpus.read(path))
    path.write_bytes(path.read_bytes()[:-9])
    assert list(corpus.read(path)) == whole[:-1]
