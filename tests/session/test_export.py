import json

from hypothesis import given
from hypothesis import strategies as st

from kimicode.events import MessageAdded, RunFinished, SessionStarted, ShellRan, StepFinished, StepStarted, Titled, ToolFinished
from kimicode.messages import Assistant, Image, System, ToolCall, ToolResult, Usage, User
from kimicode.session.export import to_json, to_markdown
from kimicode.session.replay import replay

CALL = ToolCall("c0", "read", '{"path": "a.md"}')


def events(content="x", prompt="hi"):
    return [
        SessionStarted("20261124-101530-ab12", "/w", "kimi-k2.6", "moonshot", "workspace", ("read",), started_at="2026-11-24"),
        MessageAdded(System("be good")),
        MessageAdded(User(prompt)),
        StepStarted(1),
        StepFinished(1, Assistant("look", "hm", (CALL,)), Usage(10, 2), "tool_calls", 0.5, 0.25),
        ToolFinished(ToolResult("c0", "read", content), 0.1),
        StepStarted(2),
        StepFinished(2, Assistant("done"), Usage(20, 3), "stop", 0.5, None),
        RunFinished("budget", 124, "done", 2, Usage(30, 5), 1.0, 0.25, "out\nof steps"),
    ]


def test_totals():
    totals = replay(events())
    assert (totals.steps, totals.usage, totals.cost_usd, totals.seconds, totals.status) == (2, Usage(30, 5), 0.25, 1.0, "budget")
    assert replay([]).started is None
    assert replay(events()[:-1]).status is None
    assert replay([*events(), MessageAdded(User("more"))]).status is None


def test_json():
    made = json.loads(to_json(events("\u2028```")))
    assert (made["v"], made["session_id"], made["steps"], made["cost_usd"]) == (1, "20261124-101530-ab12", 2, 0.25)
    assert [message["role"] for message in made["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert made["messages"][3]["content"] == "\u2028```"
    assert [run["status"] for run in made["runs"]] == ["budget"]
    assert json.loads(to_json([]))["messages"] == []


def test_markdown():
    made = to_markdown(events("a\n````python\nx\n````\nb"))
    assert "# Session 20261124-101530-ab12" in made
    assert "$0.2500" in made
    assert "`````\na\n````python\nx\n````\nb\n`````" in made
    assert '```json\n{"path": "a.md"}\n```' in made
    assert "*Run ended: budget: out of steps*" in made
    assert to_markdown([]).startswith("# Session")


def test_control_characters_are_shown():
    assert "\\x1b[2J" in to_markdown(events("\x1b[2J"))


@given(st.text(alphabet="`~#> \n\r\x0bab", max_size=60))
def test_no_content_breaks_out_of_its_place(text):
    """Outside of fences and quotations there are only our own lines."""
    plain = outline(to_markdown(events("x", "y")))
    assert outline(to_markdown(events(text, text))) == plain


def outline(markdown):
    lines, fence = [], ""
    for line in markdown.split("\n"):
        marks = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if line == fence else fence
        elif len(marks) >= 3:
            fence = marks
        elif line and not line.startswith(">"):
            lines.append(line)
    return lines


def test_what_the_user_named_ran_and_showed():
    image = Image("/home/me/1.png", "image/png", "a `picture`.png")
    log = [*events(), Titled("old"), Titled("the\nparser"), ShellRan("echo `", "```\nout\n", 1, 0.1), ShellRan("sleep", "", None, 0.1)]
    log.append(MessageAdded(User("look", (image,))))
    text = to_markdown(log)
    assert text.startswith("# Session 20261124-101530-ab12: the parser\n")
    assert "### The user ran `` echo ` ``\n\n````\n```\nout\n````\n\n*exit 1*\n" in text
    assert "### The user ran `sleep`\n\n```\n\n```\n\n*stopped*\n" in text
    assert "## User\n\n> look\n\n*Picture: ``a `picture`.png``*\n" in text
    made = json.loads(to_json(log))
    assert made["title"] == "the\nparser"
    assert made["messages"][-1]["images"] == [{"path": "/home/me/1.png", "media_type": "image/png", "name": "a `picture`.png"}]
