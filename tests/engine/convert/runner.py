"""llama.cpp with everything in float32, for comparing its logits with another implementation's."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as api
import numpy as np
from numpy.typing import NDArray

_F32 = 0


@api.llama_log_callback
def _silent(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """Take llama.cpp's log off stderr."""


@dataclass(frozen=True)
class Runner:
    """A loaded model."""

    model: int
    context: int
    vocabulary: int

    def logits(self, tokens: Sequence[int], step: int) -> NDArray[np.float32]:
        """The logits after every token, shape (tokens, vocabulary), decoding `step` tokens at a time."""
        memory = api.llama_get_memory(self.context)
        api.llama_memory_clear(memory, True)
        batch = api.llama_batch_init(step, 0, 1)
        found = []
        for start in range(0, len(tokens), step):
            some = tokens[start : start + step]
            batch.n_tokens = len(some)
            for index, token in enumerate(some):
                batch.token[index], batch.pos[index], batch.n_seq_id[index], batch.logits[index] = token, start + index, 1, True
                batch.seq_id[index][0] = 0
            assert api.llama_decode(self.context, batch) == 0
            found += [
                np.ctypeslib.as_array(api.llama_get_logits_ith(self.context, at), (self.vocabulary,)).copy() for at in range(len(some))
            ]
        api.llama_batch_free(batch)
        return np.stack(found)


@contextmanager
def load(path: Path, context: int = 512) -> Iterator[Runner]:
    """The model at `path`, its cache in float32."""
    api.llama_log_set(_silent, ctypes.c_void_p(0))
    api.llama_backend_init()
    model = api.llama_model_load_from_file(str(path).encode(), api.llama_model_default_params())
    assert model is not None, f"llama.cpp refuses {path}"
    parameters = api.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = context
    parameters.type_k = parameters.type_v = _F32
    parameters.flash_attn_type = 0
    parameters.n_threads = parameters.n_threads_batch = 1
    handle = api.llama_init_from_model(model, parameters)
    assert handle is not None
    try:
        yield Runner(model, handle, api.llama_vocab_n_tokens(api.llama_model_get_vocab(model)))
    finally:
        api.llama_free(handle)
        api.llama_model_free(model)
