"""The system prompt and the tool declarations, as K2.6 gets them, cost at most 2,500 tokens; the lean ones at most 1,200."""

import base64
import os
from pathlib import Path

import pytest

import prompts
from engine.tokenizer import Tokenizer
from engine.tooldecl import declare
from kimicode.tools.registry import default_tools


@pytest.fixture(scope="module")
def tokenizer():
    root = Path(os.environ.get("KIMICODE_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors") / "k26"
    if not root.is_dir():
        message = f"no K2.6 vectors at {root}: set KIMICODE_VECTORS to the folder that holds k26/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    pairs = (line.split() for line in (root / "tiktoken.model").read_bytes().splitlines())
    return Tokenizer({base64.b64decode(token): int(rank) for token, rank in pairs}, {})


class Somebody:
    async def ask(self, question, options):
        return None


@pytest.mark.parametrize(("profile", "prompt", "limit"), [("default", "system", 2500), ("lean", "lean", 1200)])
def test_system_prompt_and_tools_are_small(tokenizer, profile, prompt, limit):
    specs = [tool.spec for tool in default_tools(profile, asker=Somebody())]
    listed = [
        {"type": "function", "function": {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}}
        for spec in specs
    ]
    size = len(tokenizer.encode(declare(listed))) + len(tokenizer.encode(prompts.load(prompt).text))
    assert len(specs) >= 3
    assert (specs[-1].name == "ask") == (profile == "default")
    assert 20 < size <= limit, f"{size} tokens"
