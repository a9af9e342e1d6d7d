"""Lock files and their manifests: one changed without the other, and packages that suddenly come from elsewhere.

What this module does not do: resolve dependencies, or ask a registry. Whether a lock belongs to a manifest goes by their names.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import msgspec

from kimicode.review.checks.rule import Rule
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Finding, Severity

ALONE: Final = Rule(
    id="lock/without-manifest",
    severity=Severity.LOW,
    category="compatibility",
    title="A lock file changed without its manifest",
    scenario="Other versions are installed than before, and nothing in the manifest says why; the next update may undo it.",
    suggestion="If it was meant (an audit fix, an update within ranges), go on; else restore the lock file.",
    example="package-lock.json without package.json",
    confidence=0.8,
)
BEHIND: Final = Rule(
    id="lock/not-updated",
    severity=Severity.MEDIUM,
    category="compatibility",
    title="Dependencies changed, and the lock file did not",
    scenario="An install from the lock file (npm ci, --locked, --frozen) fails, or installs without what the manifest now asks for.",
    suggestion="Update the lock file with the package manager and add it to the change.",
    example="package.json without package-lock.json",
    confidence=0.85,
)
HOST: Final = Rule(
    id="lock/other-host",
    severity=Severity.HIGH,
    category="security",
    title="A locked package comes from another host than before",
    scenario="Whoever controls that host decides what everybody installs and runs; a manifest that nobody changed hides it.",
    suggestion="Restore the line and let the package manager write the lock file; if the host is yours, add it in a change of its own.",
    example='"resolved": "https://registry.example.net/left-pad.tgz"',
    confidence=0.9,
)
PLAIN: Final = Rule(
    id="lock/plain-http",
    severity=Severity.MEDIUM,
    category="security",
    title="A locked package is fetched without encryption",
    scenario="Whoever is on the way can replace the package; only a hash in the lock file would notice.",
    suggestion="Use https.",
    example='"resolved": "http://registry.npmjs.org/…"',
    confidence=0.9,
)
RULES: Final = (ALONE, BEHIND, HOST, PLAIN)


class _Pair(msgspec.Struct, frozen=True):
    """Manifests and locks of one package manager; `dependency` tells a manifest's line that a lock depends on."""

    manifests: tuple[str, ...]
    locks: tuple[str, ...]
    dependency: str


