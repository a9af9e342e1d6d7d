"""From sources to a library: what is made again when, with which flags, and an installation where it can't be made.

The compiler is a script here, which writes down what it is asked; the real one makes the library that all other tests use.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.native.build import OPENMP_PROBE, find_compiler
from engine.native.sources import FOLDER, machine, sources

ROOT = Path(__file__).parents[3]
NATIVE = Path("engine", "native")
LIBRARY = NATIVE / "kimicode_mla.so"

COMPILER = """#!/bin/sh
echo "$*" >>"$0.log"
case "$*" in *"-x c++"*) exec {probe};; esac
while [ "$1" != -o ]; do case "$1" in *{refused}*) echo "$1: error: no" >&2; exit 1;; esac; shift; done
echo "{product}" >"$2"
"""
NOTHING = "no-file-is-named-so"


class Tree:
    """A copy of what a source distribution holds of the library, with setup.py, and a compiler of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        (self.root / NATIVE).mkdir(parents=True)
        for name in ("__init__.py", "native/__init__.py", "native/build.py", "native/sources.py"):
            shutil.copy(ROOT / "engine" / name, self.root / "engine" / name)
        shutil.copytree(FOLDER, self.root / NATIVE / "src")
        shutil.copy(ROOT / "setup.py", self.root)
        self.compiler = folder / "compiler"
        self.library = self.root / LIBRARY
        self.answer()

    def answer(self, *, probe: str = "true", refused: str = NOTHING, product: str = "made") -> None:
        """Another compiler under the same name; `probe` answers the question whether it has OpenMP."""
        self.compiler.write_text(COMPILER.format(probe=probe, refused=refused, product=product))
        self.compiler.chmod(0o755)
        # Its time counts, and both may be made in the same tick.
        os.utime(self.compiler, (1, 1))

    def asked(self) -> list[str]:
        """The compiler's command lines since the last call, without questions."""
        log = Path(f"{self.compiler}.log")
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in lines if "-x c++" not in line]

    def python(self, *arguments: str, compiler: bool = True) -> subprocess.CompletedProcess[str]:
        """Python in the tree, with our compiler or without any."""
        environ = {"PATH": os.environ["PATH"], "CXX": str(self.compiler)} if compiler else {"PATH": str(self.root)}
        command = [sys.executable, "-B", *arguments]
        return subprocess.run(command, cwd=self.root, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def build(self, *, compiler: bool = True) -> subprocess.CompletedProcess[str]:
        """`python -m engine.native.build`, with nothing but the standard library."""
        return self.python("-S", "-m", "engine.native.build", compiler=compiler)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_library_is_made_of_every_file_and_then_kept(tree: Tree) -> None:
    done = tree.build()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree.library.read_text() == "made\n"
    parts = sources(machine())
    *compiled, linked = tree.asked()
    assert sorted(part.path.name for part in parts) == sorted(Path(line.split("/src/")[1].split()[0]).name for line in compiled)
    assert all(f"{part.path.stem}.o" in linked for part in parts)
    assert tree.build().returncode == 0
    assert tree.asked() == []
    assert not list((tree.root / NATIVE).glob(".native-*"))


def test_flags_of_one_file_are_for_it_alone(tree: Tree) -> None:
    tree.build()
    lines = tree.asked()
    for part in sources(machine()):
        (line,) = [line for line in lines if f"/src/{part.path.relative_to(FOLDER)} " in line]
        assert [flag for flag in line.split() if flag.startswith("-m")] == [flag for flag in part.flags if flag.startswith("-m")]


@pytest.mark.parametrize("changed", ["src/api.h", "src/tile.hpp", "src/team.cpp", "sources.py", "library"])
def test_what_changed_is_made_again(changed: str, tree: Tree) -> None:
    tree.build()
    tree.asked()
    if changed == "library":
        tree.library.write_text("damaged")
    elif changed == "sources.py":
        path = tree.root / NATIVE / changed
        path.write_text(path.read_text().replace('"-O3"', '"-O2"'))
    else:
        with (tree.root / NATIVE / changed).open("a") as file:
            file.write("\n")
    tree.build()
    assert tree.asked()
    assert tree.library.read_text() == "made\n"


def test_another_compiler_makes_it_again(tree: Tree) -> None:
    tree.build()
    os.utime(tree.compiler, (2, 2))
    tree.asked()
    tree.build()
    assert tree.asked()


def test_only_a_compiler_that_shares_llama_cpp_s_threads_gets_openmp(tree: Tree) -> None:
    tree.build()
    assert all("-fopenmp" in line for line in tree.asked())
    tree.answer(probe="false")
    tree.build()
    lines = tree.asked()
    assert lines
    assert not [line for line in lines if "-fopenmp" in line]
    assert all("-pthread" in line for line in lines)


def test_clang_s_own_openmp_is_not_taken(tmp_path: Path) -> None:
    # Its runtime, libomp, beside llama.cpp's libgomp meant twice as many threads as processors.
    (tmp_path / "omp.h").write_text("extern int omp_get_max_threads();\n")
    for kind, taken in (("-U__clang__", True), ("-D__clang__", False)):
        command = [find_compiler(), kind, "-I", str(tmp_path), "-x", "c++", "-fsyntax-only", "-"]
        done = subprocess.run(command, input=OPENMP_PROBE, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is taken, done.stderr


def test_a_refused_file_leaves_what_was_there(tree: Tree) -> None:
    tree.build()
    tree.answer(refused="api.cpp", product="other")
    with (tree.root / NATIVE / "src" / "api.h").open("a") as file:
        file.write("\n")
    done = tree.build()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("kimicode: the attention kernels were not built, llama.cpp's own are used: ")
    assert "api.cpp: error: no" in done.stderr
    assert tree.library.read_text() == "made\n"
    assert not list((tree.root / NATIVE).glob(".native-*"))
    tree.answer(product="other")
    assert tree.build().returncode == 0
    assert tree.library.read_text() == "other\n"


def test_without_a_compiler_one_line_says_so(tree: Tree) -> None:
    done = tree.build(compiler=False)
    assert (done.returncode, done.stdout, tree.library.exists()) == (1, "", False)
    assert done.stderr == (
        "kimicode: the attention kernels were not built, llama.cpp's own are used: no C++ compiler was found; "
        "install one (Debian, Ubuntu: apt install g++)\n"
    )


def test_a_folder_that_can_t_be_written_is_named(tree: Tree) -> None:
    (tree.root / NATIVE / "kimicode_mla.state").mkdir()
    done = tree.build()
    assert done.returncode == 1
    assert "kimicode_mla.state: Is a directory" in done.stderr


def test_an_installation_puts_it_where_the_package_will_be(tree: Tree, tmp_path: Path) -> None:
    done = tree.python("setup.py", "-q", "build_ext", "--build-lib", str(tmp_path / "lib"), "--build-temp", str(tmp_path / "temp"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lib" / LIBRARY).read_text() == "made\n"
    assert not tree.library.exists()
    assert tree.python("setup.py", "-q", "build_ext", "--inplace").returncode == 0
    assert tree.library.read_text() == "made\n"


def test_an_installation_without_a_compiler_is_whole(tree: Tree, tmp_path: Path) -> None:
    done = tree.python("setup.py", "-q", "build_ext", "--build-lib", str(tmp_path / "lib"), compiler=False)
    assert done.returncode == 0
    assert "were not built, llama.cpp's own are used: no C++ compiler" in done.stderr + done.stdout
    assert not (tmp_path / "lib" / LIBRARY).exists()
