"""Blocks of every kind, for golden files."""

from kimicode.events import FileChange, RunFinished, SessionStarted
from kimicode.files.state import FileState
from kimicode.interactive.view.blocks import Answered, Block, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack
from kimicode.messages import ToolCall, Usage
from kimicode.sandbox.approval import FileText

MARKDOWN = """# Why the test fails

The **cache** is *never* cleared, see `Cache.get` and [the notes](https://example.org/notes) or https://example.org. ~~Not~~ a race.

- first, a long item that has to go on in a second line because it says more than fits
  - nested
  - [ ] open
  - [x] done
- second

3. three

   with a paragraph
4. four

> Quoted, and long enough that it has to be wrapped somewhere in the middle of it.
>
> > Twice.

| Name | Size | Übersicht |
|:-----|-----:|:---:|
| `a.py` | 12 | 日本語 |
| longer name | 1,234 | text that is quite long for a cell of a table |

```python
def get(self, key: str) -> str:
    return self.items[key]  # never cleared
```

---

<b>HTML</b> is text, ![a picture](a.png) too. 👩‍👩‍👧 family, e\u0301.
"""

BEFORE = "import os\n\n\ndef size(path):\n    return os.path.getsize(path)\n\n\ndef main():\n    print(size('a'))\n"
AFTER = (
    "import os\n\n\ndef size(path: str) -> int:\n    return os.stat(path).st_size\n\n\ndef main():\n    print(size('a'))\n    return 0\n"
)
DIFF = FileText("src/size.py", BEFORE, AFTER)
CHANGE = FileChange("src/size.py", FileState("file"), FileState("file", size=9))


def call(name: str, arguments: str) -> ToolCall:
    return ToolCall("c1", name, arguments)


def ended(status, error=""):
    return Ended(RunFinished(status, 0, "", 3, Usage(12_000, 345), 75.0, 0.0123, error))


LOG = "\n".join(f"tests/test_{at}.py ..... [{at} %]" for at in range(40))

MADE = Called(
    call("shell", '{"command": "make out"}'),
    "done",
    result="[exit 0]",
    changes=(FileChange("out", FileState(), FileState("file", 0o644, "d", size=4)),),
    diffs=(FileText("out", None, "made\n"),),
)
"""A command that made a file: what it made is seen when the call is unfolded."""

SAMPLES: dict[str, tuple[tuple[Block, bool], ...]] = {
    "opened": (
        (Opened(SessionStarted("s", "/home/me/project", "kimi-k2.6", "https://api.moonshot.ai", "ask", (), sandbox="landlock")), True),
        (Opened(SessionStarted("s", "/w", "nano", "", "read-only", (), resumed=True)), True),
    ),
    "prompted": (
        (
            Prompted(
                "Fix *the* bug in <b>src/size.py</b>,\n\tand say why it happened, in words that somebody who is new here understands."
            ),
            True,
        ),
        (Prompted("look", images=("screen.png",), steered=True), True),
        (Prompted("\n".join(f"line {at}" for at in range(50))), True),
    ),
    "thought": (
        (Thought("The user wants the bug fixed.\nSo I look at the file first.", 4.2), True),
        (Thought("The user wants the bug fixed.\nSo I look at the file first.", 4.2), False),
        (Thought("one\ntwo\nthree\nfour\nfive"), True),
    ),
    "answered": ((Answered(MARKDOWN), True),),
    "called-shell": (
        (Called(call("shell", '{"command": "pytest -q"}'), output=LOG), True),
        (
            Called(call("shell", '{"command": "pytest -q\\necho done", "timeout_s": 60}'), "done", result=LOG + "\n[exit 1]", seconds=3.3),
            True,
        ),
        (Called(call("shell", '{"command": "make\\nmake test"}'), "done", result="ok\n[exit 0]", seconds=0.1, decided="once"), False),
        (Called(call("shell", '{"command": "rm -rf /"}'), "refused", result="Refused: no", grave=True, decided="no: not that"), True),
        (Called(call("shell", '{"command": "sleep 9"}'), "stopped"), True),
        (Called(call("shell", '{"command": "make"}'), asked=True), True),
        (MADE, True),
        (MADE, False),
    ),
    "called-files": (
        (Called(call("read", '{"path": "src/size.py", "offset": 3}'), "done", result=BEFORE, seconds=0.01), True),
        (Called(call("read", '{"path": "src/size.py"}'), "done", result=BEFORE, seconds=0.01), False),
        (Called(call("edit", '{"path": "src/size.py"}'), "done", result="ok", changes=(CHANGE,)), True),
        (Called(call("edit", '{"path": "src/size.py"}'), "done", result="ok", changes=(CHANGE,), diffs=(DIFF,)), True),
        (Called(call("write", '{"path": "new.txt"}'), "done", result="ok", diffs=(FileText("new.txt", None, "one\ntwo"),)), True),
        (Called(call("edit", '{"path": "src/size.py"}'), "failed", result="Error: a\nb\nc\nd\ne\nf"), True),
        (Called(call("edit", '{"path": "src/size.py"}'), "failed", result="Error: old_string is not there", grave=True), True),
    ),
    "called-others": (
        (Called(call("grep", '{"pattern": "def size", "path": "src"}'), "done", result="src/size.py:4:def size(path):"), True),
        (Called(call("git", '{"action": "log", "path": "src"}'), "done", result="a\nb"), False),
        (
            Called(
                call("todo", '{"items": [{"text": "Read", "status": "done"}, {"text": "Fix", "status": "in_progress"}, {"text": "Test"}]}'),
                "done",
            ),
            True,
        ),
        (Called(call("patch", "{broken"), "failed", result="Error: no JSON"), True),
        (Called(call("mcp_thing", '{"a": 1, "b": ["x"]}'), "done", result="\n".join("abcdefghijklmnop")), True),
        (Called(call("mcp_thing", '{"a": 1, "b": ["x"]}'), "done", result="one"), False),
    ),
    "told": ((Told("Context was made smaller."), True), (Told("Slow", "warning"), True), (Told("No\nserver", "error"), True)),
    "ran": (
        (Ran("make", output="\x1b[31mred\x1b[0m \x1b[1mbold\x1b[0m \x1b[2Jinert\n10 %\r20 %\n"), True),
        (Ran("make", LOG, running=False, exit_code=2, seconds=61.0), True),
        (Ran("sleep 1", running=False), True),
    ),
    "wentback": ((WentBack(3, True, 2), True),),
    "ended": ((ended("done"), True), (ended("budget", "10 steps are used up"), True), (ended("interrupted"), True)),
}
