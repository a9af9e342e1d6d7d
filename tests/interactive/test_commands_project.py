"""Slash commands that work on the project: commits, reviews, the map, symbols, the engine; most run kimicode in a process of its own."""

from pathlib import Path

from kimicode.interactive.commands.commit import commit
from kimicode.model.scripted import ScriptedClient
from kimicode.settings import Settings
from tests.interactive.people import World, git, live, text_of


def repository(world: World) -> None:
    git(world.workspace, "init", "-q", "-b", "main")
    git(world.workspace, "config", "user.name", "A")
    git(world.workspace, "config", "user.email", "a@b.c")
    (world.workspace / "a.py").write_text("def one():\n    return 1\n")
    git(world.workspace, "add", "a.py")


def test_commit(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        repository(world)
        client = ScriptedClient(["Add one", "Add nothing"])
        world.person.answers += ["Change", "Add the one", "Commit"]
        await commit(world.desk, "", lambda _desk: client)
        assert world.person.menus[0].words == "Add one"
        assert git(world.workspace, "log", "--format=%s").strip() == "Add the one"
        assert "Add the one" in world.person.words
        (world.workspace / "a.py").write_text("def one():\n    return 2\n")
        await world.do("/commit Two", False)
        assert "Nothing was committed." not in world.person.words
        await world.do("/commit Two", True)
        assert git(world.workspace, "log", "--format=%s").split("\n")[0] == "Two"
        await world.do("/commit")
        assert "nothing is staged" in world.person.errors[0]

    live(tmp_path, [], act)


def test_commit_asks_before_it_runs_hooks(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        repository(world)
        hook = world.workspace / ".git" / "hooks" / "pre-commit"
        hook.write_text("#!/bin/sh\ntouch ran\n")
        hook.chmod(0o755)
        await world.do("/commit One", "Don't commit")
        assert not (world.workspace / "ran").exists()
        await world.do("/commit One", "As git")
        assert (world.workspace / "ran").exists()
        assert git(world.workspace, "log", "--format=%s").strip() == "One"

    live(tmp_path, [], act)


def test_the_command_line_in_pages(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        repository(world)
        for line in ("/map", "/symbols one", "/symbols nothing_of_this_name", "/symbols", "/review sideways now", "/doctor"):
            await world.do(line)
        overview, found, health = map(text_of, world.person.pages)
        assert "a.py" in overview
        assert "a.py" in found
        assert "def one" in found
        assert "python" in health
        assert len(world.person.errors) == 3
        assert "nothing" in world.person.errors[0]

    live(tmp_path, [], act)


def test_review_shows_findings(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        repository(world)
        (world.workspace / "a.py").write_text("<<<<<<< ours\nx = 1\n=======\nx = 2\n>>>>>>> theirs\n")
        git(world.workspace, "add", "a.py")
        await world.do("/review staged")
        (page,) = world.person.pages
        assert "a.py:1" in text_of(page)
        assert "Something blocks." in text_of(page)

    live(tmp_path, [], act, settings=Settings(model="kimi-k2.6"))


def test_engine(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await world.until(lambda: world.desk.status.engine is not None)
        await world.do("/engine")
        assert "No engine is running" in text_of(world.person.pages[0])
        assert "runs here | yes" in text_of(world.person.pages[0])
        await world.do("/engine stop")
        await world.do("/engine fly")
        assert "no engine is running" in world.person.words
        assert "can't be 'fly'" in world.person.errors[-1]

    live(tmp_path, [], act)
