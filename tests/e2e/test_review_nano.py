"""A review by kimi-nano through the real engine: what it finds is worth nothing, the form of its answers is what counts."""

import asyncio
import json
import subprocess
from collections.abc import Iterator

import pytest

from kimicode.messages import JsonObject, User
from kimicode.model import ModelRequest, Thinking, make_client, resolve
from kimicode.model.client import Finished
from kimicode.review.answer import FINDINGS, VERDICTS, Findings, Verdicts, read_answer
from tests.e2e.kimi import Kimi

FILES = {
    "src/pages.py": "def last(items, size):\n    return len(items) // size - 1\n",
    "src/config.py": "".join(f"VALUE_{n} = compute({n})\n" for n in range(60)),
}


@pytest.fixture
def nano(kimi: Kimi) -> Iterator[Kimi]:
    yield kimi
    assert kimi.run("engine", "stop").code == 0


def git(kimi: Kimi, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=kimi.workspace, env=kimi.environ, check=True, capture_output=True)


def test_a_staged_change_is_reviewed_and_the_second_time_from_the_cache(nano: Kimi):
    git(nano, "init", "-q")
    for path, text in FILES.items():
        (nano.workspace / path).parent.mkdir(exist_ok=True)
        (nano.workspace / path).write_text(text)
    git(nano, "add", ".")
    review = ("review", "--staged", "--model", "kimi-nano", "--format", "json", "--deadline", "0", "--fail-on", "none")
    first, second = (json.loads(nano.run(*review).out) for _ in range(2))
    assert first["model"] == second["model"] == "kimi-nano"
    assert first["omissions"] == second["omissions"] == []
    assert first["findings"] == second["findings"]
    assert first["figures"]["calls"] > 1
    assert (second["figures"]["calls"], second["figures"]["cached"]) == (0, first["figures"]["calls"])


def with_entries(schema: JsonObject, name: str) -> JsonObject:
    """The schema, but an empty list won't do: then the model must spell an entry out."""
    text = json.dumps(schema).replace('"type": "array"', '"type": "array", "minItems": 1, "maxItems": 1')
    text = text.replace('{"type": "string"}', '{"type": "string", "maxLength": 30}')
    assert name in text
    return json.loads(text)


def test_the_engine_can_be_held_to_both_forms(nano: Kimi):
    client = make_client(resolve(None, "kimi-nano", nano.environ), nano.environ)

    async def answer(schema: JsonObject) -> str:
        request = ModelRequest((User("Report one defect of: x = 1 / 0"),), thinking=Thinking.OFF, schema=schema, max_tokens=900)
        finished = [delta async for delta in client.stream(request) if isinstance(delta, Finished)]
        return finished[0].message.content

    async def both() -> tuple[str, str]:
        try:
            return await answer(with_entries(FINDINGS, "findings")), await answer(with_entries(VERDICTS, "verdicts"))
        finally:
            await client.aclose()

    found, verdicts = asyncio.run(both())
    assert len(read_answer(found, Findings).findings) == 1
    assert len(read_answer(verdicts, Verdicts).verdicts) == 1
