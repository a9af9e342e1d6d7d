"""Which experts tokens use: traces for the benchmark of cache policies, int32 (tokens, layers, used), numbered over all layers.

What this module does not do: simulate caches.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as api
import numpy as np
from numpy.typing import NDArray

Trace = NDArray[np.int32]

ROOT = Path(__file__).parents[1]
NANO = ROOT / "engine" / "nano" / "kimi-nano.gguf"


@dataclass(frozen=True)
class Routing:
    """A router's scores as sums of normal terms: one that never changes, of `base` deviation, one of a turn (`topic`), one that lasts about
    `lasting` tokens (`recent`), and one of every token, of 1. The largest `used` of `experts` are chosen."""

    experts: int
    used: int
    layers: int
    base: float
    topic: float
    recent: float
    lasting: float
    turn: int


def synthetic(routing: Routing, tokens: int, seed: int = 1) -> Trace:
    """Tokens by this routing."""
    random, shape = np.random.default_rng(seed), (routing.layers, routing.experts)

    def normal(deviation: float) -> NDArray[np.float32]:
        return random.standard_normal(shape, np.float32) * np.float32(deviation)

    keep = float(np.exp(-1 / routing.lasting))
    base, recent = normal(routing.base), normal(routing.recent)
    topic = normal(0)
    chosen = np.empty((tokens, routing.layers, routing.used), np.int32)
    for token in range(tokens):
        if token % routing.turn == 0:
            topic = normal(routing.topic)
        recent = recent * np.float32(keep) + normal(routing.recent * np.sqrt(1 - keep**2))
        scores = base + topic + recent + normal(1)
        chosen[token] = np.argpartition(-scores, routing.used - 1, axis=1)[:, : routing.used]
    return _over_layers(chosen, routing.experts)


def uniform(experts: int, used: int, layers: int, tokens: int, seed: int = 1) -> Trace:
    """Every expert as likely as another, whatever came before."""
    return synthetic(Routing(experts, used, layers, 0, 0, 0, 1, tokens), tokens, seed)


def reuse(trace: Trace) -> float:
    """The share of a token's experts that the token before it used too."""
    return float((trace[1:, :, :, None] == trace[:-1, :, None, :]).any(-1).mean())


class _Tensor(ctypes.Structure):
    """The first fields of ggml's."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


def nano(text: bytes, tokens: int, batch: int = 512) -> Trace:
    """What kimi-nano's routers choose where it reads this text, 8 experts in each of 4 layers."""
    found: dict[int, list[Trace]] = {}

    def see(pointer: int, ask: bool, _: object) -> bool:
        tensor = _Tensor.from_address(pointer)
        name = tensor.name.decode()
        if not name.startswith("ffn_moe_topk-"):
            return not ask
        if not ask:
            rows = [(ctypes.c_int32 * tensor.ne[0]).from_address(tensor.data + row * tensor.nb[1]) for row in range(tensor.ne[1])]
            found.setdefault(int(name.rpartition("-")[2]), []).append(np.array([list(row) for row in rows], np.int32))
        return True

    silent = api.llama_log_callback(lambda *_: None)
    api.llama_log_set(silent, ctypes.c_void_p())
    model = api.llama_model_load_from_file(str(NANO).encode(), api.llama_model_default_params())
    parameters = api.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = tokens, batch, batch
    callback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_bool, ctypes.c_void_p)(see)
    parameters.cb_eval = ctypes.cast(callback, api.ggml_backend_sched_eval_callback)
    context = api.llama_init_from_model(model, parameters)
    ids = (api.llama_token * len(text))()
    count = min(api.llama_tokenize(api.llama_model_get_vocab(model), text, len(text), ids, len(text), False, False), tokens)
    for start in range(0, count, batch):
        part = ctypes.cast(ctypes.addressof(ids) + start * ctypes.sizeof(api.llama_token), ctypes.POINTER(api.llama_token))
        # A layer's last rows are left out where nobody asks for their result: all are asked for.
        step = api.llama_batch_init(min(batch, count - start), 0, 1)
        step.n_tokens = min(batch, count - start)
        for i in range(step.n_tokens):
            step.token[i], step.pos[i], step.n_seq_id[i], step.logits[i] = part[i], start + i, 1, 1
            step.seq_id[i][0] = 0
        if api.llama_decode(context, step):
            raise SystemExit("kimi-nano could not read the text")
        api.llama_batch_free(step)
    api.llama_free(context)
    api.llama_model_free(model)
    layers = [np.concatenate(found[layer]) for layer in sorted(found)]
    return _over_layers(np.stack(layers, axis=1), experts=8)


def _over_layers(chosen: Trace, experts: int) -> Trace:
    return np.ascontiguousarray(chosen + (np.arange(chosen.shape[1], dtype=np.int32) * experts)[:, None])
