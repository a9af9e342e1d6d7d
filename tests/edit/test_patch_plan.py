"""Where hunks go and where they do not, and what becomes of files."""

import pytest

from kimicode.edit.files import TextFile
from kimicode.edit.patches.parse import parse_patch
from kimicode.edit.patches.plan import FileChange, plan_patch
from kimicode.errors import ToolError


def plan(patch: str, **files: str) -> tuple[FileChange, ...]:
    parsed = parse_patch(patch)
    return plan_patch(parsed, {path: TextFile(files[path]) if path in files else None for path in parsed.paths})


def patched(text: str, body: str) -> str:
    (change,) = plan(f"*** Begin Patch\n*** Update File: f\n{body}\n*** End Patch", f=text)
    assert (change.kind, change.path) == ("M", "f")
    assert change.after is not None
    return change.after.text


def refusal(text: str, body: str) -> str:
    with pytest.raises(ToolError) as caught:
        plan(f"*** Begin Patch\n*** Update File: f\n{body}\n*** End Patch", f=text)
    assert caught.value.message.startswith("f: ")
    return caught.value.message


TESTS = "def test_a():\n    x = 1\n    go(x)\n\ndef test_b():\n    x = 1\n    go(x)\n\ndef test_c():\n    x = 1\n    go(x)\n"
CLASSES = "class A:\n    def run(self):\n        go()\n\n    def end(self):\n        go()\n\nclass B:\n    def run(self):\n        go()\n"
BRACES = "int f(\n    int a\n)\n{\n    go();\n}\n\nint g(void)\n{\n    go();\n}\n\nint h(void)\n{\n    go();\n}\n"


@pytest.mark.parametrize(
    ("text", "body", "want"),
    [
        ("a\nb\nc\n", "@@\n a\n-b\n+B\n c", "a\nB\nc\n"),
        ("a\nb\nc\n", "-b\n+B", "a\nB\nc\n"),
        ("a\nb\nc\n", "@@\n-a\n-b\n-c", ""),
        ("a\nb\nc\n", "@@\n b\n+x\n c", "a\nb\nx\nc\n"),
        ("a\nb\nc\n", "@@\n+x\n a\n@@\n c\n+y", "x\na\nb\nc\ny\n"),
        # Order is no demand where lines are unique.
        ("a\nb\nc\n", "@@\n-c\n+C\n@@\n-a\n+A", "A\nb\nC\n"),
        # Hunks may share lines that stay in both.
        ("a\nb\nc\nd\ne\n", "@@\n a\n-b\n+B\n c\n@@\n c\n-d\n+D\n e", "a\nB\nc\nD\ne\n"),
        # Each hunk alone would be ambiguous; in the order of the file there is one way.
        ("x\nm\nx\n", "@@\n-x\n+1\n@@\n-x\n+2", "1\nm\n2\n"),
        ("x\nm\nx\nn\n", "@@\n-m\n+M\n@@\n-x\n+2", "x\nM\n2\nn\n"),
        ("x\nm\nx\nn\n", "@@\n-x\n+1\n@@\n-m\n+M", "1\nM\nx\nn\n"),
        # An anchor says which, by what it opens or by what follows it.
        (TESTS, "@@ def test_b():\n-    x = 1\n+    x = 2", TESTS.replace("test_b():\n    x = 1", "test_b():\n    x = 2")),
        (TESTS, "@@ def test_c\n     x = 1\n-    go(x)\n+    stop(x)", TESTS[:-6].removesuffix("    ") + "    stop(x)\n"),
        (CLASSES, "@@ class B:\n@@ def run(self):\n-        go()\n+        stop()", CLASSES[:-13] + "        stop()\n"),
        (CLASSES, "@@ class A:\n@@     def end(self):\n-        go()", CLASSES.replace("end(self):\n        go()\n", "end(self):\n")),
        (CLASSES, "@@ class B\n+    x = 1\n", CLASSES.replace("class B:\n", "class B:\n    x = 1\n")),
        (BRACES, "@@ int g(void)\n-    go();\n+    g();", BRACES.replace("g(void)\n{\n    go();", "g(void)\n{\n    g();")),
        (BRACES, "@@ int f(\n-    go();\n+    f();", BRACES.replace("go", "f", 1)),
        ("# A\n\ntext\n\n# B\n\ntext\n", "@@ # B\n-text\n+words", "# A\n\ntext\n\n# B\n\nwords\n"),
        ("a\nb\nx\n", "@@ x\n x\n+y", "a\nb\nx\ny\n"),
        ("def f():\n    pass\n", "@@ def f(): @@\n-    pass\n+    go()", "def f():\n    go()\n"),
        # The end of the file.
        ("x\ny\nx\n", "@@\n-x\n+z\n*** End of File", "x\ny\nz\n"),
        ("x\ny\n\n\n", "@@\n y\n+z\n*** End of File", "x\ny\nz\n\n\n"),
        ("a\n", "@@\n+b\n+c\n*** End of File", "a\nb\nc\n"),
        ("a", "@@\n+b\n*** End of File", "a\nb"),
        ("", "@@\n+b", "b\n"),
        ("a\nb\n", "@@ a\n+c\n*** End of File", "a\nb\nc\n"),
        # Blank lines at a hunk's ends that were there to be read more easily, or stand for the last newline.
        ("a\nb\nd\n", "@@\n\n a\n-b\n+c\n\n@@\n-d\n+e\n", "a\nc\ne\n"),
        ("a\nb\n", "@@\n a\n-b\n+c\n \n ", "a\nc\n"),
        ("a\n\nb\n", "@@\n\n+c", "a\n\nc\nb\n"),
        # Newlines are the file's: of the line replaced, or of the line above.
        ("a\r\nb\r\n", "@@\n a\n-b\n+c\n+d", "a\r\nc\r\nd\r\n"),
        ("a\r\nb\nc\r\n", "@@\n a\n-b\n+x\n+y\n c", "a\r\nx\ny\nc\r\n"),
        ("a\nb", "@@\n-b\n+c", "a\nc"),
        ("a\nb", "@@\n-b", "a"),
        ("a\r\nb", "@@\n b\n+c", "a\r\nb\r\nc"),
        ("\u2028a\x0c\nb\n", "@@\n \u2028a\x0c\n-b\n+c", "\u2028a\x0c\nc\n"),
    ],
)
def test_one_way(text: str, body: str, want: str) -> None:
    assert patched(text, body) == want


