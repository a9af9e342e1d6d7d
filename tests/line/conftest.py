"""A whole line mode with a scripted model: what is typed goes in through a pipe, what is printed is kept as a dumb terminal shows it."""

import asyncio
import io
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kimicode.line.mode import LineMode
from kimicode.line.parts import Parts
from kimicode.line.plain import PlainReader
from kimicode.model.scripted import Entry, ScriptedClient
from kimicode.settings import PermissionRules, SandboxSettings, Settings
from kimicode.wish import Wish

WAIT_S = 30.0
GOLDEN = Path(__file__).parent / "golden"
ASKING = Settings(
    model="scripted",
    permission="workspace",
    permissions=PermissionRules(ask=("write(**)",)),
    sandbox=SandboxSettings(tier="none"),
)


class Sink(io.StringIO):
    """What was printed."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal
        self.grew = asyncio.Event()

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.grew.set()
        return super().write(text)


class Source:
    """The reading end of a pipe that says it is a terminal, or not."""

    def __init__(self, *, terminal: bool) -> None:
        self.terminal = terminal
        self.reading, self.writing = os.pipe()
        self.closed = False
        self.ended = False

    def fileno(self) -> int:
        return self.reading

    def isatty(self) -> bool:
        return self.terminal

    def put(self, text: str) -> None:
        self.put_bytes(text.encode())

    def put_bytes(self, data: bytes) -> None:
        os.write(self.writing, data)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            os.close(self.writing)


class Rig:
    """Somebody at a dumb terminal, or a program at a pipe."""

    def __init__(
        self, folder: Path, script: list[Entry], *, terminal: bool = True, settings: Settings = ASKING, parts: Parts | None = None
    ):
        self.workspace = folder / "work"
        self.workspace.mkdir(exist_ok=True)
        self.environ = {"HOME": str(folder), "KIMICODE_HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(folder)}
        self.environ["KIMICODE_CONFIG"] = str(folder / "settings.toml")
        self.folder = folder
        self.model = ScriptedClient(script)
        self.sink = Sink(terminal=terminal)
        self.source = Source(terminal=terminal)
        self.mark = 0
        self.mode = LineMode(
            lambda _parts, _complete: PlainReader(self.source, self.sink),  # type: ignore[arg-type]
            settings=settings,
            environ=self.environ,
            workspace=self.workspace,
            parts=parts or Parts(),
            model=self.model,
            clock=lambda: 0.0,
            pause_s=0.0,
        )

    @property
    def printed(self) -> str:
        return self.sink.getvalue()

    def type(self, text: str) -> None:
        """Type a line; a terminal shows it."""
        self.mark = len(self.printed)
        if self.source.terminal:
            self.sink.write(f"{text}\n")
        os.write(self.source.writing, f"{text}\n".encode())

    def stop(self) -> None:
        """Press Ctrl-C, as a terminal without an editor has it."""
        self.sink.write("^C")
        self.mode.stop()

    async def until(self, text: str) -> None:
        """Wait until this was printed, after what was waited for or typed before."""
        try:
            async with asyncio.timeout(WAIT_S):
                while (at := self.printed.find(text, self.mark)) < 0:
                    self.sink.grew.clear()
                    await self.sink.grew.wait()
        except TimeoutError:
            pytest.fail(f"{text!r} was not printed after {self.mark} in:\n{self.printed}")
        self.mark = at + len(text)

    async def at_prompt(self) -> None:
        """Wait until the next prompt can be typed."""
        async with asyncio.timeout(WAIT_S):
            while not self.printed[self.mark :].endswith("You: "):
                self.sink.grew.clear()
                await self.sink.grew.wait()
        self.mark = len(self.printed)

    def transcript(self) -> str:
        """What was printed, without what differs from run to run."""
        text = (
            self.printed.replace(str(self.workspace), "WORKSPACE")
            .replace(str(self.folder), "HOME")
            .replace(self.mode.desk.session_id or "\0", "SESSION")
        )
        text = re.sub(r"\b\d{8}-\d{6}-\w+", "SESSION", text)
        return re.sub(r"\b(less than a second|\d+ seconds?)(?=[,.])", "MOMENT", text)


Act = Callable[[Rig], Awaitable[None]]


def play(rig_of: Callable[[], Rig], act: Act, wish: Wish = Wish(), prompt: str | None = None) -> tuple[Rig, int]:  # noqa: B008
    """Run a session to its end while `act` types; what was printed, and the exit code."""

    async def main() -> tuple[Rig, int]:
        rig = rig_of()
        acting = asyncio.ensure_future(act(rig))
        try:
            running = asyncio.get_running_loop().create_task(rig.mode.run(wish, prompt))
            await asyncio.wait({acting, running}, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S * 2)
            if acting.done():
                acting.result()
                rig.source.end()
            code = await asyncio.wait_for(running, WAIT_S)
            await acting
            return rig, code
        finally:
            rig.source.end()
            acting.cancel()

    return asyncio.run(main())


@pytest.fixture
def rig(tmp_path: Path) -> Callable[..., Callable[[], Rig]]:
    """Makes what makes a rig."""

    def make(script: list[Entry], **options: object) -> Callable[[], Rig]:
        return lambda: Rig(tmp_path, script, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def streams_of() -> Callable[..., tuple[Source, Sink]]:
    """Makes the streams of a terminal, or of a pipe."""
    return lambda terminal: (Source(terminal=terminal), Sink(terminal=terminal))


@pytest.fixture
def session() -> Callable[..., tuple[Rig, int]]:
    """Plays a session."""
    return play


@pytest.fixture
def golden() -> Callable[[str, Rig], None]:
    """Compares a transcript with the one that is kept; `KIMICODE_WRITE_GOLDEN=1` writes it anew."""

    def compare(name: str, rig: Rig) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("KIMICODE_WRITE_GOLDEN"):
            path.write_text(rig.transcript(), "utf-8")
        assert rig.transcript() == path.read_text("utf-8")
        assert "\x1b" not in rig.printed

    return compare