_JS: Final = r'\s*"(?:@?[\w.-]+/)?[\w.-]+":\s*"(?:[\^~<>=*]|\d+\.|npm:|git|workspace:|file:|latest)[^"]*",?\s*$'
_TOML: Final = r"\s*(?:[\w.-]+\s*=\s*[\"{].*|\"[\w.\[\]-]+\s*(?:[<>=~!@].*|)\",?\s*)$"
_PAIRS: Final = (
    _Pair(("package.json",), ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"), _JS),
    _Pair(("pyproject.toml",), ("poetry.lock", "uv.lock", "pdm.lock", "pixi.lock"), _TOML),
    _Pair(("Pipfile",), ("Pipfile.lock",), r"\s*[\w.-]+\s*=\s*[\"{]"),
    _Pair(("Cargo.toml",), ("Cargo.lock",), r"\s*[\w.-]+(?:\.workspace)?\s*=\s*(?:[\"{]|true)"),
    _Pair(("go.mod",), ("go.sum",), r"\s*(?:require\s+)?[\w.-]+\.[\w./-]+ v\d"),
    _Pair(("Gemfile", ".gemspec"), ("Gemfile.lock",), r"\s*(?:gem\s|\w+\.add_\w*dependency)"),
    _Pair(("composer.json",), ("composer.lock",), r'\s*"[\w.-]+/[\w.-]+":\s*"'),
    _Pair(("mix.exs",), ("mix.lock",), r"\s*\{:\w+,\s*[\"~]"),
    _Pair(("pubspec.yaml",), ("pubspec.lock",), r"\s+\w+:\s*[\^\d\"]"),
    _Pair(("Podfile",), ("Podfile.lock",), r"\s*pod\s"),
    _Pair(("Package.swift",), ("Package.resolved",), r"\s*\.package\("),
    _Pair(("flake.nix",), ("flake.lock",), r"\s*[\w.-]*url\s*=\s*\""),
)
_SECTIONS: Final = re.compile(r"dependencies|requires|require|packages|dev|peer|optional|extras|groups?", re.IGNORECASE)
_NOT_DEPENDENCIES: Final = re.compile(
    r"\s*\"?(?:version|name|description|license|main|module|types?|author|homepage|readme|edition|rust-version|requires-python|python|node|npm|url|email"
    r"|packageManager|engines|private|sideEffects|bin|browser|documentation|repository|include|exclude|publish|resolver|line-length|target-version)\"?\s*[:=]"
)
_SOURCE: Final = re.compile(
    r"(?:\"?resolved\"?:?\s+\"?|tarball:\s*|source\s*=\s*\"(?:registry|git|sparse)\+|(?:registry|url|git)\s*=\s*\"|remote:\s*|\"url\":\s*\")"
    r"(?:git\+)?(https?|ssh|git)://(?:[^@/\s\"]+@)?([\w.-]+)",
)
_NOT_INSTALLED: Final = re.compile(r"\"(?:funding|homepage|support|issues|source|docs|chat|forum|wiki|email)\"")


def locks(subjects: tuple[Subject, ...]) -> Iterator[Finding]:
    """What is wrong between lock files and manifests of a change, and in what the locks say of origins."""
    for subject in subjects:
        if subject.kind.lock and subject.is_text and not subject.kind.test and not subject.kind.foreign:
            yield from _origins(subject)
    for pair in _PAIRS:
        yield from _together(pair, [each for each in subjects if not each.kind.test and not each.kind.foreign])


def _together(pair: _Pair, subjects: list[Subject]) -> Iterator[Finding]:
    manifests = [each for each in subjects if _is_manifest(pair, each.path)]
    changed = [each for each in subjects if PurePosixPath(each.path).name in pair.locks]
    if changed and not manifests:
        for lock in changed:
            if lock.file.status == "modified" and lock.added:
                yield ALONE.at(lock.path, lock.added[0][0], quote=PurePosixPath(lock.path).name)
    elif not changed:
        for manifest in manifests:
            yield from _behind(pair, manifest)


def _behind(pair: _Pair, manifest: Subject) -> Iterator[Finding]:
    """The manifest asks for other packages, and the repository has a lock beside it or above that did not change."""
    line = _dependency_line(pair, manifest)
    if not line:
        return
    tracked, folder = manifest.scene.tracked(), PurePosixPath(manifest.path).parent
    for place in (folder, *folder.parents):
        for name in pair.locks:
            if (place / name).as_posix() in tracked:
                yield BEHIND.at(manifest.path, line, title=f"Dependencies changed, and {name} did not")
                return


def _dependency_line(pair: _Pair, manifest: Subject) -> int:
    """The first added line that names a dependency; 0 where none does. A version number alone of a line that stays is enough."""
    expression = re.compile(pair.dependency)
    removed = manifest.scene.removed_lines
    for number, text in manifest.added:
        if expression.match(text) and not _NOT_DEPENDENCIES.match(text) and text.strip() not in removed and _in_section(manifest, number):
            return number
    return 0


def _in_section(manifest: Subject, number: int) -> bool:
    """True where the nearest heading above the line speaks of dependencies, or the format has none."""
    if not manifest.path.endswith((".json", ".toml")):
        return True
    heading = re.compile(r'\s{0,4}"[\w-]+":\s*\{|\s*\[|\s*[\w-]+\s*=\s*\[\s*$')
    lines = (manifest.new_text or "").split("\n")[:number]
    above = next((line for line in reversed(lines[:-1]) if heading.match(line)), "")
    return _SECTIONS.search(above) is not None


def _is_manifest(pair: _Pair, path: str) -> bool:
    name = PurePosixPath(path).name
    return name in pair.manifests or any(each.startswith(".") and name.endswith(each) for each in pair.manifests)


def _origins(subject: Subject) -> Iterator[Finding]:
    found = [(number, text, each[1], each[2].lower()) for number, text in subject.added for each in [_SOURCE.search(text)] if each]
    found = [each for each in found if not _NOT_INSTALLED.search(each[1])]
    if not found or subject.old_text is None:
        return
    before = {each[2].lower() for each in _SOURCE.finditer(subject.old_text)}
    plain = "http://" in subject.old_text
    said = set[str]()
    for number, text, scheme, host in found:
        if before and host not in before and host not in said:
            said.add(host)
            yield HOST.at(subject.path, number, quote=text.strip(), title=f"A locked package comes from another host than before: {host}")
        elif scheme == "http" and not plain and "http" not in said:
            said.add("http")
            yield PLAIN.at(subject.path, number, quote=text.strip())