@pytest.mark.parametrize(
    ("text", "body", "message"),
    [
        ("x\nm\nx\nm\nx\n", "@@\n-x\n+y", "hunk at patch line 3: its line is at several places: lines 1, 3, 5."),
        (
            "x\ny\nx\ny\n",
            "@@\n x\n-y\n+z",
            "its lines start at several places: lines 1, 3. Add lines that stay, or an '@@' line, to say which.",
        ),
        ("x\nm\nx\nm\nx\n", "@@\n-x\n+1\n@@\n-x\n+2", "lines 1, 3"),
        ("x\nx\nm\n", "@@\n-m\n+M\n@@\n-x\n+1", "lines 1, 2"),
        (CLASSES, "@@ def run(self):\n-        go()", "lines 3, 10"),
        (CLASSES, "@@ def run(self):\n+        first()", "'@@ def run(self):' is at several places: lines 2, 9. Add an '@@' line above it"),
        ("# A\ntext\ntext\n", "@@ # A\n-text\n+words", "lines 2, 3"),
        (TESTS, "@@ def test_d():\n-    x = 1\n+    x = 2", "no line is 'def test_d():'. The nearest place starts at line"),
        (TESTS, "@@ def test_\n-    x = 1\n+    x = 2", "no line is 'def test_'"),
        (TESTS, "@@ def test_b():\n@@ class X:\n-    x = 1\n+    x = 2", "no line below '@@ def test_b():' is 'class X:'"),
        ("a\n\ndef f():\n    b\n", "@@ def f():\n-a\n+c", "its lines are at line 1, but not below '@@ def f():'"),
        ("x\ny\nz\n", "@@\n-y\n+Y\n*** End of File", "its lines are at line 2, but not at the end of the file"),
        ("alpha = 1\nbeta = 2\n", "@@\n-beta = 3\n+beta = 4", "its lines are not in the file. The nearest place starts at line 2"),
        ("alpha = 1\nbeta = 22\n", "@@\n alpha = 1\n-beta = 1\n+beta = 22", "at line 1: was it applied before?"),
        ("a\nb\n", "@@\n+c", "the new lines have no place"),
        # A line was forgotten between the blank one and the next: dropping the blank one would hide it.
        ("\nlost = 1\nnext = 2\n", "@@\n \n-next = 2\n+next = 3", "its lines are not in the file"),
        ("one = 1\nlost = 1\n\nx\n", "@@\n-one = 1\n+one = 2\n \n", "its lines are not in the file"),
        ("a\nb\nc\n", "@@\n-a\n-b\n+x\n@@\n-b\n+y", "it and the hunk at patch line 7 overlap at line 2 of the file"),
        ("a\nb\nc\n", "@@\n a\n-b\n+x\n@@\n b\n-c\n+y", "overlap at line 2"),
        ("a\nb\nc\n", "@@\n-a\n+x\n@@ a\n+y", "overlap at line 1"),
        ("a\nb\n", "@@\n-b\n+b", "nothing would change"),
    ],
)
def test_no_way_or_several(text: str, body: str, message: str) -> None:
    assert message in refusal(text, body)


