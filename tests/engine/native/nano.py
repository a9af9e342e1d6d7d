"""kimi-nano in a process of its own, because who computes attention is settled once a process: `python -m tests.engine.native.nano`.

It reads three prompts at once, each as a sequence, goes on with given tokens or the likeliest ones, and then writes the scores of every
step and the cells of the first sequence. What this module does not do: judge.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import llama_cpp.llama_cpp as api
import numpy as np
from numpy.typing import NDArray

from engine.llama import Entry, KvType, Llama, Options
from engine.native.plugin import Attention
from engine.tokenizer import Tokenizer

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "engine" / "nano" / "kimi-nano.gguf"
PROMPTS = (
    "def add(a, b):\n    return a + b\n\n\nclass Tree:\n    def insert(self, key):\n        if self.left is None:\n",
    'import json\n\ndef load(path):\n    """Read the settings."""\n    with open(path) as file:\n',
    "for number in range(10):\n",
)
STEPS = 24


@dataclass(frozen=True)
class Wish:
    """What to run. `forced`: the results whose tokens are taken; `restored`: the results whose cells the first sequence gets at the end."""

    attention: str
    kv_type: str
    forced: str | None = None
    restored: str | None = None


@dataclass(frozen=True)
class Result:
    """`scores`, (STEPS, prompts, vocabulary), and the `tokens` chosen after each step; `again` are the last scores of the first sequence,
    from cells that were restored. `operations`: llama.cpp's scheduler gave some to our backend."""

    folder: Path
    scores: NDArray[np.float32]
    tokens: NDArray[np.int64]
    again: NDArray[np.float32]
    kernel: str | None
    reason: str
    operations: bool


def run(folder: Path, wish: Wish, package: Path = ROOT) -> Result:
    """Run `wish` in another process, which writes into `folder` and has the engine from `package`."""
    command = [sys.executable, "-m", "tests.engine.native.nano", str(folder), json.dumps(asdict(wish))]
    environ = {**os.environ, "GGML_SCHED_DEBUG": "1"}
    done = subprocess.run(command, cwd=package, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "arrays.npz") as arrays:
        scores, tokens, again = arrays["scores"], arrays["tokens"], arrays["again"]
    said = json.loads(done.stdout)
    return Result(folder, scores, tokens, again, said["kernel"], said["reason"], ": MLA #" in done.stderr)


def main(folder: Path, wish: Wish) -> None:
    """The other process."""
    tokenizer = Tokenizer.from_gguf(MODEL)
    prompts = [tokenizer.encode(text) for text in PROMPTS]
    options = Options(512, 256, len(prompts), 1, KvType[wish.kv_type], attention=Attention(wish.attention))
    forced = np.load(Path(wish.forced, "arrays.npz"))["tokens"] if wish.forced else None
    with Llama(MODEL, options) as llama:
        # Its log goes to stderr from here on, with what the scheduler does.
        api.llama_log_set(api.llama_log_callback(0), None)
        scores, tokens, again = _decode(llama, prompts, forced)
        end = len(prompts[0]) + STEPS - 1
        (folder / "cells").write_bytes(llama.save(0, 0, end))
        if wish.restored:
            llama.forget(0)
            llama.restore(0, Path(wish.restored, "cells").read_bytes(), 0, end)
            llama.forget(0, end - 1)
            llama.decode([Entry(int(tokens[STEPS - 2, 0]), end - 1, 0, True)])
            again = llama.logits(0).copy()
        np.savez(folder / "arrays.npz", scores=scores, tokens=tokens, again=again)
        sys.stdout.write(json.dumps(asdict(llama.attention)))


def _decode(
    llama: Llama, prompts: list[list[int]], forced: NDArray[np.int64] | None
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    batch = [
        Entry(token, position, sequence, position == len(prompt) - 1)
        for sequence, prompt in enumerate(prompts)
        for position, token in enumerate(prompt)
    ]
    scores = np.empty((STEPS, len(prompts), llama.vocabulary), np.float32)
    tokens = np.empty((STEPS, len(prompts)), np.int64)
    for step in range(STEPS):
        llama.decode(batch)
        rows = [row for row, entry in enumerate(batch) if entry.wanted]
        scores[step] = [llama.logits(row) for row in rows]
        tokens[step] = scores[step].argmax(axis=1) if forced is None else forced[step]
        batch = [Entry(int(token), len(prompts[n]) + step, n, True) for n, token in enumerate(tokens[step])]
    return scores, tokens, scores[-1, 0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Wish(**json.loads(sys.argv[2])))
