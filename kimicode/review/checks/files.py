"""What a change does to files as such: large and binary additions, keys, build products, links, modes, names, submodules.

Told by name, mode, size and first bytes. What this module does not do: look for secrets inside of files (`secrets`).
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from kimicode.review.change import LINK, SUBMODULE
from kimicode.review.checks.rule import Rule
from kimicode.review.checks.secret_values import is_reference, made_up
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Category, Finding, Severity


def _rule(
    id: str,
    severity: Severity,
    title: str,
    scenario: str,
    suggestion: str,
    example: str,
    category: Category = "hygiene",
    confidence: float = 1.0,
) -> Rule:
    return Rule(
        id=id,
        severity=severity,
        category=category,
        title=title,
        scenario=scenario,
        suggestion=suggestion,
        example=example,
        confidence=confidence,
    )


SECRET_FILE: Final = _rule(
    "secret/file",
    Severity.HIGH,
    "A file that holds keys or passwords",
    "Files of this name hold private keys, passwords or settings with secrets; whoever reads the repository has them.",
    "Take it out of the change (git rm --cached) and list it in .gitignore; commit an example without values instead.",
    "id_ed25519, .env with values, *.p12",
    "security",
    0.9,
)
LARGE: Final = _rule(
    "file/large",
    Severity.MEDIUM,
    "A large file is added",
    "Every clone takes it along for ever, even after it is deleted; hosts refuse files of 100 MB and more.",
    "Keep it out of the repository: fetch it when it is needed, or use Git LFS.",
    "model.bin, 40 MB",
)
PRODUCT: Final = _rule(
    "file/product",
    Severity.MEDIUM,
    "A build product, archive or database is added",
    "Nobody can review it, it does not merge, and it is stale as soon as its sources change.",
    "Leave it out and list it in .gitignore; build or fetch it when it is needed.",
    "app.exe, data.sqlite, dist.zip",
    confidence=0.9,
)
LEFTOVER: Final = _rule(
    "file/leftover",
    Severity.MEDIUM,
    "A file that a merge, an editor or the system left behind",
    "It is not part of the work: it goes stale, and may hold a version that was discarded on purpose.",
    "Leave it out and list its pattern in .gitignore.",
    "app.py.orig, .DS_Store, app.py.rej",
    confidence=0.95,
)
SUBMODULE_MOVED: Final = _rule(
    "file/submodule",
    Severity.LOW,
    "A submodule points to another commit",
    "Often moved by accident with `git commit -a`; everybody then builds another version of it.",
    "If it was not meant, take it out: git restore --staged PATH.",
    "a commit of vendor/lib instead of another",
    "compatibility",
)
LINK_OUTSIDE: Final = _rule(
    "file/link-outside",
    Severity.HIGH,
    "A link leads out of the repository",
    "Elsewhere it leads to nothing, or to a file that does not belong to the project: programs that follow it read or write that.",
    "Link to a file of the repository, with a relative path.",
    "config -> /etc/passwd",
    "security",
)
NOT_EXECUTABLE: Final = _rule(
    "file/mode",
    Severity.LOW,
    "A file that can't be run is marked executable",
    "It starts with neither #! nor the mark of a program: the mode was most likely changed by a copy from another file system.",
    "chmod -x",
    "README.md with mode 755",
)
NAME: Final = _rule(
    "file/name",
    Severity.LOW,
    "A name that some systems can't have",
    "A checkout on Windows fails, or leaves the file out.",
    "Rename it.",
    "aux.py, notes?.txt",
    "compatibility",
)
CASE: Final = _rule(
    "file/case",
    Severity.MEDIUM,
    "Two names differ only in case",
    "Where file names have no case (Windows, macOS) a checkout has only one of them, and it shows as changed.",
    "Rename one of them.",
    "Readme.md beside README.md",
    "compatibility",
)
RULES: Final = (SECRET_FILE, LARGE, PRODUCT, LEFTOVER, SUBMODULE_MOVED, LINK_OUTSIDE, NOT_EXECUTABLE, NAME, CASE)

_KEY_NAMES: Final = re.compile(
    r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|\.netrc|_netrc|\.pgpass|\.my\.cnf|\.git-credentials|\.dockercfg|\.htpasswd|secring\.gpg|terraform\.tfstate"
    r"|.*\.(?:p12|pfx|jks|keystore|kdbx|ppk|agekey|tfstate)",
)
_KEY_FINE: Final = frozenset(("debug.keystore", "cacerts.jks", "truststore.jks"))
_ENVIRONMENT: Final = re.compile(
    r"\.env(?:\.(?:local|dev|development|prod|production|staging|live|secrets?))*|(?:prod|production|staging|secrets?)\.env"
)
_SECRET_LINE: Final = re.compile(
    r"(?:export )?[A-Z0-9_]*(?:PASS|SECRET|TOKEN|KEY|CREDENTIAL|DATABASE_URL|DSN)[A-Z0-9_]*\s*=\s*[\"']?([^\"'\s#]{6,})", re.IGNORECASE
)
_PRODUCTS: Final = frozenset(
    ".exe .dll .so .dylib .o .obj .a .lib .class .pyc .pyo .jar .war .ear .zip .tar .tgz  .7z .rar .iso .dmg .msi .deb .rpm"
    " .apk .aab .ipa .sqlite .sqlite3 .db .mdb .dmp .core .pdb .whl .egg .gem .nupkg .pkg".split()
)
_PRODUCTS_FINE: Final = frozenset(("gradle-wrapper.jar", "maven-wrapper.jar"))
_LEFT: Final = re.compile(
    r".+\.(?:orig|rej|swp|swo)|.+~|\.DS_Store|Thumbs\.db|desktop\.ini|.+_(?:BACKUP|BASE|LOCAL|REMOTE)_\d+\.\w+|#.+#|\.#.+|core\.\d+"
)
_WINDOWS: Final = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?|.*[<>:\"|?*\\\x00-\x1f].*|.*[. ]", re.IGNORECASE)
_PROGRAMS: Final = (
    b"#!",
    b"\x7fELF",
    b"MZ",
    b"\xcf\xfa\xed\xfe",
    b"\xfe\xed\xfa",
    b"\xca\xfe\xba\xbe",
    b"@echo",
    b"@ECHO",
    b":;",
    b"/usr/bin/env",
)
_EXECUTABLE: Final = "100755"
_MAX_BINARIES: Final = 32
"""Binary files of one change that are read for their size and first bytes."""


def file_findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong with one file as such."""
    file = subject.file
    if file.new_mode == SUBMODULE:
        if file.status != "added":
            yield SUBMODULE_MOVED.at(subject.path, 1, quote=file.new_oid[:12])
        return
    if file.new_mode == LINK:
        yield from _link(subject)
        return
    if file.status in ("added", "renamed", "copied"):
        yield from _named(subject)
    yield from _mode(subject)
    yield from _large_text(subject)


