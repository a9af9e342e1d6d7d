"""Whatever a model sends, it gets one result that says what to do; and what a model is told about its tools."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.messages import JsonObject, ToolCall, ToolResult, ToolSpec
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.arguments import ArgumentsError, parse_arguments
from kimicode.tools.base import Accesses, ToolContext, Touches
from kimicode.tools.overflow import MAX_RESULT_CHARS
from kimicode.tools.registry import Toolbox, default_tools

SPEC = ToolSpec(
    "fake",
    "A fake.",
    {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "n": {"type": "integer", "minimum": 1},
            "x": {"type": "number"},
            "all": {"type": "boolean"},
        },
        "required": ["path"],
    },
)


class Fake:
    """A tool that does what it is told."""

    spec = SPEC

    def __init__(self, answer: str | BaseException) -> None:
        self.answer = answer

    def touches(self, args: JsonObject) -> Touches:
        return Touches(reads=(str(args["path"]),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def box(folder: Path, answer: str | BaseException = "fine") -> Toolbox:
    return Toolbox((Fake(answer),), ToolContext(folder, Policy(Permission.WORKSPACE, folder, (folder / "scratch",)), folder / "scratch"))


def call(arguments: str, name: str = "fake") -> ToolCall:
    return ToolCall("functions.fake:7", name, arguments)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", "path is missing"),
        ("{}", "path is missing"),
        ('{"path"', "not valid JSON"),
        ('{"path": "a"', "not valid JSON"),
        ('{"path": "a"} {"path": "b"}', "not valid JSON (JSON is malformed: trailing characters"),
        ("path=a", "not valid JSON"),
        ('{"path": "a", "x": NaN}', "not valid JSON"),
        ('{"path": "a", "x": Infinity}', "not valid JSON"),
        ('{"path": "a", "x": 1e999}', "not valid JSON (Number out of range"),
        ("{'path': 'a'}", "not valid JSON"),
        ('{"path": "\\ud800"}', "not valid JSON"),
        ('{"path": "\ud800"}', "lone surrogate"),
        ("[" * 100_000, "nested too deeply"),
        ('{"path":' * 100_000, "nested too deeply"),
        ('["a"]', "the arguments must be an object, not an array"),
        ('"a"', "the arguments must be an object, not a string"),
        ("null", "the arguments must be an object, not null"),
        ('{"path": null}', "path must be a string, not null"),
        ('{"path": 5}', "path must be a string, not the number 5"),
        ('{"path": ["a"]}', "path must be a string, not an array"),
        ('{"path": "a", "n": "5"}', "n must be an integer, not a string"),
        ('{"path": "a", "n": 1.5}', "n must be an integer, not the number 1.5"),
        ('{"path": "a", "n": true}', "n must be an integer, not a boolean"),
        ('{"path": "a", "n": 0}', "n must be at least 1"),
        ('{"path": "a", "all": "yes"}', "all must be a boolean, not a string"),
        ('{"path": "a", "all": 1}', "all must be a boolean, not the number 1"),
        ('{"file": "a", "n": "x"}', "path is missing; the arguments can't have 'file'; n must be an integer"),
    ],
)
def test_wrong_arguments_are_answered_with_what_to_send(tmp_path: Path, arguments: str, problem: str) -> None:
    result = asyncio.run(box(tmp_path).run(call(arguments)))
    assert (result.call_id, result.name, result.ok) == ("functions.fake:7", "fake", False)
    assert result.content.startswith("Error: fake: ")
    assert problem in result.content
    assert result.content.endswith('. Send {"path": string, "n"?: integer, "x"?: number, "all"?: boolean}.')
    assert box(tmp_path).accesses(call(arguments)) == Accesses()


@pytest.mark.parametrize(
    ("arguments", "parsed"),
    [
        ('{"path": "a"}', {"path": "a"}),
        (' {"path": "a", "n": null, "all": false} ', {"path": "a", "all": False}),
        ('{"path": "a", "n": 5.0, "x": 2}', {"path": "a", "n": 5, "x": 2}),
        ('{"path": "a", "path": "b"}', {"path": "b"}),
        ('{"path": "\\ud83d\\ude00\\u0000"}', {"path": "\U0001f600\0"}),
        (json.dumps({"path": "x" * 1_000_000}), {"path": "x" * 1_000_000}),
    ],
)
def test_right_arguments(arguments: str, parsed: dict[str, object]) -> None:
    got = parse_arguments(SPEC, arguments)
    assert got == parsed
    assert {key: type(value) for key, value in got.items()} == {key: type(value) for key, value in parsed.items()}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "n", "x", "all", "?"]), inner, max_size=4),
)


@settings(deadline=None)
@given(value=JSON)
def test_any_json_is_taken_or_refused(value: object) -> None:
    try:
        parsed = parse_arguments(SPEC, json.dumps(value))
    except ArgumentsError:
        return
    assert isinstance(parsed["path"], str)
    assert set(parsed) <= {"path", "n", "x", "all"}


@settings(deadline=None)
@given(text=st.text(st.characters()), name=st.sampled_from(["read", "write", "edit", "grep", "glob", "todo", "none", "\ud800"]))
def test_any_call_gets_one_result(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    toolbox = Toolbox(default_tools(), ToolContext(folder, Policy(Permission.WORKSPACE, folder), folder / "scratch"))
    result = asyncio.run(toolbox.run(ToolCall("functions.x:0", name, text)))
    assert result.call_id == "functions.x:0"
    assert result.content.startswith("Error: ")


def test_an_unknown_tool_is_answered_with_the_names(tmp_path: Path) -> None:
    result = asyncio.run(box(tmp_path).run(call("{}", "bash")))
    assert result == ToolResult("functions.fake:7", "bash", "Error: there is no tool 'bash'. The tools are: fake.", False)


@pytest.mark.parametrize(
    ("error", "content"),
    [
        (PermissionError(13, "Permission denied", "f"), "Error: fake: [Errno 13] Permission denied: 'f'"),
        (OSError("disk on fire"), "Error: fake: disk on fire"),
        (RuntimeError("oops"), "Error: fake failed in an unexpected way (RuntimeError: oops). Try another way."),
        (RecursionError("deep"), "Error: fake failed in an unexpected way (RecursionError: deep). Try another way."),
    ],
)
def test_a_fault_in_a_tool_is_a_result(tmp_path: Path, error: Exception, content: str) -> None:
    result = asyncio.run(box(tmp_path, error).run(call('{"path": "a"}')))
    assert (result.content, result.ok) == (content, False)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt()])
def test_cancelling_and_interrupting_pass_through(tmp_path: Path, error: BaseException) -> None:
    async def scenario() -> None:
        with pytest.raises(type(error)):
            await box(tmp_path, error).execute(call('{"path": "a"}'))
        if isinstance(error, asyncio.CancelledError):
            with pytest.raises(asyncio.CancelledError):
                await box(tmp_path, error).run(call('{"path": "a"}'))

    asyncio.run(scenario())


def test_a_large_result_is_kept_and_previewed(tmp_path: Path) -> None:
    text = "".join(f"{n}\n" for n in range(20_000))
    first = asyncio.run(box(tmp_path, text).run(call('{"path": "a"}')))
    again = asyncio.run(box(tmp_path, text).run(call('{"path": "a"}')))
    path = tmp_path / "scratch" / "fake-1.txt"
    assert path.read_text() == text
    omitted = len(text) - 16_000
    assert (
        first.content
        == f"{text[:8000]}\n[{omitted} characters left out here: the whole is in {path}; read it with offset, or grep it]\n{text[-8000:]}"
    )
    assert "fake-2.txt" in again.content


def test_a_result_at_the_limit_is_whole(tmp_path: Path) -> None:
    text = "x" * MAX_RESULT_CHARS
    assert asyncio.run(box(tmp_path, text).run(call('{"path": "a"}'))).content == text
    assert not (tmp_path / "scratch").exists()


def test_a_result_that_is_no_unicode_is_made_so(tmp_path: Path) -> None:
    assert asyncio.run(box(tmp_path, "a\udcff").run(call('{"path": "a"}'))).content == "a?"


def test_accesses_are_real_paths_and_never_fail(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    root = tmp_path.resolve()
    toolbox = Toolbox(default_tools(), ToolContext(tmp_path, Policy(Permission.WORKSPACE, tmp_path), tmp_path / "scratch"))

    def touched(name: str, **arguments: object) -> Accesses:
        return toolbox.accesses(ToolCall("x", name, json.dumps(arguments)))

    assert touched("read", path="link/f") == Accesses(reads=(root / "target" / "f",))
    assert touched("write", path="link/f", content="") == Accesses(writes=(root / "target" / "f",))
    assert touched("edit", path="f", old_string="", new_string="") == Accesses(writes=(root / "f",))
    assert touched("grep", pattern="x") == touched("glob", pattern="x") == Accesses(reads=(root,))
    assert touched("shell", command="ls").everything
    assert touched("todo", items=[]) == Accesses()
    # What the policy refuses may still be allowed by a rule or a person, so it counts.
    assert touched("read", path="/etc/passwd") == Accesses(reads=(Path("/etc/passwd"),))
    assert touched("patch", patch="*** Begin Patch\n*** Delete File: link/f\n*** End Patch") == Accesses(writes=(root / "target" / "f",))
    assert touched("read", path="a\0b") == touched("patch", patch="?") == touched("read") == touched("bash") == Accesses()
    assert touched("write", path="link/f", content="").conflicts(touched("grep", pattern="x"))
    assert not touched("read", path="f").conflicts(touched("grep", pattern="x"))


def test_the_default_tools_and_their_size() -> None:
    specs = [tool.spec for tool in default_tools()]
    assert [spec.name for spec in specs] == ["read", "write", "edit", "patch", "grep", "symbols", "map", "glob", "git", "shell", "todo"]
    assert all(spec.description for spec in specs)
    # Counted with K2.6's tokenizer they were 1,161 tokens at 5,570 characters; every request pays for them.
    assert sum(len(json.dumps([spec.name, spec.description, spec.parameters])) for spec in specs) < 5_800
    assert specs == [tool.spec for tool in default_tools("anything else")]


def test_the_lean_tools_are_what_small_models_were_trained_on() -> None:
    def lean(name: str, description: str, *required: str) -> ToolSpec:
        properties: JsonObject = {key: {"type": "string"} for key in required}
        return ToolSpec(name, description, {"type": "object", "properties": properties, "required": [*required]})

    assert [tool.spec for tool in default_tools("lean")] == [
        lean("read", "Read a file.", "path"),
        lean("edit", "Replace one exact text in a file.", "path", "old_string", "new_string"),
        lean("shell", "Run a command.", "command"),
    ]


def test_lean_tools_work_and_take_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    toolbox = Toolbox(default_tools("lean"), ToolContext(tmp_path, Policy(Permission.WORKSPACE, tmp_path), tmp_path / "scratch"))
    assert asyncio.run(toolbox.run(ToolCall("0", "read", '{"path": "f"}'))).content == "x"
    assert asyncio.run(toolbox.run(ToolCall("0", "shell", '{"command": "cat f"}'))).content == "x\n[exit 0]"
    assert "can't have 'limit'" in asyncio.run(toolbox.run(ToolCall("0", "read", '{"path": "f", "limit": 3}'))).content
