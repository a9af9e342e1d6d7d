"""Keys of endpoints: where they come from, where they go, and that nobody else gets to see them."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import KimicodeError, UnavailableError, UsageError
from kimicode.model import resolve
from kimicode.model.catalogue import load_catalogue
from kimicode.model.key_file import Entry, keys_path, read_keys, write_keys
from kimicode.model.key_ring import KeyRing
from kimicode.model.keys import Key, forget_key, key_for, key_from, places, store_key

ROOT = Path(__file__).parents[2]
ROWS = load_catalogue().endpoints
SECRET = "sk-very-secret"
NOBODY = "/bin/false"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user with settings of their own and no keyring."""
    return {"KIMICODE_CONFIG": str(tmp_path / "settings.toml"), "KIMICODE_NO_KEYRING": "1"}


@pytest.fixture
def ringed(tmp_path: Path) -> dict[str, str]:
    """A user with a keyring."""
    return {
        "KIMICODE_CONFIG": str(tmp_path / "settings.toml"),
        "FAKE_KEYRING": str(tmp_path / "ring.json"),
        "PYTHON_KEYRING_BACKEND": "tests.model.fakekeyring.Fake",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
    }


def stored(environ: dict[str, str], endpoint: str = "moonshot") -> Key:
    return key_for(endpoint, ROWS[endpoint], environ)


def test_a_variable_comes_first_and_nothing_else_is_looked_at(environ: dict[str, str]) -> None:
    keys_path(environ).write_text("this is damaged [")
    environ |= {"MOONSHOT_API_KEY": f" {SECRET}\n"}
    assert stored(environ) == Key(SECRET, "environment")
    assert resolve("moonshot", None, environ).key_from == "environment"


def test_a_key_in_a_file_is_found_and_forgotten(environ: dict[str, str]) -> None:
    assert stored(environ) == Key()
    said = store_key("moonshot", f" {SECRET} ", "file", environ)
    path = keys_path(environ)
    assert str(path) in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stored(environ) == Key(SECRET, "file")
    assert "forgotten" in forget_key("moonshot", environ)
    assert stored(environ) == Key()
    assert not path.exists()
    assert "No key" in forget_key("moonshot", environ)


def test_a_key_in_the_keyring_is_found_and_forgotten(ringed: dict[str, str]) -> None:
    assert places(ringed) == ("keyring", "file")
    assert "keyring" in store_key("moonshot", SECRET, "keyring", ringed)
    assert SECRET not in keys_path(ringed).read_text()
    assert json.loads(Path(ringed["FAKE_KEYRING"]).read_text()) == {"kimicode/moonshot": SECRET}
    assert stored(ringed) == Key(SECRET, "keyring")
    assert resolve(None, None, ringed).key_from == "keyring"
    forget_key("moonshot", ringed)
    assert json.loads(Path(ringed["FAKE_KEYRING"]).read_text()) == {}
    assert key_from("moonshot", ROWS["moonshot"], ringed) == ""


def test_a_key_is_in_one_place_only(ringed: dict[str, str]) -> None:
    store_key("moonshot", SECRET, "keyring", ringed)
    store_key("moonshot", "sk-new", "file", ringed)
    assert stored(ringed) == Key("sk-new", "file")
    assert json.loads(Path(ringed["FAKE_KEYRING"]).read_text()) == {}
    store_key("moonshot", SECRET, "keyring", ringed)
    assert "sk-new" not in keys_path(ringed).read_text()


def test_a_key_that_is_gone_from_the_keyring_is_an_error_with_a_next_step(ringed: dict[str, str]) -> None:
    store_key("moonshot", SECRET, "keyring", ringed)
    Path(ringed["FAKE_KEYRING"]).unlink()
    with pytest.raises(UnavailableError, match="it is not there") as caught:
        stored(ringed)
    assert "MOONSHOT_API_KEY" in caught.value.hint
    assert "/setup" in caught.value.hint


def test_a_keyring_that_fails_says_no_key(ringed: dict[str, str]) -> None:
    with pytest.raises(UnavailableError, match=r"the keyring failed \(RuntimeError\)") as caught:
        store_key("moonshot", SECRET, "keyring", ringed | {"FAKE_KEYRING_MODE": "fail"})
    assert SECRET not in str(caught.value)
    assert str(keys_path(ringed)) in caught.value.hint
    assert not keys_path(ringed).exists()


def test_a_keyring_that_hangs_is_given_up(ringed: dict[str, str]) -> None:
    hung = KeyRing(ringed, ("/bin/sh", "-c", "exec sleep 1000"), deadline=0.1)
    assert places(ringed, ring=hung) == ("file",)
    with pytest.raises(UnavailableError, match="did not answer") as caught:
        store_key("moonshot", SECRET, "keyring", ringed, ring=hung)
    assert SECRET not in repr(caught.value.__context__)


@pytest.mark.parametrize("command", [("/no/such/program",), ("/bin/false",), ("/bin/echo", "no JSON")])
def test_a_keyring_that_can_not_be_asked(ringed: dict[str, str], command: tuple[str, ...]) -> None:
    reply = KeyRing(ringed, command).look()
    assert (reply.ok, bool(reply.why)) == (False, True)


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_a_backend_that_keeps_nothing_is_no_keyring(ringed: dict[str, str], backend: str) -> None:
    ringed["PYTHON_KEYRING_BACKEND"] = backend
    assert places(ringed) == ("file",)


