"""`/model`, `/endpoint`, `/thinking`: who answers, where, and whether it thinks first.

What is chosen holds for this session and those that are begun in it; `/settings` makes it last. What this module does not do: store keys
(`wizard` does), or list what an endpoint has beyond the catalogue.
"""

import asyncio
from pathlib import Path
from typing import Final, get_args

import msgspec

from kimicode.errors import KimicodeError, UsageError
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.model_choices import ModelChoice, model_choices, usable_endpoints
from kimicode.interactive.person import Field, Menu, Option, Page, Rows, Words
from kimicode.interactive.switching import reopen
from kimicode.model.engine_state import engine_places
from kimicode.model.probe import probe
from kimicode.model.target import URL_ROW, resolve
from kimicode.settings import Settings, ThinkingName

_ANY: Final = "Whichever serves the model and has a key"
_URL: Final = "Another address…"
_THINKING: Final = {
    "on": "It thinks before it answers; thoughts of earlier turns are not sent again.",
    "off": "It answers at once: quicker and cheaper, and worse at what is hard.",
    "keep": "It thinks, and its thoughts of earlier turns are sent back, where the model takes them.",
}


async def model(desk: Desk, argument: str) -> None:
    """Another model for this session."""
    if argument:
        await _use(desk, await asyncio.to_thread(_named, desk, argument))
        return
    choices = await asyncio.to_thread(model_choices, desk.environ, desk.workspace)

    async def preview(index: int) -> Page:
        return await _about(desk, choices[index])

    options = tuple(Option(choice.label, choice.detail, current=_is_current(desk, choice)) for choice in choices)
    words = "Others: /model NAME or FILE, /endpoint for a server of your own, /setup for a key."
    chosen = await desk.person.choose(Menu("Which model?", options, preview, words))
    if chosen is not None:
        await _use(desk, _with(desk.settings, choices[chosen].model, choices[chosen].endpoint))


def _is_current(desk: Desk, choice: ModelChoice) -> bool:
    return (choice.target.model, choice.target.endpoint) == (desk.status.model, desk.status.endpoint)


def _named(desk: Desk, name: str) -> Settings:
    """The settings with the model that the user named: at the present endpoint if it is there, else where it is."""
    path = Path(name).expanduser()
    file = path if path.is_absolute() else desk.workspace / path
    if file.suffix == ".gguf" and file.is_file():
        name = str(file)
    try:
        resolve(desk.settings.endpoint, name, desk.environ)
        return _with(desk.settings, name, desk.settings.endpoint)
    except KimicodeError:
        resolve(None, name, desk.environ)
        return _with(desk.settings, name, None)


async def _about(desk: Desk, choice: ModelChoice) -> Page:
    target = choice.target
    rows = (
        ("model", choice.model),
        ("where", target.endpoint if not target.model_file else target.model_file),
        ("context", f"{target.context:,} tokens"),
        ("price", choice.price),
        ("thinking", target.traits.thinking),
        ("pictures", "yes" if target.images else "no"),
    )
    if not target.model_file:
        return Page(choice.label, (Rows(rows),))
    fits, lives = await asyncio.gather(probe(target, desk.environ), engine_places(target, desk.environ))
    where = () if lives is None else (("parts", lives.places), ("experts", lives.experts or "none"))
    return Page(choice.label, (Rows((*rows, *where)), Words(fits.words)))


async def endpoint(desk: Desk, argument: str) -> None:
    """Another server for the same model."""
    wanted: str | None = argument
    if not argument:
        known = await asyncio.to_thread(usable_endpoints, desk.environ)
        options = [
            Option(name, f"{title}{'' if ready else ' · no key is set: /setup'}", current=name == desk.status.endpoint)
            for name, title, ready in known
        ]
        options += [Option(_ANY, current=desk.settings.endpoint is None), Option(_URL)]
        chosen = await desk.person.choose(Menu("Where does the model run?", tuple(options)))
        if chosen is None:
            return
        names = [name for name, _, _ in known] + ["auto"]
        address = Field("url", "Address", help="For example http://localhost:8080/v1, or unix:/path/of/the.sock", check=_address)
        wanted = names[chosen] if chosen < len(names) else await desk.person.word(address)
    if not wanted:
        return
    name = None if wanted == "auto" else wanted
    await asyncio.to_thread(resolve, name, desk.settings.model, desk.environ)
    await _use(desk, _with(desk.settings, desk.settings.model, name))


def _address(text: str) -> str:
    return "" if text.startswith(("http://", "https://", "unix:/")) else "It begins with http://, https:// or unix:/"


async def thinking(desk: Desk, argument: str) -> None:
    """Whether the model thinks before it answers."""
    names: tuple[str, ...] = get_args(ThinkingName)
    if argument and argument not in names:
        raise UsageError(f"/thinking can't be {argument!r}", hint=f"Choose one of: {', '.join(_THINKING)}.")
    wanted = argument
    if not wanted:
        options = tuple(Option(name, words, current=name == desk.settings.thinking) for name, words in _THINKING.items())
        chosen = await desk.person.choose(Menu("Thinking", options))
        if chosen is None:
            return
        wanted = tuple(_THINKING)[chosen]
    await reopen(desk, msgspec.structs.replace(desk.settings, thinking=wanted))
    desk.person.say(f"Thinking is {wanted}.")


def _with(settings: Settings, model: str | None, endpoint: str | None) -> Settings:
    return msgspec.structs.replace(settings, model=model, endpoint=endpoint)


async def _use(desk: Desk, settings: Settings) -> None:
    await reopen(desk, settings)
    desk.person.say(f"Now {desk.status.model} at {desk.status.endpoint}, for this session. /settings makes it last.")


def _names(desk: Desk) -> tuple[str, ...]:
    return tuple(dict.fromkeys(choice.model for choice in model_choices(desk.environ, desk.workspace)))


COMMANDS: Final = (
    Command("model", "Choose the model", model, "[NAME|FILE]", while_busy=False, complete=_names),
    Command(
        "endpoint", "Choose where the model runs", endpoint, "[NAME|URL|auto]", while_busy=False,
        complete=lambda desk: ("auto", *(name for name, _, _ in usable_endpoints(desk.environ) if name != URL_ROW)),
    ),
    Command(
        "thinking", "Whether the model thinks first", thinking, "[on|off|keep]", while_busy=False, complete=lambda _desk: tuple(_THINKING)
    ),
)  # fmt: skip
