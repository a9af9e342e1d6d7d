"""The environment a command gets: what programs need to work, nothing that is secret or changes what runs, nobody at the terminal.

Names are allowed, not denied: what nobody thought of stays outside, and the user can add names (`[sandbox] pass_env`). A value that is
a key is known by its name, and by looking like a password in a URL or a private key. What this module does not do: hide files, or
keep a command from finding a secret elsewhere.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SECRET: Final = re.compile(
    r"(?:^|_)(?:API_?KEY|ACCESS_KEY|ACCESS_KEY_ID|SECRET_KEY|PRIVATE_KEY|AUTH_KEY|AUTH_?TOKEN|TOKEN|SECRETS?|PASS|PAT|AUTH|CREDENTIALS?)$"
    r"|(?:PASSWORD|PASSWD|PASSPHRASE|APIKEY)$",
    re.IGNORECASE,
)
_SECRET_VALUE: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]*@|-----BEGIN [A-Z ]*PRIVATE KEY", re.IGNORECASE)

_ALLOWED: Final = frozenset(
    """PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ HOSTNAME COLUMNS LINES NO_COLOR CI MANPATH INFOPATH SOURCE_DATE_EPOCH
    XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CONFIG_DIRS XDG_DATA_DIRS
    http_proxy https_proxy ftp_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS NIX_SSL_CERT_FILE PIP_CERT
    VIRTUAL_ENV VIRTUAL_ENV_PROMPT PYENV_ROOT PYENV_VERSION PYTHONPATH PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE PYTHONIOENCODING
    PYTHONUTF8 PYTHONHASHSEED PYTHONPYCACHEPREFIX PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CACHE_DIR PIP_DISABLE_PIP_VERSION_CHECK
    UV_CACHE_DIR UV_INDEX_URL UV_PYTHON UV_PROJECT_ENVIRONMENT POETRY_HOME PIPX_HOME DJANGO_SETTINGS_MODULE FLASK_APP
    JAVA_HOME JDK_HOME JRE_HOME MAVEN_HOME M2_HOME GRADLE_HOME GRADLE_USER_HOME KOTLIN_HOME SCALA_HOME SDKMAN_DIR ANDROID_HOME
    ANDROID_SDK_ROOT ANDROID_NDK_HOME GOPATH GOROOT GOBIN GOCACHE GOMODCACHE GOPROXY GOPRIVATE GONOSUMDB GOSUMDB GOOS GOARCH GOTOOLCHAIN
    CGO_ENABLED CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_TARGET_DIR RUSTFLAGS RUST_BACKTRACE RUST_LOG
    NVM_DIR NVM_BIN NODE_ENV NODE_PATH NPM_CONFIG_CACHE NPM_CONFIG_PREFIX NPM_CONFIG_REGISTRY npm_config_cache npm_config_prefix
    npm_config_registry PNPM_HOME BUN_INSTALL DENO_DIR DENO_INSTALL VOLTA_HOME FNM_DIR FNM_MULTISHELL_PATH COREPACK_HOME YARN_CACHE_FOLDER
    ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR RBENV_ROOT RBENV_VERSION GEM_HOME GEM_PATH BUNDLE_PATH BUNDLE_GEMFILE RAILS_ENV RACK_ENV
    COMPOSER_HOME PERL5LIB PERL_LOCAL_LIB_ROOT LUA_PATH LUA_CPATH DOTNET_ROOT NUGET_PACKAGES OPAM_SWITCH_PREFIX OPAMROOT MIX_ENV MIX_HOME
    HEX_HOME JULIA_DEPOT_PATH R_HOME R_LIBS R_LIBS_USER STACK_ROOT CABAL_DIR TEXMFHOME TEXINPUTS
    CC CXX CPP LD AR AS NM RANLIB STRIP FC F77 CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LDLIBS FFLAGS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH
    LIBRARY_PATH PKG_CONFIG PKG_CONFIG_PATH PKG_CONFIG_LIBDIR ACLOCAL_PATH CCACHE_DIR SDKROOT DEVELOPER_DIR MACOSX_DEPLOYMENT_TARGET
    CUDA_HOME CUDA_PATH CUDA_VISIBLE_DEVICES ROCM_PATH HIP_VISIBLE_DEVICES MKL_NUM_THREADS OPENBLAS_NUM_THREADS
    HF_HOME HF_HUB_OFFLINE TORCH_HOME TOKENIZERS_PARALLELISM NIX_PATH NIX_PROFILES HOMEBREW_PREFIX HOMEBREW_CELLAR HOMEBREW_REPOSITORY
    __CF_USER_TEXT_ENCODING""".split()
)
_ALLOWED_PREFIXES: Final = ("LC_", "CONDA_", "MAMBA_", "CMAKE_", "OMP_")

_NEVER: Final = re.compile(
    r"LD_(?!LIBRARY_PATH$)|DYLD_|GIT_|KIMICODE_|DBUS_|BASH_|SSH_|GPG_"
    r"|(?:ENV|IFS|SHELLOPTS|BASHOPTS|PS4|CDPATH|GLOBIGNORE|PROMPT_COMMAND|ZDOTDIR|PYTHONSTARTUP|PYTHONHOME|PYTHONINSPECT|PYTHONBREAKPOINT"
    r"|PERL5OPT|PERL5DB|RUBYOPT|RUBYLIB|NODE_OPTIONS|NODE_REPL_EXTERNAL_MODULE|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS"
    r"|PAGER|MANPAGER|LESS|LESSOPEN|LESSCLOSE|EDITOR|VISUAL|BROWSER|RUSTC_WRAPPER|GOFLAGS|MAKEFLAGS|PYTEST_ADDOPTS|PYTEST_PLUGINS|GCONV_PATH"
    r"|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|SUDO_ASKPASS|DOCKER_HOST|LOCPATH|HOSTALIASES|TERMINFO|TERMCAP)$"
)
"""What makes programs run or load something else, or leads to the user's own services. Not even `pass_env` opens these."""

_UNATTENDED: Final = {
    "TERM": "dumb",
    "PAGER": "cat",
    "MANPAGER": "cat",
    "EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_NO_INPUT": "1",
}
"""Nobody can page, answer or edit: programs that would wait for a person go on or fail instead. `git status` writes no index."""


def is_secret(name: str) -> bool:
    """True for the names under which keys, tokens and passwords are kept: `…_API_KEY`, `…_TOKEN`, `…_SECRET`, `…PASSWORD`, …"""
    return _SECRET.search(name) is not None


def child_environment(
    environ: Mapping[str, str], *, pass_env: frozenset[str] = frozenset(), temporary: Path | None = None
) -> dict[str, str]:
    """`environ` as a command may see it. Pure.

    `pass_env` are names that the user adds; such a variable may be a secret. `temporary` is where temporary files go.
    """
    kept = {name: value for name, value in environ.items() if _passes(name, value, pass_env)}
    if "PATH" in kept:
        # A relative folder on the search path is whatever folder the command is in: `ls` could be the repository's.
        kept["PATH"] = ":".join(folder for folder in kept["PATH"].split(":") if folder.startswith("/"))
    folder = {} if temporary is None else dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(temporary))
    return kept | _UNATTENDED | folder


def _passes(name: str, value: str, pass_env: frozenset[str]) -> bool:
    if _NEVER.match(name):
        return False
    if name in pass_env:
        return True
    allowed = name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)
    return allowed and not is_secret(name) and _SECRET_VALUE.search(value) is None
