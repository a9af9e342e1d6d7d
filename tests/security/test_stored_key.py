"""A key in kimicode's own file: it is used, and neither tools nor commands get to see it."""

import re

import pytest

from kimicode.events import ToolFinished
from kimicode.model.key_file import keys_path
from kimicode.model.keys import store_key
from tests.e2e.conftest import Serve, kimi, serve
from tests.e2e.kimi import Kimi, do, say

__all__ = ["kimi", "serve"]

KEY = "sk-canary-77b0"


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
def test_a_stored_key_is_used_and_in_nothing_else(kimi: Kimi, serve: Serve, tier: str) -> None:
    path = keys_path(kimi.environ)
    looks = f"cat {path}; cat {path.parent}/*.toml; cp {path} stolen; ln {path} linked; env; cat /proc/[0-9]*/environ; echo over"
    calls = do(("shell", {"command": looks}), ("read", {"path": str(path)}), ("grep", {"pattern": "sk-", "path": str(path)}))
    endpoint = serve(calls, say("ok"))
    store_key(endpoint.url, KEY, "file", kimi.environ)
    done = kimi.headless(endpoint, "hi", "--output", "stream-json", "--sandbox", tier)
    # The control: the key was used, and the command ran.
    assert {call.headers.get("authorization") for call in endpoint.calls} == {f"Bearer {KEY}"}
    shell, *tools = [event.result for event in done.events if isinstance(event, ToolFinished)]
    assert re.search(r"over\n\[exit 0\]", shell.content)
    assert [result.ok for result in tools] == [False, False]
    assert KEY not in done.out + done.err
    assert not any(KEY in call.body.decode() for call in endpoint.calls)
    written = [file for file in kimi.workspace.parent.rglob("*") if file.is_file() and file != path]
    assert [file for file in written if KEY.encode() in file.read_bytes()] == []
