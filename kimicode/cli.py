"""The command line: which commands and options there are, and nothing of what they do.

Each command calls a function by name through `kimicode.border`, which imports its module then and only then. A first word that names no
command starts the default one, `run`, so `kimicode "fix the tests"` needs none. What this module does not do: anything else.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, cast

import typer

from kimicode import __version__
from kimicode.border import call, find

DEFAULT = "run"
_PLAIN = {"rich_markup_mode": None, "pretty_exceptions_enable": False, "add_completion": False}
_MOUNTED = {"engine": ("engine.commands:app", "The engine: start, stop, status, serve.")}
"""Command groups that are Typer apps of another package, by name: where, and what for. Imported only when they are called."""

_EXTENDED = {"models": "engine.model_commands:add_to"}
"""Command groups to which another package adds commands: the function that does. Imported only when the group is called."""

app = typer.Typer(name="kimicode", no_args_is_help=False, **_PLAIN)  # type: ignore[arg-type]
sessions = typer.Typer(help="Past runs.", no_args_is_help=True, **_PLAIN)  # type: ignore[arg-type]
worktree = typer.Typer(help="Worktrees for isolated work.", no_args_is_help=True, **_PLAIN)  # type: ignore[arg-type]
hook = typer.Typer(help="Reviews in git's hooks.", no_args_is_help=True, **_PLAIN)  # type: ignore[arg-type]
models = typer.Typer(help="Models and endpoints.", no_args_is_help=True, **_PLAIN)  # type: ignore[arg-type]
app.add_typer(sessions, name="sessions")
app.add_typer(models, name="models")
app.add_typer(hook, name="hook")
app.add_typer(worktree, name="worktree")


def main(arguments: list[str] | None = None) -> None:
    """The `kimicode` command. Exits."""
    given = sys.argv[1:] if arguments is None else arguments
    _mount(given)
    command = typer.main.get_command(app)
    known = {*getattr(command, "commands", {}), "--help", "--version"}
    command(args=given if given and given[0] in known else [DEFAULT, *given], prog_name="kimicode")


def _mount(given: list[str]) -> None:
    for name, (place, text) in _MOUNTED.items():
        if given[:1] == [name]:
            app.add_typer(cast("typer.Typer", find(place)), name=name)
        else:
            app.command(name, help=text)(lambda: None)
    if given and given[0] in _EXTENDED:
        extend(given[0])


def extend(name: str) -> None:
    """Add the commands of another package to the group `name`."""
    add_to = cast("Callable[[typer.Typer], None]", find(_EXTENDED[name]))
    add_to(next(group.typer_instance for group in app.registered_groups if group.name == name and group.typer_instance))


def _call(place: str, *arguments: object) -> None:
    raise typer.Exit(call(place, *arguments))


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """A terminal coding agent for Kimi K2.6.

    Give it a prompt: kimicode --headless "Fix the failing test". That is short for `kimicode run`, whose options are in
    `kimicode run --help`.
    """
    if version:
        typer.echo(f"kimicode {__version__}")
        raise typer.Exit(0)


@app.command(DEFAULT)
def run(
    prompt: Annotated[str | None, typer.Argument(help="What to do; `-` reads it from stdin.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="One run without a terminal.")] = False,
    output: Annotated[str, typer.Option(help="text: the final answer; json: one object; stream-json: one event a line.")] = "text",
    permission: Annotated[str | None, typer.Option(help="What tools may do: read-only, workspace (default) or full.")] = None,
    sandbox: Annotated[str | None, typer.Option(help="What holds commands: auto (default), bubblewrap, landlock or none.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model: a name of `kimicode models list`, or a GGUF file.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Where: a name of `kimicode models list`, or a URL.")] = None,
    thinking: Annotated[str | None, typer.Option(help="on (default), off, or keep: thoughts of earlier turns are sent back.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Most model calls of the run (default 200).")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of the run, prompts and answers together.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Longest time of the run.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Most money of the run, in USD.")] = None,
    worktree: Annotated[
        str | None, typer.Option(metavar="NAME", help="Work in this worktree of the repository; it is made if need be.")
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="The final answer must validate against this JSON Schema.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with this session; a prefix or the end of its id is enough.")] = None,
    latest: Annotated[bool, typer.Option("--continue", help="Go on with the latest session of this folder.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="The line mode: plain text, a line at a time; the accessible mode.")] = False,
    theme: Annotated[str | None, typer.Option(help="Colours of the full-screen UI: auto (default), dark, light …; see /theme.")] = None,
    mouse: Annotated[bool | None, typer.Option("--mouse/--no-mouse", help="Whether the full-screen UI takes the mouse.")] = None,
) -> None:
    """Work on the current directory (the default command): with you at a terminal, or without one (--headless)."""
    flags = {
        "permission": permission, "model": model, "endpoint": endpoint, "thinking": thinking,
        "max_steps": max_steps, "max_tokens": max_tokens, "max_seconds": max_seconds, "max_cost": max_cost,
    }  # fmt: skip
    if not headless:
        _call("interactive:interactive", prompt, flags, {"theme": theme, "mouse": mouse}, resume, latest, sandbox, worktree, plain)
    _call("headless:headless", prompt, output, schema, resume, latest, flags, sandbox, worktree)


@app.command("demo")
def demo(keep: Annotated[bool, typer.Option("--keep", help="Keep the demo project's folder.")] = False) -> None:
    """Make a small broken project and let the model in the box repair it, offline."""
    _call("demo:demo", keep)


@app.command("review")
def review(
    staged: Annotated[bool, typer.Option("--staged", help="What is staged (without any of these four, too).")] = False,
    uncommitted: Annotated[bool, typer.Option("--uncommitted", help="Everything that is not committed, but untracked files.")] = False,
    base: Annotated[str | None, typer.Option(metavar="REV", help="What was committed since this branch left REV.")] = None,
    commit: Annotated[str | None, typer.Option(metavar="REV", help="One commit.")] = None,
    form: Annotated[str, typer.Option("--format", help="text, json, sarif, github or rdjson.")] = "text",
    output: Annotated[Path | None, typer.Option(help="A file for the report; stdout where it is left out.")] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="The least severity that blocks: low, medium, high (default), critical, none.")
    ] = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds for the whole review (default 20); 0 is without end.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="What could not be reviewed blocks, too.")] = False,
    no_model: Annotated[bool, typer.Option("--no-model", help="Instant checks only.")] = False,
    effort: Annotated[str, typer.Option(help="low: the model does not think; medium: while it refutes; high: always.")] = "low",
    model: Annotated[str | None, typer.Option(help="Which model: a name of `kimicode models list`, or a GGUF file.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Where: a name of `kimicode models list`, or a URL.")] = None,
) -> None:
    """Review a change: instant checks, then a model, whose findings must hold against an attempt to refute them. 3 where one blocks."""
    flags = {"model": model, "endpoint": endpoint}
    _call("review:review", staged, uncommitted, base, commit, form, output, fail_on, deadline, strict, no_model, effort, flags)


@app.command("map")
def map_(
    paths: Annotated[list[str] | None, typer.Argument(help="Files and names to start from; folders to stay in.")] = None,
    budget: Annotated[int | None, typer.Option(help="Tokens (default 1500).")] = None,
) -> None:
    """The most important files of this folder with their most used definitions, as the agent sees them."""
    _call("map:map_command", paths or [], budget)


@app.command("symbols")
def symbols(
    query: Annotated[str, typer.Argument(help="A name (`run`, `Toolbox.run`), a path, or path:line.")],
    kind: Annotated[str | None, typer.Option(help="definition, references, callers or outline.")] = None,
) -> None:
    """Where a name is defined and what uses it; the outline of a file; what encloses a line."""
    _call("symbols:symbols_command", query, kind)


@app.command("commit")
def commit(
    tracked: Annotated[bool, typer.Option("--all", help="Stage every change of a tracked file first.")] = False,
    message: Annotated[str | None, typer.Option("--message", "-m", help="The message; without it the model writes one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    trailer: Annotated[bool | None, typer.Option("--trailer/--no-trailer", help="Say in the message what helped to write it.")] = None,
    hooks: Annotated[bool, typer.Option("--hooks", help="Commit as your own `git commit` would, with hooks and signature.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Commit without the hooks that are there.")] = False,
    model: Annotated[str | None, typer.Option(help="Which model writes the message.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Where it is.")] = None,
) -> None:
    """Commit what is staged, with a message that a model writes and you confirm."""
    _call("commit:commit_command", tracked, message, yes, trailer, hooks, no_verify, {"model": model, "endpoint": endpoint})


@app.command("tool")
def tool(
    name: Annotated[str, typer.Argument(help="read, write, edit, patch, grep, symbols, map, glob, git, shell or todo.")],
    arguments: Annotated[str, typer.Argument(metavar="JSON", help='For example \'{"path": "README.md"}\'.')],
    permission: Annotated[str | None, typer.Option(help="What it may do: read-only, workspace (default) or full.")] = None,
    sandbox: Annotated[str | None, typer.Option(help="What holds commands: auto (default), bubblewrap, landlock or none.")] = None,
) -> None:
    """Run one agent tool by hand, under the same policy."""
    _call("tool:tool", name, arguments, permission, sandbox)


@app.command("trust")
def trust(
    folder: Annotated[Path | None, typer.Argument(help="The project; the current folder if left out.")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust it no longer.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Look at the permission rules that a project brings along, and let them count, as long as they stay as they are."""
    _call("trust:trust", folder, revoke, yes)


