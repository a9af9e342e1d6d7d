"""The application with a desk behind it: what keys and words do, with a model that follows a script."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from textual import events
from textual.pilot import Pilot

from kimicode.interactive.view.blocks import Answered, Called, Ended, Prompted, Ran
from kimicode.messages import Assistant, ToolCall
from kimicode.model.client import Text
from kimicode.model.scripted import Entry, Pause, ScriptedClient
from kimicode.settings import PermissionRules, Settings, UiSettings
from kimicode.tui.app import KimicodeApp, Order
from kimicode.tui.conductor import Conductor
from kimicode.tui.dialogs.approval import Approval
from kimicode.tui.dialogs.page import PageDialog
from kimicode.tui.dialogs.picker import Picker
from tests.tui.stage import words

WAIT_S = 30.0

Act = Callable[["Live"], Awaitable[None]]


class Live:
    """The application, its pilot and its model."""

    def __init__(self, app: KimicodeApp, pilot: Pilot[object], model: ScriptedClient) -> None:
        self.app, self.pilot, self.model = app, pilot, model

    @property
    def conductor(self) -> Conductor:
        assert isinstance(self.app.conductor, Conductor)
        return self.app.conductor

    def of(self, kind: type) -> list[object]:
        return [block for block in self.conductor.desk.transcript.blocks if isinstance(block, kind)]

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not true():
                await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def enter(self, text: str) -> None:
        self.app.main.prompt.set_text(text)
        await self.pilot.press("enter")

    async def idle(self) -> None:
        await self.until(lambda: not self.conductor.desk.busy)


def play(tmp_path: Path, script: list[Entry], act: Act, *, settings: Settings | None = None, prompt: str = "") -> KimicodeApp:
    workspace = tmp_path / "bakery"
    workspace.mkdir(exist_ok=True)
    environ = {"HOME": str(tmp_path), "KIMICODE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    model = ScriptedClient(script)
    chosen = settings or Settings(model="scripted", ui=UiSettings(theme="dark"))
    app = KimicodeApp(Order(chosen, environ, workspace, prompt=prompt, model=model))

    async def main() -> None:
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            live = Live(app, pilot, model)
            await live.until(lambda: isinstance(app.conductor, Conductor) and app.conductor.session_id)
            try:
                await act(live)
            finally:
                await live.conductor.end()

    asyncio.run(main())
    return app


def test_a_prompt_runs_and_stands_on_the_screen(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.enter("Hello, baker.")
        await live.until(lambda: live.of(Ended))
        shown = words(live.app)
        assert "Hello, baker." in shown
        assert "Good morning." in shown
        assert live.app.main.prompt.is_empty

    play(tmp_path, ["Good morning."], act)


def test_a_first_prompt_comes_from_the_command_line(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.until(lambda: live.of(Ended))
        assert [block.text for block in live.of(Prompted)] == ["From outside."]  # type: ignore[attr-defined]

    play(tmp_path, ["Yes."], act, prompt="From outside.")


def test_enter_holds_what_comes_meanwhile_and_escape_stops(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.enter("Go.")
        await live.until(lambda: live.of(Answered))
        await live.enter("And then?")
        assert [prompt.text for prompt in live.conductor.desk.waiting.prompts] == ["And then?"]
        await live.until(lambda: "1 waiting" in words(live.app))
        await live.pilot.press("escape")
        await live.until(lambda: live.of(Ended))
        assert "1 held" in words(live.app)
        await live.pilot.press("enter")
        await live.until(lambda: len(live.of(Ended)) == 2)
        assert live.of(Answered)[-1] == Answered("Then bread.")

    play(tmp_path, [[Text("Half"), Pause(asyncio.Event(), asyncio.Event())], "Then bread."], act)


def test_ctrl_s_speaks_into_the_run(tmp_path: Path) -> None:
    call = ToolCall("functions.glob:0", "glob", '{"pattern": "*"}')
    release = asyncio.Event()

    async def act(live: Live) -> None:
        await live.enter("Go.")
        await live.until(lambda: live.conductor.desk.busy)
        live.app.main.prompt.set_text("Mind the oven.")
        await live.pilot.press("ctrl+s")
        live.conductor.desk.host._loop.call_soon_threadsafe(release.set)
        await live.idle()
        assert [(block.text, block.steered) for block in live.of(Prompted)] == [("Go.", False), ("Mind the oven.", True)]  # type: ignore[attr-defined]

    play(tmp_path, [[Pause(asyncio.Event(), release), *ScriptedClient([])._plain(Assistant("", None, (call,)))], "Done.", "Minded."], act)


def test_ctrl_c_takes_the_text_then_leaves_when_pressed_twice(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        live.app.main.prompt.set_text("never mind")
        await live.pilot.press("ctrl+c")
        assert live.app.main.prompt.is_empty
        await live.pilot.press("ctrl+c")
        await live.until(lambda: "once more to leave" in words(live.app))
        assert live.app.is_running
        await live.pilot.press("ctrl+c")
        await live.until(lambda: live.app._exit)

    assert play(tmp_path, [], act).return_value == 0


def test_the_users_own_shell(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.enter("!echo flour > sack; cat sack")
        await live.until(lambda: any(not block.running for block in live.of(Ran)))  # type: ignore[attr-defined]
        (ran,) = live.of(Ran)
        assert isinstance(ran, Ran)
        assert (ran.exit_code, ran.output.strip()) == (0, "flour")
        await live.enter("What is in it?")
        await live.until(lambda: live.of(Ended))
        assert "flour" in str(live.model.requests[0].messages[-1])

    play(tmp_path, ["Flour."], act)


def test_commands_open_dialogs_and_unknown_ones_are_told(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.enter("/keys")
        await live.until(lambda: isinstance(live.app.screen, PageDialog))
        await live.pilot.press("escape")
        await live.until(lambda: live.app.screen is live.app.main)
        await live.enter("/theme")
        await live.until(lambda: isinstance(live.app.screen, Picker))
        await live.pilot.press("escape")
        await live.enter("/nonsense")
        await live.until(lambda: "nonsense" in words(live.app))
        assert not live.model.requests

    play(tmp_path, [], act)


def test_a_theme_is_changed_at_once(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        before = live.app.palette
        await live.enter("/theme light")
        await live.until(lambda: live.app.palette is not before)
        assert live.app.palette.name == "light"
        assert live.app.main.transcript.sheet.look.palette.name == "light"

    play(tmp_path, [], act)


def test_text_is_set_as_wide_as_the_settings_say_at_once(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.enter("Tell me.")
        await live.until(lambda: live.of(Ended))
        desk = live.conductor.desk
        before = live.app.main.transcript.sheet.look.width
        desk.restyle(msgspec.structs.replace(desk.settings.ui, width=40))
        await live.until(lambda: live.app.main.transcript.sheet.look.width < before)
        assert live.app.main.transcript.sheet.look.width <= 40

    play(tmp_path, ["A long story. " * 20], act)


def test_a_change_waits_for_a_person_and_no_is_no(tmp_path: Path) -> None:
    write = ToolCall("functions.write:0", "write", '{"path": "loaf.txt", "content": "rye"}')
    rules = PermissionRules(ask=("write(**)",))

    async def act(live: Live) -> None:
        await live.enter("Write.")
        await live.until(lambda: isinstance(live.app.screen, Approval) and live.app.screen.ready)
        assert "rye" in words(live.app)
        await live.pilot.press("n")
        await live.until(lambda: live.of(Ended))
        (called,) = live.of(Called)
        assert isinstance(called, Called)
        assert called.state == "refused"
        assert not (tmp_path / "bakery" / "loaf.txt").exists()

    settings = Settings(model="scripted", permission="workspace", permissions=rules, ui=UiSettings(theme="dark"))
    play(tmp_path, [Assistant("", None, (write,)), "Not written."], act, settings=settings)


def test_finding_text_in_the_transcript(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        await live.enter("Tell me.")
        await live.until(lambda: live.of(Ended))
        await live.pilot.press("ctrl+f", *"rye")
        await live.until(lambda: "1 of 2" in words(live.app))
        await live.pilot.press("enter")
        await live.until(lambda: "2 of 2" in words(live.app))
        await live.pilot.press("escape")
        await live.until(lambda: live.app.main.focused is live.app.main.prompt.area)

    play(tmp_path, ["One rye, two Rye."], act)


def test_keys_right_behind_each_other_go_where_the_one_before_led(tmp_path: Path) -> None:
    """The focus once followed a key some moments later: an `o` opened a block, and a search began in the prompt."""

    def typed(live: Live, *keys: str) -> None:
        for key in keys:
            live.app.post_message(events.Key(key, " " if key == "space" else key if len(key) == 1 else None))

    async def act(live: Live) -> None:
        await live.enter("Tell me.")
        await live.until(lambda: live.of(Ended))
        typed(live, "alt+up", "b", "o", "o", "space", "y", "o", "u")
        await live.until(lambda: live.app.main.prompt.text == "boo you")
        typed(live, "ctrl+f", *"one")
        await live.until(lambda: "1 of 1" in words(live.app))

    play(tmp_path, ["One."], act)


def test_f2_lays_the_panel_on_top_and_f1_explains(tmp_path: Path) -> None:
    async def act(live: Live) -> None:
        assert "Session" not in words(live.app)
        await live.pilot.press("f2")
        await live.until(lambda: "Session" in words(live.app))
        await live.pilot.press("f2")
        await live.until(lambda: "Session" not in words(live.app))
        await live.pilot.press("f1")
        await live.until(lambda: isinstance(live.app.screen, PageDialog))
        assert "say it now" in words(live.app)

    play(tmp_path, [], act)