def change_findings(subjects: tuple[Subject, ...]) -> Iterator[Finding]:
    """What can be told of all files together."""
    yield from _cases(subjects)
    binaries = [each for each in subjects if each.file.binary and each.file.new_mode not in (LINK, SUBMODULE)]
    for subject in [each for each in binaries if each.file.status in ("added", "modified")][:_MAX_BINARIES]:
        yield from _binary(subject)


def _named(subject: Subject) -> Iterator[Finding]:
    name, kind = PurePosixPath(subject.path).name, subject.kind
    if any(_WINDOWS.fullmatch(part) for part in PurePosixPath(subject.path).parts):
        yield NAME.at(subject.path, 1, quote=name)
    if _LEFT.fullmatch(name) and not kind.test:
        yield LEFTOVER.at(subject.path, 1, quote=name)
    if kind.made_up or kind.foreign:
        return
    if _KEY_NAMES.fullmatch(name) and name not in _KEY_FINE:
        yield SECRET_FILE.at(subject.path, 1, quote=name)
    elif _ENVIRONMENT.fullmatch(name) and (line := _secret_line(subject)):
        yield SECRET_FILE.at(subject.path, line, quote=name, title=f"{name} holds values that look like secrets")


def _secret_line(subject: Subject) -> int:
    """The first added line that gives a value to a secret's name; 0 where none does."""
    for number, text in subject.added:
        found = _SECRET_LINE.match(text.strip())
        if found and not made_up(found[1]) and not is_reference(found[1]):
            return number
    return 0


def _link(subject: Subject) -> Iterator[Finding]:
    target = "".join(text for _, text in subject.added)
    place = posixpath.normpath(posixpath.join(posixpath.dirname(subject.path), target))
    if target and (target.startswith(("/", "~")) or place == ".." or place.startswith("../") or re.match(r"[A-Za-z]:[\\/]", target)):
        yield LINK_OUTSIDE.at(subject.path, 1, quote=target, title=f"A link leads out of the repository: {target}")


def _mode(subject: Subject) -> Iterator[Finding]:
    file = subject.file
    if file.new_mode != _EXECUTABLE or file.old_mode == _EXECUTABLE or subject.kind.foreign:
        return
    data = subject.new
    if data is not None and data and not data.startswith(_PROGRAMS):
        yield NOT_EXECUTABLE.at(subject.path, 1, quote=f"mode {file.new_mode}")


def _large_text(subject: Subject) -> Iterator[Finding]:
    limit = subject.scene.config.max_file_bytes
    if not subject.file.binary and len(subject.added_text) > limit:
        yield LARGE.at(subject.path, 1, title=f"{_megabytes(len(subject.added_text))} of text are added in one file")


def _binary(subject: Subject) -> Iterator[Finding]:
    pure = PurePosixPath(subject.path)
    data = subject.new
    size, old = len(data or b""), len(subject.old or b"")
    limit = subject.scene.config.max_binary_bytes
    made = subject.kind.made_up or subject.kind.foreign
    if size > limit and size > old * 1.5:
        yield LARGE.at(subject.path, 1, title=f"A binary file of {_megabytes(size)} is added")
    elif subject.file.status == "added" and not made and pure.name not in _PRODUCTS_FINE and not _KEY_NAMES.fullmatch(pure.name):
        program = (data or b"").startswith((b"\x7fELF", b"MZ\x90", b"\xcf\xfa\xed\xfe", b"SQLite format 3\x00"))
        if program or pure.suffix.lower() in _PRODUCTS or ".tar" in pure.suffixes:
            yield PRODUCT.at(subject.path, 1, quote=pure.name)


def _cases(subjects: tuple[Subject, ...]) -> Iterator[Finding]:
    added = [each for each in subjects if each.file.status in ("added", "renamed", "copied")]
    if not added:
        return
    names = defaultdict[str, set[str]](set)
    for path in (*(each.path for each in subjects), *added[0].scene.tracked()):
        names[path.lower()].add(path)
    for each in added:
        others = sorted(names[each.path.lower()] - {each.path, each.file.origin})
        if others:
            yield CASE.at(each.path, 1, quote=each.path, title=f"The name differs from {others[0]} only in case")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