@app.command("doctor")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Say what works here, what does not, and what to do."""
    _call("doctor:doctor", as_json)


@worktree.command("add")
def worktree_add(
    name: Annotated[str, typer.Argument(help="Its name; its branch is kimicode/NAME.")],
    revision: Annotated[str, typer.Argument(help="Where it starts.")] = "HEAD",
    folder: Annotated[Path | None, typer.Option(help="Where it lies; below kimicode's own folder where it is left out.")] = None,
) -> None:
    """Make a worktree of this repository, on a branch of its own, and write its path."""
    _call("worktree:worktree_add", name, revision, folder)


@worktree.command("list")
def worktree_list(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """The worktrees that kimicode made of this repository, and what is in them."""
    _call("worktree:worktree_list", as_json)


@worktree.command("remove")
def worktree_remove(
    name: Annotated[str, typer.Argument()],
    force: Annotated[bool, typer.Option("--force", help="Also with changes or commits that are nowhere else.")] = False,
) -> None:
    """Remove a worktree with its branch, if nothing is lost by it."""
    _call("worktree:worktree_remove", name, force)


@worktree.command("prune")
def worktree_prune() -> None:
    """Forget worktrees whose folders are gone."""
    _call("worktree:worktree_prune")


@hook.command("install")
def hook_install(
    pre_push: Annotated[bool, typer.Option("--pre-push", help="Before a push, too: findings in its commits stop it.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Commits don't wait for a model: it reviews them afterwards.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="What could not be reviewed is stopped, too.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the folder of hooks is shared, or another program manages it.")
    ] = False,
) -> None:
    """Review what is committed in this repository, from now on. A hook that is there is kept and run first."""
    _call("hook:hook_install", pre_push, background, strict, force)


@hook.command("uninstall")
def hook_uninstall(force: Annotated[bool, typer.Option("--force", help="Also what somebody has changed since.")] = False) -> None:
    """Take the hooks away and bring back what was there before."""
    _call("hook:hook_uninstall", force)


@hook.command("status")
def hook_status() -> None:
    """Say what is installed, whether it would run, and what the last commits' reviews said."""
    _call("hook:hook_status")


