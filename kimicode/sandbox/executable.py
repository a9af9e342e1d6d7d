"""Files of a project that tools run or obey without being told to: changing them is legitimate work, and worth a mark.

The approval shows the mark, since `pytest` after a change to `conftest.py` runs that change. What this module does not do: protect
anything (`sandbox.protected`), or know every tool there is.
"""

from fnmatch import fnmatchcase
from typing import Final

_NAMES: Final = frozenset(
    """conftest.py sitecustomize.py usercustomize.py setup.py setup.cfg pyproject.toml tox.ini pytest.ini noxfile.py tasks.py fabfile.py
    dodo.py sconstruct sconscript wscript
    makefile gnumakefile bsdmakefile justfile .justfile taskfile.yml taskfile.yaml rakefile gemfile guardfile vagrantfile procfile
    package.json .npmrc .yarnrc .yarnrc.yml .pnpmfile.cjs bunfig.toml deno.json deno.jsonc .eslintrc .prettierrc .babelrc .mocharc.yml
    build.rs cargo.toml build.gradle build.gradle.kts settings.gradle settings.gradle.kts gradlew mvnw pom.xml build.sbt
    cmakelists.txt cmakepresets.json meson.build configure configure.ac build build.bazel workspace module.bazel .bazelrc
    dockerfile containerfile docker-compose.yml docker-compose.yaml compose.yml compose.yaml devcontainer.json
    .gitattributes .gitmodules .pre-commit-config.yaml .pre-commit-hooks.yaml lefthook.yml .lefthook.yml .gitlab-ci.yml jenkinsfile
    .travis.yml azure-pipelines.yml .drone.yml mise.toml .mise.toml .tool-versions flake.nix shell.nix default.nix
    .vimrc .exrc .nvimrc .nvim.lua .gdbinit .lldbinit .ripgreprc .clangd .mailcap .inputrc .env .rspec .irbrc .pryrc .perltidyrc
    agents.md claude.md gemini.md kimi.md .cursorrules .windsurfrules .aider.conf.yml""".split()
)
_PATTERNS: Final = (
    "*.pth",
    "*.config.js",
    "*.config.cjs",
    "*.config.mjs",
    "*.config.ts",
    ".eslintrc.*",
    ".prettierrc.*",
    ".babelrc.*",
    ".mocharc.*",
    "dockerfile.*",
    "*.mk",
    "*.gemspec",
    ".env.*",
)
_FOLDERS: Final = frozenset(
    {".github", ".circleci", ".husky", ".devcontainer", ".cargo", ".githooks", ".yarn", ".mvn", ".zed", ".buildkite"}
)


def executable_config(parts: tuple[str, ...]) -> bool:
    """True where the file of these `parts` below a workspace is run or obeyed implicitly by common tools. Pure."""
    if not parts:
        return False
    name = parts[-1].casefold()
    return (
        name in _NAMES
        or any(fnmatchcase(name, pattern) for pattern in _PATTERNS)
        or any(part.casefold() in _FOLDERS for part in parts[:-1])
    )
