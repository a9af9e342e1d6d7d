"""Training kimi-nano: from generated conversations to a checkpoint, in a given number of minutes.

One schedule, by the share of the minutes gone: conversations without the lean profile's prefix first, towards the end all with it;
learning rates are constant for the first 40 % and fall to zero. Checkpoints are written every few
minutes and a run that finds one goes on from it. What this module does not do: generate conversations (`corpus`) or export (`export`).
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.nano import corpus, vocabulary
from engine.nano.documents import Document, document
from engine.nano.model import Nano, Shape
from engine.nano.muonclip import MuonClip
from engine.nano.projects import make_project
from engine.nano.rename import rename
from engine.nano.trajectories import Message, trajectory
from engine.tokenizer import Tokenizer

RENAMED_SHARE = 0.7
"""Share of the conversations whose names are replaced by random ones."""
TAU = 100.0
BALANCE_RATE = 0.002
CHECKPOINT_SECONDS = 300.0


@dataclass(frozen=True)
class Plan:
    """What a run does. `tokens` is the size of a batch; learning rates are peaks."""

    minutes: float
    tokens: int = 4096
    lr: float = 5e-3
    adam_lr: float = 2e-3
    shape: Shape = field(default_factory=Shape)
    held_out: int = 40
    seed: int = 0


@dataclass
class Progress:
    """Where a run stands; kept in its checkpoints."""

    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0


def learning_rate(done: float) -> float:
    """The share of the peak learning rate after a share `done` of the run."""
    return 1.0 if done < 0.4 else max(0.0, 1.0 - (done - 0.4) / 0.6)


class Batches:
    """Endless batches for a run's schedule: conversations of similar length side by side, from a corpus that may still grow."""

    def __init__(self, path: Path, tokenizer: Tokenizer, plan: Plan, seed: int) -> None:
        self._path, self._tokenizer, self._plan = path, tokenizer, plan
        self._rng = random.Random(seed)
        texts = (tokenizer.token_bytes(rank).decode("utf-8", "replace") for rank in range(tokenizer.control_id("[BOS]")))
        self._syllables = [text for text in texts if text.isascii() and text.isalpha() and text.islower()]
        self._pool: list[Document] = []
        self._conversations = self._endless()

    def batch(self, done: float) -> list[Document]:
        """The next batch, at a share `done` of the run."""
        prefix_share = 0.0 if done < 0.6 else 0.5 if done < 0.8 else 1.0
        while len(self._pool) < 128:
            with_prefix = self._rng.random() < prefix_share
            messages = next(self._conversations)
            if self._rng.random() < RENAMED_SHARE:
                messages = rename(messages, self._syllables, self._rng)
            self._pool.append(document(self._tokenizer, messages, self._rng, with_prefix=with_prefix))
        self._pool.sort(key=lambda d: len(d.ids))
        start = self._rng.randrange(len(self._pool))
        count = max(1, self._plan.tokens // len(self._pool[start].ids))
        start = max(0, min(start, len(self._pool) - count))
        chosen = self._pool[start : start + count]
        del self._pool[start : start + count]
        return chosen

    def _endless(self) -> Iterator[list[Message]]:
        while True:
            conversations = list(corpus.read(self._path))
            self._rng.shuffle(conversations)
            yield from conversations


def tensors(documents: list[Document]) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and weights, each [B, T], padded at the end with weight 0."""
    length = max(len(d.ids) for d in documents)
    ids = torch.tensor([d.ids + [0] * (length - len(d.ids)) for d in documents])
    weights = torch.tensor([d.weights + [0.0] * (length - len(d.weights)) for d in documents])
    return ids[:, :-1], ids[:, 1:], weights[:, 1:]


def loss(model: Nano, documents: list[Document], clip_above: float | None) -> Tensor:
    """Mean weighted cross-entropy; logits are computed only where a weight is not zero."""
    inputs, targets, weights = tensors(documents)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model(inputs, clip_above)
        used = weights > 0
        logits = model.head(hidden[used])
    each = cross_entropy(logits.float(), targets[used], reduction="none")
    return (each * weights[used]).sum() / weights[used].sum()


@torch.no_grad()
def exact(model: Nano, documents: list[Document]) -> tuple[float, float]:
    """Shares of documents, and of written tokens, for which every token the model writes is its first choice.

    With the true past given, that is the same as greedy decoding writing the whole conversation right.
    """
    whole = right = written = 0
    for start in range(0, len(documents), 10):
        inputs, targets, weights = tensors(documents[start : start + 10])
        with torch.autocast("cpu", torch.bfloat16):
            guesses = model.head(model(inputs)).argmax(-1)
        own = weights == 1.0
        hits = (guesses == targets) | ~own
        whole += int(hits.all(-1).sum())
        written += int(own.sum())
        right += int((hits & own).sum())
    return whole / len(documents), right / written


def save(path: Path, model: Nano, optimiser: MuonClip, progress: Progress) -> None:
    """Write a checkpoint, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    torch.save(
        {"model": model.state_dict(), "optimiser": optimiser.state(), "progress": asdict(progress), "shape": asdict(model.shape)}, temporary
    )
    temporary.replace(path)


def load_model(path: Path) -> tuple[Nano, dict[str, object]]:
    """The model of a checkpoint, and the rest of it."""
    state = torch.load(path, weights_only=True)
    model = Nano(Shape(**state["shape"]))
    model.load_state_dict(state["model"])
    return model, state


def vocabulary_of(folder: Path, size: int) -> tuple[dict[bytes, int], dict[str, int]]:
    """The vocabulary kept in `folder`, learned from the first conversations when there is none yet."""
    path = folder / "vocabulary.json"
    if not path.exists():
        rng = random.Random(0)
        texts = []
        for index, messages in enumerate(corpus.read(folder / "conversations.jsonl")):
            if index == 2000:
                break
            texts += [str(m["content"]) for m in messages]
            texts += [str(m.get("reasoning_content", "")) for m in messages] + [_arguments(m) for m in messages]
        texts += vocabulary.constant_texts() * 200
        rng.shuffle(texts)
        ranks, control = vocabulary.learn(texts, size)
        path.write_text(json.dumps({"tokens": [token.hex() for token in ranks], "control": control}))
    stored = json.loads(path.read_text())
    return {bytes.fromhex(token): rank for rank, token in enumerate(stored["tokens"])}, stored["control"]


def _arguments(message: Message) -> str:
    calls = message.get("tool_calls")
    return str(calls[0]["function"]["arguments"]) if isinstance(calls, list) else ""


def train(folder: Path, plan: Plan) -> Path:
    """Train for `plan.minutes` in `folder`, which holds `conversations.jsonl`; the path of the last checkpoint."""
    torch.manual_seed(plan.seed)
    ranks, control = vocabulary_of(folder, plan.shape.vocab)
    tokenizer = vocabulary.tokenizer(ranks, control)
    checkpoint = folder / "checkpoint.pt"
    # A small corpus may not fill the planned vocabulary.
    model, progress = Nano(replace(plan.shape, vocab=len(ranks) + len(control))), Progress()
    optimiser = MuonClip(model, plan.lr, adam_lr=plan.adam_lr, tau=TAU)
    if checkpoint.exists():
        model, state = load_model(checkpoint)
        optimiser = MuonClip(model, plan.lr, adam_lr=plan.adam_lr, tau=TAU)
        optimiser.restore(state["optimiser"])  # type: ignore[arg-type]
        progress = Progress(**state["progress"])  # type: ignore[arg-type]
    batches = Batches(folder / "conversations.jsonl", tokenizer, plan, seed=plan.seed + progress.steps)
    checks = _held_out(tokenizer, plan.held_out)
    _run(model, optimiser, batches, checks, plan, progress, checkpoint)
    save(checkpoint, model, optimiser, progress)
    return checkpoint


def _held_out(tokenizer: Tokenizer, count: int) -> list[Document]:
    return [
        document(tokenizer, trajectory(make_project(seed, held_out=True)), random.Random(seed), with_prefix=True) for seed in range(count)
    ]


def _run(
    model: Nano, optimiser: MuonClip, batches: Batches, checks: list[Document], plan: Plan, progress: Progress, checkpoint: Path
) -> None:
    total = plan.minutes * 60
    last = time.monotonic()
    saved, smooth = progress.seconds, 0.0
    while (done := progress.seconds / total) < 1:
        documents = batches.batch(done)
        value = loss(model, documents, TAU)
        value.backward()  # type: ignore[no-untyped-call]
        warm = min(1.0, (progress.steps + 1) / 50)
        clipped = optimiser.step(learning_rate(done) * warm)
        for experts in model.experts():
            experts.balance(BALANCE_RATE)
        now = time.monotonic()
        progress.seconds += now - last
        last = now
        progress.steps += 1
        progress.tokens += sum(len(d.ids) for d in documents)
        smooth = value.item() if smooth == 0 else 0.95 * smooth + 0.05 * value.item()
        if progress.steps % 25 == 0:
            _say(progress, f"loss {smooth:.4f}  clipped {clipped}")
        if progress.seconds - saved > CHECKPOINT_SECONDS:
            saved = progress.seconds
            save(checkpoint, model, optimiser, progress)
            whole, tokens = exact(model, checks)
            _say(progress, f"held out: {whole:.0%} of conversations exact, {tokens:.2%} of tokens")


def _say(progress: Progress, text: str) -> None:
    sys.stdout.write(f"{progress.seconds / 60:6.1f} min  step {progress.steps}  {progress.tokens / 1e6:.2f} M tokens  {text}\n")
    sys.stdout.flush()