def test_switched_off_a_keyring_is_not_asked(ringed: dict[str, str]) -> None:
    store_key("moonshot", SECRET, "keyring", ringed)
    off = ringed | {"KIMICODE_NO_KEYRING": "1"}
    assert stored(off) == Key()
    assert places(off) == ("file",)
    assert KeyRing(off, ("/no/such/program",)).look().why == "KIMICODE_NO_KEYRING is set"


def test_without_stored_keys_no_keyring_is_asked(ringed: dict[str, str]) -> None:
    # A command that fails would be an error here.
    ring = KeyRing(ringed, (NOBODY,))
    assert key_for("moonshot", ROWS["moonshot"], ringed, ring=ring) == Key()
    assert key_for("moonshot", ROWS["moonshot"], ringed | {"MOONSHOT_API_KEY": "k"}, ring=ring).where == "environment"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(environ: dict[str, str], mode: int) -> None:
    store_key("moonshot", SECRET, "file", environ)
    keys_path(environ).chmod(mode)
    with pytest.raises(UnavailableError, match="can be read by others") as caught:
        resolve("moonshot", None, environ)
    assert "chmod 600" in caught.value.hint


def test_a_damaged_file_is_refused_without_quoting_it(environ: dict[str, str]) -> None:
    path = keys_path(environ)
    path.write_text(f'["moonshot"]\nkey = "{SECRET}\n')
    path.chmod(0o600)
    with pytest.raises(UnavailableError, match="it is no TOML") as caught:
        resolve("moonshot", None, environ)
    assert SECRET not in str(caught.value)


def test_what_is_no_file_does_not_hold_up_a_start(environ: dict[str, str]) -> None:
    os.mkfifo(keys_path(environ), 0o600)
    with pytest.raises(UnavailableError, match="is no file"):
        resolve("moonshot", None, environ)


@pytest.mark.parametrize("value", ["", "  ", "two words", "schlüssel", "a\nb"])
@pytest.mark.parametrize("where", ["keyring", "file"])
def test_what_can_not_be_a_key_is_not_kept(environ: dict[str, str], value: str, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        store_key("moonshot", value, where, environ)  # type: ignore[arg-type]
    assert not value.strip() or value not in str(caught.value)
    assert not keys_path(environ).exists()


def test_a_key_without_a_folder_to_keep_it_in(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UnavailableError, match="can't write the keys"):
        store_key("moonshot", SECRET, "file", environ | {"KIMICODE_CONFIG": str(tmp_path / "taken" / "settings.toml")})
    store_key("moonshot", SECRET, "file", environ | {"KIMICODE_CONFIG": str(tmp_path / "new" / "folder" / "settings.toml")})
    assert stat.S_IMODE((tmp_path / "new" / "folder").stat().st_mode) == 0o700


def test_a_link_to_the_file_stays_a_link(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    keys_path(environ).symlink_to(tmp_path / "dotfiles" / "keys.toml")
    store_key("moonshot", SECRET, "file", environ)
    assert keys_path(environ).is_symlink()
    assert stored(environ).value == SECRET


NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF))
SECRETS = st.text(st.characters(codec="ascii", min_codepoint=33))


@given(st.dictionaries(NAMES, SECRETS))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    entries = {endpoint: Entry(key) for endpoint, key in keys.items() if "\x7f" not in key}
    write_keys(path, entries)
    assert read_keys(path) == entries


def test_a_stored_key_makes_an_endpoint_one_to_choose(environ: dict[str, str]) -> None:
    with pytest.raises(UnavailableError, match="no key is set") as caught:
        resolve(None, None, environ)
    assert "/setup" in caught.value.hint
    store_key("openrouter", SECRET, "file", environ)
    target = resolve(None, None, environ)
    assert (target.endpoint, target.key_env, target.key_from) == ("openrouter", "", "file")
    assert resolve(None, None, environ | {"NVIDIA_API_KEY": "k"}).endpoint == "nvidia", "a variable says more"


def test_a_key_for_one_address_goes_to_no_other(environ: dict[str, str]) -> None:
    store_key("http://localhost:9/v1", SECRET, "file", environ)
    assert resolve("http://localhost:9/v1", None, environ).key_from == "file"
    assert resolve("http://localhost:9/v1/", None, environ).key_from == "file"
    assert resolve("http://localhost:8/v1", None, environ).key_from == ""


def test_a_key_is_in_no_repr(environ: dict[str, str]) -> None:
    store_key("moonshot", SECRET, "file", environ)
    key = stored(environ)
    shown = [repr(key), str(key), repr(read_keys(keys_path(environ))), repr(resolve("moonshot", None, environ))]
    assert key.value == SECRET
    assert not [line for line in shown if SECRET in line]


def test_a_run_with_a_variable_loads_no_keyring_library(environ: dict[str, str]) -> None:
    code = (
        "import os, sys; from kimicode.model import resolve; from kimicode.model.connect import connect; "
        "connect(resolve(None, None, os.environ), os.environ, print, None); sys.exit('keyring' in sys.modules)"
    )
    plain = {name: value for name, value in environ.items() if name != "KIMICODE_NO_KEYRING"}
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, env=plain | {"MOONSHOT_API_KEY": "k"})
    assert done.returncode == 0


def test_an_endpoint_that_takes_no_key_has_none(environ: dict[str, str]) -> None:
    store_key("ollama", SECRET, "file", environ)
    assert key_for("ollama", ROWS["ollama"], environ) == Key()


def test_a_variable_with_what_no_key_has_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(KimicodeError, match="MOONSHOT_API_KEY holds characters that no key has"):
        stored(environ | {"MOONSHOT_API_KEY": "sk-ü"})
