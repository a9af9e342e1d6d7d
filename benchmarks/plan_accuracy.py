"""How near `kimicode models plan` comes to what llama.cpp then does: predicted over measured speed, of prompts and of answers.

Two models: kimi-nano, where llama.cpp's many small steps count, and one of random weights with K2's heads and cells in K2's storage types
(Q4_0 experts, Q8_0 the rest) that is written first, large enough for memory to count. Each with llama.cpp's own attention, then with the
engine's precise kernels, where they are built. The machine is measured anew each time. Prints a line a figure and, last, one JSON object; a
ratio of 1 is a perfect prediction, 2 one twice too fast. `--quick` takes fewer tokens and a smaller file.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

from engine import known
from engine.layout import arrange
from engine.llama import api  # not from llama_cpp: the engine sets how threads wait before it loads that
from engine.machine import Machine
from engine.measure import Remembered
from engine.native import plugin
from engine.native.plugin import Attention
from engine.shapes import ModelShape, read
from engine.speed import speed
from engine.survey import Looking, survey

WIDTH, HEADS, Q_RANK, KV_RANK, NOPE, ROPE, VALUE = 2048, 64, 768, 512, 128, 64, 128
EXPERTS, USED, EXPERT_WIDTH, DENSE, VOCABULARY = 32, 4, 704, 4096, 32_000
PROMPT, CONTEXT = 512, 3072
SMALL = 128 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller file and fewer tokens")
    quick = parser.parse_args().quick
    api.llama_log_set(SILENCE, None)
    api.llama_backend_init()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-", dir=os.environ.get("KIMICODE_BENCH_FOLDER")) as folder:
        large = write(Path(folder) / "random.gguf", layers=4 if quick else 8)
        models = {"nano": known.NANO, "random": large}
        for name, path in models.items():
            figures |= compare(name, path, Path(folder), Attention.STOCK, answers=24 if quick else 64)
        # Once loaded, a backend stays in its process: llama.cpp's own attention comes first.
        if (loaded := plugin.load(Attention.PRECISE)).kernel is None:
            print(f"without kernels: {loaded.reason}")
            models = {}
        for name, path in models.items():
            figures |= compare(name, path, Path(folder), Attention.PRECISE, answers=24 if quick else 64)
    print(json.dumps(figures))


@api.llama_log_callback
def SILENCE(_level: int, _text: bytes, _data: object) -> None:  # noqa: N802
    """llama.cpp's log is of no interest here."""


def compare(name: str, path: Path, folder: Path, attention: Attention, answers: int) -> dict[str, float]:
    model = read(path)
    looked = survey(path, folder, Remembered(folder / "measured.json"), again=True, looking=Looking(attention))
    machine = looked.machine
    print(*looked.complaints, sep="\n", end="\n" if looked.complaints else "")
    prediction = predicted(model, machine)
    found = measured(path, 1 if model.bytes < SMALL else machine.cpus, answers, one_pass=attention is not Attention.STOCK)
    figures = {}
    print(
        f"{name}, attention {attention.value}: {model.bytes / 1e6:.0f} MB, memory {machine.memory_rate.value / 1e9:.1f} GB/s, "
        f"{machine.compute.value / 1e9:.0f} GFLOP/s"
    )
    if machine.kernels is not None:
        pace = machine.kernels.one if model.bytes < SMALL else machine.kernels.all
        print(f"  attention {pace.decode.value / 1e9:.0f} and {pace.prefill.value / 1e9:.0f} GFLOP/s: {pace.prefill.how}")
    for what, guess in prediction.items():
        ratio = guess / found[what]
        print(f"  {what:<16} predicted {guess:9.1f}   measured {found[what]:9.1f} tokens/s   ratio {ratio:.2f}", flush=True)
        prefix = f"{name}_{attention.value}_{what}"
        figures |= {f"{prefix}_predicted": round(guess, 1), f"{prefix}_measured": round(found[what], 1), f"{prefix}_ratio": round(ratio, 2)}
    return figures


def predicted(model: ModelShape, machine: Machine) -> dict[str, float]:
    layout = arrange(model, machine, CONTEXT, "f16", PROMPT)
    short, long = speed(model, machine, layout, PROMPT), speed(model, machine, layout, CONTEXT - PROMPT)
    return {
        "prefill": short.prefill.expected,
        "prefill_long": long.prefill.expected,
        "decode": short.decode.expected,
        "decode_long": long.decode.expected,
    }


def measured(path: Path, threads: int, answers: int, *, one_pass: bool) -> dict[str, float]:
    """Tokens a second of a short prompt and of one that fills the context, and of answers behind both."""
    with context(path, threads, one_pass=one_pass) as (handle, vocabulary):
        tokens = np.random.default_rng(0).integers(0, vocabulary, CONTEXT).tolist()
        decode(handle, tokens[:PROMPT], 0)
        rates = []
        for _ in range(3):
            api.llama_memory_seq_rm(api.llama_get_memory(handle), 0, 0, -1)
            rates.append(PROMPT / decode(handle, tokens[:PROMPT], 0))
        short = answer_rate(handle, tokens, PROMPT, answers)
        api.llama_memory_seq_rm(api.llama_get_memory(handle), 0, PROMPT, -1)
        long = range(PROMPT, CONTEXT - PROMPT, PROMPT)
        seconds = PROMPT / max(rates) + sum(decode(handle, tokens[start : start + PROMPT], start) for start in long)
        return {
            "prefill": max(rates),
            "prefill_long": (CONTEXT - PROMPT) / seconds,
            "decode": short,
            "decode_long": answer_rate(handle, tokens, CONTEXT - PROMPT, answers),
        }


