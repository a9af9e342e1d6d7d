"""Calls in words, whatever the model sent."""

import json

from hypothesis import given
from hypothesis import strategies as st

from kimicode.messages import ToolCall
from kimicode.tui.draw.tools import Described, describe, plan_of


def said(name, arguments):
    return describe(ToolCall("c", name, arguments))


def test_the_tools_that_there_are():
    assert said("read", '{"path": "a.py", "offset": 3, "limit": 9}') == Described("Read", "a.py", "from line 3, at most 9 lines")
    assert said("edit", '{"path": "a.py", "replace_all": true}') == Described("Edit", "a.py", "everywhere")
    assert said("edit", '{"path": "a.py", "edits": [{}, {}]}') == Described("Edit", "a.py", "2 edits")
    patch = "*** Begin Patch\\n*** Update File: a\\n*** Add File: b\\n*** Delete File: c\\n*** Add File: d\\n"
    assert said("patch", f'{{"patch": "{patch}"}}') == Described("Patch", "a, b, c", "and 1 more files")
    assert said("grep", '{"pattern": "x", "path": "src", "glob": "*.py"}') == Described("Search", "x", "in src *.py")
    assert said("glob", '{"pattern": "*.md", "path": "."}') == Described("Find", "*.md")
    assert said("shell", '{"command": "ls\\nls"}') == Described("Run", "ls\nls")
    assert said("git", '{"action": "commit", "message": "One\\n\\nMore"}') == Described("Git", "commit", "One")
    assert said("symbols", '{"query": "Cache", "kind": "class"}') == Described("Look up", "Cache", "class")
    assert said("map", '{"focus": ["a", "b"]}') == Described("Map", "a, b")
    assert said("todo", '{"items": [{"text": "a", "status": "done"}, {"text": "b", "status": "pending"}]}') == Described(
        "Plan", "", "1 of 2 done"
    )


def test_a_tool_of_somebody_else():
    assert said("weather", '{"city": "Bonn", "days": 2}') == Described("weather", "city: Bonn, days: 2")


def test_arguments_that_are_no_json_are_shown():
    assert said("read", '{"path": "a') == Described("Read", '{"path": "a', "arguments are not valid JSON")
    assert said("read", "[1]").target == "[1]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "items", "edits", "status", "command", "patch"]), inner)
    ),
    max_leaves=8,
)


@given(name=st.sampled_from(["read", "edit", "patch", "grep", "todo", "shell", "git", "x"]), arguments=JSON)
def test_any_arguments(name, arguments):
    call = ToolCall("c", name, json.dumps(arguments))
    assert describe(call).verb
    assert all(isinstance(item.text, str) and isinstance(item.status, str) for item in plan_of(call))


def test_deep_arguments():
    assert said("read", "[" * 100_000).verb == "Read"
