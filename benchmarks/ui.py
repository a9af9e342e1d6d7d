"""The full-screen user interface against others, from outside: first paint, key echo while an answer streams in, idleness, long sessions.

    scripts/bench ui [--quick] [--peer "kimi-code=/path/to/node /path/to/kimi"] [--peer opencode=/path/to/opencode]

Every program runs on a pseudo-terminal of 120×40 against the same endpoint, which streams 100 tokens a second. Keys are letters that the
answer does not hold; the echo is when the letter comes back. Peers are measured in the same run, in turn. A session of 10,000 blocks is
made, opened and scrolled. Medians over several runs; the last line is one JSON object.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ui_endpoint import Pacing
from ui_pty import FRAME_END, Pty
from ui_session import BLOCKS, write_session

KEYS = [chr(code).encode() for code in range(0x3400, 0x3400 + 400)]
"""Letters that no answer holds: CJK Extension A."""

TOKENS_PER_S = 100
SETTLE_S = 3.0


@dataclass
class Program:
    """How a program is started, and what is on the screen when it can be typed into. `prelude`: texts to be answered with Enter first."""

    name: str
    command: list[str]
    environ: dict[str, str]
    ready: bytes
    prelude: tuple[bytes, ...] = ()
    enter: bytes = b"\r"
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """One more measurement."""
        self.figures.setdefault(name, []).append(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 9, and shorter ones")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    given = parser.parse_args()
    runs, keys, idle_s = (3, 60, 5.0) if given.quick else (9, 150, 20.0)
    with tempfile.TemporaryDirectory(prefix="kimicode-ui-") as folder, Pacing(TOKENS_PER_S, 100_000) as endpoint:
        home = Path(folder)
        work = home / "work"
        work.mkdir()
        subprocess.run(["git", "init", "-q", str(work)], check=True)
        programs = [kimicode(home, endpoint.url), *(peer(words, home, endpoint.url) for words in given.peer)]
        for program in programs:
            first_paint(program, work)  # once, so that files are in memory and folders are there
            program.figures.clear()
        for _ in range(runs):
            for program in programs:
                first_paint(program, work)
        for program in programs:
            streaming(program, work, keys)
            idle(program, work, idle_s)
        long = long_session(programs[0], work, pages=60 if given.quick else 200)
    report(programs, long)


def kimicode(home: Path, url: str) -> Program:
    environ = base(home / "kimicode") | {
        "KIMICODE_HOME": str(home / "kimicode" / "state"),
        "KIMICODE_CONFIG": str(home / "none.toml"),
        "KIMICODE_ENDPOINT": url,
        "KIMICODE_MODEL": "kimi-k2.6",
        "KIMICODE_NO_KEYRING": "1",
    }
    return Program("kimicode", [str(Path(sys.executable).with_name("kimicode"))], environ, b"Ask, or type")


def peer(words: str, home: Path, url: str) -> Program:
    name, _, line = words.partition("=")
    command, environ = shlex.split(line), base(home / name)
    match name:
        case "kimi-code":
            environ |= {
                "KIMI_MODEL_NAME": "kimi-k2.6", "KIMI_MODEL_API_KEY": "x", "KIMI_MODEL_BASE_URL": url, "KIMI_MODEL_PROVIDER_TYPE": "openai",
                "KIMI_DISABLE_TELEMETRY": "1",
            }  # fmt: skip
            return Program(name, command, environ, b"context: 0%", prelude=(b"Trust this folder?",))
        case "opencode":
            settings = Path(environ["HOME"], ".config/opencode/opencode.json")
            settings.parent.mkdir(parents=True, exist_ok=True)
            model = {"npm": "@ai-sdk/openai-compatible", "name": "local", "options": {"baseURL": url, "apiKey": "x"}}
            local = {**model, "models": {"kimi-k2.6": {"name": "kimi"}}}
            names = {"model": "local/kimi-k2.6", "small_model": "local/kimi-k2.6"}
            settings.write_text(json.dumps({"autoupdate": False, "share": "disabled", **names, "provider": {"local": local}}))
            environ |= {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}
            return Program(name, command, environ, b"Ask anything")
        case _:
            raise SystemExit(f"nobody knows how to start {name}: kimi-code or opencode")


def base(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {**kept, "HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


def opened(program: Program, work: Path, *more: str) -> Pty:
    """The program, ready to be typed into; how long that took is noted."""
    terminal = Pty([*program.command, *more], work, program.environ)
    for question in program.prelude:
        try:
            terminal.seen(question, seconds=3.0)
        except TimeoutError:
            continue
        terminal.send(b"\r")
    moment = terminal.seen(program.ready)
    program.note("ready_ms", (moment - terminal.started) * 1000)
    return terminal


def first_paint(program: Program, work: Path) -> None:
    """Until the prompt is on the screen, and until the first letter that is typed then comes back."""
    with opened(program, work) as terminal:
        since = len(terminal.chunks)
        typed = terminal.send(KEYS[0])
        program.note("first_key_ms", (terminal.seen(KEYS[0], since) - typed) * 1000)


def streaming(program: Program, work: Path, keys: int) -> None:
    """Key echo while an answer streams in."""
    with opened(program, work) as terminal:
        terminal.quiet(1.0)
        terminal.send(b"Go on.")
        time.sleep(0.3)
        terminal.send(program.enter)
        terminal.seen(b"flour", seconds=60.0)
        time.sleep(SETTLE_S)
        before, began = terminal.cpu_s(), time.perf_counter()
        for number in range(keys):
            since = len(terminal.chunks)
            typed = terminal.send(KEYS[number])
            try:
                program.note("echo_ms", (terminal.seen(KEYS[number], since, seconds=5.0) - typed) * 1000)
            except TimeoutError:
                program.note("echo_ms", 5000.0)
            time.sleep(0.08)
        program.note("stream_cpu", 100 * (terminal.cpu_s() - before) / (time.perf_counter() - began))


def idle(program: Program, work: Path, seconds: float) -> None:
    """Processor time while nothing happens."""
    with opened(program, work) as terminal:
        time.sleep(8.0)
        before, began = terminal.cpu_s(), time.perf_counter()
        time.sleep(seconds)
        program.note("idle_cpu", 100 * (terminal.cpu_s() - before) / (time.perf_counter() - began))
        program.note("rss_mb", terminal.rss_mb())


def long_session(program: Program, work: Path, pages: int) -> dict[str, float]:
    """Open a session of many blocks, and scroll through it: a page up as soon as the one before has been painted."""
    session, last = write_session(Path(program.environ["KIMICODE_HOME"]), work)
    with Pty([*program.command, "--resume", session], work, program.environ) as terminal:
        moment = terminal.seen(last.encode(), seconds=120.0)
        found = {"open_ms": (moment - terminal.started) * 1000}
        terminal.quiet(1.0)
        took = []
        began = time.perf_counter()
        for _ in range(pages):
            since = len(terminal.chunks)
            typed = terminal.send(b"\x1b[5~")
            took.append((terminal.seen(FRAME_END, since, raw=True, seconds=10.0) - typed) * 1000)
        found["scroll_frames_per_s"] = pages / (time.perf_counter() - began)
        found["scroll_p95_ms"] = percentile(took, 95)
        found["rss_mb"] = terminal.rss_mb()
    return found


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1] if len(values) > 1 else values[0]


def report(programs: list[Program], long: Mapping[str, float]) -> None:
    figures: dict[str, float] = {}
    measures: dict[str, Callable[[Program], float]] = {
        "ready_ms": lambda p: statistics.median(p.figures["ready_ms"]),
        "first_key_ms": lambda p: statistics.median(p.figures["first_key_ms"]),
        "echo_p50_ms": lambda p: statistics.median(p.figures["echo_ms"]),
        "echo_p95_ms": lambda p: percentile(p.figures["echo_ms"], 95),
        "stream_cpu": lambda p: p.figures["stream_cpu"][0],
        "idle_cpu": lambda p: p.figures["idle_cpu"][0],
        "rss_mb": lambda p: p.figures["rss_mb"][0],
    }
    for name, measure in measures.items():
        values = [measure(program) for program in programs]
        for program, value in zip(programs, values, strict=True):
            figures[f"{program.name}_{name}"] = round(value, 2)
            ratio = f"  {value / values[0]:6.2f} × kimicode" if program is not programs[0] and values[0] else ""
            print(f"{name:<14} {program.name:<10} {value:10.2f}{ratio}")
    for name, value in long.items():
        figures[f"long_{name}"] = round(value, 1)
        print(f"{BLOCKS} blocks: {name:<22} {value:10.1f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
