"""The main path: a model reads, edits, runs a command and answers, through the real command line."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from kimicode.agent.context import is_prefix
from kimicode.events import Notice, RunFinished, SessionStarted, StepFinished, TextDelta, ThinkingDelta, ToolCallReady, ToolFinished
from kimicode.messages import ToolResult, Usage
from kimicode.session.replay import replay
from tests.e2e.conftest import Serve
from tests.e2e.kimi import Kimi, do, say, until

BUG = "def add(a, b):\n    return a - b\n"
FIXED = "def add(a, b):\n    return a + b\n"
CHECK = "python3 -c 'from sums import add; assert add(2, 2) == 4' && echo good"
SCHEMA = {"type": "object", "properties": {"fixed": {"type": "boolean"}}, "required": ["fixed"], "additionalProperties": False}

REPAIR = (
    do(("read", {"path": "sums.py"})),
    do(("edit", {"path": "sums.py", "old_string": "a - b", "new_string": "a + b"}), first=1),
    do(("shell", {"command": CHECK}), first=2),
    say("Fixed add in sums.py."),
)


@pytest.fixture
def project(kimi: Kimi) -> Path:
    (kimi.workspace / "sums.py").write_text(BUG)
    return kimi.workspace


def test_text(kimi: Kimi, project: Path, serve: Serve) -> None:
    ended = kimi.headless(serve(*REPAIR), "Repair it")
    assert (ended.code, ended.out) == (0, "Fixed add in sums.py.\n")
    assert (project / "sums.py").read_text() == FIXED
    lines = ended.err.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("→")] == ["read", "edit", "shell"]
    assert "sandbox bubblewrap" in lines[0]
    assert lines[-1].startswith("done (4 steps, 64 tokens, ")


def test_stream_json(kimi: Kimi, project: Path, serve: Serve) -> None:
    server = serve(*REPAIR)
    ended = kimi.headless(server, "Repair it", "--output", "stream-json")
    events = ended.events
    assert ended.code == 0
    assert isinstance(events[0], SessionStarted)
    assert events[0].workspace == str(project)
    assert [event.result.content for event in events if isinstance(event, ToolFinished)] == [
        BUG,
        "Edited sums.py: 1 replacement.",
        "good\n[exit 0]",
    ]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Fixed add in sums.py."
    assert any(isinstance(event, ThinkingDelta) for event in events)
    assert ended.finished.status == "done"
    assert events == kimi.logged()
    messages = [call.json["messages"] for call in server.calls]
    assert all(isinstance(each, list) for each in messages)
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(messages))  # type: ignore[index,arg-type]


def test_json(kimi: Kimi, project: Path, serve: Serve) -> None:
    ended = kimi.headless(serve(*REPAIR), "Repair it", "--output", "json")
    told = json.loads(ended.out)
    assert ended.out.count("\n") == 1
    assert told["v"] == 1
    assert told["session_id"] == kimi.log().stem
    assert (told["status"], told["exit_code"], told["text"], told["steps"]) == ("done", 0, "Fixed add in sums.py.", 4)
    assert told["usage"] == {"prompt": 44, "completion": 20, "cached": 16, "reasoning": 0}


def test_several_calls_in_one_answer(kimi: Kimi, project: Path, serve: Serve) -> None:
    script = (
        do(
            ("write", {"path": "n", "content": "1\n"}),
            ("read", {"path": "n"}),
            ("edit", {"path": "n", "old_string": "1", "new_string": "2"}),
        ),
        do(("read", {"path": "n"}), ("read", {"path": "missing"}), first=3),
        say("ok"),
    )
    ended = kimi.headless(serve(*script), "go", "--output", "stream-json")
    results = [event.result for event in ended.events if isinstance(event, ToolFinished)]
    assert [result.content for result in results[:4]] == ["Wrote n: 1 line.", "1\n", "Edited n: 1 replacement.", "2\n"]
    assert results[4].content.startswith("Error: missing does not exist")
    assert [result.call_id for result in results] == [event.call.id for event in ended.events if isinstance(event, ToolCallReady)]
    assert ended.code == 0


def test_read_only_refuses_and_the_model_may_go_on(kimi: Kimi, project: Path, serve: Serve) -> None:
    script = (
        do(
            ("edit", {"path": "sums.py", "old_string": "a - b", "new_string": "a + b"}),
            ("shell", {"command": "touch made"}),
            ("read", {"path": "../settings.toml"}),
            ("read", {"path": "sums.py"}),
        ),
        say("I may not change it."),
    )
    ended = kimi.headless(serve(*script), "Repair it", "--permission", "read-only", "--output", "stream-json")
    results = [event.result for event in ended.events if isinstance(event, ToolFinished)]
    assert [result.content.startswith("Refused: ") for result in results] == [True, True, True, False]
    assert results[3].content == BUG
    assert (project / "sums.py").read_text() == BUG
    assert not (project / "made").exists()
    assert ended.code == 0
    assert not any(isinstance(event, Notice) for event in ended.events)


@pytest.mark.parametrize(
    ("answers", "code", "payload"),
    [
        (['{"fixed": true}'], 0, '{"fixed":true}\n'),
        (["It is:\n```json\n{\"fixed\": false}\n```"], 0, '{"fixed":false}\n'),
        (["yes", '{"fixed": 1}', '{"fixed": true}'], 0, '{"fixed":true}\n'),
        (["yes", "yes!", "I said yes"], 4, ""),
    ],
)  # fmt: skip
def test_schema(kimi: Kimi, serve: Serve, answers: list[str], code: int, payload: str) -> None:
    """Text that does not follow the schema once reached stdout with exit 4: payload is only what was asked for."""
    (kimi.home.parent / "schema.json").write_text(json.dumps(SCHEMA))
    ended = kimi.headless(serve(*map(say, answers)), "Is it fixed?", "--schema", "../schema.json")
    assert (ended.code, ended.out) == (code, payload)
    assert ("after 2 reminders" in ended.err) == (code == 4)


def test_a_schema_that_allows_null(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / "schema.json").write_text('{"type": ["null", "string"]}')
    assert kimi.headless(serve(say("```\nnull\n```")), "Nothing?", "--schema", "schema.json").out == "null\n"


def test_continue_and_resume(kimi: Kimi, serve: Serve, tmp_path: Path) -> None:
    server = serve(say("one"), say("elsewhere"), say("two"), say("three"))
    where = ("--endpoint", server.url, "--model", "m", "--headless")
    assert kimi.run("first", *where).out == "one\n"
    session = kimi.log().stem
    (tmp_path / "other").mkdir()
    assert kimi.run("first elsewhere", *where, cwd=tmp_path / "other").out == "elsewhere\n"
    assert kimi.run("second", "--continue", *where).out == "two\n"
    assert kimi.run("third", "--resume", session[-4:], *where).out == "three\n"
    events = kimi.logged(0)
    assert [event.resumed for event in events if isinstance(event, SessionStarted)] == [False, True, True]
    assert [event.step for event in events if isinstance(event, StepFinished)] == [1, 2, 3]
    asked = [message["content"] for message in server.calls[3].json["messages"] if message["role"] == "user"]  # type: ignore[union-attr,index,call-overload]
    assert len(asked) == 3
    assert asked[1:] == ["second", "third"]


def test_a_session_that_was_killed_in_a_tool_goes_on(kimi: Kimi, serve: Serve) -> None:
    calls = do(("shell", {"command": "touch begun; sleep 600"}), ("read", {"path": "begun"}))
    server = serve(calls, say("Here again."))
    where = ("--headless", "--endpoint", server.url, "--model", "m")
    with kimi.running("Wait", *where) as process:
        until((kimi.workspace / "begun").exists)
        process.kill()
        process.wait()
    before = replay(kimi.logged())
    assert kimi.run("Go on", "--continue", *where).out == "Here again.\n"
    after = replay(kimi.logged())
    assert is_prefix(before.conversation, after.conversation)
    results = [message for message in after.conversation if isinstance(message, ToolResult)]
    assert [result.call_id for result in results] == ["functions.shell:0", "functions.read:1"]
    assert all("may have run in part" in result.content for result in results)
    assert after.usage == Usage(prompt=22, completion=10, cached=8)


@pytest.mark.parametrize("prompt", [b"Umlaute: \xc3\xa4\n", b"-v\n"])
def test_the_prompt_from_stdin(kimi: Kimi, serve: Serve, prompt: bytes) -> None:
    server = serve(say("ok"))
    ended = kimi.run("--headless", "-", "--endpoint", server.url, "--model", "m", given=prompt)
    assert (ended.code, ended.out) == (0, "ok\n")
    assert prompt.decode() in str(server.calls[0].json["messages"][-1]["content"])  # type: ignore[index,call-overload]


def test_the_payload_keeps_every_byte_in_a_pipe(kimi: Kimi, serve: Serve) -> None:
    """stderr is for people and is made harmless; a pipe gets what the model wrote, whatever the locale."""
    text = "a\x1b[31mred\x9b2J \u202e→ ä\r\n\x07"
    kimi.environ |= {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    ended = kimi.headless(serve(do(("read", {"path": "\x1b]0;title\x07x\x9b1m"})), say(text)), "go")
    assert ended.stdout == f"{text}\n".encode()
    assert not any(ord(char) < 32 and char != "\n" for char in ended.err)
    assert "\x9b" not in ended.err


def test_the_cost_limit_needs_a_price(kimi: Kimi, serve: Serve) -> None:
    ended = kimi.headless(serve(say("ok")), "go", "--max-cost", "0.5")
    assert (ended.code, ended.out) == (0, "ok\n")
    assert "the price of m is not known: the limit in USD can't be kept" in ended.err


@pytest.mark.parametrize(("limit", "words"), [("--max-steps", "the limit of 2 steps"), ("--max-tokens", "the limit of 17 tokens")])
def test_budgets_between_steps(kimi: Kimi, project: Path, serve: Serve, limit: str, words: str) -> None:
    value = "2" if limit == "--max-steps" else "17"
    ended = kimi.headless(serve(*REPAIR), "Repair it", limit, value, "--output", "stream-json")
    assert ended.code == ended.finished.exit_code == 124
    assert ended.finished.status == "budget"
    assert ended.finished.steps == 2
    assert words in ended.finished.error
    assert (project / "sums.py").read_text() == FIXED
    assert isinstance(kimi.logged()[-1], RunFinished)
