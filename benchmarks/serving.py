"""How fast the engine serves kimi-nano: a known prefix from memory and from disk against a cold one, and eight answers against one.

A real engine process and a real HTTP client, one after the other. Prefixes are compared by the time to the first token of a prompt of
4,000 tokens; answers by tokens a second, all of them together. Last, steps of one and of eight sequences of a model that is too large for
the processor's cache, as kimi-nano is not. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import plan_accuracy

from engine.llama import Entry, Llama, Options

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "engine" / "nano" / "kimi-nano.gguf"
PREFIX_TOKENS = 4000
STREAMS = 8
ANSWER = 256
WORDS = ("the larger", "the sum", "how many", "whether", "the first", "every", "the last", "a list")


@contextmanager
def engine(folder: Path, *options: str) -> Iterator[httpx.Client]:
    """A client of a fresh engine process; the process is ended politely, so that it saves what it knows."""
    socket = folder / "engine.sock"
    command = [sys.executable, "-m", "engine", "serve", "--model", str(MODEL), "--socket", str(socket), *options]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "KIMICODE_HOME": str(folder)})
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://engine", timeout=120) as client:
            while not is_up(client):
                time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        process.wait()


def is_up(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/health").json()["status"] == "ok")
    except httpx.TransportError:
        return False


def prompt(client: httpx.Client, number: int) -> dict[str, object]:
    """A request whose prompt has about `PREFIX_TOKENS` tokens, its beginning different for every `number`."""
    text = f"{number} " + " ".join(f"def f{n}(a, b): return a + {n}" for n in range(400))
    while (tokens := count(client, text)) > PREFIX_TOKENS:
        text = text[: len(text) * PREFIX_TOKENS // tokens - 1]
    return {"messages": [{"role": "user", "content": text}], "stream": True, "max_tokens": 1, "temperature": 0}


def count(client: httpx.Client, text: str) -> int:
    """The tokens of a prompt that says `text`."""
    body = {"model": "kimi-nano", "messages": [{"role": "user", "content": text}]}
    return int(client.post("/v1/tokenizers/estimate-token-count", json=body).json()["data"]["total_tokens"])


def first_token(client: httpx.Client, body: dict[str, object]) -> float:
    """Seconds until the first token is there."""
    begun = time.perf_counter()
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            # The first chunk says the role; the token comes in the second, or, if it says nothing, ends the stream.
            if line == "data: [DONE]" or (line.startswith("data: {") and '"role"' not in line):
                return time.perf_counter() - begun
    raise RuntimeError("the stream broke off")


def prefixes(runs: int) -> dict[str, float]:
    cold, memory, disk = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        with engine(Path(folder)) as client:
            bodies = [prompt(client, number) for number in range(runs)]
            first_token(client, prompt(client, 1000))
            for body in bodies:
                cold.append(first_token(client, body))
                memory.append(first_token(client, body))
        with engine(Path(folder)) as client:
            first_token(client, prompt(client, 2000))
            disk += [first_token(client, body) for body in bodies]
    found = {"cold_s": statistics.median(cold), "memory_s": statistics.median(memory), "disk_s": statistics.median(disk)}
    return {**found, "memory_to_cold": found["memory_s"] / found["cold_s"], "disk_to_cold": found["disk_s"] / found["cold_s"]}


def stream(client: httpx.Client, number: int, results: list[int]) -> None:
    """One answer: the model goes on quoting a function, for 30 to 100 tokens."""
    thought = f'def function_{number}(a, b):\n    """Return {WORDS[number % len(WORDS)]}'
    body = {
        "messages": [
            {"role": "user", "content": f"Make failing test {number} pass."},
            {"role": "assistant", "content": "", "reasoning_content": thought, "partial": True},
        ],
        "max_tokens": ANSWER,
        "temperature": 0,
    }
    results.append(client.post("/v1/chat/completions", json=body).json()["usage"]["completion_tokens"])


def rate(client: httpx.Client, numbers: range) -> float:
    """Tokens a second of one stream for each number, all at once."""
    results: list[int] = []
    threads = [threading.Thread(target=stream, args=(client, number, results)) for number in numbers]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(results) / (time.perf_counter() - begun)


def streams(runs: int) -> dict[str, float]:
    alone, together = [], []
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder), "--disk-cache", "0") as client:
        rate(client, range(100, 101))
        for run in range(runs):
            alone.append(statistics.mean(rate(client, range(n, n + 1)) for n in range(10 * run, 10 * run + STREAMS)))
            together.append(rate(client, range(200 + 10 * run, 200 + 10 * run + STREAMS)))
    one, eight = statistics.median(alone), statistics.median(together)
    return {"one_tokens_per_s": one, "eight_tokens_per_s": eight, "eight_to_one": eight / one}


def large(runs: int) -> dict[str, float]:
    """A model that does not fit into the processor's cache: a step of eight sequences against one of one, by itself."""
    taken: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = plan_accuracy.write(Path(folder) / "large.gguf", layers=4)
        with Llama(path, Options(cells=4096, sequences=STREAMS)) as llama:
            position = 0
            for count in (1, STREAMS):
                seconds = []
                for _ in range(5 * runs):
                    entries = [Entry(100 + position, position if n == 0 else position - 5 * runs, n, True) for n in range(count)]
                    begun = time.perf_counter()
                    llama.decode(entries)
                    seconds.append(time.perf_counter() - begun)
                    position += 1
                taken[count] = statistics.median(seconds)
    return {
        "large_step_ms": 1000 * taken[1],
        "large_step_of_eight_ms": 1000 * taken[STREAMS],
        "large_eight_to_one": 8 * taken[1] / taken[8],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    runs = 3 if parser.parse_args().quick else 9
    print(f"{runs} runs each, medians")
    figures = {**prefixes(runs), **streams(runs), **large(runs)}
    for name, value in figures.items():
        print(f"{name:>20} {value:.4f}")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
