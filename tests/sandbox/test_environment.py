"""Which variables a command sees: an allow-list, no secrets, nothing that changes what runs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.sandbox.environment import child_environment, is_secret

SECRETS = [
    "MOONSHOT_API_KEY",
    "OPENROUTER_API_KEY",
    "api_key",
    "OPENAI_APIKEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "TOKEN",
    "HF_TOKEN",
    "CLIENT_SECRET",
    "DB_PASSWORD",
    "PGPASSWORD",
    "MYSQL_PASSWD",
    "SSH_PASSPHRASE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITLAB_PAT",
    "DJANGO_SECRET_KEY",
    "DEPLOY_PRIVATE_KEY",
    "kimi_api_key",
    "DB_PASS",
    "npm_config__auth",
    "CONDA_TOKEN",
    "LC_SECRET",
    "CMAKE_API_KEY",
]
NO_SECRETS = [
    "PATH",
    "KEYBOARD",
    "MONKEY",
    "TOKENIZERS_PARALLELISM",
    "PASSAGE",
    "COMPAT",
    "API_KEY_FILE_COUNT",
    "BYPASS",
    "SECRETARY",
    "AUTHOR",
]
SEEN = [
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "JAVA_HOME",
    "GOPATH",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "NVM_DIR",
    "NODE_PATH",
    "PYTHONPATH",
    "PKG_CONFIG_PATH",
    "CC",
    "CXXFLAGS",
    "CI",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "http_proxy",
    "HTTPS_PROXY",
    "NO_PROXY",
    "CMAKE_PREFIX_PATH",
]
UNSEEN = ["SOME_PROJECT_VARIABLE", "STRIPE", "LD_LIBRARY_PATH", "AWS_PROFILE", "GITHUB_ACTIONS", "LESSCHARSET", "npm_config_script_shell"]
NEVER = [
    "LD_PRELOAD",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PERL5OPT",
    "RUBYOPT",
    "NODE_OPTIONS",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIR",
    "GIT_CONFIG_COUNT",
    "LESSOPEN",
    "IFS",
    "SHELLOPTS",
    "BASH_FUNC_ls%%",
    "KIMICODE_HOME",
    "KIMICODE_API_KEY",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "JAVA_TOOL_OPTIONS",
    "DOCKER_HOST",
    "ZDOTDIR",
    "PS4",
]
CREDENTIAL_VALUES = [
    "http://user:pass@proxy:8080",
    "https://ghp_abc@github.com/x",
    "--index-url https://u:p@pypi/simple",
    "HTTPS://U:P@HOST",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
]


@pytest.mark.parametrize("name", SECRETS)
def test_secret(name: str) -> None:
    assert is_secret(name)
    assert name not in child_environment({name: "x"})


@pytest.mark.parametrize("name", NO_SECRETS)
def test_no_secret(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("name", SEEN)
def test_seen(name: str) -> None:
    assert child_environment({name: "x"})[name] == "x"


@pytest.mark.parametrize("name", UNSEEN)
def test_what_nobody_allowed_is_unseen_until_the_user_passes_it(name: str) -> None:
    assert name not in child_environment({name: "x"})
    assert child_environment({name: "x"}, pass_env=frozenset({name}))[name] == "x"


@pytest.mark.parametrize("name", NEVER)
def test_never_seen_even_when_passed(name: str) -> None:
    assert name not in child_environment({name: "evil"}, pass_env=frozenset({name}))


@pytest.mark.parametrize("value", CREDENTIAL_VALUES)
def test_a_value_with_a_credential_is_dropped_unless_passed(value: str) -> None:
    assert "HTTPS_PROXY" not in child_environment({"HTTPS_PROXY": value})
    assert child_environment({"HTTPS_PROXY": value}, pass_env=frozenset({"HTTPS_PROXY"}))["HTTPS_PROXY"] == value


@pytest.mark.parametrize("value", ["http://proxy:8080", "http://proxy:8080/path?to=a@b", "a@b", "postgres://host/db"])
def test_other_values_are_kept(value: str) -> None:
    assert child_environment({"HTTPS_PROXY": value})["HTTPS_PROXY"] == value


def test_the_user_may_pass_a_secret() -> None:
    assert child_environment({"GH_TOKEN": "t"}, pass_env=frozenset({"GH_TOKEN"}))["GH_TOKEN"] == "t"


def test_nobody_is_at_the_terminal() -> None:
    environ = {"TERM": "xterm-256color", "PAGER": "less", "GIT_EDITOR": "vim", "TMPDIR": "/elsewhere"}
    child = child_environment(environ, temporary=Path("/own"))
    assert (child["TERM"], child["PAGER"], child["GIT_EDITOR"]) == ("dumb", "cat", "true")
    assert (child["GIT_TERMINAL_PROMPT"], child["GIT_OPTIONAL_LOCKS"]) == ("0", "0")
    assert child["TMPDIR"] == child["TMP"] == child["TEMP"] == "/own"
    assert environ == {"TERM": "xterm-256color", "PAGER": "less", "GIT_EDITOR": "vim", "TMPDIR": "/elsewhere"}


def test_only_absolute_folders_are_searched_for_programs() -> None:
    assert child_environment({"PATH": ".::/usr/bin:bin:/bin:"})["PATH"] == "/usr/bin:/bin"


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=8))
def test_nothing_is_made_up(environ: dict[str, str]) -> None:
    fixed = child_environment({})
    for name, value in child_environment(environ).items():
        assert name in fixed or name == "PATH" or environ[name] == value
