"""Every slash command, as a person would use it: with a real desk, a real log, and a model that follows a script."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from kimicode.interactive.commands import COMMANDS, find, perform
from kimicode.interactive.commands.export import code_blocks
from kimicode.interactive.commands.permissions import _granted
from kimicode.interactive.person import Page
from kimicode.interactive.view.blocks import Answered, Prompted, WentBack
from kimicode.interactive.waiting import Prompt, Waiting
from kimicode.messages import Assistant, ToolCall, Usage
from kimicode.model.client import Finished, Text
from kimicode.model.scripted import Pause
from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.grants import Grants
from kimicode.settings import PermissionRules, Settings, load_settings
from kimicode.wish import Wish
from tests.interactive.people import Scripted, World, git, live, text_of, write

WORKSPACE = Settings(model="kimi-nano", permission="workspace")


class Editing(Scripted):
    """A person whose user interface lends the terminal and writes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sequences: list[str] = []

    async def lend(self, work: Callable[[], "T"]) -> "T":
        return work()

    def write_sequence(self, sequence: str) -> None:
        self.sequences.append(sequence)

    def keys(self) -> Page:
        return Page("My keys", ())


T = TypeVar("T")


def test_names_are_unique_and_everything_is_described() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))
    for command in COMMANDS:
        assert command.summary
        assert not command.summary.endswith(".")
        assert find(command.name) is command
        assert all(find(f"/{alias}") is command for alias in command.aliases)
    assert find("nothing") is None


def test_every_command_that_was_promised_is_there() -> None:
    promised = (
        "help new clear resume sessions title rewind undo model endpoint permission permissions thinking settings theme context cost usage "
        "status queue steer interrupt diff review commit doctor map symbols export copy editor plan find init trust engine setup keys quit "
        "exit :q"
    )
    assert [name for name in promised.split() if find(name) is None] == []


def test_an_unknown_command_names_the_nearest_ones(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/modle")
        await world.do("/")
        await world.do("/perm")
        first, second, third = world.person.errors
        assert "Did you mean /model" in first
        assert "/help" in second
        assert "/permission" in third

    live(tmp_path, [], act)


def test_a_fault_in_a_command_does_not_end_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: World) -> None:
        world.desk.host.store = None  # type: ignore[assignment]
        await world.do("/cost")
        assert "fault in kimicode" in world.person.errors[0]

    live(tmp_path, [], act)


