"""A prompt in each form of attention, in a process of its own: `python -m tests.engine.native.forms FILE CELLS KERNEL`.

kimi-nano's weights are multiplied in 8 bits, which turns any rounding into differences of a hundredth, so the file is one with f32 weights.
What this module does not do: judge.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from engine.llama import Entry, KvType, Llama, Options
from engine.native.library import Form, Library
from engine.native.plugin import Attention
from engine.tokenizer import Tokenizer
from tests.engine.native.nano import MODEL, ROOT

TOKENS = 192
_HEADS, _VALUE = 4, 64


@dataclass(frozen=True)
class Result:
    """Scores of every token, (TOKENS, vocabulary), and how many attentions were computed (absorbed, expanded)."""

    scores: NDArray[np.float32]
    computed: tuple[int, int]


def write(path: Path, value: int = _VALUE) -> Path:
    """kimi-nano with f32 weights; of each head's 64 values only the first `value` are kept."""
    reader = gguf.GGUFReader(MODEL)
    writer = gguf.GGUFWriter(path, "deepseek2")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        content = value if field.name == "deepseek2.attention.value_length_mla" else field.contents()
        writer.add_key_value(field.name, content, field.types[0], field.types[1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.name.endswith("attn_v_b.weight"):
            values = values[:, :value]
        if tensor.name.endswith("attn_output.weight"):
            values = values.reshape(len(values), _HEADS, _VALUE)[:, :, :value].reshape(len(values), -1)
        writer.add_tensor(tensor.name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def run(path: Path, cells: KvType, attention: Attention) -> dict[Form, Result]:
    """By what was preferred, in another process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.engine.native.forms", str(path), cells.name, attention.value, folder]
        done = subprocess.run(command, cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        computed = json.loads(done.stdout)
        scores = np.load(Path(folder, "scores.npy"))
    return {form: Result(scores[i], (computed[form.name][0], computed[form.name][1])) for i, form in enumerate(Form)}


def main(path: Path, cells: str, attention: str, folder: Path) -> None:
    """The other process."""
    tokens = Tokenizer.from_gguf(MODEL).encode(Path(__file__).read_text("utf-8"))[:TOKENS]
    scores: list[NDArray[np.float32]] = []
    computed: dict[str, list[int]] = {}
    library = Library()
    with Llama(path, Options(TOKENS, TOKENS, 1, 1, KvType[cells], attention=Attention(attention))) as llama:
        for form in Form:
            library.prefer(form)
            before = [library.computed(kind) for kind in (Form.ABSORBED, Form.EXPANDED)]
            llama.forget(0)
            llama.decode([Entry(token, position, 0, True) for position, token in enumerate(tokens)])
            scores.append(np.stack([llama.logits(row) for row in range(TOKENS)]))
            computed[form.name] = [library.computed(kind) - seen for kind, seen in zip((Form.ABSORBED, Form.EXPANDED), before, strict=True)]
    np.save(folder / "scores.npy", np.stack(scores))
    sys.stdout.write(json.dumps(computed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
