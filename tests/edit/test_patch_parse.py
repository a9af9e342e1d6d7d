"""What is read as a patch, in which notation, and what an error says."""

import pytest

from kimicode.edit.patches.parse import parse_patch
from kimicode.edit.patches.values import AddFile, DeleteFile, Hunk, Line, Operation, UpdateFile
from kimicode.errors import ToolError

PLAIN = "*** Begin Patch\n*** Update File: a.py\n@@\n-old\n+new\n*** End Patch\n"


def lines(*texts: str) -> tuple[Line, ...]:
    signs = {" ": " ", "-": "-", "+": "+"}
    return tuple(Line(signs[text[0]], text[1:]) for text in texts)  # type: ignore[arg-type]


def one(text: str) -> Operation:
    (operation,) = parse_patch(text).operations
    return operation


def refusal(text: str) -> str:
    with pytest.raises(ToolError) as caught:
        parse_patch(text)
    return caught.value.message


def hunks(text: str) -> tuple[Hunk, ...]:
    operation = one(text)
    assert isinstance(operation, UpdateFile)
    return operation.hunks


def test_every_operation() -> None:
    patch = parse_patch(
        "*** Begin Patch\n*** Add File: new/one.txt\n+a\n+\n+b\n*** Delete File: old.txt\n"
        "*** Update File: from.py\n*** Move to: to.py\n@@ class A\n@@     def f(self):\n x\n-y\n+z\n*** End of File\n*** End Patch\n"
    )
    assert patch.operations == (
        AddFile(2, "new/one.txt", "a\n\nb\n"),
        DeleteFile(6, "old.txt"),
        UpdateFile(7, "from.py", (Hunk(9, lines(" x", "-y", "+z"), ("class A", "    def f(self):"), at_end=True),), "to.py"),
    )
    assert patch.paths == ("new/one.txt", "old.txt", "from.py", "to.py")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.strip(),
        "\n\n" + PLAIN + "\n\n",
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("-old\n", "-old\r\n"),
        f"```\n{PLAIN}```\n",
        f"```diff\n{PLAIN}```",
        f"~~~ patch\n{PLAIN}~~~",
        f"<<'EOF'\n{PLAIN}EOF\n",
        f"<<EOF\n{PLAIN}EOF",
        f'<<"PATCH"\n{PLAIN}PATCH\n',
        f"apply_patch <<'EOF'\n{PLAIN}EOF\n",
        f"apply_patch << 'EOF'\n{PLAIN}EOF\n\n",
        f"cat <<'EOF' | apply_patch\n{PLAIN}EOF\n",
        f"bash -lc \"apply_patch <<'EOF'\n{PLAIN}EOF\"\n",
        f"apply_patch\n{PLAIN}",
        f"```sh\napply_patch <<'EOF'\n{PLAIN}EOF\n```",
        PLAIN.replace("*** Begin Patch\n", ""),
        PLAIN.replace("*** End Patch\n", ""),
        "*** Update File: a.py\n@@\n-old\n+new",
        PLAIN.replace("*** Begin Patch", "*** Begin Patch  "),
        PLAIN.replace("*** Begin Patch", " *** Begin Patch"),
        PLAIN.replace("*** End Patch", " *** End Patch "),
        PLAIN.replace("*** Update", "  *** Update").replace("a.py", "a.py  "),
        PLAIN.replace("@@\n", "@@ \n"),
        PLAIN.replace("@@\n", "@@ @@\n"),
        PLAIN.replace("@@\n", "@@ ... @@\n"),
        PLAIN.replace("@@\n", ""),
        PLAIN.replace("+new\n", "+new\n\n\n"),
    ],
)
def test_wrappers_and_small_slips_change_nothing(text: str) -> None:
    operation = one(text)
    assert isinstance(operation, UpdateFile)
    assert (operation.path, operation.hunks[0].lines, operation.hunks[0].anchors) == ("a.py", lines("-old", "+new"), ())


def test_an_empty_line_stays() -> None:
    assert hunks("*** Update File: a\n@@\n x\n\n-y\n\n+z\n\n*** End Patch")[0].lines == lines(" x", " ", "-y", " ", "+z")


def test_markers_in_content_are_content() -> None:
    text = "*** Begin Patch\n*** Update File: a\n@@\n *** End Patch\n-*** Delete File: b\n+*** Add File: c\n *** Begin Patch\n*** End Patch"
    assert hunks(text)[0].lines == lines(" *** End Patch", "-*** Delete File: b", "+*** Add File: c", " *** Begin Patch")
    assert one("*** Add File: a\n+*** End Patch\n+@@\n+-x\n*** End Patch") == AddFile(1, "a", "*** End Patch\n@@\n-x\n")


def test_line_numbers_after_the_signs_are_no_anchor() -> None:
    hunk = hunks("*** Update File: a\n@@ -12,2 +12,2 @@ def f():\n x\n-y\n+z")[0]
    assert (hunk.anchors, hunk.start) == ((), 12)