def test_a_stated_line_decides_between_equal_places_and_nothing_else() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -{at} +{at} @@\n-x\n+y\n"
    (change,) = plan(diff.format(at=3), f="x\nm\nx\n")
    assert change.after == TextFile("x\nm\ny\n")
    (change,) = plan(diff.format(at=7), f="m\nx\n")
    assert change.after == TextFile("m\ny\n")
    with pytest.raises(ToolError, match="lines 1, 3"):
        plan(diff.format(at=2), f="x\nm\nx\n")
    with pytest.raises(ToolError, match="have no place"):
        plan("--- a/f\n+++ b/f\n@@ -1,0 +2 @@\n+y\n", f="x\nm\nx\n")


def test_a_unified_diff_says_how_the_file_ends() -> None:
    bare = "\\ No newline at end of file\n"
    assert plan(f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n{bare}+b\n", f="a")[0].after == TextFile("b\n")
    assert plan(f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n{bare}", f="a\n")[0].after == TextFile("b")
    assert plan(f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n{bare}+b\n{bare}", f="a")[0].after == TextFile("b")
    assert plan(f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+a\n{bare}", f="a\n")[0].after == TextFile("a")
    with pytest.raises(ToolError, match="not at the end of the file"):
        plan(f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n{bare}", f="a\nc\n")


def test_kinds_of_change_and_counts() -> None:
    changes = plan(
        "*** Begin Patch\n*** Add File: new\n+a\n+b\n*** Delete File: old\n*** Update File: here\n*** Move to: there\n@@\n-x\n+y\n+z\n"
        "*** Update File: same\n@@\n-1\n+2\n*** Update File: only\n*** Move to: moved\n*** End Patch",
        old="1\n2\n3",
        here="x\n",
        same="1\n",
        only="o\n",
    )
    assert changes == (
        FileChange("A", "new", None, TextFile("a\nb\n"), added=2),
        FileChange("D", "old", TextFile("1\n2\n3"), None, removed=3),
        FileChange("R", "there", TextFile("x\n"), TextFile("y\nz\n"), "here", 2, 1),
        FileChange("M", "same", TextFile("1\n"), TextFile("2\n"), None, 1, 1),
        FileChange("R", "moved", TextFile("o\n"), TextFile("o\n"), "only"),
    )


def test_operations_on_one_file_apply_in_order() -> None:
    update = "*** Update File: {}\n@@\n-{}\n+{}\n"
    (change,) = plan(update.format("f", "a", "b") + update.format("f", "b", "c"), f="a\n")
    assert (change.after, change.added, change.removed) == (TextFile("c\n"), 2, 2)
    (change,) = plan("*** Add File: f\n+a\n" + update.format("f", "a", "b"))
    assert (change.kind, change.after) == ("A", TextFile("b\n"))
    (change,) = plan("*** Update File: f\n*** Move to: g\n" + update.format("g", "a", "b"), f="a\n")
    assert (change.kind, change.source, change.after) == ("R", "f", TextFile("b\n"))
    (change,) = plan("*** Delete File: f\n*** Add File: f\n+b\n", f="a\nc\n")
    assert (change.kind, change.after, change.added, change.removed) == ("M", TextFile("b\n"), 1, 2)
    (change,) = plan("*** Update File: f\n*** Move to: g\n*** Delete File: g\n", f="a\n")
    assert (change.kind, change.path) == ("D", "f")
    move = "*** Update File: {}\n*** Move to: {}\n"
    (change,) = plan("*** Delete File: g\n" + move.format("f", "g"), f="1\n", g="2\n")
    assert (change.kind, change.source, change.after) == ("R", "f", TextFile("1\n"))
    changes = plan(move.format("f", "t") + move.format("g", "f") + move.format("t", "g"), f="1\n", g="2\n")
    assert [(c.kind, c.path, c.source, c.after) for c in changes] == [("R", "f", "g", TextFile("2\n")), ("R", "g", "f", TextFile("1\n"))]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("*** Add File: f\n+x", "f: it exists, so it can't be added. Update it, or use write"),
        ("*** Delete File: none", "none: it does not exist, so it can't be deleted"),
        ("*** Update File: none\n@@\n-a\n+b", "none: it does not exist, so it can't be updated"),
        ("*** Update File: f\n*** Move to: g", "f: it can't move to g, which exists"),
        ("*** Update File: f\n*** Move to: h\n*** Update File: f\n@@\n-a\n+b", "f: it does not exist"),
        ("*** Add File: h\n+x\n*** Add File: h\n+y", "h: it exists"),
        ("*** Add File: h\n+x\n*** Delete File: h", "it also undoes"),
        ("*** Update File: f\n*** Move to: f", "it also undoes"),
        ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "it has lines that the patch does not take away"),
        ("f\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE", "f: it exists, so it can't be added"),
        ("*** Add File: h\n+x\n*** Update File: f\n@@\n-zzz\n+b", "f: the hunk at patch line 4: its lines are not in the file"),
    ],
)
def test_refused_operations(patch: str, message: str) -> None:
    with pytest.raises(ToolError) as caught:
        plan(patch, f="a\nb\n", g="g\n")
    assert message in caught.value.message


def test_a_deletion_that_names_every_line() -> None:
    assert plan("--- a/f\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n", f="a\nb\n")[0].kind == "D"


@pytest.mark.parametrize(("old", "new"), [("b\n", "b2\nc\n"), ("b\n", "a\nb2\n")])
def test_a_block_that_would_double_a_line_beside_it_is_refused(old: str, new: str) -> None:
    with pytest.raises(ToolError, match="it would be there twice"):
        plan(f"f\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n", f="a\nb\nc\n")
    assert patched("a\nb\nc\n", "@@\n-b\n+b2\n+c") == "a\nb2\nc\nc\n"


def test_lines_left_out_are_not_written() -> None:
    assert "stands for lines that were left out" in refusal(
        "def f():\n    a()\n    b()\n", "@@\n def f():\n-    a()\n+    # ... rest of the code ..."
    )


@pytest.mark.parametrize(
    ("text", "body", "want"),
    [
        ("a  \nb\n", "@@\n a\n-b\n+c", "a  \nc\n"),
        ("    a\n    b\n", "@@\n a\n-b\n+c\n+  d", "    a\n    c\n      d\n"),
        ("\tif x:\n\t\ta()\n", "@@\n     if x:\n-        a()\n+        b()", "\tif x:\n\t\tb()\n"),
        ("say(“hi”)\nx\n", '@@\n say("hi")\n-x\n+y', "say(“hi”)\ny\n"),
        ("caf\u00e9\nx\n", "@@\n cafe\u0301\n-x\n+y", "caf\u00e9\ny\n"),
        # An exact place above the anchor is not preferred to the one the anchor names.
        ("a\nb\n\ndef f():\n  a \n  b\n", "@@ def f():\n a\n-b\n+c", "a\nb\n\ndef f():\n  a \n  c\n"),
    ],
)
def test_what_is_overlooked_stays_as_the_file_has_it(text: str, body: str, want: str) -> None:
    assert patched(text, body) == want
    (change,) = plan(f"*** Update File: f\n{body}", f=text)
    assert change.notes[0].startswith("line ")


def test_several_places_that_fit_only_loosely_are_refused() -> None:
    assert "lines 1, 3" in refusal("  x\ny\n  x\nz\n", "@@\n-x \n+w")
    assert "and 1 more" in refusal("  x\n" * 50, "@@\n-x\n+w")


def test_what_is_kept_of_a_file() -> None:
    patch = parse_patch("*** Update File: f\n@@\n-a\n+b\n")
    assert plan_patch(patch, {"f": TextFile("a\n", bom=True)})[0].after == TextFile("b\n", bom=True)


def test_large_files_and_many_hunks_are_quick() -> None:
    text = "".join(f"line {number}\nsame\n" for number in range(20_000))
    body = "\n".join(f"@@\n line {number}\n-same\n+new" for number in range(0, 20_000, 100))
    assert patched(text, body).count("new\n") == 200
    assert "more" in refusal("same\n" * 20_000, "\n".join(["@@\n-same\n+new"] * 50))
