"""Runs the attacks as an unprivileged user, with a Python that this user may execute, and collects what they did.

A user other than root runs them as himself. Root becomes uid 65534: root's capabilities see through half of what a sandbox does. What
that user can't reach (a Python below /root, a checkout there) is copied once per run to a folder that it can; nothing is ever skipped.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kimicode.sandbox.boundary import Tier

ROOT = Path(__file__).parents[2]
NOBODY = 65534
_LEFT_OUT = shutil.ignore_patterns(
    "site-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "ensurepip", "config-*", "lib2to3", "*.a"
)
_TIME_LIMIT_S = 220


class Deed(msgspec.Struct, frozen=True):
    """What one attack did: whether it harmed, whether its controls held, and words about it."""

    id: str
    harmed: bool
    control: bool
    evidence: str


@contextlib.contextmanager
def stage() -> Iterator["Stage"]:
    """A folder for the attacks and the user who runs them; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="kimicode-attacks-", dir=_somewhere(), ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        worlds = folder / "worlds"
        worlds.mkdir()
        if os.getuid() == 0:
            os.chown(worlds, NOBODY, NOBODY)
        yield Stage(folder, worlds)


class Stage:
    """Where attacks run. `worlds` belongs to the user who runs them."""

    def __init__(self, folder: Path, worlds: Path) -> None:
        self._folder = folder
        self._worlds = worlds

    def run(self, tier: Tier) -> dict[str, Deed]:
        """Every attack, in `tier`."""
        python, path = self._python()
        command = [python, "-I", self._reachable(Path(__file__).parent) / "driver.py", tier.value, self._worlds, *path]
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        programs = "/usr/local/bin:/usr/bin:/bin" if os.getuid() == 0 else os.environ["PATH"]
        environ = {"PATH": f"{python.parent}:{programs}", "LANG": "C.UTF-8"}
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            env=environ,
            cwd=self._worlds,
            timeout=_TIME_LIMIT_S,
            check=False,
            **who,
        )
        assert done.returncode == 0, f"the attacks could not be run in tier {tier.value}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        deeds = [msgspec.json.decode(line, type=Deed) for line in done.stdout.splitlines()]
        return {deed.id: deed for deed in deeds}

    def _python(self) -> tuple[Path, list[Path]]:
        """An interpreter and the folders it imports from."""
        site = Path(sysconfig.get_path("purelib"))
        path = [self._reachable(ROOT / "tests").parent, self._reachable(site)]
        if os.getuid() != 0:
            return Path(sys.executable), path
        base = Path(sys.base_prefix)
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        if _open_to_all(base / "bin" / name):
            return base / "bin" / name, path
        copy = self._folder / "python"
        if not copy.exists():
            _copy_python(base, copy, name)
        return copy / "bin" / name, path

    def _reachable(self, folder: Path) -> Path:
        """`folder`, or a copy of it where the unprivileged user can't reach it."""
        if os.getuid() != 0 or _open_to_all(folder):
            return folder
        if folder.is_relative_to(ROOT):
            copy = self._folder / "checkout"
            if not copy.exists():
                for part in ("kimicode", "tests", "prompts"):
                    shutil.copytree(ROOT / part, copy / part, copy_function=_link, ignore=shutil.ignore_patterns("__pycache__"))
            return copy / folder.relative_to(ROOT)
        copy = self._folder / "site-packages"
        if not copy.exists():
            shutil.copytree(
                folder, copy, copy_function=_link, symlinks=True, ignore=shutil.ignore_patterns("torch", "nvidia", "__pycache__")
            )
        return copy


def _somewhere() -> Path:
    """A folder that a sandbox shows as it is: in those for temporary files it shows its own, and what can't be seen can't be attacked."""
    places = (Path("/srv"), Path("/opt"), Path("/var/lib"), Path.home())
    found = next((place for place in places if os.access(place, os.W_OK) and (os.getuid() != 0 or _open_to_all(place))), None)
    assert found is not None, f"the attacks need a folder that can be written outside of /tmp: one of {', '.join(map(str, places))}"
    return found


def _open_to_all(path: Path) -> bool:
    """True where every user can reach and read `path`."""
    wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    return path.exists() and (path.stat().st_mode & wanted) == wanted and all(each.stat().st_mode & stat.S_IXOTH for each in path.parents)


def _copy_python(base: Path, copy: Path, name: str) -> None:
    (copy / "bin").mkdir(parents=True)
    shutil.copytree(base / "lib" / name, copy / "lib" / name, copy_function=_link, ignore=_LEFT_OUT)
    (copy / "lib" / name / "site-packages").mkdir()
    for library in base.glob("lib/libpython*.so*"):
        _link(str(library), str(copy / "lib" / library.name))
    # A Python with a shared library looks for it where it was built; the same bytes can say: beside me.
    built = f"{base}/lib".encode()
    program = (base / "bin" / name).read_bytes().replace(built + b"\0", b"$ORIGIN/../lib".ljust(len(built), b"\0") + b"\0")
    (copy / "bin" / name).write_bytes(program)
    (copy / "bin" / name).chmod(0o755)
    if rg := shutil.which("rg", path=os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", "")))):
        shutil.copy2(rg, copy / "bin" / "rg")
    done = subprocess.run(
        [copy / "bin" / name, "-I", "-c", "import ssl, ctypes, asyncio"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"the copy of {base / 'bin' / name} does not run as uid {NOBODY}: {done.stderr.decode()[-500:]}"


def _link(source: str, target: str) -> str:
    """A hard link where that is possible: it costs nothing, and the modes of the file stay."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)
    return target
