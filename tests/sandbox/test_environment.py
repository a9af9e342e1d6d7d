"""Which variables a command never sees."""

import pytest

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
]
HARMLESS = [
    "PATH",
    "HOME",
    "LANG",
    "KEYBOARD",
    "MONKEY",
    "TOKENIZERS_PARALLELISM",
    "PASSAGE",
    "SSH_AUTH_SOCK",
    "COMPAT",
    "PYTHONPATH",
    "API_KEY_FILE_COUNT",
    "BYPASS",
    "VIRTUAL_ENV",
    "SECRETARY",
]


@pytest.mark.parametrize("name", SECRETS)
def test_secret(name: str) -> None:
    assert is_secret(name)
    assert name not in child_environment({name: "x"})


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(name: str) -> None:
    assert child_environment({name: "x"})[name] == "x"


def test_nobody_is_at_the_terminal() -> None:
    environ = {"TERM": "xterm-256color", "PAGER": "less"}
    child = child_environment(environ)
    assert (child["TERM"], child["PAGER"], child["GIT_TERMINAL_PROMPT"]) == ("dumb", "cat", "0")
    assert environ == {"TERM": "xterm-256color", "PAGER": "less"}
