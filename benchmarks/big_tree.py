"""Builds the large tree that the benchmarks of the index and of the map run on: real packages of many languages in one git repository.

    python benchmarks/big_tree.py FOLDER [--quick]

The sources come from Debian, PyPI and npm, at fixed versions; nothing of them is executed. Files that no programmer writes (pictures,
archives) and files over a megabyte are left out. `FOLDER/README` is written last: where it is, the tree is whole. `--quick` builds a small
tree, of some 5,000 files. What this does not do: measure anything.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DEBIAN: Final = {
    "kubernetes": "1.20.5+really1.20.2-1.1+deb12u1",
    "cargo": "0.66.0+ds1-1",
    "tomcat10": "10.1.55-1~deb12u1",
    "php8.2": "8.2.32-1~deb12u1",
    "rails": "2:6.1.7.10+dfsg-1~deb12u2",
    "postgresql-15": "15.18-0+deb12u1",
    "python-django": "3:3.2.25-0+deb12u3",
}
PYPI: Final = {"homeassistant": "2024.3.3", "sympy": "1.12", "pandas": "2.2.3", "twisted": "24.7.0"}
NPM: Final = {"date-fns": "3.6.0", "rxjs": "7.8.1", "core-js": "3.37.1", "effect": "3.10.0", "typeorm": "0.3.20"}

QUICK_DEBIAN: Final = ("python-django",)
QUICK_PYPI: Final = ("sympy", "twisted")
QUICK_NPM: Final = ("rxjs",)

SOURCES: Final = frozenset(
    ".py .pyi .js .jsx .mjs .cjs .ts .mts .cts .tsx .go .rs .c .h .cc .cpp .cxx .hpp .hh .hxx .ipp .java .rb .rake .gemspec .sh .bash"
    " .cs .php .kt .kts .swift .scala .lua .zig .hs".split()
)
"""What counts as a source file."""

TEXTS: Final = frozenset(".md .rst .toml .cfg .ini .cmake .mk .proto .css .sql".split())
MAX_BYTES: Final = 1 << 20

_APT: Final = "deb-src {mirror} bookworm main\n"
_MIRROR: Final = "http://deb.debian.org/debian"


def run(*command: str, folder: Path) -> None:
    """Run a program in `folder`; it must succeed."""
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def apt_options(folder: Path) -> list[str]:
    """Options that give apt lists and a cache of its own below `folder`: the machine's own are not touched."""
    for each in ("lists/partial", "cache/archives/partial"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(_APT.format(mirror=_MIRROR))
    own = {"Etc::sourcelist": "sources.list", "State::Lists": "lists", "Cache": "cache"}
    options = [f"Dir::{key}={folder / value}" for key, value in own.items()]
    return [part for option in [*options, "Dir::Etc::sourceparts=-", "APT::Sandbox::User=root"] for part in ("-o", option)]


def debian(packages: Mapping[str, str], downloads: Path, into: Path) -> None:
    """Download and unpack Debian's sources of these names and versions, without its patches."""
    options = apt_options(downloads)
    run("apt-get", *options, "-qq", "update", folder=downloads)
    for name, version in packages.items():
        folder = downloads / name
        folder.mkdir()
        wanted = f"{name}={version}"
        try:
            run("apt-get", *options, "-qq", "source", "--download-only", wanted, folder=folder)
        except subprocess.CalledProcessError:
            say(f"{wanted} is gone; the newest of the release is taken")
            run("apt-get", *options, "-qq", "source", "--download-only", name, folder=folder)
        (description,) = folder.glob("*.dsc")
        run("dpkg-source", "--no-check", "--skip-patches", "-x", str(description), "tree", folder=folder)
        prune(folder / "tree")
        (folder / "tree").rename(into / name)
        shutil.rmtree(folder)


def pypi(names: tuple[str, ...], downloads: Path, into: Path) -> None:
    """Download and unpack wheels."""
    for name in names:
        folder = downloads / name
        command = (sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--only-binary", ":all:", "-d", str(folder))
        run(*command, f"{name}=={PYPI[name]}", folder=downloads)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into / name)
        prune(into / name)


def npm(names: tuple[str, ...], downloads: Path, into: Path) -> None:
    """Download and unpack npm's archives."""
    for name in names:
        folder = downloads / "npm" / name.replace("/", "-")
        folder.mkdir(parents=True)
        run("npm", "pack", "--silent", "--ignore-scripts", f"{name}@{NPM[name]}", folder=folder)
        (archive,) = folder.glob("*.tgz")
        place = into / name.replace("/", "-").removeprefix("@")
        place.mkdir()
        run("tar", "-xzf", str(archive), "--strip-components=1", "--no-same-owner", "-C", str(place), folder=folder)
        prune(place)


def prune(folder: Path) -> None:
    """Take out what is no source or text, what is too large, and links."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or (path.is_file() and not wanted(path)):
            path.unlink()
        elif path.is_dir() and (path.name == ".git" or not any(path.iterdir())):
            shutil.rmtree(path)


def wanted(path: Path) -> bool:
    """Whether a file stays."""
    kept = path.suffix.lower() in SOURCES or path.suffix.lower() in TEXTS or path.name in {"Makefile", "Dockerfile", "LICENSE", "README"}
    return kept and path.stat().st_size <= MAX_BYTES and path.name != ".gitattributes"


def sources(folder: Path) -> Counter[str]:
    """How many source files there are, by suffix."""
    found = (path.suffix.lower() for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return Counter(suffix for suffix in found if suffix in SOURCES)


def commit(folder: Path) -> None:
    """Make the tree a git repository of one commit."""
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0", "-c", "core.excludesFile=/dev/null")
    run("git", "init", "-q", "-b", "main", folder=folder)
    run("git", *who, "add", "-A", "-f", ".", folder=folder)
    run("git", *who, "commit", "-q", "--no-verify", "-m", "The tree", folder=folder)


def build(folder: Path, *, quick: bool = False) -> None:
    """Build the tree in `folder`, unless it is there already; what an interrupted build left is removed."""
    if (folder / "README").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="big-tree-", dir=folder.parent) as scratch:
        downloads = Path(scratch)
        pypi(QUICK_PYPI if quick else tuple(PYPI), downloads, folder)
        npm(QUICK_NPM if quick else tuple(NPM), downloads, folder)
        debian({name: DEBIAN[name] for name in QUICK_DEBIAN} if quick else DEBIAN, downloads, folder)
    counted = sources(folder)
    listed = "".join(f"  {suffix} {number:,}\n" for suffix, number in counted.most_common())
    text = f"A tree for benchmarks: {sum(counted.values()):,} source files of real packages.\n{listed}"
    (folder / "CONTENTS.txt").write_text(text)
    commit(folder)
    # The mark that all is there must not make the tree dirty.
    (folder / ".git" / "info" / "exclude").write_text("/README\n")
    (folder / "README").write_text(text)
    say(text)


def say(text: str) -> None:
    """Report to a person."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Build the tree that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    build(chosen.folder.absolute(), quick=chosen.quick)


if __name__ == "__main__":
    main()
