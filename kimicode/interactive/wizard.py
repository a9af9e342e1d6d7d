"""The first questions: which model kimicode shall use. What was chosen is tried, and written only when it is settled.

    settings = await set_up(desk)          # None: the user left; nothing was written

Four ways: the model in the box, an API key, a model file, a server of one's own. A failure is said in words, and the user can correct what
was wrong, keep it all the same, or go back. What this module does not do: open a session, or know how a key is kept (`model.keys`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import KimicodeError
from kimicode.interactive.child import run_child
from kimicode.interactive.desk import Desk
from kimicode.interactive.model_choices import model_files
from kimicode.interactive.person import Code, Field, Menu, Option, Page, Person, Step, Words
from kimicode.model.catalogue import Catalogue, EndpointRow, Serving, load_catalogue
from kimicode.model.keys import KeyPlace, places, store_key
from kimicode.model.probe import Probed, probe, served_models
from kimicode.model.target import URL_ROW, Target, boxed_model, resolve
from kimicode.settings import Settings, settings_path
from kimicode.settings_file import set_values

_PLACES: Final[Mapping[KeyPlace, str]] = {
    "keyring": "The keyring of this system",
    "file": "A file that only you can read",
}
_KEEP = Option("Use it all the same", key="u")
_BACK = Option("Go back", key="b")


class Means(msgspec.Struct, frozen=True):
    """What the questions need of the world; tests put others in."""

    probe: Callable[[Target, Mapping[str, str]], Awaitable[Probed]] = probe
    served: Callable[[Target, Mapping[str, str]], Awaitable[tuple[str, ...]]] = served_models
    plan: Callable[[str, Mapping[str, str]], Awaitable[str]] | None = None
    load: Callable[[str, Mapping[str, str]], Awaitable[str]] | None = None
    places: Callable[[Mapping[str, str]], tuple[KeyPlace, ...]] = places
    store: Callable[[str, str, KeyPlace, Mapping[str, str]], str] = store_key


class _Chosen(msgspec.Struct, frozen=True):
    """What the settings shall say, and a key that is to be kept for it."""

    model: str | None
    endpoint: str | None = None
    key_of: str = ""
    key: str = ""
    where: KeyPlace | None = None


async def set_up(desk: Desk) -> Settings | None:
    """Ask, try, write; the settings from then on, or None where the user left it."""
    return await first_run(desk.person, desk.settings, environ=desk.environ, workspace=desk.workspace)


async def first_run(
    person: Person,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    workspace: Path,
    means: Means = Means(),  # noqa: B008
) -> Settings | None:
    """As `set_up`, for whoever has no desk."""
    asking = _Asking(person, environ, workspace, means)
    while True:
        chosen = await asking.way()
        if chosen is None:
            return None
        if isinstance(chosen, str):
            continue
        try:
            await asyncio.to_thread(_write, chosen, environ, means)
        except KimicodeError as error:
            person.say(str(error), "error")
            continue
        person.say(f"Written to {settings_path(environ)}. /setup asks again, /settings shows everything.")
        return msgspec.structs.replace(settings, model=chosen.model, endpoint=chosen.endpoint)


def _write(chosen: _Chosen, environ: Mapping[str, str], means: Means) -> None:
    """The key first: settings that name an endpoint without its key would be of no use."""
    if chosen.where is not None:
        means.store(chosen.key_of, chosen.key, chosen.where, environ)
    set_values(settings_path(environ), {("model",): chosen.model, ("endpoint",): chosen.endpoint})


class _Asking:
    """The questions. Each way ends in what was chosen, or in None to go back."""

    def __init__(self, person: Person, environ: Mapping[str, str], workspace: Path, means: Means) -> None:
        self._person = person
        self._environ = environ
        self._workspace = workspace
        self._means = means
        self._catalogue: Catalogue = load_catalogue()

    async def way(self) -> _Chosen | str | None:
        """What was chosen; a word to ask again; None where the user leaves."""
        boxed = boxed_model()
        options = (
            Option("The model in the box", f"{boxed}, 6 MB: at once, offline, free. A toy: it repairs tiny bugs, real work is beyond it"),
            Option("An API key", "Kimi at a provider: full strength, costs money, sends your code there"),
            Option("A model file on this machine", "GGUF: offline and private; a large model needs much memory or patience"),
            Option("A server of your own", "anything that speaks OpenAI's protocol: llama.cpp, vLLM, SGLang, Ollama …"),
        )
        chosen = await self._person.choose(Menu("Which model shall kimicode use?", options, words="/setup asks this again at any time."))
        ways = (self._boxed, self._by_key, self._file, self._server)
        return None if chosen is None else await ways[chosen]() or "again"

    # The model in the box.

    async def _boxed(self) -> _Chosen | None:
        name = boxed_model()
        target = self._resolved(None, name, self._environ)
        if target is None or not await self._tried(target, self._environ):
            return None
        return _Chosen(name)

    # A key.

    async def _by_key(self) -> _Chosen | None:
        rows = [(name, row) for name, row in self._catalogue.endpoints.items() if row.key_env and row.models and not row.key_optional]
        options = tuple(Option(row.title, _price(next(iter(row.models.values())))) for _, row in rows)
        chosen = await self._person.choose(Menu("Whose key is it?", options))
        if chosen is None:
            return None
        name, row = rows[chosen]
        model = await self._model_of(row)
        return None if model is None else await self._key(name, row, model)

    async def _model_of(self, row: EndpointRow) -> str | None:
        names = sorted(row.models, key=lambda name: name != self._catalogue.default_model)
        if len(names) == 1:
            return names[0]
        options = tuple(
            Option(name, f"{self._catalogue.models[name].context:,} tokens of context · {_price(row.models[name])}") for name in names
        )
        chosen = await self._person.choose(Menu("Which model?", options))
        return None if chosen is None else names[chosen]

    async def _key(self, name: str, row: EndpointRow, model: str) -> _Chosen | None:
        while True:
            help_text = f"It is tried, then kept where you say. Instead you can set {row.key_env[0]} in your environment."
            key = (await self._person.word(Field("key", f"Key for {row.title}", help=help_text, secret=True)) or "").strip()
            if not key:
                return None
            # Only in this mapping, never in the environment that programs inherit.
            trying = {**self._environ, row.key_env[0]: key}
            target = self._resolved(name, model, trying)
            if target is None:
                return None
            again = await self._judged(target, trying, Option("Type the key again", key="k"))
            if again == "no":
                return None
            if again == "yes":
                where = await self._place()
                return None if where is None else _Chosen(model, name, name, key, where)

    async def _place(self) -> KeyPlace | None:
        known = await asyncio.to_thread(self._means.places, self._environ)
        options = tuple(Option(_PLACES[place]) for place in known)
        chosen = await self._person.choose(Menu("Where shall the key be kept?", options))
        return None if chosen is None else known[chosen]

    # A model file.

    async def _file(self) -> _Chosen | None:
        found = await asyncio.to_thread(model_files, self._environ, self._workspace)
        options = (*(Option(path.name, str(path.parent)) for path in found), Option("Another file…"))
        while True:
            chosen = await self._person.choose(Menu("Which file?", options)) if found else len(found)
            if chosen is None:
                return None
            path = str(found[chosen]) if chosen < len(found) else await self._typed_path()
            if not path:
                return None
            target = self._resolved(None, path, self._environ)
            if target is None:
                if not found and not await self._person.confirm("Try another file?"):
                    return None
                continue
            if (again := await self._judged(target, self._environ, Option("Another file", key="f"))) == "yes":
                await self._show_plan(path)
                return _Chosen(path) if await self._loads(path) else None
            if again == "no":
                return None

    async def _typed_path(self) -> str:
        text = (await self._person.word(Field("path", "Path of a .gguf file", help="Of a model in parts, the first."))) or ""
        return _path(self._workspace, text.strip()) if text.strip() else ""

    async def _show_plan(self, path: str) -> None:
        text = await (self._means.plan or self._plan)(path, self._environ)
        await self._person.show(Page("Where it would live on this machine", (Code(text),) if text else (Words("There is no plan."),)))

    async def _plan(self, path: str, environ: Mapping[str, str]) -> str:
        ended = await run_child(("models", "plan", path), environ=environ, folder=self._workspace)
        return ended.out.strip() if ended.code == 0 else ended.complaint

    async def _loads(self, path: str) -> bool:
        """True where it was loaded, or need not be."""
        if not await self._person.confirm("Load it now, to see that it works?", detail="A large file may take minutes."):
            return True
        complaint: list[str] = []

        async def job(_step: Step) -> None:
            complaint.append(await (self._means.load or self._load)(path, self._environ))

        if not await self._person.work(f"Loading {Path(path).name}", job) or not complaint:
            return False
        if not complaint[0]:
            self._person.say("It loads.")
            return True
        self._person.say(complaint[0], "error")
        return await self._person.choose(Menu("It does not load.", (_KEEP, _BACK))) == 0

    async def _load(self, path: str, environ: Mapping[str, str]) -> str:
        """Nothing, or what was wrong."""
        ended = await run_child(("engine", "start", "--model", path), environ=environ, folder=self._workspace)
        return "" if ended.code == 0 else ended.complaint

    # A server.

    async def _server(self) -> _Chosen | None:
        url, key = "", ""
        while True:
            address = Field("url", "Its address", value=url, help="For example http://localhost:8080/v1", check=_address)
            url = (await self._person.word(address) or "").strip()
            if not url:
                return None
            while True:
                variable = next(iter(self._catalogue.endpoints[URL_ROW].key_env), "")
                trying = {**self._environ, variable: key} if key and variable else self._environ
                model = await self._served(url, trying)
                target = self._resolved(url, model, trying) if model else None
                if target is None:
                    break
                more = (Option("Another address or model", key="a"), *((Option("Give it a key", key="k"),) if variable else ()))
                again = await self._judged(target, trying, *more)
                if again == "yes":
                    return await self._with_key(_Chosen(model, url, target.endpoint, key))
                if again == "no":
                    return None
                if again == "1":
                    break
                key = (await self._person.word(Field("key", "Its key", secret=True)) or "").strip()

    async def _with_key(self, chosen: _Chosen) -> _Chosen | None:
        if not chosen.key:
            return chosen
        where = await self._place()
        return None if where is None else msgspec.structs.replace(chosen, where=where)

    async def _served(self, url: str, environ: Mapping[str, str]) -> str | None:
        """One of the models that the server lists, or a name that the user types."""
        target = self._resolved(url, self._catalogue.default_model, environ)
        if target is None:
            return None
        found: list[str] = []

        async def job(_step: Step) -> None:
            found.extend(await self._means.served(target, environ))

        if not await self._person.work("Asking for its models", job):
            return None
        if not found:
            self._person.say("It did not list any models: check its address, or name the model that it serves.", "warning")
        options = (*map(Option, found), Option("Another name…"))
        chosen = await self._person.choose(Menu("Which of its models?", options)) if found else 0
        if chosen is None:
            return None
        return found[chosen] if chosen < len(found) else await self._person.word(Field("model", "The server's name of the model"))

    # All of them.

    def _resolved(self, endpoint: str | None, model: str, environ: Mapping[str, str]) -> Target | None:
        try:
            return resolve(endpoint, model, environ)
        except KimicodeError as error:
            self._person.say(str(error), "error")
            return None

    async def _tried(self, target: Target, environ: Mapping[str, str]) -> bool:
        return await self._judged(target, environ) == "yes"

    async def _judged(self, target: Target, environ: Mapping[str, str], *others: Option) -> str:
        """`yes` where it works or the user wants it all the same, `no` to go back, else the number of one of `others`, from 1."""
        found: list[Probed] = []

        async def job(_step: Step) -> None:
            found.append(await self._means.probe(target, environ))

        if not await self._person.work(f"Trying {target.model}", job) or not found:
            return "no"
        if found[0].ok:
            self._person.say(found[0].words)
            return "yes"
        chosen = await self._person.choose(Menu("That did not work.", (*others, _KEEP, _BACK), words=found[0].words))
        if chosen is None or chosen == len(others) + 1:
            return "no"
        return "yes" if chosen == len(others) else str(chosen + 1)


def _path(workspace: Path, text: str) -> str:
    return str(workspace / Path(text).expanduser())


def _price(serving: Serving) -> str:
    price = serving.price
    return "price unknown" if price is None else f"${price.input:g} in, ${price.output:g} out per million tokens"


def _address(text: str) -> str:
    return "" if text.strip().startswith(("http://", "https://", "unix:/")) else "It begins with http://, https:// or unix:/"
