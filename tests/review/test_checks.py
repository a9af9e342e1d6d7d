"""Instant checks: what each rule finds, and where it stays silent: what was there before, what is meant to be so."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import ToolError
from kimicode.review.change import Change, FileChange
from kimicode.review.checks import RULES, CheckConfig, run_checks
from kimicode.review.checks.page import page
from kimicode.review.finding import Severity
from tests.review.checked import Held, binary_of, checked, file_of, findings, found, spelt

CONFLICT = "a = 1\n<<<<<<< HEAD\na = 2\n=======\na = 3\n>>>>>>> feature\n"
CLEAN = "def f(x):\n    return [x]\n"


def test_rules_are_named_group_and_name_and_only_once() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        group, _, name = rule.id.partition("/")
        assert group
        assert name
        assert rule.title
        assert len(rule.title) <= 100
        assert rule.scenario
        assert rule.suggestion
        assert rule.example


def test_a_conflict_is_one_critical_finding_over_all_its_lines() -> None:
    (finding,) = findings("src/a.py", CONFLICT, "a = 1\n")
    assert (finding.rule, finding.severity, finding.line, finding.end_line) == ("conflict/marker", Severity.CRITICAL, 2, 6)


@pytest.mark.parametrize("path", ["a.txt", "README.md", "tests/test_a.py", "data.unknown", "Makefile"])
def test_a_conflict_is_found_in_every_kind_of_file(path: str) -> None:
    assert found(path, CONFLICT, "a = 1\n") == ["conflict/marker"]


def test_a_conflict_with_its_base_and_two_conflicts() -> None:
    base = CONFLICT.replace("=======", "||||||| base\na = 0\n=======")
    assert found("a.py", base) == ["conflict/marker"]
    assert found("a.py", base + CONFLICT) == ["conflict/marker"] * 2


def test_one_marker_that_is_left() -> None:
    assert found("src/a.c", "int a;\n>>>>>>> feature\nint b;\n", "int a;\nint b;\n") == ["conflict/leftover"]
    assert found("src/a.txt2", "<<<<<<< HEAD\n") == ["conflict/leftover"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/a.rst", "Title\n=======\n\ntext\n"),
        ("a.md", "Title\n=======\n"),
        ("docs/merge.md", "As git shows it:\n\n```\n" + CONFLICT + "```\n"),
        ("tests/test_merge.py", f'TEXT = """\n{CONFLICT}"""\n'),
        ("tests/fixtures/conflict.txt", CONFLICT),
        ("src/a.py", "x = 1 << 7\n# <<<<<<<< eight\n"),
    ],
)
def test_what_only_looks_like_a_conflict(path: str, text: str) -> None:
    assert found(path, text) == []


def test_a_conflict_that_was_committed_before_is_silent() -> None:
    assert found("src/a.unknown", CONFLICT + "b = 1\n", CONFLICT) == []


BROKEN = {
    "a.py": (CLEAN, "def f(x:\n    return [x]\n"),
    "a.js": ("function f(x) { return x }\n", "function f(x) { return x \n"),
    "a.ts": ("let a: number = 1\n", "let a: number = = 1\n"),
    "a.go": ("package a\n\nfunc f() int { return 1 }\n", "package a\n\nfunc f() int { return 1 \n"),
    "a.rs": ("fn f() -> i32 { 1 }\n", "fn f() -> { 1 }\n"),
    "A.java": ("class A { int b; }\n", "class A { int ; }\n"),
    "a.json": ('{"a": [1, 2]}\n', '{"a": [1, 2}\n'),
    "a.toml": ('a = "b"\n', 'a = = "b"\n'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_new_syntax_errors(name: str) -> None:
    good, bad = BROKEN[name]
    path = f"src/{name}"
    assert found(path, good) == []
    for before in (good, None):
        (finding,) = findings(path, bad, before)
        assert (finding.rule, finding.severity) == ("syntax/error", Severity.HIGH)
    assert found(path, bad + "\n", bad) == []


@pytest.mark.parametrize("name", ["a.rb", "a.sh", "a.c", "a.cpp", "a.php", "a.yaml", "a.cs", "a.lua"])
def test_grammars_that_are_believed_only_of_what_they_could_read(name: str) -> None:
    bad = {
        "a.rb": "def f(x)\n  x)\nend\n",
        "a.sh": "if true; then echo\n",
        "a.c": "int f(void) { return 1; \n",
        "a.cpp": "class A { int b;\n",
    }
    bad |= {
        "a.php": "<?php\nfunction f( { return 1; }\n",
        "a.yaml": "a: [b\nc: d\n",
        "a.cs": "class A { int ( }\n",
        "a.lua": "local x = = 1\n",
    }
    good = {
        "a.rb": "def f(x)\n  x\nend\n",
        "a.sh": "if true; then echo; fi\n",
        "a.c": "int f(void) { return 1; }\n",
        "a.cpp": "class A { int b; };\n",
    }
    good |= {
        "a.php": "<?php\nfunction f() { return 1; }\n",
        "a.yaml": "a: [b]\nc: d\n",
        "a.cs": "class A { int b; }\n",
        "a.lua": "local x = 1\n",
    }
    assert found(name, bad[name]) == []
    assert found(name, bad[name], good[name]) == ["syntax/error"]


def test_indentation_that_no_python_reads() -> None:
    assert found("src/a.py", "def f(x):\n    y = x\n   return [y]\n", CLEAN) == ["syntax/error"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tsconfig.json", '{\n  // comment\n  "a": [1, 2,],\n}\n'),
        ("data.json", '{"a": 1}\n{"a": 2}\n'),
        ("a.ts", "export type * from './a';\nlet b: import('x').Y<Z>;\n"),
        ("a.mjs", "const n = 1;\nexport { n as null };\n"),
        ("types.d.ts", "declare module = ;\n"),
        ("templates/a.json", '{"a": {{ value }}}\n'),
        ("a.json.j2", '{"a": {{ value }}}\n'),
        ("tests/data/bad.py", "def f(:\n"),
        ("tests/n_array.json", "[1,,2]\n"),
        ("node_modules/a/b.js", "function {\n"),
        ("a.py", "print('a')\ntype X[T] = list[T]\n"),
        ("a.py", "x = '\\d'\n"),
        ("empty.py", ""),
    ],
)
def test_what_is_no_syntax_error(path: str, text: str) -> None:
    assert found(path, text) == []


def test_no_more_is_parsed_than_the_measure_allows() -> None:
    bad = BROKEN["a.py"][1]
    assert found("src/a.py", bad, config=CheckConfig(max_parsed_chars=5)) == []
    assert found("src/a.py", bad, config=CheckConfig(max_judged_chars=5)) == []


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("src/a.py", "    breakpoint()", "debug/breakpoint"),
        ("src/a.py", "import pdb; pdb.set_trace()", "debug/breakpoint"),
        ("src/a.js", "  debugger;", "debug/breakpoint"),
        ("lib/a.rb", "  binding.pry", "debug/breakpoint"),
        ("src/a.php", "    var_dump($x);", "debug/dump"),
        ("src/a.rs", "    let y = dbg!(x);", "debug/dump"),
        ("src/a.py", 'print("here")', "debug/print"),
        ("src/a.py", 'print(f"{x=}")', "debug/print"),
        ("src/a.ts", "console.log('here', x);", "debug/print"),
        ("src/a.go", '\tfmt.Println("here")', "debug/print"),
        ("src/a.test.js", "it.only('adds', () => {});", "debug/focused-test"),
        ("spec/a_spec.rb", "  fit 'adds' do", "debug/focused-test"),
        ("tests/test_a.py", "@pytest.mark.skip", "debug/skipped-test"),
        ("src/a.rs", "    todo!()", "debug/unfinished"),
        ("src/a.c", "/* DO NOT COMMIT */", "debug/do-not-commit"),
        ("src/a.sh", "set -x # NOCOMMIT", "debug/do-not-commit"),
    ],
)
def test_leftovers_of_debugging(path: str, line: str, rule: str) -> None:
    before = "x\n"
    said = [each for each in findings(path, before + line + "\n", before) if each.rule != "syntax/error"]
    assert [(each.rule, each.line) for each in said] == [(rule, 2)]
    assert said[0].severity in (Severity.LOW, Severity.MEDIUM)
    assert found(path, before + line + "\n" + "y\n", before + line + "\n") == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("src/a.py", "print(result)"),
        ("src/a.js", "console.log('Server listens on', port);"),
        ("src/a.py", "# call breakpoint() to stop here"),
        ("src/debugger.py", "breakpoint()"),
        ("docs/debug.md", "breakpoint()"),
        ("src/a.js", "const debuggers = 1;"),
        ("src/a.js", "query.only('id');"),
        ("tests/test_a.py", '@pytest.mark.skip(reason="needs a network")\ndef test_a(): ...'),
        ("src/a.py", "# do not commit the transaction here"),
        ("src/a.rs", "// dbg!(x)"),
    ],
)
def test_what_is_no_leftover(path: str, line: str) -> None:
    assert found(path, line + "\n") == []


@pytest.mark.parametrize(
    ("line", "rule", "severity"),
    [
        ("x = 1 # \u202e } \u2066if admin\u2069", "hidden/bidi", Severity.HIGH),
        ("ad\u200bmin = 1", "hidden/invisible", Severity.HIGH),
        ("x = 'a\U000e0041\U000e0042'", "hidden/invisible", Severity.HIGH),
        ("x = '\x1b[2J'", "hidden/control", Severity.MEDIUM),
        ("\u0430dmin = 1", "hidden/mixed-alphabets", Severity.MEDIUM),
    ],
)
def test_hidden_text(line: str, rule: str, severity: Severity) -> None:
    said = [each for each in findings("src/a.py", f"{line}\n") if each.rule != "syntax/error"]
    assert [(each.rule, each.severity) for each in said] == [(rule, severity)]
    assert said[0].quote.isascii()
    assert said[0].title.isascii()
    assert found("docs/a.md", f"{line}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "name = 'Привет, мир'",
        "# Комментарий о коде",
        "Δx = 1",
        "flag = '\U0001f3f4\U000e0067\U000e0062\U000e007f'",
        "s = '日本語 text'",
        "e = '👩\u200d💻'",
    ],
)
def test_other_scripts_hide_nothing(line: str) -> None:
    assert found("src/a.py", f"{line}\n") == []


def test_a_mark_at_the_start_of_a_file_is_none_of_it() -> None:
    assert found("src/a.py", "\ufeffx = 1\n") == []


@pytest.mark.parametrize(
    ("path", "rules"),
    [
        ("deploy/id_ed25519", ["secret/file"]),
        ("certs/app.p12", ["secret/file"]),
        ("app/debug.keystore", []),
        ("tests/data/id_rsa", []),
        ("src/a.py.orig", ["file/leftover"]),
        (".DS_Store", ["file/leftover"]),
        ("src/aux.py", ["file/name"]),
        ("src/what?.txt", ["file/name"]),
        ("src/auxiliary.py", []),
    ],
)
def test_names(path: str, rules: list[str]) -> None:
    assert found(path, "text\n") == rules


def test_an_environment_file_with_values() -> None:
    assert found("app/.env", spelt("PORT=3000\nDB_PASSWORD=q7{a6}\n"))[0].startswith("secret/")
    assert found("app/.env", "PORT=3000\nAPI_TOKEN=\nSECRET_KEY=change-me\n") == []
    assert found(".env.example", spelt("DB_PASSWORD=q7{a6}\n")) == []


def test_binary_additions() -> None:
    elf, image = b"\x7fELF" + bytes(100), b"\x89PNG" + bytes(3 << 20)
    assert [each.rule for each in checked(binary_of("bin/tool"), new={"bin/tool": elf})] == ["file/product"]
    assert [each.rule for each in checked(binary_of("a.sqlite"), new={"a.sqlite": b"\0"})] == ["file/product"]
    assert [each.rule for each in checked(binary_of("a.tar.gz"), new={"a.tar.gz": b"\x1f\x8b"})] == ["file/product"]
    assert checked(binary_of("words.txt.gz"), new={"words.txt.gz": b"\x1f\x8b"}) == ()
    assert [each.rule for each in checked(binary_of("big.png"), new={"big.png": image})] == ["file/large"]
    assert checked(binary_of("small.png"), new={"small.png": image[:100]}) == ()
    assert checked(binary_of("tests/data/a.zip"), new={"tests/data/a.zip": b"PK\0"}) == ()
    assert checked(binary_of("big.png", "modified"), old={"big.png": image}, new={"big.png": image}) == ()


def test_a_large_text() -> None:
    assert found("data.csv", "1,2,3\n" * 100, config=CheckConfig(max_file_bytes=200)) == ["file/large"]


@pytest.mark.parametrize(
    ("path", "target", "rules"),
    [
        ("a/link", "/etc/passwd", ["file/link-outside"]),
        ("a/link", "../../x", ["file/link-outside"]),
        ("link", "..", ["file/link-outside"]),
        ("a/link", "../x", []),
        ("a/link", "b/../c", []),
    ],
)
def test_links(path: str, target: str, rules: list[str]) -> None:
    assert [each.rule for each in checked(file_of(path, target, mode="120000"))] == rules


def test_modes() -> None:
    assert [each.rule for each in checked(file_of("a.md", "# A\n", mode="100755"), new={"a.md": "# A\n"})] == ["file/mode"]
    assert checked(file_of("run", "#!/bin/sh\n", mode="100755"), new={"run": "#!/bin/sh\n"}) == ()


def test_a_submodule_that_moves() -> None:
    moved = FileChange("lib", "", "modified", "160000", "160000", "a" * 40, "b" * 40, False, ())
    assert [each.rule for each in checked(moved)] == ["file/submodule"]


def test_names_that_differ_only_in_case() -> None:
    new = file_of("Readme.md", "a\n")
    assert [each.rule for each in checked(new, tracked=("README.md", "Readme.md"))] == ["file/case"]
    assert [each.rule for each in checked(new, file_of("README.md", "b\n"))] == ["file/case"] * 2
    assert checked(file_of("Readme.md", "a\n", "a\n", origin="readme.md"), tracked=("Readme.md",)) == ()


MANIFEST = '{\n  "name": "a",\n  "version": "1.0.0",\n  "dependencies": {\n    "b": "^1.0.0"\n  }\n}\n'


def test_dependencies_without_their_lock() -> None:
    new = MANIFEST.replace("^1.0.0", "^2.0.0")
    assert found("package.json", new, MANIFEST, tracked=("package.json", "package-lock.json")) == ["lock/not-updated"]
    assert found("web/package.json", new, MANIFEST, tracked=("yarn.lock",)) == ["lock/not-updated"]
    assert found("package.json", new, MANIFEST, tracked=("package.json",)) == []
    assert found("package.json", new, MANIFEST) == []
    assert found("package.json", MANIFEST.replace('"1.0.0"', '"1.0.1"'), MANIFEST, tracked=("package-lock.json",)) == []


@pytest.mark.parametrize(
    ("path", "lock", "old", "new"),
    [
        ("pyproject.toml", "uv.lock", '[project]\ndependencies = [\n  "a",\n]\n', '[project]\ndependencies = [\n  "a",\n  "b>=2",\n]\n'),
        ("Cargo.toml", "Cargo.lock", "[dependencies]\n", '[dependencies]\nserde = "1"\n'),
        ("go.mod", "go.sum", "module a.b/c\n", "module a.b/c\nrequire github.com/x/y v1.2.3\n"),
        ("Gemfile", "Gemfile.lock", "source 'https://rubygems.org'\n", "source 'https://rubygems.org'\ngem 'rails'\n"),
    ],
)
def test_manifests_of_other_languages(path: str, lock: str, old: str, new: str) -> None:
    assert found(path, new, old, tracked=(lock,)) == ["lock/not-updated"]


LOCK = '{"packages": {\n"a": {"resolved": "https://registry.npmjs.org/a.tgz"},\n"b": {}\n}}\n'


def test_a_lock_alone_and_with_its_manifest() -> None:
    changed = LOCK.replace("a.tgz", "a-2.tgz")
    assert found("package-lock.json", changed, LOCK) == ["lock/without-manifest"]
    both = checked(
        file_of("package-lock.json", changed, LOCK),
        file_of("package.json", MANIFEST.replace("^1", "^2"), MANIFEST),
        old={"package-lock.json": LOCK, "package.json": MANIFEST},
        new={"package-lock.json": changed, "package.json": MANIFEST.replace("^1", "^2")},
        tracked=("package-lock.json", "package.json"),
    )
    assert both == ()


def test_a_package_from_elsewhere() -> None:
    (finding, _) = findings("package-lock.json", LOCK.replace("registry.npmjs.org", "registry.npmjs.evil.io"), LOCK)
    assert (finding.rule, finding.severity) == ("lock/other-host", Severity.HIGH)
    assert "registry.npmjs.evil.io" in finding.title
    assert "lock/plain-http" in found("package-lock.json", LOCK.replace("https:", "http:"), LOCK)


def test_rules_that_are_off_and_files_that_are_left_out() -> None:
    assert found("src/a.py", "breakpoint()\n", config=CheckConfig(disabled=("debug/breakpoint",))) == []
    assert found("src/a.py", "breakpoint()\n", config=CheckConfig(disabled=("debug",))) == []
    assert found("src/a.py", "breakpoint()\n", config=CheckConfig(excluded=("src/**",))) == []
    with pytest.raises(ToolError):
        found("src/a.py", "breakpoint()\n", config=CheckConfig(excluded=("",)))


def test_a_deleted_file_says_nothing() -> None:
    assert checked(file_of("a.py", None, "breakpoint()\n"), old={"a.py": "breakpoint()\n"}) == ()


class Unreadable:
    """Contents of which git has none."""

    def old(self, file: FileChange) -> bytes | None:
        raise ToolError("no such object")

    def new(self, file: FileChange) -> bytes | None:
        raise ToolError("no such object")


def test_what_cannot_be_read_does_not_stop_the_others() -> None:
    said = run_checks(Change("a test", "name", (file_of("src/a.py", "breakpoint()\n"), binary_of("b"))), Unreadable())
    assert [each.rule for each in said] == ["debug/breakpoint"]


def test_contents_are_not_read_without_need() -> None:
    held = Held({}, {})
    run_checks(Change("a test", "name", (file_of("src/notes.txt", "text\n"), file_of("a.unknown", "text\n"))), held)
    assert held.asked == []


def test_findings_are_ordered_and_lie_on_added_lines() -> None:
    text = f'x = 1\nbreakpoint()\n{spelt("k = " + chr(34) + "AKIA{A16}")}"\n'
    said = findings("src/a.py", text, "x = 1\n")
    assert [(each.rule, each.line) for each in said] == [("secret/aws-access-key", 3), ("debug/breakpoint", 2)]


def test_lines_with_carriage_returns() -> None:
    changed = file_of("src/a.js", "debugger;\n")
    hunk = changed.hunks[0]
    dressed = FileChange(
        *(changed.path, "", "added", "", "100644", "", "a" * 40, False),
        (type(hunk)(0, 0, 1, 1, "", ("+debugger;\r",)),),
    )
    assert [each.rule for each in checked(dressed, new={"src/a.js": "debugger;\r\n"})] == ["debug/breakpoint"]


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["a.py", "a.json", "a.md", "package-lock.json", "a.ts", ".env"]))
def test_any_change_can_be_looked_at(old: str, new: str, path: str) -> None:
    for finding in findings(path, new, old):
        assert finding.rule in {rule.id for rule in RULES}
        assert finding.source == "check"
        assert 1 <= finding.line <= finding.end_line


def test_the_page_names_every_rule() -> None:
    text = page()
    assert all(f"`{rule.id}`" in text for rule in RULES)


def test_the_page_is_current() -> None:
    kept = Path(__file__).parents[2] / "docs" / "review-checks.md"
    assert kept.read_text("utf-8") == page(), "run python -m kimicode.review.checks.page > docs/review-checks.md"
