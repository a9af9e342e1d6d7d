"""Every check in its good and its bad case, on places and programs made here, and the whole on this machine."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from kimicode.commands import doctor as checks
from kimicode.model.catalogue import load_catalogue
from kimicode.model.key_file import Entry, keys_path, write_keys
from kimicode.model.keys import store_key
from kimicode.model.target import boxed_model


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"KIMICODE_HOME": str(tmp_path / "home"), "KIMICODE_CONFIG": str(tmp_path / "settings.toml"), "PATH": os.environ["PATH"]}


def test_git(tmp_path: Path) -> None:
    assert checks.git(str(tmp_path)).state == "limited"
    program(tmp_path, "git", "echo git version 9.9")
    assert checks.git(str(tmp_path)) == checks.Check("git", "ok", f"git version 9.9 at {tmp_path}/git")
    program(tmp_path, "git", "echo broken library >&2; exit 127")
    broken = checks.git(str(tmp_path))
    assert broken.state == "limited"
    assert "broken library" in broken.found


def test_ripgrep(tmp_path: Path) -> None:
    assert checks.ripgrep((tmp_path,), str(tmp_path)).state == "missing"
    program(tmp_path, "rg", "echo ripgrep 99; echo more")
    assert checks.ripgrep((tmp_path,), None) == checks.Check("ripgrep", "ok", f"ripgrep 99 at {tmp_path}/rg")
    program(tmp_path, "rg", "exit 1")
    assert checks.ripgrep((tmp_path,), None).state == "missing"


def test_settings(environ: dict[str, str]) -> None:
    path = Path(environ["KIMICODE_CONFIG"])
    assert checks.settings(environ) == checks.Check("settings", "ok", f"defaults; a file would be {path}")
    path.write_text("max_steps = 3\n")
    assert checks.settings(environ) == checks.Check("settings", "ok", str(path))
    path.write_text("max_stepz = 3\n")
    wrong = checks.settings(environ)
    assert wrong.state == "missing"
    assert "max_stepz" in wrong.found
    assert checks.model(environ).state == "limited"


def test_keys_are_named_and_never_shown(environ: dict[str, str]) -> None:
    catalogue = load_catalogue()
    assert checks.keys(catalogue, environ).state == "limited"
    variable = next(row.key_env[0] for row in catalogue.endpoints.values() if row.key_env)
    secret = environ | {variable: "sk-very-secret"}
    assert checks.keys(catalogue, secret) == checks.Check("keys", "ok", f"set: {variable}")
    shown = [str(check) for check in checks.all_checks(secret)]
    assert not [line for line in shown if "very-secret" in line]


def test_stored_keys_are_told_by_where_they_are(environ: dict[str, str]) -> None:
    catalogue = load_catalogue()
    store_key("openrouter", "sk-very-secret", "file", environ)
    assert checks.keys(catalogue, environ) == checks.Check("keys", "ok", "stored: openrouter (file)")
    chosen = checks.model(environ)
    assert chosen.state == "ok"
    assert f"at openrouter (not asked; its context is 262,144 tokens); its key is in {keys_path(environ)}" in chosen.found
    assert "its key is in MOONSHOT_API_KEY" in checks.model(environ | {"MOONSHOT_API_KEY": "k"}).found
    write_keys(keys_path(environ), {"moonshot": Entry(), "nvidia": Entry()})
    assert checks.keys(catalogue, environ).found == "stored: moonshot (keyring), nvidia (keyring)"
    assert "keyring" in checks.model(environ).found
    off = environ | {"KIMICODE_NO_KEYRING": "1"}
    assert "switches off" in checks.keys(catalogue, off).found
    keys_path(environ).chmod(0o644)
    refused = checks.keys(catalogue, environ)
    assert (refused.state, "chmod 600" in refused.advice) == ("limited", True)


def test_model_follows_the_settings(environ: dict[str, str]) -> None:
    assert checks.model(environ).state == "limited"
    assert "no key is set" in checks.model(environ).found
    chosen = checks.model(environ | {"KIMICODE_ENDPOINT": "http://localhost:1/v1", "KIMICODE_MODEL": "anything"})
    assert chosen.state == "ok"
    assert "anything at http://localhost:1/v1" in chosen.found


def test_boxed_model_is_looked_for(environ: dict[str, str]) -> None:
    check = checks.boxed(environ)
    assert check.name == boxed_model()
    assert ("MB" in check.found) == (check.state == "ok")
    assert check.state != "missing"


@pytest.mark.parametrize(
    ("script", "state", "found"),
    [
        ("echo '0.3.36 CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 0 | '", "ok", "SSE3 AVX2"),
        ("echo '0.3.36 CPU : SSE3 = 1 | AVX2 = 0'", "limited", "SSE3"),
        ("echo 0.3.36", "limited", "no features"),
        ("echo Traceback >&2; echo 'ImportError: libgomp.so.1' >&2; exit 1", "limited", "ImportError: libgomp.so.1"),
        ("kill -ABRT $$", "limited", "exit code -6"),
    ],
)
def test_inference(script: str, state: str, found: str) -> None:
    check = checks.inference(("/bin/sh", "-c", script))
    assert check.state == state
    assert check.found.endswith(found)
    assert bool(check.advice) == (state != "ok")


def test_a_probe_that_can_not_start() -> None:
    assert checks.inference(("/no/such/program",)).state == "limited"


def native_checks(script: str) -> list[checks.Check]:
    return list(checks.native(("/bin/sh", "-c", script)))


def test_attention_has_a_kernel_and_experts_a_store() -> None:
    attention, experts = native_checks("""echo '{"v": 1, "kernel": "avx2-exact", "reason": "", "experts": ""}'""")
    assert attention == checks.Check("attention", "ok", "avx2-exact, in llama.cpp")
    assert (experts.name, experts.state, experts.advice) == ("experts", "ok", "")


def test_experts_have_no_store() -> None:
    _, experts = native_checks("""echo '{"v": 1, "kernel": "avx2", "reason": "", "experts": "no device: build it again"}'""")
    assert (experts.state, experts.advice) == ("limited", "No device: build it again.")
    assert "mapped by llama.cpp" in experts.found


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        ("""echo '{"kernel": null, "reason": "not built: build them", "experts": "not built: build them"}'""", "Not built: build them."),
        ("echo Traceback >&2; echo 'ImportError: libgomp.so.1' >&2; exit 1", "Loading them failed: ImportError: libgomp.so.1; install"),
        ("kill -BUS $$", "Loading them failed: exit code -7; install"),
        ("echo nonsense", "Loading them failed: nonsense; install"),
        ("exit 0", "Loading them failed: exit code 0; install"),
    ],
)
def test_what_is_not_loaded_has_advice(script: str, advice: str) -> None:
    attention, experts = native_checks(script)
    assert [(check.name, check.state) for check in (attention, experts)] == [("attention", "limited"), ("experts", "limited")]
    assert attention.found == "llama.cpp's own, which is slow in long contexts"
    assert attention.advice.startswith(advice)
    assert experts.advice.startswith(advice)


def lives_checks(script: str) -> list[checks.Check]:
    return list(checks.lives(("/bin/sh", "-c", script)))


def test_places_of_a_model_and_how_its_experts_fare() -> None:
    line = '{"v":1,"model":"m","runs":true,"places":"RAM: 1 GB experts","experts":"a store","running":"71% of uses found in memory"}'
    places, experts, engine = lives_checks(f"echo '{line}'")
    assert places == checks.Check("model places", "ok", "m has RAM: 1 GB experts")
    assert experts == checks.Check("model experts", "ok", "a store")
    assert engine == checks.Check("engine experts", "ok", "71% of uses found in memory")
    (alone,) = lives_checks(f"echo '{line}' | sed 's/true/false/; s/\"a store\"/null/; s/\"71.*memory\"/null/'")
    assert alone == checks.Check("model places", "ok", "m would need RAM: 1 GB experts")


@pytest.mark.parametrize("script", ["echo broken >&2; exit 3", "kill -ABRT $$", "echo not JSON", "exit 0", "echo '{}'"])
def test_a_planner_that_fails_to_say_where(script: str) -> None:
    (check,) = lives_checks(script)
    assert (check.name, check.state) == ("model places", "limited")
    assert "the planner failed" in check.found


FIT = '{{"v":1,"memory_bytes":64000000000,"available_bytes":{available},"limit":"control group","memory_rate":{rate},"models":[{model}]}}'
K26 = '{"model":"kimi-k2.6","runs":false,"found":"it cannot run here","advice":"More memory."}'


def fit_checks(script: str) -> list[checks.Check]:
    return list(checks.fit(("/bin/sh", "-c", script)))


def test_memory_and_model_fit() -> None:
    memory, model = fit_checks(f"echo '{FIT.format(available=60_000_000_000, rate=2e10, model=K26)}'")
    assert memory == checks.Check("memory", "ok", "64 GB (control group), 60 GB available, read at 20 GB/s")
    assert model == checks.Check("model fit", "limited", "it cannot run here", "More memory.")


def test_little_memory_and_nothing_measured() -> None:
    memory, model = fit_checks(f"echo '{FIT.format(available=1000, rate='null', model=K26.replace('false', 'true'))}'")
    assert memory.state == "limited"
    assert memory.found.endswith("its speed not measured yet")
    assert model.state == "ok"


@pytest.mark.parametrize("script", ["echo broken >&2; exit 3", "kill -ABRT $$", "echo not JSON", "exit 0", "echo '{}'"])
def test_a_planner_that_fails_is_said(script: str) -> None:
    (check,) = fit_checks(script)
    assert check.state == "limited"
    assert "the planner failed" in check.found
    assert check.advice


def test_runtime_folder(environ: dict[str, str], tmp_path: Path) -> None:
    assert checks.runtime_folder(environ).state == "ok"
    file = tmp_path / "file"
    file.touch()
    assert checks.runtime_folder(environ | {"KIMICODE_HOME": str(file)}).state == "missing"


def test_sessions(tmp_path: Path) -> None:
    home = tmp_path / "not" / "made" / "yet"
    assert checks.sessions(home).state == "ok"
    assert list(tmp_path.iterdir()) == [], "looking leaves nothing behind"
    file = tmp_path / "file"
    file.touch()
    assert checks.sessions(file).state == "missing"
    assert checks.sessions(file / "below").state == "missing"


def test_disk(tmp_path: Path) -> None:
    assert checks.disk(tmp_path / "new", little=1).state == "ok"
    assert checks.disk(tmp_path, little=1 << 80).state == "limited"


@pytest.mark.parametrize(
    ("term", "encoding", "state"),
    [
        ("xterm-256color", "utf-8", "ok"),
        ("dumb", "utf-8", "limited"),
        ("", "utf-8", "limited"),
        ("xterm", "ascii", "limited"),
    ],
)
def test_terminal(term: str, encoding: str, state: str) -> None:
    check = checks.terminal(Terminal(), Terminal(encoding), {"TERM": term})
    assert check.state == state
    assert bool(check.advice) == (state != "ok")


def test_no_terminal() -> None:
    assert checks.terminal(None, sys.stdout, {"TERM": "xterm"}).state == "limited"
    assert checks.terminal(Terminal(), io.StringIO(), {"TERM": "xterm"}).state == "limited"


def test_the_whole(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "\x1b[2J")
    assert checks.doctor(as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in report["checks"]]
    assert (report["v"], report["ok"]) == (1, True)
    assert len(set(names)) == len(names)
    assert [check["name"] for check in report["checks"] if check["state"] != "ok" and not check["advice"]] == []
    Path(environ["KIMICODE_CONFIG"]).write_text("nonsense")
    assert checks.doctor(as_json=False) == 1
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    assert "\x1b" not in shown
