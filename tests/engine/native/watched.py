"""A prompt whose attention an evaluation callback reads, in a process of its own: `python -m tests.engine.native.watched FILE`.

What this module does not do: judge.
"""

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as api
import numpy as np

from engine.llama import Entry, Llama, Options
from engine.native.library import Form, Library
from engine.native.plugin import Attention
from engine.tokenizer import Tokenizer
from tests.engine.native.forms import TOKENS
from tests.engine.native.nano import MODEL, ROOT

_OP, _ELEMENTS, _DATA = 80, 16, 248
"""Where a tensor has them (tests/engine/native/test_abi.py)."""
_ATTENTION = 74


@dataclass(frozen=True)
class Watched:
    """What a form came to while its results were read: attentions computed expanded, results read, and a digest of all of them."""

    expanded: int
    read: int
    digest: float


def run(path: Path) -> dict[Form, Watched]:
    """By what was preferred, in another process."""
    command = [sys.executable, "-m", "tests.engine.native.watched", str(path)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {Form[name]: Watched(*found) for name, found in json.loads(done.stdout).items()}


def main(path: Path) -> None:
    """The other process."""
    seen: list[float] = []

    def watch(tensor: int, ask: bool, _data: int | None) -> bool:
        wanted = ctypes.c_int.from_address(tensor + _OP).value == _ATTENTION
        if wanted and not ask:
            count = int(np.prod((ctypes.c_int64 * 4).from_address(tensor + _ELEMENTS)))
            values = np.ctypeslib.as_array((ctypes.c_float * count).from_address(ctypes.c_void_p.from_address(tensor + _DATA).value or 0))
            seen.append(float(np.sum(np.abs(values, dtype=np.float64))))
        return wanted or not ask

    callback = api.ggml_backend_sched_eval_callback(watch)
    defaults = api.llama_context_default_params

    def watching() -> api.llama_context_params:
        parameters = defaults()
        parameters.cb_eval = callback
        return parameters

    api.llama_context_default_params = watching
    tokens = Tokenizer.from_gguf(MODEL).encode(Path(__file__).read_text("utf-8"))[:TOKENS]
    library = Library()
    results: dict[str, tuple[int, int, float]] = {}
    with Llama(path, Options(TOKENS, TOKENS, 1, 1, attention=Attention.PRECISE)) as llama:
        for form in (Form.ABSORBED, Form.EXPANDED):
            library.prefer(form)
            before = library.computed(Form.EXPANDED)
            seen.clear()
            llama.forget(0)
            llama.decode([Entry(token, position, 0, True) for position, token in enumerate(tokens)])
            results[form.name] = (library.computed(Form.EXPANDED) - before, len(seen), sum(seen))
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
