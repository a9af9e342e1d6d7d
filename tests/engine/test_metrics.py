"""Prometheus' text: its form, what an answer adds to it, and requests about tokens."""

import asyncio
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from engine.answer import Usage
from engine.batch import Prefilled
from engine.expert_cache import ExpertState
from engine.metrics import Histogram, Metrics, Outcome, Watch
from engine.parse import ContentText, ParsedAnswer
from engine.service import Answered
from engine.store import StoreState
from engine.tokenizer import Tokenizer
from tests.engine.scripted import Script, hosting, served, service, spell

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "hello"}
LINE = re.compile(r'kimicode_engine_[a-z_]+(\{(le|outcome)="[^"]+"\})? -?[0-9.e+-]+')


def _numbers(text: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))}


def test_a_histogram_s_buckets_add_up() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds, times in ((0.05, 1), (0.1, 1), (0.5, 3), (7.0, 1)):
        histogram.observe(seconds, times)
    assert list(histogram.lines("t")) == [
        't_bucket{le="0.1"} 2',
        't_bucket{le="1"} 5',
        't_bucket{le="+Inf"} 6',
        "t_sum 8.65",
        "t_count 6",
    ]


@pytest.mark.parametrize(
    ("events", "outcome", "first", "further"),
    [
        ([], Outcome.CANCELLED, 0, 0),
        ([Prefilled(0, 5, 9)], Outcome.CANCELLED, 0, 0),
        ([Prefilled(0, 9, 9), ContentText("a")], Outcome.CANCELLED, 1, 0),
        ([ContentText("a"), Answered(ParsedAnswer("", "a", (), "stop"), "stop", Usage(9, 4, 0, 0))], Outcome.ANSWERED, 1, 3),
        ([Answered(ParsedAnswer("", "", (), "stop"), "stop", Usage(9, 1, 0, 0))], Outcome.ANSWERED, 1, 0),
    ],
)
def test_what_a_request_adds(events: list[Prefilled | ContentText | Answered], outcome: Outcome, first: int, further: int) -> None:
    metrics = Metrics()
    watch = Watch(metrics)
    for event in events:
        watch.see(event)
    watch.close()
    numbers = _numbers(metrics.text({}))
    assert numbers["kimicode_engine_first_token_seconds_count"] == first
    assert numbers["kimicode_engine_token_seconds_count"] == further
    assert {name: numbers[f'kimicode_engine_requests_total{{outcome="{name}"}}'] for name in Outcome} == {
        name: float(name is outcome) for name in Outcome
    }


def test_every_line_has_prometheus_form_and_every_name_its_type(small: Tokenizer, tmp_path: Path) -> None:
    async def run() -> None:
        async with served(hosting(service(small, Script(spell(small, "ab", "</think>", "c", "<|im_end|>")))), tmp_path) as client:
            answer = (await client.post(CHAT, json={"messages": [USER]})).json()
            assert (await client.post(CHAT, json={"messages": [USER], "n": 2})).status_code == 400
            response = await client.get("/metrics")
            assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            lines = response.text.splitlines()
            assert response.text.endswith("\n")
            typed = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
            for line in lines:
                if not line.startswith("#"):
                    assert LINE.fullmatch(line)
                    assert re.sub(r"_(bucket|sum|count)$", "", re.split(r"[{ ]", line)[0]) in typed
            numbers = _numbers(response.text)
            assert numbers['kimicode_engine_requests_total{outcome="answered"}'] == 1
            assert numbers['kimicode_engine_requests_total{outcome="refused"}'] == 1
            assert numbers["kimicode_engine_generated_tokens_total"] == answer["usage"]["completion_tokens"]
            assert numbers["kimicode_engine_prompt_tokens_total"] == answer["usage"]["prompt_tokens"]
            assert numbers["kimicode_engine_requests_running"] == 0
            assert numbers["kimicode_engine_context_tokens"] == 2048

    asyncio.run(run())


def test_the_server_page_names_every_metric(small: Tokenizer) -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text()
    named = set(re.findall(r"`([a-z_]+)(?:\{outcome\})?`", page))
    loaded = service(small, Script())
    try:
        store = {f"disk_{name}": 0.0 for name in asdict(StoreState())}
        experts = {f"experts_{name}": 0.0 for name in asdict(ExpertState(0, 0, 0, 0, 0, 0, 0, 0.0))}
        text = Metrics().text({**loaded.metrics(), **store, **experts})
    finally:
        loaded.close()
    assert {name.removeprefix("kimicode_engine_") for name in re.findall(r"# TYPE (\S+)", text)} <= named


def test_metrics_while_the_model_loads(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(hosting(None), tmp_path) as client:
            assert (await client.get("/metrics")).status_code == 200

    asyncio.run(run())
