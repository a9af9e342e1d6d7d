"""What fills the window: each kind of text counts where it belongs, and the sum is the server's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode import tokens
from kimicode.agent.opening import environment
from kimicode.events import ShellRan, StepFinished
from kimicode.interactive.context_use import cache_hits, window
from kimicode.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, Usage, User
from kimicode.session.title import with_shell

SPEC = ToolSpec("read", "Reads a file.", {"type": "object"})
FACTS = (
    "<environment>\nWorking directory: /w\n<repository-map>\na.py\n</repository-map>\n"
    '<project-instructions file="AGENTS.md">\nBe kind.\n</project-instructions>\n</environment>\n\n'
)
TALK = (
    System("You are kind."),
    User(f"{FACTS}Fix it."),
    Assistant("I look.", "old thought", (ToolCall("1", "read", '{"path": "a.py"}'),)),
    ToolResult("1", "read", "x = 1"),
    User(with_shell([ShellRan("ls", "a.py", 0, 0.1)], "Go on.")),
    Assistant("Done.", "new thought"),
)


def parts(used: int = 0, *, keep: bool = False) -> dict[str, int]:
    return {part.label: part.tokens for part in window(TALK, [SPEC], context=10_000, used=used, keep_thoughts=keep).parts}


def test_every_text_is_counted_once_in_its_place() -> None:
    found = parts()
    assert found["system prompt"] == tokens.count("You are kind.")
    assert found["your words"] == tokens.count("Fix it.") + tokens.count("Go on.")
    assert found["answers"] == tokens.count("I look.") + tokens.count("Done.")
    assert found["results of read"] == tokens.count("x = 1")
    assert found["thoughts"] == tokens.count("new thought")
    assert {"tools", "calls", "map of the repository", "project instructions", "facts about this folder", "commands you ran"} <= set(found)
    assert parts(keep=True)["thoughts"] == tokens.count("new thought") + tokens.count("old thought")


def test_the_blocks_are_those_that_the_opening_writes() -> None:
    assert FACTS.startswith("<environment>\n")
    assert environment.__module__ == "kimicode.agent.opening"


@settings(deadline=None)
@given(st.integers(1, 10**7))
def test_the_sum_is_what_the_server_counted(used: int) -> None:
    found = window(TALK, [SPEC], context=10_000, used=used)
    assert found.measured
    assert abs(found.used - used) <= len(found.parts)
    assert found.free == max(0, 10_000 - found.used)


def test_nothing_said_is_nothing_used() -> None:
    empty = window((), (), context=0)
    assert (empty.used, empty.free, empty.measured) == (0, 0, False)


def test_the_last_requests() -> None:
    steps = [StepFinished(n, Assistant(""), Usage(n * 10, 1, n), "stop", 1.0) for n in range(12)]
    assert [usage.prompt for usage in cache_hits(steps, 3)] == [90, 100, 110]
