"""Imports lead to the files of the tree that they mean, in each language, and to nothing else."""

from pathlib import Path

import pytest

from kimicode.repo.resolve import Resolver
from kimicode.repo.symbols import FileSymbols, Import
from kimicode.repo.tree import Tree, TreeFile


def tree_of(*paths: str, root: Path = Path("/nowhere")) -> Tree:
    return Tree(root, tuple(TreeFile(path, f"{number:040x}") for number, path in enumerate(sorted(paths))))


def symbols_of(language: str, *imports: tuple[str, tuple[str, ...]]) -> FileSymbols:
    return FileSymbols(language, imports=tuple(Import(module, names, line) for line, (module, names) in enumerate(imports, 1)))


PYTHON = (
    *("src/pkg/__init__.py", "src/pkg/core.py", "src/pkg/sub/__init__.py", "src/pkg/sub/deep.py", "src/pkg/typed.pyi", "src/pkg/json.py"),
    *("tests/test_core.py", "tests/helpers.py", "scripts/tool.py", "other/pkg/__init__.py", "other/pkg/core.py", "spaces/part/only.py"),
)


@pytest.mark.parametrize(
    ("path", "module", "names", "want"),
    [
        ("tests/test_core.py", "pkg.core", (), ["src/pkg/core.py"]),
        ("other/pkg/core.py", "pkg", (), ["other/pkg/__init__.py"]),
        ("tests/test_core.py", "pkg", ("core", "Thing"), ["src/pkg/core.py", "src/pkg/__init__.py"]),
        ("tests/test_core.py", "pkg.sub", ("deep",), ["src/pkg/sub/deep.py"]),
        ("tests/test_core.py", "pkg.typed", ("T",), ["src/pkg/typed.pyi"]),
        ("src/pkg/core.py", ".", ("sub",), ["src/pkg/sub/__init__.py"]),
        ("src/pkg/core.py", ".sub.deep", ("x",), ["src/pkg/sub/deep.py"]),
        ("src/pkg/sub/deep.py", "..core", ("x",), ["src/pkg/core.py"]),
        ("src/pkg/sub/deep.py", "..", ("Thing",), ["src/pkg/__init__.py"]),
        ("tests/test_core.py", "helpers", (), ["tests/helpers.py"]),
        # One folder's own script is not on another's path.
        ("scripts/tool.py", "helpers", (), []),
        # The standard library's json, though a package has one.
        ("src/pkg/core.py", "json", (), []),
        ("tests/test_core.py", "spaces.part", ("only",), ["spaces/part/only.py"]),
        ("tests/test_core.py", "requests", ("get",), []),
        ("scripts/tool.py", "......x", (), []),
    ],
)
def test_python(path: str, module: str, names: tuple[str, ...], want: list[str]) -> None:
    assert list(Resolver(tree_of(*PYTHON)).imports(path, symbols_of("Python", (module, names)))) == want


JAVASCRIPT = (
    *("src/app.ts", "src/util.ts", "src/parts/index.tsx", "src/data.json", "src/old.js", "src/types.d.ts"),
    *("packages/core/package.json", "packages/core/src/index.ts", "packages/core/src/deep.ts", "packages/web/main.ts"),
)


@pytest.mark.parametrize(
    ("path", "module", "want"),
    [
        ("src/app.ts", "./util", ["src/util.ts"]),
        ("src/app.ts", "./util.js", ["src/util.ts"]),
        ("src/app.ts", "./parts", ["src/parts/index.tsx"]),
        ("src/parts/index.tsx", "..", []),
        ("src/parts/index.tsx", "../old", ["src/old.js"]),
        ("src/app.ts", "./data.json?raw", ["src/data.json"]),
        ("src/app.ts", "./types", ["src/types.d.ts"]),
        ("src/parts/index.tsx", "@/util", ["src/util.ts"]),
        ("packages/web/main.ts", "@team/core", ["packages/core/src/index.ts"]),
        ("packages/web/main.ts", "@team/core/deep", ["packages/core/src/deep.ts"]),
        ("packages/web/main.ts", "react", []),
        ("src/app.ts", "../../../outside", []),
        ("src/app.ts", "@/", []),
    ],
)
def test_javascript(tmp_path: Path, path: str, module: str, want: list[str]) -> None:
    (tmp_path / "packages/core").mkdir(parents=True)
    (tmp_path / "packages/core/package.json").write_text('{\n  "name": "@team/core",\n  "version": "1.0.0"\n}\n')
    assert list(Resolver(tree_of(*JAVASCRIPT, root=tmp_path)).imports(path, symbols_of("TypeScript", (module, ())))) == want


