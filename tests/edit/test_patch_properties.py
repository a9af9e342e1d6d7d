"""What holds for any text and any patch: applied right, or refused whole with words for the model."""

import difflib

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kimicode.edit.files import TextFile
from kimicode.edit.patches.parse import parse_patch
from kimicode.edit.patches.plan import FileChange, plan_patch
from kimicode.errors import ToolError

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=6), max_size=12)
FEW = st.lists(st.sampled_from(["", "a", "b", "    a", "}", "\ta", "a ", "+x", "-x", "@@", "*** End Patch", "“q”"]), max_size=14)
NEWLINES = st.sampled_from(["\n", "\r\n"])


def plan(patch: str, files: dict[str, str]) -> tuple[FileChange, ...]:
    parsed = parse_patch(patch)
    return plan_patch(parsed, {path: TextFile(files[path]) if path in files else None for path in parsed.paths})


def hunks(old: list[str], new: list[str], context: int) -> list[list[str]]:
    """The lines of a patch for each group of changes, with `context` lines that stay around them."""
    groups = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context):
        lines: list[str] = []
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [" " + line for line in old[i1:i2]]
            else:
                lines += ["-" + line for line in old[i1:i2]] + ["+" + line for line in new[j1:j2]]
        groups.append(lines)
    return groups


def v4a(old: list[str], new: list[str], context: int) -> str:
    body = "".join("@@\n" + "".join(f"{line}\n" for line in lines) for lines in hunks(old, new, context))
    return f"*** Begin Patch\n*** Update File: f\n{body}*** End Patch\n"


def text(lines: list[str], newline: str) -> str:
    return "".join(line + newline for line in lines)


@settings(deadline=None, max_examples=300)
@given(old=LINES | FEW, new=LINES | FEW, newline=NEWLINES)
@example(old=[], new=["", ""], newline="\n")
@example(old=["a", "a"], new=["a"], newline="\n")
def test_a_patch_with_the_whole_file_around_it_gives_exactly_the_new_text(old: list[str], new: list[str], newline: str) -> None:
    assume(old != new)
    (change,) = plan(v4a(old, new, 1000), {"f": text(old, newline)})
    assert change.after == TextFile(text(new, newline if old else "\n"))


@settings(deadline=None, max_examples=300)
@given(old=LINES | FEW, new=LINES | FEW, context=st.integers(0, 3))
def test_a_patch_with_little_around_it_gives_the_new_text_or_is_refused(old: list[str], new: list[str], context: int) -> None:
    assume(old != new)
    try:
        (change,) = plan(v4a(old, new, context), {"f": text(old, "\n")})
    except ToolError:
        return
    assert change.after == TextFile(text(new, "\n"))


@settings(deadline=None, max_examples=200)
@given(old=LINES | FEW, new=LINES | FEW, bare=st.booleans(), ended=st.booleans())
def test_a_diff_of_difflib_gives_the_new_text_whatever_the_file_ends_with(old: list[str], new: list[str], bare: bool, ended: bool) -> None:
    before, after = text(old, "\n"), text(new, "\n")
    before, after = before[:-1] if bare else before, after[:-1] if not ended else after
    assume(before != after and before)
    lines = list(difflib.unified_diff(before.splitlines(True) and _kept(before), _kept(after), "a/f", "b/f", n=1000))
    diff = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    (change,) = plan(diff, {"f": before})
    assert change.after == TextFile(after)


def _kept(value: str) -> list[str]:
    """Lines with their newline: only LF ends one."""
    parts = value.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@settings(deadline=None, max_examples=200)
@given(old=FEW.filter(bool), new=FEW)
def test_a_block_gives_the_new_text(old: list[str], new: list[str]) -> None:
    assume(old != new and any(line.strip() for line in old))
    block = "\n".join(["f", "<<<<<<< SEARCH", *old, "=======", *new, ">>>>>>> REPLACE"])
    (change,) = plan(block, {"f": text(old, "\n")})
    assert change.after == TextFile(text(new, "\n"))


BODIES = st.lists(
    st.lists(st.sampled_from(["x = 1", "y = 2", "", "if x:", "    x = 1", "go(", ")"]), min_size=1, max_size=5), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=300)
