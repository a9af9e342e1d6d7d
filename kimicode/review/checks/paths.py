"""What a path says about a file: a test, documentation, a lock file, somebody else's code. Conventions of many languages, as data.

What this module does not do: read files. A path is only a hint: checks use it to be silent where made-up secrets and broken code belong.
"""

import re
from pathlib import PurePosixPath
from typing import Final

import msgspec

_TEST_FOLDERS: Final = frozenset(
    "test tests testing test_data testdata test-data spec specs __tests__ __mocks__ __fixtures__ __snapshots__ fixtures fixture"
    " mock mocks e2e integration cypress testcases testsuite testutil testutils t benchmarks bench fuzz corpus corpora".split()
)
_EXAMPLE_FOLDERS: Final = frozenset("example examples sample samples demo demos tutorial tutorials playground sandbox templates".split())
_DOC_FOLDERS: Final = frozenset("doc docs documentation website changelogs".split())
_OTHERS_FOLDERS: Final = frozenset(
    "node_modules vendor vendored _vendor third_party thirdparty 3rdparty external bower_components deps".split()
)
_TEST_NAME: Final = re.compile(
    r"(?:^|[._-])(?:tests?|specs?|fixtures?|mocks?|stories|bench)(?:[._-]|$)|^conftest\.|[a-z0-9](?:Tests?|Spec|IT|TestCase)\.\w+$|\.snap$"
)
_EXAMPLE_NAME: Final = re.compile(r"(?:^|[._-])(?:examples?|samples?|dist|template|tmpl|tpl|demo)(?:[._-]|$)", re.IGNORECASE)
_DOC_SUFFIXES: Final = frozenset(
    ".patch .diff .md .mdx .markdown .rst .adoc .asciidoc .txt .textile .org .tex .pod .ipynb .po .pot".split()
)
_LOCKS: Final = frozenset(
    "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock uv.lock pdm.lock Pipfile.lock"
    " pixi.lock conda-lock.yml Cargo.lock go.sum Gemfile.lock composer.lock mix.lock pubspec.lock Podfile.lock Package.resolved flake.lock"
    " packages.lock.json gradle.lockfile .terraform.lock.hcl Cartfile.resolved Manifest.toml MODULE.bazel.lock".split()
)
_TEMPLATE_SUFFIXES: Final = frozenset(
    ".j2 .jinja .jinja2 .erb .ejs .hbs .mustache .tmpl .tpl .template .in .liquid .twig .mako .slim .haml .gotmpl .cmake".split()
)


class PathKind(msgspec.Struct, frozen=True):
    """What the path says. `code` is what is left when it is nothing else: neither test, nor example, nor documentation."""

    test: bool
    example: bool
    docs: bool
    lock: bool
    foreign: bool
    template: bool

    @property
    def made_up(self) -> bool:
        """True where secrets, broken code and the like are usually made up on purpose."""
        return self.test or self.example or self.docs


def kind_of(path: str) -> PathKind:
    """The kind of a relative path with `/`."""
    pure = PurePosixPath(path)
    name, suffixes = pure.name, [each.lower() for each in pure.suffixes]
    folders = {part.lower() for part in pure.parts[:-1]}
    return PathKind(
        test=bool(folders & _TEST_FOLDERS) or any(_names_test(part) for part in folders) or _TEST_NAME.search(name) is not None,
        example=bool(folders & _EXAMPLE_FOLDERS) or _EXAMPLE_NAME.search(name) is not None,
        docs=bool(folders & _DOC_FOLDERS) or bool(suffixes and suffixes[-1] in _DOC_SUFFIXES) or name in ("README", "CHANGELOG", "NEWS"),
        lock=name in _LOCKS,
        foreign=bool(folders & _OTHERS_FOLDERS) or ".min." in name,
        template=bool(set(suffixes) & _TEMPLATE_SUFFIXES) or "templates" in folders,
    )


def _names_test(folder: str) -> bool:
    if folder.startswith(("test-", "test_", "dummy", "fake")):
        return True
    return (folder.endswith(("test", "tests", "test-utils")) and folder not in ("latest", "contest", "contests")) or folder.startswith(
        ("test-", "test_", "dummy", "fake")
    )
