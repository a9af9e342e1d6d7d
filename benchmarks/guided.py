"""Guided decoding on random JSON Schemas: how many answers validate, and what guiding costs a token.

A random-weight model with a vocabulary of K2.6's size (K2.6's own where its published vectors are, else a made-up one of 163,840
tokens) answers 1,000 schemas, each beside an unguided answer of the same number of tokens. Nothing but the guide makes such a model
close a bracket, and its decode step takes a hundredth of K2.6's, so both figures are worst cases; that fewer tokens are left to sample
from makes up for some of the cost. Prints a line a figure and, last, one JSON object: `valid_percent` and `slowdown_percent` (median).
`--quick` takes 40 schemas.
"""

import argparse
import base64
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
from jsonschema import Draft202012Validator, ValidationError

from engine.guide import Guide, Guides, GuideSpec
from engine.llama import Entry, Llama, Options
from engine.sampling import Sampler, Sampling
from engine.tokenizer import Tokenizer, bytes_to_alphabet

VECTORS = Path(os.environ.get("KIMICODE_VECTORS") or Path(__file__).parents[2] / "shared" / "vectors") / "k26"
VOCABULARY, TEXTS = 163_840, 163_584
NAMED = {
    163584: "[BOS]",
    163585: "[EOS]",
    163586: "<|im_end|>",
    163595: "<|tool_calls_section_begin|>",
    163596: "<|tool_calls_section_end|>",
    163597: "<|tool_call_begin|>",
    163598: "<|tool_call_argument_begin|>",
    163599: "<|tool_call_end|>",
    163606: "<think>",
    163607: "</think>",
}
ROOM = 240
WIDTH, HEADS, RANK, ROPE = 64, 1, 32, 32

PATTERNS = ("^[a-z]+$", "^[A-Z]{3}-[0-9]{2,4}$", "^(red|green|blue)$", "^v[0-9]+\\.[0-9]+$", "^[a-z]+@[a-z]+\\.com$", "^a*b{3}$", "[0-9]$")
FORMATS = ("date", "time", "date-time", "uuid", "ipv4", "email", "hostname")
WORDS = ("path", "limit", "query", "Name", "tags", "käse", "line_count", "x-y", "a b", 'q"', "日本", "mode", "options", "e", "value")

Schema = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="40 schemas instead of 1,000")
    count = 40 if parser.parse_args().quick else 1000
    tokenizer = Tokenizer(*vocabulary())
    guides = Guides(tokenizer, VOCABULARY)
    begun = time.perf_counter()
    guides.check(GuideSpec(answer={"type": "object"}))
    figures: dict[str, float] = {"first_check_s": round(time.perf_counter() - begun, 2)}
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-") as folder:
        path = write_model(Path(folder) / "model.gguf", tokenizer)
        with Llama(path, Options(cells=2 * ROOM, batch=16, threads=len(os.sched_getaffinity(0)))) as llama:
            figures |= measured(llama, tokenizer, guides, count)
    for name, value in figures.items():
        print(f"{name:<24} {value:10.2f}")
    print(json.dumps(figures))


def measured(llama: Llama, tokenizer: Tokenizer, guides: Guides, count: int) -> dict[str, float]:
    """Every schema answered, guided and not in turn, so that a slow moment of the machine falls on both."""
    valid, tokens, guided_ms, free_ms, own_ms = 0, 0, [], [], []
    end = tokenizer.control_id("<|im_end|>")
    for seed in range(count):
        schema = random_schema(random.Random(seed), depth=2)
        guide = guides.guide(GuideSpec(answer=schema), thinking=False, room=ROOM)
        answer, took, own = generate(llama, guide, end, ROOM, seed)
        _, free, _ = generate(llama, None, -1, len(answer), seed)
        valid += validates(tokenizer.decode_bytes(answer[:-1]), schema)
        tokens += len(answer)
        guided_ms.append(took * 1000 / len(answer))
        free_ms.append(free * 1000 / len(answer))
        own_ms.append(own * 1000 / len(answer))
    slowdown = statistics.median(guided / free for guided, free in zip(guided_ms, free_ms, strict=True)) - 1
    return {
        "schemas": count,
        "tokens": tokens,
        "valid_percent": round(100 * valid / count, 2),
        "guided_ms_per_token": round(statistics.median(guided_ms), 3),
        "unguided_ms_per_token": round(statistics.median(free_ms), 3),
        "guide_ms_per_token": round(statistics.median(own_ms), 3),
        "slowdown_percent": round(100 * slowdown, 1),
    }


