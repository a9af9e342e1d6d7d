"""The invariant on real bytes: the body sent for step N is a byte prefix of the body for step N+1, up to its closing brackets."""

import itertools

import pytest

from kimicode.messages import Assistant
from kimicode.model import resolve
from kimicode.model.client import Thinking
from kimicode.model.wire import request_body
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools


@pytest.mark.parametrize("endpoint", ["moonshot", "openrouter", "vllm"])
@pytest.mark.parametrize("thinking", list(Thinking))
def test_bodies_only_grow(rig, make_call, make_calls, endpoint, thinking):
    target = resolve(endpoint, "kimi-k2.6", {"MOONSHOT_API_KEY": "k", "OPENROUTER_API_KEY": "k"})
    made = rig(
        [
            make_calls(make_call("read", path="a.py"), make_call("none"), text="look"),
            make_calls(make_call("write", path="a.py", content="\u2028"), reasoning=None),
            Assistant("", "only thoughts"),
            "done",
            make_calls(make_call("read", "functions.read:0", path="a.py"), reasoning=""),
            "again",
        ],
    )
    made.agent.steer("be quick")
    made.run("first")
    made.run("second")
    bodies = [request_body(with_thinking(request, thinking), target).content for request in made.model.requests]
    assert len(bodies) == 6
    for earlier, later in itertools.pairwise(bodies):
        assert earlier.endswith(b"]}")
        assert later.startswith(earlier[:-2])


def with_thinking(request, thinking):
    return type(request)(request.messages, default_specs(), thinking, session_id="s")


def default_specs():
    return tuple(tool.spec for tool in default_tools())


def test_the_toolbox_of_the_product_is_what_the_agent_expects(tmp_path, rig, make_call, make_calls):
    (tmp_path / "a.py").write_text("x = 1\n")
    tools = Toolbox(default_tools(), ToolContext(tmp_path, Policy(Permission.WORKSPACE, tmp_path), tmp_path / "scratch"))
    made = rig([make_calls(make_call("read", path="a.py"), make_call("nothing")), "ok"], tools=tools)
    assert made.run().status == "done"
    assert made.messages[3].content == "x = 1\n"
    assert made.messages[4].content.startswith("Error: ")