@hook.command("run")
def hook_run(
    name: Annotated[str, typer.Argument(help="pre-commit, post-commit or pre-push.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What git gave the hook.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="What could not be reviewed is stopped, too.")] = False,
    no_model: Annotated[bool, typer.Option("--no-model", help="Instant checks only.")] = False,
) -> None:
    """Act as one of git's hooks; what the installed scripts and pre-commit call."""
    _call("hook_run:hook_run", name, arguments or [], strict, no_model)


@models.command("list")
def models_list(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """The models and endpoints that kimicode knows, with context, prices and key variables."""
    _call("models:models_list", as_json)


@sessions.command("list")
def sessions_list(
    everywhere: Annotated[bool, typer.Option("--all", help="Of all folders, not just this one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Past sessions, newest first."""
    _call("sessions:sessions_list", everywhere, as_json)


_ID = Annotated[str, typer.Argument(metavar="ID", help="A prefix or the end of an id is enough.")]


@sessions.command("show")
def sessions_show(session_id: _ID) -> None:
    """What was said and done in a session."""
    _call("sessions:sessions_show", session_id)


@sessions.command("rewind")
def sessions_rewind(
    session_id: _ID,
    to: Annotated[int | None, typer.Option(help="Go back to before this turn; without it the turns are listed.")] = None,
    files: Annotated[bool, typer.Option("--files", help="Only the files.")] = False,
    conversation: Annotated[bool, typer.Option("--conversation", help="Only the conversation.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were changed since.")] = False,
) -> None:
    """Bring back files and conversation as they were before a turn."""
    _call("rewind:sessions_rewind", session_id, to, files, conversation, preview, yes, force)


@sessions.command("replay")
def sessions_replay(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="A prefix or the end of an id, or a log file.")],
    speed: Annotated[float, typer.Option(help="Times as fast; 0 shows all at once.")] = 0.0,
    screen: Annotated[bool, typer.Option("--screen", help="In the full-screen UI.")] = False,
) -> None:
    """Show a session's events as they came."""
    _call("replay:replay", session_id, speed, screen)


@sessions.command("export")
def sessions_export(
    session_id: _ID,
    form: Annotated[str, typer.Option("--format", help="md or json.")] = "md",
    output: Annotated[Path | None, typer.Option(help="A file; stdout where it is left out.")] = None,
) -> None:
    """Write a session as Markdown or JSON."""
    _call("sessions:sessions_export", session_id, form, output)