def generate(llama: Llama, guide: Guide | None, end: int, room: int, seed: int) -> tuple[list[int], float, float]:
    """An answer to a one-token prompt, ended by `end` or at `room` tokens; the seconds it took, and those of them in the guide."""
    sampler = Sampler(Sampling(seed=seed))
    answer: list[int] = []
    llama.forget(0)
    llama.decode([Entry(163584, 0, 0, wanted=True)])
    begun, own = time.perf_counter(), 0.0
    while len(answer) < room and (not answer or answer[-1] != end):
        logits = llama.logits(0)
        if guide is not None:
            own -= time.perf_counter()
            guide.apply(logits)
            own += time.perf_counter()
        answer.append(sampler.choose(logits))
        if guide is not None:
            own -= time.perf_counter()
            guide.accept(answer[-1])
            own += time.perf_counter()
        llama.decode([Entry(answer[-1], len(answer), 0, wanted=True)])
    return answer, time.perf_counter() - begun, own


def validates(answer: bytes, schema: Schema) -> bool:
    try:
        Draft202012Validator(schema).validate(json.loads(answer))
    except (ValueError, ValidationError) as problem:
        print(f"not valid: {str(problem).splitlines()[0]}: {json.dumps(schema)}")
        return False
    return True


def random_schema(rng: random.Random, depth: int = 3) -> Schema:
    """An object schema of the kind that tools declare, perhaps with definitions, one of them recursive; all of it can be satisfied."""
    schema = _object(rng, depth)
    if rng.random() < 0.3:
        node: Schema = {"type": "object", "properties": {"value": _leaf(rng), "next": {"$ref": "#/$defs/node"}}, "required": ["value"]}
        properties = schema["properties"]
        assert isinstance(properties, dict)
        properties["chain"] = {"$ref": "#/$defs/node"}
        schema["$defs"] = {"node": node}
    return schema


def _any(rng: random.Random, depth: int) -> Schema:
    kinds: list[Callable[[random.Random, int], Schema]] = [_object, _array, _union, _sum]
    return rng.choice(kinds)(rng, depth - 1) if depth > 0 and rng.random() < 0.5 else _leaf(rng)


def _object(rng: random.Random, depth: int) -> Schema:
    names = rng.sample(WORDS, rng.randint(0, 5))
    schema: Schema = {"type": "object", "properties": {name: _any(rng, depth) for name in names}}
    schema["required"] = [name for name in names if rng.random() < 0.5]
    if rng.random() < 0.5:
        schema["additionalProperties"] = False
    elif rng.random() < 0.3:
        schema["additionalProperties"] = _leaf(rng)
    return schema


def _array(rng: random.Random, depth: int) -> Schema:
    schema: Schema = {"type": "array", "items": _any(rng, depth)}
    if rng.random() < 0.4:
        schema["minItems"] = rng.randint(0, 3)
    if rng.random() < 0.4:
        schema["maxItems"] = rng.randint(3, 6)
    if rng.random() < 0.2:
        schema["prefixItems"] = [_leaf(rng)]
    return schema


def _union(rng: random.Random, depth: int) -> Schema:
    return {"anyOf": [_any(rng, depth), _leaf(rng), {"type": "null"}][: rng.randint(2, 3)]}


def _sum(rng: random.Random, depth: int) -> Schema:
    parts: list[Schema] = [{"type": "object", "properties": {name: _any(rng, depth)}, "required": [name]} for name in rng.sample(WORDS, 2)]
    return {"allOf": parts}


def _leaf(rng: random.Random) -> Schema:
    low = rng.randint(-1000, 1000)
    leaves: list[Schema] = [
        {"type": "string"},
        {"type": "string", "minLength": rng.randint(0, 9), "maxLength": rng.randint(9, 30)},
        {"type": "string", "pattern": rng.choice(PATTERNS)},
        {"type": "string", "format": rng.choice(FORMATS)},
        {"enum": rng.sample(["a", "long value with spaces", "é", 1, 2.5, None, True, {"k": [1]}, []], rng.randint(1, 4))},
        {"const": rng.choice(["fixed", 7, None, {"a": 1}])},
        {"type": "integer"},
        {"type": "integer", "minimum": low, "maximum": low + rng.randint(0, 500)},
        {"type": "integer", "exclusiveMinimum": low},
        {"type": "integer", "multipleOf": rng.choice([2, 5, 7])},
        {"type": "number"},
        {"type": "number", "minimum": low / 8, "maximum": low / 8 + rng.randint(1, 500)},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["string", "null"]},
        {"type": ["integer", "array", "boolean"]},
        {},
        {"type": "object"},
        {"type": "object", "patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": False},
        {"type": "object", "minProperties": 1, "maxProperties": 3, "additionalProperties": {"type": "boolean"}},
    ]
    return rng.choice(leaves)


