"""kimi-nano with a store, where an evaluation callback wants results in the middle of a layer.

In a process of its own (`python -m tests.engine.native.experts.steps`), because who computes is settled once a process. What this module
does not do: judge.
"""

import ctypes
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import llama_cpp.llama_cpp as api
import numpy as np
from numpy.typing import NDArray

from engine.expert_cache import ExpertCache
from engine.llama import Entry, Llama, Options
from engine.native.plugin import Attention
from engine.tokenizer import Tokenizer

ROOT: Final = Path(__file__).parents[4]
MODEL: Final = ROOT / "engine" / "nano" / "kimi-nano.gguf"
TOKENS: Final = 40
ROOM: Final = 1 << 28

_NAME, _ELEMENTS, _DATA = 256, 16, 248
"""Where a tensor has them (tests/engine/native/test_abi.py)."""

WANTED: Final = ((), ("ffn_moe_swiglu-",), ("ffn_moe_gate-",), ("ffn_moe_up-", "ffn_moe_gate-", "ffn_moe_swiglu-", "ffn_moe_down-"))
"""The beginnings of names that are wanted, run by run."""


def run() -> list[dict[str, float]]:
    """Of each run of `WANTED`, in another process."""
    command = [sys.executable, "-m", "tests.engine.native.experts.steps"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [dict(one) for one in json.loads(done.stdout)]


def main() -> None:
    """The other process: for each run how many results were read, the largest difference between the SwiGLUs that were read and those of
    gate and up that were read, and the sum of all scores, and how many differ from the first run's."""
    results, first = [], None
    for wanted in WANTED:
        read: dict[str, NDArray[np.float32]] = {}
        scores = _scores(wanted, read)
        first = scores if first is None else first
        glus = [name for name in read if name.startswith("ffn_moe_swiglu-") and name.replace("swiglu", "up") in read]
        apart = max((_apart(read, name) for name in glus), default=-1.0)
        results.append({"read": len(read), "apart": apart, "sum": float(np.abs(scores).sum()), "differ": int((scores != first).sum())})
    sys.stdout.write(json.dumps(results))


def _scores(wanted: tuple[str, ...], read: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    def watch(tensor: int, ask: bool, _data: int | None) -> bool:
        name = ctypes.string_at(tensor + _NAME).decode()
        chosen = name.startswith(wanted) if wanted else False
        if chosen and not ask:
            count = math.prod((ctypes.c_int64 * 4).from_address(tensor + _ELEMENTS))
            values = (ctypes.c_float * count).from_address(ctypes.c_void_p.from_address(tensor + _DATA).value or 0)
            read[name] = np.ctypeslib.as_array(values).copy()
        return chosen or not ask

    callback, defaults = api.ggml_backend_sched_eval_callback(watch), api.llama_context_default_params

    def watching() -> api.llama_context_params:
        parameters = defaults()
        parameters.cb_eval = callback
        return parameters

    api.llama_context_default_params = watching
    tokens = Tokenizer.from_gguf(MODEL).encode(Path(__file__).read_text("utf-8"))[:TOKENS]
    options = Options(TOKENS + 1, TOKENS, 1, 2, attention=Attention.STOCK, experts=ExpertCache(ROOM, required=True))
    with Llama(MODEL, options) as llama:
        api.llama_context_default_params = defaults
        llama.decode([Entry(token, position, 0, True) for position, token in enumerate(tokens)])
        prompt = [llama.logits(row).copy() for row in range(len(tokens))]
        llama.decode([Entry(tokens[0], len(tokens), 0, True)])
        return np.stack([*prompt, llama.logits(0).copy()])


def _apart(read: dict[str, NDArray[np.float32]], glu: str) -> float:
    gate, up = (read[glu.replace("swiglu", part)].astype(np.float64) for part in ("gate", "up"))
    return float(np.abs(read[glu] - gate / (1 + np.exp(-gate)) * up).max())


if __name__ == "__main__":
    main()