def test_help(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        for line in ("/help", "/help rewind", "/help keys", "/keys", "/?", "/help nothing"):
            await world.do(line)
        everything, one, keys, again, short = map(text_of, world.person.pages)
        assert all(f"/{command.name}" in everything for command in COMMANDS)
        assert "/undo" in one
        assert "does not work" in one
        assert keys == again
        assert short == everything
        assert "no command /nothing" in world.person.errors[0]

    live(tmp_path, [], act)


def test_the_user_interface_explains_its_own_keys(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/keys")
        assert world.person.pages == [Page("My keys", ())]

    live(tmp_path, [], act, person=Editing())


def test_what_would_disturb_a_run_waits(tmp_path: Path) -> None:
    reached, release = threading.Event(), asyncio.Event()

    class Reached(asyncio.Event):
        def set(self) -> None:
            super().set()
            reached.set()

    async def act(world: World) -> None:
        world.desk.enter("Go.")
        await asyncio.to_thread(reached.wait, 30)
        for command in COMMANDS:
            if not command.while_busy:
                await world.do(f"/{command.name}")
        assert {level for _, level in world.person.said} == {"warning"}
        assert {command.name for command in COMMANDS if not command.while_busy} == {
            "new", "resume", "rewind", "model", "endpoint", "thinking", "permission", "setup",
        }  # fmt: skip
        world.desk.enter("Second.")
        world.desk.enter("Third.")
        await world.do("/queue", 0, "Edit", "Better second.")
        assert [prompt.text for prompt in world.desk.waiting.prompts] == ["Better second.", "Third."]
        await world.do("/queue", "Third", "Drop")
        await world.do("/steer Mind the gap.")
        await world.do("/interrupt")
        await world.idle()
        assert world.desk.waiting.paused
        await world.do("/queue", "Send them")
        await world.until(lambda: len(world.of(Answered)) == 2 and not world.desk.busy)
        assert "Better second." in [block.text for block in world.of(Prompted)]  # type: ignore[union-attr]
        await world.do("/queue")
        await world.do("/stop")
        assert "Nothing waits.\nNothing runs." in world.person.words

    live(tmp_path, [[Text("Half"), Pause(Reached(), release)], "Two.", "Three."], act)


def test_one_that_waits_is_sent_first(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.waiting = Waiting((Prompt("a"), Prompt("b"), Prompt("c")), paused=True)
        await world.do("/queue", "b", "Send now")
        await world.until(lambda: len(world.of(Answered)) == 3 and not world.desk.busy)
        assert [block.text for block in world.of(Prompted)] == ["b", "a", "c"]  # type: ignore[union-attr]

    live(tmp_path, ["1", "2", "3"], act)


def test_new_and_resume(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/resume")
        assert "no earlier sessions" in world.person.words
        await world.prompt("First words\nof many.")
        first = world.desk.session_id
        await world.do("/title The  bakery\x1b[2J")
        await world.until(lambda: world.desk.status.title == "The bakery\x1b[2J")
        await world.do("/clear")
        assert world.desk.session_id != first
        assert world.of(Prompted) == []
        await world.prompt("Other words.")
        await world.do("/resume", "The bakery")
        assert world.desk.session_id == first
        assert [option.label for option in world.person.menus[-1].options] == ["Other words.", "The bakery\x1b[2J"]
        assert "You: First words\nof many." in text_of(world.person.previews[-1])
        assert "Hi." in text_of(world.person.previews[-1])
        await world.do(f"/resume {first}")
        assert "That session is open." in world.person.words
        await world.do("/resume zzzz")
        assert "no session 'zzzz'" in world.person.errors[0]
        assert world.desk.session_id == first

    live(tmp_path, ["Hi.", "Ho."], act)


def test_a_session_of_another_folder_is_asked_about(tmp_path: Path) -> None:
    async def elsewhere(world: World) -> None:
        await world.prompt("Elsewhere.")

    live(tmp_path, ["Hi."], elsewhere)

    async def act(world: World) -> None:
        world.desk.workspace = tmp_path
        await world.do("/resume all", 0, False)
        assert world.desk.session_id == ""
        await world.do("/resume all", 0, True)
        assert [block.text for block in world.of(Prompted)] == ["Elsewhere."]  # type: ignore[union-attr]

    live(tmp_path, [], act, opened=False)


def test_a_session_that_can_not_be_opened_leaves_the_present_one_open(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.prompt("One.")
        present = world.desk.session_id
        other, log = world.desk.host.store.create()
        with log:
            await world.do(f"/resume {other}")
        assert world.person.errors
        assert world.desk.session_id == present
        await world.prompt("Two.")
        assert len(world.of(Answered)) == 2

    live(tmp_path, ["1", "2"], act)


def test_title_asks_where_none_is_given(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/title", "A name")
        await world.until(lambda: world.desk.status.title == "A name")
        await world.do("/rename", None)
        assert world.person.fields[1].value == "A name"

    live(tmp_path, [], act)


async def _two_turns(world: World) -> None:
    await world.prompt("Make one.")
    await world.prompt("Make two.")


TWO = [write("a.txt", "one", 0), "Done.", write("a.txt", "two", 1), write("b.txt", "new", 2), "Done."]


def test_rewind_with_files(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/rewind")
        assert "nothing to go back to" in world.person.words
        await _two_turns(world)
        await world.do("/undo", 0, "Conversation and files", True)
        assert (world.workspace / "a.txt").read_text() == "one"
        assert not (world.workspace / "b.txt").exists()
        assert WentBack(2, True, 2) in world.of(WentBack)
        last, first = map(text_of, world.person.previews)
        assert last.startswith("Make two.\nrestore | a.txt | +1 -1\nremove | b.txt | +0 -1")
        assert "a.txt: 'two' -> 'one'" in last
        assert "a.txt: 'two' -> None" in first
        assert [option.label for option in world.person.menus[0].options] == ["2. Make two.", "1. Make one."]
        await world.prompt("Again.")
        assert Answered("Again.") in world.of(Answered)

    live(tmp_path, [*TWO, "Again."], act, settings=WORKSPACE)


def test_rewind_of_one_of_the_two_and_conflicts(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await _two_turns(world)
        (world.workspace / "a.txt").unlink()
        (world.workspace / "b.txt").write_text("mine")
        await world.do("/rewind 2", "Files alone", False, False)
        assert "Nothing to rewind" in world.person.words
        assert world.person.questions[0] == "Overwrite a.txt, although it was removed since?"
        await world.do("/rewind 2", "Files alone", False, True, True)
        assert not (world.workspace / "b.txt").exists()
        assert not (world.workspace / "a.txt").exists()
        await world.do("/rewind 1", "Conversation alone", False)
        await world.do("/rewind 1", "Conversation alone", True)
        assert [event.files for event in world.of(WentBack)] == [1, 0]  # type: ignore[union-attr]
        await world.do("/rewind 99")
        await world.do("/rewind", None)
        assert "no turn 99" in world.person.errors[0]

    live(tmp_path, TWO, act, settings=WORKSPACE)


def test_model(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        before = world.desk.session_id
        await world.do("/model", None)
        assert world.person.menus[0].options[0].label == "kimi-nano"
        assert world.person.menus[0].options[0].detail == "on this machine · 4,096 tokens of context · free"
        assert "runs in memory" in text_of(world.person.previews[0])
        assert "parts | RAM" in text_of(world.person.previews[0])
        await world.do("/model kimi-nano")
        assert world.desk.settings.model == "kimi-nano"
        assert world.desk.session_id == before
        await world.do("/model kimi-k2.6")
        assert "no key is set" in world.person.errors[0]
        assert world.desk.session_id == before
        command = find("model")
        assert command is not None
        assert command.complete is not None
        assert command.complete(world.desk)[0] == "kimi-nano"

    live(tmp_path, [], act)


def test_endpoint_and_its_key(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.environ = {**world.environ, "MOONSHOT_API_KEY": "k"}
        await world.do("/endpoint moonshot")
        assert "moonshot does not serve kimi-nano" in world.person.errors[0]
        await world.do("/model kimi-k2.6")
        assert (world.desk.settings.model, world.desk.settings.endpoint) == ("kimi-k2.6", None)
        await world.do("/endpoint", "moonshot")
        assert world.desk.settings.endpoint == "moonshot"
        await world.do("/endpoint", "Another", "http://127.0.0.1:9/v1")
        assert world.desk.settings.endpoint == "http://127.0.0.1:9/v1"
        check = world.person.fields[0].check
        assert check is not None
        assert check("localhost")
        await world.do("/endpoint auto")
        assert world.desk.settings.endpoint is None
        await world.do("/endpoint", None)
        await world.do("/endpoint openrouter")
        assert "no key is set" in world.person.errors[1]

    live(tmp_path, [], act)


def test_thinking(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/thinking off")
        assert world.desk.settings.thinking == "off"
        await world.do("/thinking", "keep")
        assert world.desk.settings.thinking == "keep"
        await world.do("/thinking maybe")
        assert "Choose one of: on, off, keep." in world.person.errors[0]
        await world.do("/thinking", None)

    live(tmp_path, [], act)


def test_permission(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/permission read-only")
        assert world.person.errors == []
        assert world.desk.status.permission == "read-only"
        await world.do("/permission full", False)
        assert world.desk.status.permission == "read-only"
        await world.do("/permission", "full", True)
        assert world.desk.status.permission == "full"
        await world.do("/permission everything")
        assert "no permission 'everything'" in world.person.errors[0]

    live(tmp_path, [], act, settings=WORKSPACE)


def test_permissions_explains(tmp_path: Path) -> None:
    rules = PermissionRules(deny=("shell(rm *)",), ask=("shell(git push *)",))

    async def act(world: World) -> None:
        for line in (
            "/permissions",
            "/permissions rm -rf x",
            "/permissions git push origin",
            "/permissions ls | wc -l",
            "/permissions ls \u202ex",
        ):
            await world.do(line)
        listed, denied, asked, free, hidden = map(text_of, world.person.pages)
        assert "deny | shell(rm *)" in listed
        assert "It would be refused." in denied
        assert "a rule of the user denies it" in denied
        assert "\u202e" not in hidden
        assert "⟨U+202E⟩" in hidden
        assert "wants to be asked" in asked
        assert "command | ls" in free
        assert "command | wc -l" in free

    live(tmp_path, [], act, settings=Settings(model="kimi-nano", permission="workspace", permissions=rules))


def test_what_was_allowed_for_the_session_is_shown_exactly() -> None:
    grants = Grants().with_command(analyse("make test")).with_write("/etc/x\u202e").with_host("pypi.org", 443).with_tool("ask")
    assert _granted(grants) == (
        ("run", "make test"), ("write", "/etc/x⟨U+202E⟩"), ("reach", "pypi.org:443"), ("use", "ask"),
    )  # fmt: skip
    assert _granted(Grants()) == ()


def test_trust(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/trust")
        assert "brings no rules" in world.person.words
        (world.workspace / ".kimicode").mkdir()
        (world.workspace / ".kimicode" / "settings.toml").write_text('[permissions]\nallow = ["shell(make)"]\n')
        await world.do("/trust", False)
        await world.do("/trust", True)
        assert "shell(make)" in text_of(world.person.pages[0])
        assert "Trusted." in world.person.words
        await world.do("/trust")
        assert "trusted already" in world.person.words
        await world.do("/trust revoke")
        assert "trusted no longer" in world.person.words
        await world.do("/trust me")
        assert world.person.errors

    live(tmp_path, [], act, settings=WORKSPACE)


def test_settings_are_written_and_applied(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/settings", None)
        await world.do("/settings", {})
        assert "Nothing was changed." in world.person.words
        await world.do("/settings", {"ui.theme": "light", "thinking": "off", "permissions.allow": "shell(git log *), read(~/docs/**)"})
        assert [ui.theme for ui in world.watching.looks] == ["light"]
        assert (world.desk.settings.thinking, world.desk.settings.ui.theme) == ("off", "light")
        written = load_settings(world.environ, {})
        assert written.permissions.allow == ("shell(git log *)", "read(~/docs/**)")
        assert (written.ui.theme, written.model) == ("light", None)
        await world.do("/settings", {"permissions.deny": "rm"})
        assert "can't be used" in world.person.errors[0]
        assert load_settings(world.environ, {}).permissions.deny == ()
        assert world.desk.settings.permissions.deny == ()

    live(tmp_path, [], act)


def test_theme(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/theme light")
        await world.do("/theme", "high-contrast")
        await world.do("/theme", None)
        await world.do("/theme pink")
        assert [ui.theme for ui in world.watching.looks] == ["light", "high-contrast"]
        assert load_settings(world.environ, {}).ui.theme == "high-contrast"
        assert "no theme 'pink'" in world.person.errors[0]

    live(tmp_path, [], act)


def test_the_themes_are_those_that_there_are() -> None:
    from kimicode.interactive.commands.settings import THEMES
    from kimicode.tui.themes import themes

    assert list(THEMES) == ["auto", *(skin.name for skin in themes())]


def test_context_cost_and_status(tmp_path: Path) -> None:
    def answer(text: str, usage: Usage) -> list[Text | Finished]:
        return [Text(text), Finished(Assistant(text), usage, "stop")]

    async def act(world: World) -> None:
        await world.do("/cost")
        assert "Nothing was asked yet." in world.person.words
        await world.prompt("Hello there.")
        await world.prompt("And again.")
        for line in ("/context", "/usage", "/status"):
            await world.do(line)
        window, bill, now = map(text_of, world.person.pages)
        assert "2,020 of 100,000 tokens (2 %)" in window
        assert "system prompt: " in window
        assert "tools: " in window
        assert "your words: " in window
        assert "free: " in window
        assert "2,000 | 1,500 | 75 %" in window
        assert "scripted at scripted | 2 | 3,000 | 1,500 | 30 | 0" in bill
        assert world.desk.session_id in now
        assert "scripted at scripted" in now

    live(tmp_path, [answer("Hi.", Usage(1_000, 10)), answer("Ho.", Usage(2_000, 20, 1_500))], act)


def test_diff_of_the_session_and_of_git(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/diff")
        assert "has changed no file" in world.person.words
        await world.do("/diff staged")
        assert "in no git repository" in world.person.errors[0]
        await world.do("/diff sideways")
        assert "can't be 'sideways'" in world.person.errors[1]
        git(world.workspace, "init", "-q")
        await _two_turns(world)
        await world.do("/diff session")
        await world.do("/diff staged")
        assert "Nothing is staged." in world.person.words
        git(world.workspace, "add", "a.txt")
        await world.do("/diff staged")
        await world.do("/diff working")
        session, staged, working = map(text_of, world.person.pages)
        assert "a.txt | +1 -0" in session
        assert "b.txt: None -> 'new'" in session
        assert "a.txt | +1 -0 | new" in staged
        assert "+two" in staged
        assert "b.txt |  | not known to git" in working

    live(tmp_path, TWO, act, settings=WORKSPACE)


def test_export(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.prompt("Hello.")
        await world.do("/export")
        assert "> Hello." in (world.workspace / f"kimicode-{world.desk.session_id}.md").read_text()
        await world.do("/export out.json")
        assert json.loads((world.workspace / "out.json").read_text())["session_id"] == world.desk.session_id
        await world.do("/export json out.json", False)
        await world.do("/export md nowhere/x.md")
        assert "can't write" in world.person.errors[0]

    live(tmp_path, ["Hi."], act)


def test_copy(tmp_path: Path) -> None:
    person = Editing()

    async def act(world: World) -> None:
        await world.do("/copy")
        assert "no answer to copy" in world.person.errors[0]
        await world.prompt("Hello.")
        await world.prompt("More.")
        for line in ("/copy", "/copy 2", "/copy code", "/copy 3", "/copy code 3", "/copy x"):
            await world.do(line)
        assert len(person.sequences) == 3
        assert person.sequences[2] == "\x1b]52;c;eCA9IDEK\x07"
        assert "can't be known" in world.person.words
        assert len(world.person.errors) == 4

    live(tmp_path, ["Hi.", "See:\n\n```python\nx = 1\n```\n"], act, person=person)


def test_code_blocks() -> None:
    text = "a\n```py\none\n```\n~~~\ntwo\n```\n~~~\n````\n```\nx\n```\n````\n```\nopen"
    assert code_blocks(text) == ("one\n", "two\n```\n", "```\nx\n```\n")


def test_code_blocks_take_no_longer_the_more_fences_are_left_open() -> None:
    # Each open fence used to be looked for to the end of the text.
    assert code_blocks("".join(f"```{'`' * (n % 7)}x\n" for n in range(50_000))) == ()


def test_plan_and_find(tmp_path: Path) -> None:
    items = '{"items": [{"text": "Look", "status": "done"}, {"text": "Write", "status": "in_progress"}]}'
    call = Assistant("", None, (ToolCall("functions.todo:0", "todo", items),))

    async def act(world: World) -> None:
        await world.do("/plan")
        assert "no plan" in world.person.words
        await world.prompt("Where is the needle?")
        await world.do("/todo")
        await world.do("/find NEEDLE")
        await world.do("/find nothing of it")
        await world.do("/find")
        plan, found = map(text_of, world.person.pages)
        assert plan == "[x] | Look\n[>] | Write"
        assert "you | Where is the needle?" in found
        assert "answer | The needle is here." in found
        assert "stands nowhere" in world.person.words
        assert world.person.errors

    live(tmp_path, [call, "The needle is here."], act)


def test_editor(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.environ = {**world.environ, "EDITOR": "sh -c 'printf edited > \"$0\"'"}
        await world.do("/editor before")
        await world.idle()
        assert [block.text for block in world.of(Prompted)] == ["edited"]  # type: ignore[union-attr]
        world.desk.environ = {**world.environ, "EDITOR": "true"}
        await world.do("/editor")
        assert "nothing was sent" in world.person.words
        world.desk.environ = {**world.environ, "EDITOR": "false"}
        await world.do("/editor")
        world.desk.environ = {**world.environ, "EDITOR": "/nonexistent"}
        await world.do("/editor")
        assert "can't be started" in world.person.errors[0]

    live(tmp_path, ["Hi."], act, person=Editing())


def test_an_editor_needs_the_terminal(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/editor")
        assert "can't be lent" in world.person.errors[0]

    live(tmp_path, [], act)


def test_init_asks_the_model(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do("/init Mind the tests.")
        await world.idle()
        (prompted,) = world.of(Prompted)
        assert isinstance(prompted, Prompted)
        assert prompted.text.startswith("Write AGENTS.md")
        assert prompted.text.endswith("Mind the tests.")
        (world.workspace / "AGENTS.md").write_text("x")
        await world.do("/init", False)
        assert len(world.of(Prompted)) == 1

    live(tmp_path, ["Done."], act)


def test_quit(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.do(":q")
        assert world.watching.left

    live(tmp_path, [], act)


def test_commands_complete_their_arguments(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        for command in COMMANDS:
            if command.complete is not None:
                assert list(command.complete(world.desk))

    live(tmp_path, [], act)


def test_a_command_without_a_session(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        for name in ("status", "context", "cost", "diff", "plan", "queue", "permissions"):
            await perform(world.desk, f"/{name}")
        assert world.person.errors == []
        await world.do("/new")
        assert world.desk.session_id
        await world.desk.open(Wish())

    live(tmp_path, [], act, opened=False)