@given(bodies=BODIES, data=st.data())
def test_an_anchor_means_the_line_in_what_it_opens_and_several_are_refused(bodies: list[list[str]], data: st.DataObject) -> None:
    names = [f"def f{number}():" for number in range(len(bodies))]
    lines = [line for name, body in zip(names, bodies, strict=True) for line in (name, *("    " * bool(each) + each for each in body))]
    chosen = data.draw(st.integers(0, len(bodies) - 1))
    body = ["    " * bool(each) + each for each in bodies[chosen]]
    line = data.draw(st.sampled_from(body).filter(bool))
    patch = f"*** Update File: f\n@@ {names[chosen]}\n-{line}\n+    new()\n"
    try:
        (change,) = plan(patch, {"f": text(lines, "\n")})
    except ToolError as error:
        assert body.count(line) > 1, error  # noqa: PT017 - the refusal is right only where the line is not unique
        return
    at = lines.index(names[chosen]) + 1 + body.index(line)
    assert body.count(line) == 1
    assert change.after == TextFile(text([*lines[:at], "    new()", *lines[at + 1 :]], "\n"))


SEED = (
    "*** Begin Patch\n*** Add File: new\n+a\n+\n+b\n*** Delete File: gone\n*** Update File: f\n*** Move to: g\n@@ def f():\n     x = 1\n"
    "-    y = 2\n+    y = 3\n@@\n-z\n+Z\n*** End of File\n*** Update File: h\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n*** End Patch\n"
)
DIFF = (
    "diff --git a/f b/g\nrename from f\nrename to g\n--- a/f\n+++ b/g\n"
    "@@ -1,3 +1,3 @@ def f():\n def f():\n     x = 1\n-    y = 2\n+    y = 3\n"
    "--- a/h\n+++ b/h\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n"
)
BLOCK = "h\n```\n<<<<<<< SEARCH\na\nb\n=======\na\nc\n>>>>>>> REPLACE\n```\nnew\n<<<<<<< SEARCH\n=======\nn\n>>>>>>> REPLACE\n"
FILES = {"f": "def f():\n    x = 1\n    y = 2\n\nz\n", "gone": "1\n2\n", "h": "a\nb\n", "other": "untouched\n"}
PIECES = [
    "*** End Patch\n",
    "*** Begin Patch\n",
    "@@\n",
    "@@ def f():\n",
    "+",
    "-",
    " ",
    "\n",
    "\\ No newline\n",
    "*** End of File\n",
    "--- a/h\n",
    "=======\n",
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    patch = draw(st.sampled_from([SEED, DIFF, BLOCK]))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(patch)))
        end = draw(st.integers(start, min(len(patch), start + 12)))
        patch = patch[:start] + draw(st.sampled_from(["", "", *PIECES]) | st.text(max_size=3)) + patch[end:]
    return patch


@settings(deadline=None, max_examples=1500)
@given(patch=mutated() | st.text() | st.lists(st.sampled_from((SEED + DIFF + BLOCK).splitlines())).map("\n".join))
def test_whatever_is_sent_is_a_plan_for_named_files_or_an_error_in_words(patch: str) -> None:
    try:
        changes = plan(patch, FILES)
    except ToolError as error:
        assert error.message  # noqa: PT017 - any other exception fails the test
        return
    named = parse_patch(patch).paths
    touched = {change.path for change in changes} | {change.source for change in changes if change.source}
    assert touched <= set(named)
    assert "other" not in touched
    for change in changes:
        assert (change.before is None) == (change.kind == "A")
        assert (change.after is None) == (change.kind == "D")


@settings(deadline=None, max_examples=400)
@given(patch=mutated())
def test_no_line_is_lost_that_the_patch_does_not_name(patch: str) -> None:
    try:
        changes = plan(patch, FILES)
    except ToolError:
        return
    sent = patch.replace("\r", "").split("\n")
    for change in changes:
        if change.before is None or change.after is None:
            continue
        kept = change.after.text.split("\n")
        for line in change.before.text.split("\n"):
            assert line in kept or any(line.strip() in each for each in sent), (line, patch)