def test_an_empty_new_file() -> None:
    assert one("*** Begin Patch\n*** Add File: a\n*** End Patch") == AddFile(2, "a", "")


def test_two_patches_in_a_row_are_one() -> None:
    assert [operation.at for operation in parse_patch(PLAIN + PLAIN).operations] == [2, 8]


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("\n ", 1, "the patch is empty; expected '*** Begin Patch'"),
        ("```\n```", 2, "the patch ends here; expected '*** Begin Patch'"),
        ("hello\nworld", 1, "'hello' is not expected here; expected '*** Begin Patch'"),
        ("*** Begin Patch\n*** End Patch", 1, "there is nothing in this patch"),
        (
            "*** Begin Patch\n*** Frobnicate File: x\n*** End Patch",
            2,
            "'*** Frobnicate File: x' is not expected here; expected '*** Add File",
        ),
        ("*** Begin Patch\n*** Environment ID: 7\n*** Add File: x\n+a\n*** End Patch", 2, "'*** Environment ID: 7' is not expected"),
        ("*** Begin Patch\n*** Update File:\n@@\n-a\n+b", 2, "expected a path after '*** Update File:'"),
        ("*** Update File: a\n*** Move to: \n@@\n-a\n+b", 2, "expected a path after '*** Move to:'"),
        ("*** Update File: a\n*** End Patch", 2, "expected changes to a"),
        ("*** Update File: a", 2, "the patch ends here; expected changes to a"),
        ("*** Update File: a\n@@\n x\n*** End Patch", 2, "would change nothing"),
        ("*** Update File: a\n@@ def f\n@@ def g\n*** End Patch", 2, "would change nothing"),
        (
            "*** Update File: a\n@@\n-x\n+y\nforgot the sign\n*** End Patch",
            5,
            "'forgot the sign' is not expected here; expected a line that",
        ),
        ("*** Add File: a\n+x\nno plus\n", 3, "expected a line of the new file, which starts with '+'"),
        ("*** Delete File: a\n-x\n", 2, "expected nothing more about a"),
        ("*** Begin Patch\n*** Add File: a\n+x\n*** Move to: b\n*** End Patch", 4, "'*** Move to: b' is not expected"),
        (PLAIN + "and then\n", 7, "'and then' is not expected here; expected the end of the patch"),
        (PLAIN + "*** Delete File: b\n", 7, "expected the end of the patch"),
        ("cd sub && apply_patch <<'EOF'\n" + PLAIN + "EOF\n", 1, "is not expected here"),
        ("\n\n```\n" + PLAIN.replace("-old", "?old") + "```", 7, "'?old' is not expected"),
        ("*** Update File: a\n" + "x" * 500, 2, "…'"),
    ],
)
def test_errors_name_the_line_and_what_was_expected(text: str, number: int, message: str) -> None:
    said = refusal(text)
    assert said.startswith(f"patch line {number}: ")
    assert message in said
    assert len(said) < 400


def test_a_unified_diff() -> None:
    text = "--- a/src/x.py\t2024-01-01\n+++ b/src/x.py\n@@ -1,3 +1,3 @@ def f():\n a\n-b\n+c\n d\n@@ -9 +9,2 @@\n e\n+f\n"
    assert one(text) == UpdateFile(
        1,
        "src/x.py",
        (Hunk(3, lines(" a", "-b", "+c", " d"), start=1), Hunk(8, lines(" e", "+f"), start=9)),
    )


def test_git_headers() -> None:
    patch = parse_patch(
        "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\nindex 1234567..89abcde 100644\n"
        "--- a/old.py\n+++ b/new.py\n@@ -1 +1 @@\n-x\n+y\n"
        "diff --git a/moved b/there/moved\nsimilarity index 100%\nrename from moved\nrename to there/moved\n"
        "diff --git a/made b/made\nnew file mode 100644\nindex 0000000..1\n--- /dev/null\n+++ b/made\n@@ -0,0 +1,2 @@\n+one\n+two\n"
        "\\ No newline at end of file\n"
        "diff --git a/empty file b/empty file\nnew file mode 100644\nindex 0000000..e69de29\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        'diff --git "a/\\303\\251" "b/\\303\\251"\n--- "a/\\303\\251"\n+++ "b/\\303\\251"\n@@ -1 +1 @@\n-x\n+y\n'
    )
    assert patch.operations == (
        UpdateFile(1, "old.py", (Hunk(8, lines("-x", "+y"), start=1),), "new.py"),
        UpdateFile(11, "moved", (), "there/moved"),
        AddFile(15, "made", "one\ntwo"),
        AddFile(24, "empty file", ""),
        DeleteFile(27, "gone", (Hunk(31, lines("-x"), start=1),)),
        UpdateFile(33, "é", (Hunk(36, lines("-x", "+y"), start=1),)),
    )


def test_names_without_prefixes() -> None:
    assert parse_patch("--- x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n").paths == ("x",)
    assert parse_patch("--- a/x\n+++ a/x\n@@ -1 +1 @@\n-a\n+b\n").paths == ("a/x",)


