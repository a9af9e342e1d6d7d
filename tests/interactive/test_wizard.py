"""The first questions: four ways, what goes wrong on each, and that nothing is written before it is settled."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from kimicode.errors import UnavailableError
from kimicode.interactive.wizard import Means, first_run
from kimicode.model.catalogue import load_catalogue
from kimicode.model.keys import KeyPlace, key_for, store_key
from kimicode.model.probe import Probed
from kimicode.model.target import Target, boxed_model, resolve
from kimicode.settings import Settings, load_settings, settings_path
from tests.interactive.people import Reply, Scripted, environment

OK = Probed(True, "It answers.")
BAD = Probed(False, "The server refused the key.")


class Setting:
    """A person, and a world in which what they choose works or doesn't."""

    def __init__(
        self,
        tmp_path: Path,
        *probed: Probed,
        listed: tuple[str, ...] = (),
        load: str = "",
        places: tuple[KeyPlace, ...] = ("keyring", "file"),
    ) -> None:
        self.environ = environment(tmp_path)
        self.folder = tmp_path / "work"
        self.folder.mkdir(exist_ok=True)
        self.person = Scripted()
        self.tried: list[tuple[Target, dict[str, str]]] = []
        self.stored: list[tuple[str, str, str]] = []
        self._probed = list(probed)
        self._listed, self._load, self._places = listed, load, places

    def ask(self, *answers: Reply) -> Settings | None:
        self.person.answers = list(answers)
        means = Means(self._probe, self._served, self._plan, self._loads, lambda _environ: self._places, self._store)
        chosen = asyncio.run(first_run(self.person, Settings(thinking="off"), environ=self.environ, workspace=self.folder, means=means))
        assert self.person.answers == []
        return chosen

    @property
    def written(self) -> Settings | None:
        return load_settings(self.environ, {}) if settings_path(self.environ).exists() else None

    async def _probe(self, target: Target, environ: Mapping[str, str]) -> Probed:
        self.tried.append((target, dict(environ)))
        return self._probed.pop(0)

    async def _served(self, target: Target, environ: Mapping[str, str]) -> tuple[str, ...]:
        return self._listed

    async def _plan(self, path: str, environ: Mapping[str, str]) -> str:
        return "RAM 1 GB"

    async def _loads(self, path: str, environ: Mapping[str, str]) -> str:
        return self._load

    def _store(self, endpoint: str, value: str, where: KeyPlace, environ: Mapping[str, str]) -> str:
        if where == "keyring":
            raise UnavailableError("the keyring did not take the key")
        self.stored.append((endpoint, value, where))
        return store_key(endpoint, value, where, environ)