def test_go_packages_are_known_by_the_name_of_their_module(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("// the module\nmodule example.org/team/thing\n\ngo 1.22\n")
    tree = tree_of("go.mod", "main.go", "a/b/one.go", "a/b/two.go", "a/b/one_test.go", "a/b/notes.md", "fmt/own.go", root=tmp_path)

    def found(module: str) -> tuple[str, ...]:
        return Resolver(tree).imports("cmd/x.go", symbols_of("Go", (module, ())))

    assert found("example.org/team/thing/a/b") == ("a/b/one.go", "a/b/two.go")
    assert found("example.org/team/thing") == ("main.go",)
    assert found("fmt") == found("example.org/other/a/b") == ()


def test_go_without_a_manifest_is_guessed_from_the_longest_end() -> None:
    tree = tree_of("thing/a/b/one.go", "b/wrong.go", "errors/x.go")
    assert Resolver(tree).imports("m.go", symbols_of("Go", ("example.org/thing/a/b", ()))) == ("thing/a/b/one.go",)
    assert Resolver(tree).imports("m.go", symbols_of("Go", ("errors", ()))) == ()


RUST = ("one/Cargo.toml", "one/src/lib.rs", "one/src/a.rs", "one/src/a/b.rs", "one/src/c/mod.rs", "two/src/main.rs", "one/tests/t.rs")


@pytest.mark.parametrize(
    ("path", "module", "names", "want"),
    [
        ("one/src/lib.rs", "crate::a", ("Thing",), ["one/src/a.rs"]),
        ("one/src/lib.rs", "crate::a::b::Thing", (), ["one/src/a/b.rs"]),
        ("one/src/lib.rs", "a", (), ["one/src/a.rs"]),
        ("one/src/a.rs", "self::b", ("x",), ["one/src/a/b.rs"]),
        ("one/src/a/b.rs", "super::super::c", ("x",), ["one/src/c/mod.rs"]),
        ("one/src/a/b.rs", "super", ("x",), ["one/src/a.rs"]),
        ("one/src/a.rs", "crate::Root", (), ["one/src/lib.rs"]),
        ("two/src/main.rs", "one_crate::c", ("x",), ["one/src/c/mod.rs"]),
        ("one/tests/t.rs", "one_crate", ("a", "Root"), ["one/src/a.rs", "one/src/lib.rs"]),
        ("two/src/main.rs", "std::fmt", (), []),
    ],
)
def test_rust(tmp_path: Path, path: str, module: str, names: tuple[str, ...], want: list[str]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/Cargo.toml").write_text('[package]\nname = "one-crate"\nversion = "0.1.0"\n')
    assert list(Resolver(tree_of(*RUST, root=tmp_path)).imports(path, symbols_of("Rust", (module, names)))) == want


OTHERS = (
    *("src/x.c", "src/x.h", "include/lib/y.h", "compat/stdio.h", "java/org/a/B.java", "java/org/a/C.java", "kt/org/a/D.kt"),
    *("My.App/Data/Row.cs", "My.App/Data/Set.cs", "app/Models/User.php", "inc/boot.php", "lib/gem/part.rb", "lib/gem.rb", "lua/m/n.lua"),
    *("lua/m/init.lua", "zig/a.zig", "zig/b.zig", "hs/Data/Thing.hs", "Sources/Core/One.swift", "bin/run.sh", "bin/common.sh"),
)


@pytest.mark.parametrize(
    ("language", "path", "module", "names", "want"),
    [
        ("C", "src/x.c", "x.h", (), ["src/x.h"]),
        ("C++", "src/x.c", "lib/y.h", (), ["include/lib/y.h"]),
        ("C", "src/x.c", "stdio.h", (), []),
        ("C", "compat/z.c", "stdio.h", (), ["compat/stdio.h"]),
        ("C", "src/x.c", "../../up.h", (), []),
        ("Java", "java/x/Y.java", "org.a.B", (), ["java/org/a/B.java"]),
        ("Java", "java/x/Y.java", "org.a.B.Inner.f", (), ["java/org/a/B.java"]),
        ("Java", "java/x/Y.java", "org.a", ("*",), ["java/org/a/B.java", "java/org/a/C.java"]),
        ("Java", "java/x/Y.java", "org.a.*", (), ["java/org/a/B.java", "java/org/a/C.java"]),
        ("Kotlin", "kt/x/Y.kt", "org.a.D", (), ["kt/org/a/D.kt"]),
        ("Scala", "s/x.scala", "org.a", ("B", "D"), ["java/org/a/B.java", "kt/org/a/D.kt"]),
        ("Java", "java/x/Y.java", "java.util.List", (), []),
        ("C#", "x.cs", "My.App.Data", (), ["My.App/Data/Row.cs", "My.App/Data/Set.cs"]),
        ("C#", "x.cs", "System.Text", (), []),
        ("PHP", "x.php", "App\\Models\\User", (), ["app/Models/User.php"]),
        ("PHP", "x.php", "App\\Models", ("User",), ["app/Models/User.php"]),
        ("PHP", "x.php", "/inc/boot.php", (), ["inc/boot.php"]),
        ("Ruby", "lib/gem.rb", "gem/part", (), ["lib/gem/part.rb"]),
        ("Ruby", "lib/gem/part.rb", "../gem", (), ["lib/gem.rb"]),
        ("Ruby", "x.rb", "json", (), []),
        ("Lua", "x.lua", "m.n", (), ["lua/m/n.lua"]),
        ("Lua", "x.lua", "m", (), ["lua/m/init.lua"]),
        ("Zig", "zig/a.zig", "b.zig", (), ["zig/b.zig"]),
        ("Zig", "zig/a.zig", "std", (), []),
        ("Haskell", "hs/Main.hs", "Data.Thing", (), ["hs/Data/Thing.hs"]),
        ("Swift", "Tests/T.swift", "Core", (), ["Sources/Core/One.swift"]),
        ("shell", "bin/run.sh", "${HERE}/common.sh", (), ["bin/common.sh"]),
        ("COBOL", "x.cob", "y", (), []),
    ],
)
def test_others(language: str, path: str, module: str, names: tuple[str, ...], want: list[str]) -> None:
    assert list(Resolver(tree_of(*OTHERS)).imports(path, symbols_of(language, (module, names)))) == want


def test_each_file_once_in_order_and_never_the_importing_one() -> None:
    tree = tree_of("p/__init__.py", "p/a.py", "p/b.py")
    symbols = symbols_of("Python", (".b", ("x",)), (".a", ()), ("p.b", ("y",)), (".", ("a", "b")))
    resolver = Resolver(tree)
    assert resolver.imports("p/a.py", symbols) == ("p/b.py",)
    assert resolver.imports("p/__init__.py", symbols) == ("p/b.py", "p/a.py")
    assert resolver.targets("p/a.py", symbols, symbols.imports[0]) == ("p/b.py",)