def test_counts_are_not_believed_where_they_are_wrong() -> None:
    text = "--- a/x\n+++ b/x\n@@ -1,9 +1,2 @@\n a\n-b\n+c\n--- a/y\n+++ b/y\n@@ @@\n-d\n+e\n@@ def f():\n-g\n+h\n"
    first, second = parse_patch(text).operations
    assert isinstance(first, UpdateFile)
    assert isinstance(second, UpdateFile)
    assert first.hunks[0].lines == lines(" a", "-b", "+c")
    assert [hunk.anchors for hunk in second.hunks] == [(), ("def f():",)]


def test_removed_lines_that_look_like_a_header_are_lines_where_the_counts_say_so() -> None:
    text = "--- a/x.sql\n+++ b/x.sql\n@@ -1,3 +1,3 @@\n a\n--- old\n+++ new\n b\n"
    assert hunks(text)[0].lines == lines(" a", "--- old", "+++ new", " b")


@pytest.mark.parametrize(
    ("removed", "added", "newline"),
    [("\n\\ No newline at end of file", "", True), ("", "\n\\ No newline at end of file", False), ("\n\\ No", "\n\\ No", None)],
)
def test_the_end_of_a_file(removed: str, added: str, newline: bool | None) -> None:
    hunk = hunks(f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a{removed}\n+b{added}\n")[0]
    assert (hunk.lines, hunk.newline, hunk.at_end) == (lines("-a", "+b"), newline, True)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("new file mode 120000\n--- /dev/null\n+++ b/x", "mode 120000 is a symbolic link"),
        ("index 123..456 120000\n--- a/x\n+++ b/x", "mode 120000 is a symbolic link"),
        ("deleted file mode 120000\n--- a/x\n+++ /dev/null", "mode 120000 is a symbolic link"),
        ("new file mode 160000\n--- /dev/null\n+++ b/x", "mode 160000 is a submodule"),
        ("old mode 100644\nnew mode 100755\n--- a/x\n+++ b/x", "use chmod"),
        ("new file mode 100755\n--- /dev/null\n+++ b/x", "not 100755"),
        ("Binary files a/x and b/x differ", "more than a change of text"),
        ("GIT binary patch\nliteral 3", "more than a change of text"),
        ("similarity index 100%\ncopy from x\ncopy to y", "more than a change of text"),
    ],
)
def test_what_is_no_change_of_text_is_refused(head: str, message: str) -> None:
    said = refusal(f"diff --git a/x b/x\n{head}\n@@ -0,0 +1 @@\n+/etc/passwd\n")
    assert message in said
    assert said.startswith("patch line ")


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", 1, "a rename needs 'rename from'"),
        ("--- a/x\n+++ b/x\n", 1, "there are no changes to x"),
        ("--- /dev/null\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", 1, "only lines that start with '+'"),
        ("--- a/x\n+++ b/x\nhm\n", 3, "'hm' is not expected"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n*** End Patch\n", 6, "'*** End Patch' is not expected"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n", 3, "would change nothing"),
        ("diff --git a/x b/yy\nindex 1..2\n", 1, "expected '--- path' and '+++ path'"),
    ],
)
def test_errors_in_unified_diffs(text: str, number: int, message: str) -> None:
    said = refusal(text)
    assert said.startswith(f"patch line {number}: ")
    assert message in said


def test_search_and_replace_blocks() -> None:
    patch = parse_patch(
        "a.py\n```python\n<<<<<<< SEARCH\nkeep\nold\nkeep too\n=======\nkeep\nnew\nnewer\nkeep too\n>>>>>>> REPLACE\n```\n\n"
        "<<<<<<< SEARCH\nx\n=======\n>>>>>>> REPLACE\n"
        "### `sub/b.py`:\n------- SEARCH\n=======\nall new\n+++++++ REPLACE\n"
    )
    assert patch.operations == (
        UpdateFile(3, "a.py", (Hunk(3, lines(" keep", "-old", "+new", "+newer", " keep too"), signed=False),)),
        UpdateFile(15, "a.py", (Hunk(15, lines("-x"), signed=False),)),
        AddFile(20, "sub/b.py", "all new\n"),
    )


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE", 1, "expected the path of the file"),
        ("f\n<<<<<<< SEARCH\na\n>>>>>>> REPLACE", 4, "expected '=======' between"),
        ("f\n<<<<<<< SEARCH\na\n=======\nb\n", 6, "the patch ends here; expected '>>>>>>> REPLACE'"),
        ("f\n<<<<<<< SEARCH\na\n=======\nb\n=======\nc\n>>>>>>> REPLACE", 6, "expected '>>>>>>> REPLACE'"),
        ("f\n<<<<<<< SEARCH\na\n=======\na\n>>>>>>> REPLACE", 2, "would change nothing"),
        ("f\ng\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE", 2, "after one line with the path"),
        ("f\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\nand more", 8, "after the path and more"),
    ],
)
def test_errors_in_blocks(text: str, number: int, message: str) -> None:
    said = refusal(text)
    assert said.startswith(f"patch line {number}: ")
    assert message in said