def test_leaving_writes_nothing(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    assert setting.ask(None) is None
    assert setting.written is None


def test_the_model_in_the_box(tmp_path: Path) -> None:
    setting = Setting(tmp_path, OK)
    chosen = setting.ask("The model in the box")
    assert chosen == Settings(model=boxed_model(), thinking="off")
    assert setting.written == Settings(model=boxed_model())
    assert "toy" in setting.person.menus[0].options[0].detail.lower()
    assert setting.person.jobs == ["Trying kimi-nano"]


def test_the_model_in_the_box_where_it_does_not_work(tmp_path: Path) -> None:
    setting = Setting(tmp_path, BAD)
    assert setting.ask("The model in the box", "Go back", None) is None
    assert setting.person.menus[1].words == BAD.words
    assert setting.written is None


def test_a_key_is_tried_typed_again_and_kept(tmp_path: Path) -> None:
    setting = Setting(tmp_path, BAD, OK)
    chosen = setting.ask("An API key", "OpenRouter", "kimi-k2.6", "wrong", "Type the key", "sk-right", "A file")
    assert chosen is not None
    assert (chosen.model, chosen.endpoint) == ("kimi-k2.6", "openrouter")
    assert [trying["OPENROUTER_API_KEY"] for _, trying in setting.tried] == ["wrong", "sk-right"]
    assert setting.stored == [("openrouter", "sk-right", "file")]
    assert all(field.secret for field in setting.person.fields)
    assert "sk-right" not in settings_path(setting.environ).read_text()
    row = load_catalogue().endpoints["openrouter"]
    assert key_for("openrouter", row, setting.environ).value == "sk-right"
    assert resolve(chosen.endpoint, chosen.model, setting.environ).key_from == "file"
    assert "sk-right" not in setting.person.words


@pytest.mark.parametrize(
    "answers",
    [
        ("An API key", None, None),
        ("An API key", "OpenRouter", None, None),
        ("An API key", "OpenRouter", "kimi-k2.6", None, None),
        ("An API key", "OpenRouter", "kimi-k2.6", "key", "Go back", None),
        ("An API key", "OpenRouter", "kimi-k2.6", "key", None, None),
        ("An API key", "OpenRouter", "kimi-k2.6", "key", "Use it", None, None),
    ],
)
def test_a_key_that_is_given_up_leaves_nothing(tmp_path: Path, answers: tuple[Reply, ...]) -> None:
    setting = Setting(tmp_path, BAD)
    assert setting.ask(*answers) is None
    assert (setting.written, setting.stored) == (None, [])


def test_a_keyring_that_refuses_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    setting = Setting(tmp_path, OK, places=("keyring",))
    assert setting.ask("An API key", "OpenRouter", "kimi-k2.6", "key", "The keyring", None) is None
    assert setting.person.errors == ["the keyring did not take the key"]
    assert setting.written is None


def gguf(setting: Setting) -> Path:
    source = resolve(None, boxed_model(), {}).model_file
    path = setting.folder / "models" / "small.gguf"
    path.parent.mkdir()
    path.symlink_to(source)
    (path.parent / "big-00002-of-00003.gguf").write_bytes(b"")
    (path.parent / "mmproj-x.gguf").write_bytes(b"")
    return path


def test_a_model_file_is_found_planned_and_loaded(tmp_path: Path) -> None:
    setting = Setting(tmp_path, OK)
    path = gguf(setting)
    chosen = setting.ask("A model file", "small.gguf", True)
    assert chosen is not None
    assert (chosen.model, chosen.endpoint) == (str(path), None)
    assert [option.label for option in setting.person.menus[1].options] == ["small.gguf", "Another file…"]
    assert len(setting.person.pages) == 1
    assert "It loads." in setting.person.words
    assert setting.written == Settings(model=str(path))


def test_a_model_file_that_does_not_load(tmp_path: Path) -> None:
    setting = Setting(tmp_path, OK, OK, load="not enough memory")
    gguf(setting)
    assert setting.ask("A model file", "small.gguf", True, "Go back", None) is None
    assert setting.person.errors == ["not enough memory"]
    assert setting.written is None
    assert setting.ask("A model file", "small.gguf", True, "Use it") is not None


def test_a_path_that_is_none_can_be_typed_again(tmp_path: Path) -> None:
    setting = Setting(tmp_path, BAD, OK)
    (setting.folder / "x.gguf").write_bytes(b"nothing")
    good = gguf(setting)
    chosen = setting.ask("A model file", "Another", "nowhere.gguf", "Another", str(good), "Another file", "small.gguf", False)
    assert chosen is not None
    assert "no such model file" in setting.person.errors[0]


def test_a_server_lists_its_models(tmp_path: Path) -> None:
    setting = Setting(tmp_path, OK, listed=("big", "small"))
    chosen = setting.ask("A server", "http://127.0.0.1:9/v1", "small")
    assert chosen is not None
    assert (chosen.model, chosen.endpoint) == ("small", "http://127.0.0.1:9/v1")
    assert setting.tried[0][0].model_id == "small"
    assert setting.written == Settings(model="small", endpoint="http://127.0.0.1:9/v1")


def test_a_server_that_does_not_answer_can_be_corrected(tmp_path: Path) -> None:
    setting = Setting(tmp_path, BAD, BAD, OK)
    chosen = setting.ask(
        "A server",
        "http://127.0.0.1:9/v1",
        "m",
        "Another address",
        "http://127.0.0.1:10/v1",
        "m",
        "Another address",
        "http://[",
        "unix:/s",
        "m",
    )
    assert chosen is not None
    assert chosen.endpoint == "unix:/s"
    assert "is no usable address" in setting.person.errors[0]
    assert setting.person.fields[2].value == "http://127.0.0.1:9/v1"
    check = setting.person.fields[0].check
    assert check is not None
    assert check("localhost:80")


def test_a_server_that_wants_a_key(tmp_path: Path) -> None:
    setting = Setting(tmp_path, BAD, OK, listed=("m",))
    chosen = setting.ask("A server", "http://127.0.0.1:9/v1/", "m", "Give it a key", "secret", "m", "A file")
    assert chosen is not None
    target = resolve(chosen.endpoint, chosen.model, setting.environ)
    assert target.key_from == "file"
    assert key_for(target.endpoint, target.accepts, setting.environ).value == "secret"


@pytest.mark.parametrize(
    "answers", [("A server", None, None), ("A server", "http://h/v1", None, None, None), ("A server", "http://h/v1", "m", "Go back", None)]
)
def test_a_server_that_is_given_up_leaves_nothing(tmp_path: Path, answers: tuple[Reply, ...]) -> None:
    setting = Setting(tmp_path, BAD)
    assert setting.ask(*answers) is None
    assert setting.written is None


def test_settings_that_can_not_be_written_are_said(tmp_path: Path) -> None:
    setting = Setting(tmp_path, OK)
    settings_path(setting.environ).write_text("what = [")
    assert setting.ask("The model in the box", None) is None
    assert "can't change the settings" in setting.person.errors[0]
    assert settings_path(setting.environ).read_text() == "what = ["
