"""The packages that the retrieval benchmark asks about: real ones, at fixed versions, each as a git repository of its own.

They come from PyPI (wheels), npm and Debian (sources of Go, Java, Rust and C); nothing of them is executed. What this does not do: ask.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import big_tree

PYPI: Final = {
    "requests": "2.32.3", "flask": "3.0.3", "click": "8.1.7", "rich": "13.9.4", "httpx": "0.27.2", "jinja2": "3.1.4", "werkzeug": "3.0.4",
    "django": "5.1.2", "networkx": "3.3", "twisted": "24.7.0",
}  # fmt: skip
NPM: Final = {"express": "4.21.1", "axios": "1.7.7", "zod": "3.25.76", "rxjs": "7.8.1", "lodash": "4.17.21"}
DEBIAN: Final = {
    "golang-github-spf13-cobra": "1.6.1-1", "junit4": "4.13.2-3", "rust-ripgrep": "13.0.0-4", "lua5.4": "5.4.4-3+deb12u1",
}  # fmt: skip


def build(folder: Path) -> dict[str, Path]:
    """All packages below `folder`, by name; what is there already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in PYPI.items():
        _once(folder / name, lambda into, name=name, version=version: _wheel(name, version, into))
    for name, version in NPM.items():
        _once(folder / name, lambda into, name=name, version=version: _archive(name, version, into))
    for name, version in DEBIAN.items():
        _once(folder / name, lambda into, name=name, version=version: _source(name, version, into))
    return {name: folder / name for name in (*PYPI, *NPM, *DEBIAN)}


def _once(place: Path, make) -> None:
    if (place / ".git").is_dir():
        return
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
        into = Path(scratch) / "tree"
        make(into)
        big_tree.prune(into)
        big_tree.commit(into)
        shutil.rmtree(place, ignore_errors=True)
        into.rename(place)
    big_tree.say(f"{place.name} is there")


def _wheel(name: str, version: str, into: Path) -> None:
    downloads = into.parent / "downloads"
    command = (
        sys.executable,
        "-m",
        "pip",
        "-q",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-d",
        str(downloads),
        f"{name}=={version}",
    )
    big_tree.run(*command, folder=into.parent)
    (wheel,) = downloads.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)


def _archive(name: str, version: str, into: Path) -> None:
    big_tree.run("npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}", folder=into.parent)
    (archive,) = into.parent.glob("*.tgz")
    into.mkdir()
    big_tree.run("tar", "-xzf", str(archive), "--strip-components=1", "--no-same-owner", "-C", str(into), folder=into.parent)


def _source(name: str, version: str, into: Path) -> None:
    options = big_tree.apt_options(into.parent)
    big_tree.run("apt-get", *options, "-qq", "update", folder=into.parent)
    try:
        big_tree.run("apt-get", *options, "-qq", "source", "--download-only", f"{name}={version}", folder=into.parent)
    except subprocess.CalledProcessError:
        big_tree.say(f"{name}={version} is gone; the newest of the release is taken: questions about changed files are dropped")
        big_tree.run("apt-get", *options, "-qq", "source", "--download-only", name, folder=into.parent)
    (description,) = into.parent.glob("*.dsc")
    big_tree.run("dpkg-source", "--no-check", "--skip-patches", "-x", str(description), str(into), folder=into.parent)
