"""A run killed at every write: at most the event being written is lost, and the session can always be gone on with."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kimicode
from kimicode.agent.context import Context, is_prefix, unanswered
from kimicode.agent.loop import Agent
from kimicode.events import encode_event
from kimicode.messages import Assistant, System, ToolResult, User
from kimicode.model import ScriptedClient, repair
from kimicode.session.log import SessionLog, read_events
from kimicode.session.replay import replay

RUN = Path(__file__).with_name("killed_run.py")


class NoTools:
    specs = ()


def without_times(path):
    return [re.sub(rb'"seconds":[^,}]*', b'"seconds":0', encode_event(event)) for event in read_events(path)]


@pytest.mark.parametrize("where", ["before", "half", "after"])
def test_killed_at_every_write(tmp_path, where):
    environment = {**os.environ, "PYTHONPATH": str(Path(kimicode.__file__).parents[1])}
    done = subprocess.run([sys.executable, RUN, tmp_path, where], stdout=subprocess.PIPE, text=True, env=environment, check=True)
    ends = done.stdout.split()
    assert len(ends) > 25
    assert ends == ["-9"] * (len(ends) - 1) + ["0"]
    whole = without_times(tmp_path / f"{len(ends)}.jsonl")
    assert len(whole) == len(ends) - 1
    for at in range(1, len(ends)):
        path = tmp_path / f"{at}.jsonl"
        assert without_times(path) == whole[: at if where == "after" else at - 1]
        go_on(path)


def go_on(path):
    """Resume: the old conversation is a prefix, every call has one result, and the next run is done."""
    before = replay(read_events(path))
    with SessionLog(path) as log:
        agent = Agent(
            ScriptedClient(["Here again."]),
            NoTools(),
            log.append,
            opening=lambda words: (System("s"), User(words)),
            context=Context(before.conversation),
            step=before.steps,
        )
        assert asyncio.run(agent.submit("go on")).status == "done"
    after = replay(read_events(path))
    assert after.conversation == agent.context.messages == repair(after.conversation)
    assert is_prefix(before.conversation, after.conversation)
    assert after.conversation[-1] == Assistant("Here again.")
    assert after.steps == before.steps + 1
    lost = unanswered(before.conversation)
    filled = after.conversation[len(before.conversation) :][: len(lost)]
    assert [message.call_id for message in filled if isinstance(message, ToolResult)] == [call.id for call in lost]