def vocabulary() -> tuple[dict[bytes, int], dict[str, int]]:
    """K2.6's tokens, or as many made-up ones: single bytes, then words and the punctuation of JSON."""
    control = {NAMED.get(token, f"<|reserved_token_{token}|>"): token for token in range(TEXTS, VOCABULARY)}
    if (path := VECTORS / "tiktoken.model").is_file():
        lines = (line.split() for line in path.read_bytes().splitlines())
        return {base64.b64decode(token): int(rank) for token, rank in lines}, control
    rng = random.Random(0)
    texts = {bytes([byte]): None for byte in range(256)} | {bytes([a, b]): None for a in b'"}],: {[' for b in b'"}],: {[\\0n'}
    while len(texts) < TEXTS:
        word = "".join(rng.choice("etaoinshrdlucmfwypvbgkjqxz_é日") for _ in range(rng.randint(2, 10)))
        texts[(rng.choice(("", " ")) + word).encode()] = None
    return {text: rank for rank, text in enumerate(texts)}, control


def write_model(path: Path, tokenizer: Tokenizer) -> Path:
    """One dense layer of K2.6's architecture; logits spread as widely as a trained model's, so that sampling costs as much."""
    writer = gguf.GGUFWriter(path, "deepseek2")
    numbers: list[tuple[Callable[[int], None], int]] = [
        *((writer.add_context_length, 4096), (writer.add_embedding_length, WIDTH), (writer.add_block_count, 1)),
        *((writer.add_feed_forward_length, WIDTH), (writer.add_head_count, HEADS), (writer.add_head_count_kv, 1)),
        *((writer.add_vocab_size, VOCABULARY), (writer.add_q_lora_rank, RANK), (writer.add_kv_lora_rank, RANK)),
        *((writer.add_key_length, RANK + ROPE), (writer.add_value_length, RANK), (writer.add_key_length_mla, RANK + ROPE)),
        *((writer.add_value_length_mla, RANK), (writer.add_rope_dimension_count, ROPE), (writer.add_leading_dense_block_count, 1)),
        *((writer.add_expert_count, 2), (writer.add_expert_used_count, 1), (writer.add_expert_shared_count, 1)),
        *((writer.add_expert_feed_forward_length, WIDTH), (writer.add_bos_token_id, 163584), (writer.add_eos_token_id, 163586)),
    ]
    for add, number in numbers:
        add(number)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("kimi-k2")
    control = [tokenizer.is_control(token) for token in range(VOCABULARY)]
    spelled = [tokenizer.token_bytes(token) for token in range(VOCABULARY)]
    writer.add_token_list([text.decode() if named else bytes_to_alphabet(text) for text, named in zip(spelled, control, strict=True)])
    writer.add_token_types([3 if named else 1 for named in control])
    _tensors(writer, np.random.default_rng(0))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(writer: gguf.GGUFWriter, rng: np.random.Generator) -> None:
    shapes = {
        "token_embd": (VOCABULARY, WIDTH),
        "output": (VOCABULARY, WIDTH),
        "blk.0.attn_q_a": (RANK, WIDTH),
        "blk.0.attn_q_b": (HEADS * (RANK + ROPE), RANK),
        "blk.0.attn_kv_a_mqa": (RANK + ROPE, WIDTH),
        "blk.0.attn_k_b": (HEADS, RANK, RANK),
        "blk.0.attn_v_b": (HEADS, RANK, RANK),
        "blk.0.attn_output": (WIDTH, HEADS * RANK),
        "blk.0.ffn_gate": (WIDTH, WIDTH),
        "blk.0.ffn_up": (WIDTH, WIDTH),
        "blk.0.ffn_down": (WIDTH, WIDTH),
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.normal(0, 0.5, shape).astype(np.float32))
    norms = {"output": WIDTH, "blk.0.attn": WIDTH, "blk.0.ffn": WIDTH, "blk.0.attn_q_a": RANK, "blk.0.attn_kv_a": RANK}
    for name, size in norms.items():
        writer.add_tensor(f"{name}_norm.weight", np.ones(size, np.float32))


if __name__ == "__main__":
    main()
