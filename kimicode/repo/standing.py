"""What a file is to a reader, told by its path: source, a test, or matter around it (documentation, examples, generated, vendored).

What this module does not do: read files.
"""

import re
from enum import IntEnum
from typing import Final


class Standing(IntEnum):
    """What comes first where not all can be shown."""

    SOURCE = 0
    TEST = 1
    AROUND = 2


_TEST_FOLDERS: Final = frozenset(
    {
        "test",
        "tests",
        "__tests__",
        "spec",
        "specs",
        "testdata",
        "test-data",
        "fixtures",
        "e2e",
        "unittests",
        "testsuite",
        "mocks",
        "__mocks__",
    }
)
_TEST_NAME: Final = re.compile(
    r"^(?:test_.*|conftest)\.py$|[._-](?:test|tests|spec)\.\w+$|(?:Test|Tests|Spec)\.(?:java|kt|scala|cs|swift|php)$"
)
_AROUND_FOLDERS: Final = frozenset(
    {
        *(
            "vendor",
            "vendored",
            "_vendor",
            "third_party",
            "third-party",
            "thirdparty",
            "3rdparty",
            "node_modules",
            "extern",
            "external",
            "deps",
        ),
        *("doc", "docs", "documentation", "example", "examples", "sample", "samples", "demo", "demos", "bench", "benches", "benchmarks"),
        *("dist", "build", "out", "generated", "gen", "migrations", "locale", "locales", "site", "website", "_build", "target"),
    }
)
_AROUND_NAME: Final = re.compile(
    r"\.(?:md|rst|txt|adoc|lock|csv|svg|po|json|html?|map|xml|log)$|\.min\.(?:js|css)$|_pb2(?:_grpc)?\.pyi?$|\.pb\.(?:go|cc|h)$"
    r"|^(?:CHANGELOG|CHANGES|HISTORY|NEWS|LICENSE|AUTHORS|README)",
    re.IGNORECASE,
)


def standing(path: str) -> Standing:
    """Of the file at `path`, relative to the workspace."""
    *folders, name = path.split("/")
    if _AROUND_NAME.search(name) or any(folder in _AROUND_FOLDERS for folder in folders):
        return Standing.AROUND
    if _TEST_NAME.search(name) or any(folder in _TEST_FOLDERS for folder in folders):
        return Standing.TEST
    return Standing.SOURCE