def answer_rate(handle: int, tokens: list[int], start: int, count: int) -> float:
    times = [decode(handle, [tokens[start + index]], start + index) for index in range(count)]
    return 1 / statistics.median(times)


def decode(handle: int, tokens: list[int], start: int) -> float:
    """Seconds that `tokens` took."""
    batch = api.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index], batch.pos[index], batch.n_seq_id[index] = token, start + index, 1
        batch.seq_id[index][0], batch.logits[index] = 0, index == len(tokens) - 1
    started = time.perf_counter()
    if api.llama_decode(handle, batch):
        sys.exit("llama.cpp failed to decode")
    api.llama_synchronize(handle)
    took = time.perf_counter() - started
    api.llama_batch_free(batch)
    return took


@contextlib.contextmanager
def context(path: Path, threads: int, *, one_pass: bool) -> Iterator[tuple[int, int]]:
    model = api.llama_model_load_from_file(os.fsencode(path), api.llama_model_default_params())
    settings = api.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_ubatch = CONTEXT, PROMPT, PROMPT
    settings.n_threads = settings.n_threads_batch = threads
    if one_pass:
        settings.flash_attn_type = 1
    handle = api.llama_init_from_model(model, settings)
    yield handle, api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
    api.llama_free(handle)
    api.llama_model_free(model)


def write(path: Path, layers: int) -> Path:
    """A model of K2's architecture with random weights: about 120 MB a layer."""
    writer = gguf.GGUFWriter(path, "deepseek2", use_temp_file=False)
    writer.add_name("random")
    for key, value in {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": layers,
        "feed_forward_length": DENSE,
        "attention.head_count": HEADS,
        "attention.head_count_kv": 1,
        "vocab_size": VOCABULARY,
        "attention.q_lora_rank": Q_RANK,
        "attention.kv_lora_rank": KV_RANK,
        "attention.key_length": KV_RANK + ROPE,
        "attention.value_length": KV_RANK,
        "attention.key_length_mla": NOPE + ROPE,
        "attention.value_length_mla": VALUE,
        "rope.dimension_count": ROPE,
        "leading_dense_block_count": 1,
        "expert_count": EXPERTS,
        "expert_used_count": USED,
        "expert_shared_count": 1,
        "expert_feed_forward_length": EXPERT_WIDTH,
        "expert_gating_func": 2,
    }.items():
        writer.add_uint32(f"deepseek2.{key}", value)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_expert_weights_scale(2.827)
    writer.add_expert_weights_norm(True)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("kimi-k2")
    writer.add_token_list([f"t{index}" for index in range(VOCABULARY)])
    writer.add_token_types([1] * VOCABULARY)
    tensors(writer, layers, np.random.default_rng(0))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(writer: gguf.GGUFWriter, layers: int, rng: np.random.Generator) -> None:
    def quantised(name: str, *shape: int, kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.Q8_0) -> None:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        data = rng.integers(0, 256, (*shape[:-1], shape[-1] // block, size), np.uint8)
        data[..., :2] = np.frombuffer(np.float16(0.002 if size > 20 else 0.02).tobytes(), np.uint8)
        writer.add_tensor(name, data.reshape(*shape[:-1], -1), raw_dtype=kind)

    def plain(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(1 if len(shape) == 1 else 0, 0.02, shape).astype(np.float32))

    quantised("token_embd.weight", VOCABULARY, WIDTH)
    quantised("output.weight", VOCABULARY, WIDTH)
    plain("output_norm.weight", WIDTH)
    for block in (f"blk.{layer}." for layer in range(layers)):
        for name, size in (("attn_norm", WIDTH), ("ffn_norm", WIDTH), ("attn_q_a_norm", Q_RANK), ("attn_kv_a_norm", KV_RANK)):
            plain(f"{block}{name}.weight", size)
        quantised(f"{block}attn_q_a.weight", Q_RANK, WIDTH)
        quantised(f"{block}attn_q_b.weight", HEADS * (NOPE + ROPE), Q_RANK)
        quantised(f"{block}attn_kv_a_mqa.weight", KV_RANK + ROPE, WIDTH)
        quantised(f"{block}attn_k_b.weight", HEADS, KV_RANK, NOPE)
        quantised(f"{block}attn_v_b.weight", HEADS, VALUE, KV_RANK)
        quantised(f"{block}attn_output.weight", WIDTH, HEADS * VALUE)
        if block == "blk.0.":
            feed_forward = (("", DENSE, gguf.GGMLQuantizationType.Q8_0, ()),)
        else:
            plain(f"{block}ffn_gate_inp.weight", EXPERTS, WIDTH)
            plain(f"{block}exp_probs_b.bias", EXPERTS)
            feed_forward = (
                ("_shexp", EXPERT_WIDTH, gguf.GGMLQuantizationType.Q8_0, ()),
                ("_exps", EXPERT_WIDTH, gguf.GGMLQuantizationType.Q4_0, (EXPERTS,)),
            )
        for suffix, inner, kind, many in feed_forward:
            quantised(f"{block}ffn_gate{suffix}.weight", *many, inner, WIDTH, kind=kind)
            quantised(f"{block}ffn_up{suffix}.weight", *many, inner, WIDTH, kind=kind)
            quantised(f"{block}ffn_down{suffix}.weight", *many, WIDTH, inner, kind=kind)


if __name__ == "__main__":
    main()
