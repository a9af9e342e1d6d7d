"""What neither a tool nor a command may read: keys, passwords, tokens, and the user's other sessions.

What this module does not do: look into files for secrets, or hide anything itself (`sandbox.policy` and the tier do).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_IN_HOME: Final = tuple(
    """.ssh .gnupg .aws .azure .kube .oci .netrc _netrc .authinfo .authinfo.gpg .git-credentials .npmrc .yarnrc.yml .pypirc .pgpass .my.cnf
    .docker/config.json .docker/contexts .cargo/credentials .cargo/credentials.toml .gem/credentials .bundle/config .m2/settings.xml
    .gradle/gradle.properties .composer/auth.json .terraform.d .terraformrc .vault-token .s3cfg .boto .databrickscfg .snowflake .fly
    .huggingface/token .cache/huggingface/token .cache/huggingface/stored_tokens .kaggle .wandb .modal.toml .cdsapirc
    .config/gh .config/glab-cli .config/hub .config/gcloud .config/git/credentials .config/op .config/rclone .config/containers/auth.json
    .config/kimicode .config/doctl .config/heroku .config/netlify .config/configstore .config/pypoetry/auth.toml .config/age
    .config/sops .config/Bitwarden .config/Bitwarden\\ CLI .config/keepassxc .config/1Password .config/Yubico
    .config/google-chrome .config/chromium .config/BraveSoftware .config/microsoft-edge .config/vivaldi .config/opera .mozilla .thunderbird
    .var/app/org.mozilla.firefox snap/firefox .local/share/keyrings .local/share/kwalletd .password-store .local/share/password-store
    .kimi .codex/auth.json .claude/.credentials.json .claude.json .gemini/oauth_creds.json .config/github-copilot
    .bash_history .zsh_history .python_history .psql_history .mysql_history .node_repl_history .local/share/fish/fish_history
    Library/Keychains Library/Cookies Library/Application\\ Support/Google/Chrome Library/Application\\ Support/Firefox
    Library/Application\\ Support/BraveSoftware Library/Application\\ Support/kimicode Library/Safari""".replace("\\ ", "\0").split()
)
"""Below the home folder. `.kimi`, `.codex/auth.json` and the like hold keys of other agents; histories hold what was typed in haste."""

_MAX_CHILDREN: Final = 10_000


def hidden_paths(home: Path, environ: Mapping[str, str], kimicode_home: Path, *, own: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """The paths to hide, of those that exist, resolved and sorted; none lies below another.

    Beside a list of well-known places: what `environ` names as such (`AWS_SHARED_CREDENTIALS_FILE`, …), the folder with kimicode's
    settings, and everything in `kimicode_home` except for the paths in `own` (this session's scratch folder, temporary folder, workspace).
    """
    wanted = [home / name.replace("\0", " ") for name in _IN_HOME]
    wanted += [Path(environ[name]) for name in _NAMED if environ.get(name, "").startswith("/")]
    wanted += [Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "kimicode"]
    if config := environ.get("KIMICODE_CONFIG", ""):
        # The keys of endpoints lie beside it.
        wanted += [Path(config).absolute(), Path(config).absolute().with_name("keys.toml")]
    visible = tuple(real for path in own if (real := _real(path)) is not None)
    if not home.is_relative_to(kimicode_home):
        wanted += _all_but(kimicode_home, visible)
    found = {real for path in wanted if (real := _real(path)) is not None and not _covers(real, visible)}
    return tuple(sorted(path for path in found if not any(parent in found for parent in path.parents)))


_NAMED: Final = (
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "AZURE_CONFIG_DIR",
    "GNUPGHOME",
    "NETRC",
    "NPM_CONFIG_USERCONFIG",
    "PGPASSFILE",
    "KUBECONFIG",
    "DOCKER_CONFIG",
    "GH_CONFIG_DIR",
    "VAULT_TOKEN_PATH",
    "HF_TOKEN_PATH",
    "PASSWORD_STORE_DIR",
)
"""Variables that move a well-known place."""


def _all_but(folder: Path, visible: tuple[Path, ...]) -> Iterator[Path]:
    """Everything in `folder`, as few paths as can be, that is no path of `visible`, nor above or below one."""
    real = _real(folder)
    if real is None or any(real.is_relative_to(path) for path in visible):
        return
    if not any(path.is_relative_to(real) for path in visible):
        yield real
        return
    with suppress(OSError), os.scandir(real) as entries:
        children = [Path(entry.path) for _, entry in zip(range(_MAX_CHILDREN), entries, strict=False)]
        for child in children:
            yield from _all_but(child, visible)


def _covers(path: Path, visible: tuple[Path, ...]) -> bool:
    return path == Path("/") or any(each.is_relative_to(path) for each in visible)


def _real(path: Path) -> Path | None:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
