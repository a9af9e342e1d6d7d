"""Nothing that a terminal obeys gets through to a screen, nothing that a person reads is lost, and what is approved is what runs."""

import ast
import re
import time
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kimicode
from kimicode.events import AnswerReset, Notice, RunFinished, ToolCallReady, ToolFinished
from kimicode.headless.writers import Progress
from kimicode.messages import ToolCall, ToolResult, Usage
from kimicode.text import Untrusted, render_exact, render_safe

CORPUS = [
    ("plain\n\ttext — ünïcode 漢字 🧪 👩‍💻 می‌خواهم", "plain\n\ttext — ünïcode 漢字 🧪 👩‍💻 می‌خواهم"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b[38;2;1;2;3m\x1b[4:3mx\x1b[m", "x"),
    ("\x9b31mred\x9b0m", "red"),
    ("\x1b[8mhidden\x1b[0m", "hidden"),
    ("\x1b[?1049h\x1b[2J\x1b[1;1Hx", "␛[?1049h␛[2J␛[1;1Hx"),
    ("\x1b[>4;1mx", "␛[>4;1mx"),
    ("\x9b2Jx", "⟨U+009B⟩2Jx"),
    ("\x1b]0;title\x07x", "␛]0;title␇x"),
    ("\x1b]8;;http://evil.example/\x1b\\link\x1b]8;;\x1b\\", "␛]8;;http://evil.example/␛\\link␛]8;;␛\\"),
    ("\x1b]52;c;cm0gLXJm\x1b\\x", "␛]52;c;cm0gLXJm␛\\x"),
    ("\x1bP$q\x1b\\x", "␛P$q␛\\x"),
    ("\x90q\x9cx", "⟨U+0090⟩q⟨U+009C⟩x"),
    ("\x1bc\x1b(0\x0e", "␛c␛(0␎"),
    ("safe\rrm -rf x", "safe␍rm -rf x"),
    ("a\r\nb\r\r\nc", "a\nb␍\nc"),
    ("abc\x08\x08\x7f\x00", "abc␈␈␡␀"),
    ("user\u202eexe.txt\u202c", "user⟨U+202E⟩exe.txt⟨U+202C⟩"),
    ("\u2066a\u2069\u200e\u200f\u061c", "⟨U+2066⟩a⟨U+2069⟩⟨U+200E⟩⟨U+200F⟩⟨U+061C⟩"),
    ("a\u200bb\ufeff\u2060c\u2028d\u00ad\u3164", "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+2060⟩c⟨U+2028⟩d⟨U+00AD⟩⟨U+3164⟩"),
    ("\U000e0041\U000e0042x\U000e0100", "⟨U+E0041⟩⟨U+E0042⟩x⟨U+E0100⟩"),
    ("bad\udc80name", "bad\ufffdname"),
    ("[/] [b unterminated [red]x[/red]", "[/] [b unterminated [red]x[/red]"),
    ("\x1b\x1b[31m[31mx", "␛[31mx"),  # a sequence put together by the cleaning
    ("\x1b[31", "␛[31"),  # and one that never ends
]


@pytest.mark.parametrize(("outside", "shown"), CORPUS)
def test_shown_inert(outside: str, shown: str) -> None:
    assert render_safe(Untrusted(outside)) == shown


@pytest.mark.parametrize("outside", [outside for outside, _ in CORPUS])
def test_progress_shows_it_inert_wherever_it_comes_from(outside: str) -> None:
    said: list[str] = []
    progress = Progress(said.append)
    events = [
        ToolCallReady(ToolCall("1", "shell", outside)),
        ToolCallReady(ToolCall("1", outside, "{}")),
        ToolFinished(ToolResult("1", "shell", outside, ok=False), 0.1),
        Notice(outside),
        Notice(outside, "warning"),
        AnswerReset(outside),
        RunFinished("failed", 1, outside, 1, Usage(), 0.1, error=outside),
    ]
    for event in events:
        progress(event)
    assert len(said) == len(events)
    assert not [char for line in said for char in line if _obeyed(char)]


def test_only_render_safe_makes_it_text() -> None:
    assert not isinstance(Untrusted("x"), str)
    assert "\x1b" not in f"{Untrusted(chr(27))}"


NASTY = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b[]0;mH\r\n\t\x07\u202e\u2069\ud800⟨⟩U+␊аa\u0301")), max_size=60)


def _obeyed(char: str) -> bool:
    steers = unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return steers or (unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in "\n\t")


@given(NASTY)
def test_no_control_gets_through(text: str) -> None:
    shown = render_safe(Untrusted(text))
    assert not [char for char in shown if _obeyed(char)]
    assert render_safe(Untrusted(shown)) == shown


FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" + "".join(map(chr, range(0xE0100, 0xE01F0)))
"""Letters and marks by category, and yet nothing that a person sees."""

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=FILLERS))


@given(PRINTABLE)
def test_nothing_printable_is_lost(text: str) -> None:
    assert render_safe(Untrusted(f"\x1b[1m{text}\r\n\x1b[0m")) == f"{text}\n"


@pytest.mark.parametrize("piece", ["hello world\n", "\x07a", "漢\x1b", "\x1b[", "\x1b[31mab", "\r", "\x1b[1;", "1;", "\u202e漢"])
def test_ten_megabytes_take_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        text = "\x1b[" + piece * (size // len(piece))
        began = time.process_time()
        render_safe(Untrusted(text))
        return time.process_time() - began

    # Generous: what is not linear takes hours here.
    assert seconds(10_000_000) < 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git commit -m 'x' && ls ~/a_b", "git commit -m 'x' && ls ~/a_b"),
        ("ls\n\tx", "ls␊\n␉x"),
        ("ls\r\nx", "ls␍␊\nx"),
        ("\x1b[31mred", "␛[31mred"),
        ("rm\u00a0-rf\u3000/", "rm⟨U+00A0⟩-rf⟨U+3000⟩/"),
        ("rm –rf", "rm ⟨U+2013⟩rf"),
        ("echo “x”", "echo ⟨U+201C⟩x⟨U+201D⟩"),
        ("cаt x", "c⟨U+0430⟩t x"),  # a Cyrillic letter in a Latin word
        ("сору x", "⟨U+0441⟩⟨U+043E⟩⟨U+0440⟩⟨U+0443⟩ x"),  # and a word of nothing but such letters
        ("echo исправил 漢字 été", "echo исправил 漢字 été"),
        ("cafe\u0301", "cafe⟨U+0301⟩"),
        ("ｌｓ ﬁ ²", "⟨U+FF4C⟩⟨U+FF53⟩ ⟨U+FB01⟩ ⟨U+00B2⟩"),
        ("a\u200db\ufe0f\u2800", "a⟨U+200D⟩b⟨U+FE0F⟩⟨U+2800⟩"),
        ("हिन्दी ไทย", "हिन्दी ไทย"),
        ("⟨U+202E⟩ ␛", "⟨U+27E8⟩U+202E⟨U+27E9⟩ ⟨U+241B⟩"),  # who writes our stand-ins is not believed
        ("bad\udc80", "bad⟨U+DC80⟩"),
        ("\u0301x", "⟨U+0301⟩x"),
        ("", ""),
    ],
)
def test_exactly(text: str, shown: str) -> None:
    assert render_exact(text) == shown


@given(NASTY)
def test_every_text_can_be_read_back_from_its_exact_form(text: str) -> None:
    def back(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        return "\n" if found[0] == "␊\n" else "\x7f" if found[0] == "␡" else chr(ord(found[0]) - 0x2400)

    shown = render_exact(text)
    assert re.sub("⟨U\\+([0-9A-F]+)⟩|␊\n|[\u2400-\u2421]", back, shown) == text
    assert not [char for char in shown if _obeyed(char) or char == "\t"]


SAFE_CALLS = {"render_safe", "render_exact"}
FIXED = {"__version__"}
PAYLOADS = {
    "commands/sessions.py": 1,  # the bytes of an export, where stdout is no terminal
}
"""How many writes of a module the rule does not know to be harmless, and what they write. The less, the better."""


def _outlets(tree: ast.AST) -> list[ast.Call]:
    """Every call that writes to a standard stream, however it is reached."""

    def writes(call: ast.Call) -> bool:
        name = ast.unparse(call.func)
        return (
            name in {"print", "typer.echo", "typer.secho", "click.echo"}
            or re.fullmatch(r"sys\.(__)?std(out|err)(__)?(\.buffer)?\.write(lines)?", name) is not None
            or (name == "os.write" and ast.unparse(call.args[0]) in {"1", "2", "sys.stdout.fileno()", "sys.stderr.fileno()"})
        )

    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and writes(node)]


def _texts(call: ast.Call) -> list[ast.expr]:
    return call.args[1:] if ast.unparse(call.func) == "os.write" else call.args


def _harmless(node: ast.expr) -> bool:
    """True for text that is written here, or comes out of the safe functions."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in FIXED
        case ast.Call(func=ast.Name(id=name)):
            return name in SAFE_CALLS
        case ast.Call(func=ast.Attribute(value=inner, attr="encode")):
            return _harmless(inner)
        case ast.BinOp(left=left, right=right):
            return _harmless(left) and (_harmless(right) or (isinstance(right, ast.Name) and right.id == "end"))
        case ast.IfExp(body=body, orelse=orelse):
            return _harmless(body) and _harmless(orelse)
        case ast.JoinedStr(values=values):
            return all(_harmless(value) for value in values)
        case ast.FormattedValue(value=value, conversion=conversion):
            return conversion == ord("a") or _harmless(value)
        case _:
            return False


def test_no_module_writes_to_a_terminal_past_the_safe_functions() -> None:
    root = Path(kimicode.__file__).parent
    found: Counter[str] = Counter()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name in {"text.py", "streams.py"}:
            continue
        for call in _outlets(ast.parse(path.read_text("utf-8"))):
            if not all(map(_harmless, _texts(call))):
                found[name] += 1
    assert found == PAYLOADS


@pytest.mark.parametrize(
    ("source", "harmless"),
    [
        ("sys.stdout.write(text)", False),
        ("sys.stderr.write(f'{name}\\n')", False),
        ("typer.echo(str(error), err=True)", False),
        ("sys.stdout.buffer.write(data)", False),
        ("sys.stdout.write('fixed')", True),
        ("sys.stdout.write(render_safe(Untrusted(text)) + '\\n')", True),
        ("typer.echo(f'kimicode {__version__}')", True),
        ("os.write(2, f'{error!a}'.encode())", True),
        ("os.write(2, f'{error}'.encode())", False),
    ],
)
def test_the_rule_itself_tells_them_apart(source: str, harmless: bool) -> None:
    (call,) = _outlets(ast.parse(source))
    assert all(map(_harmless, _texts(call))) is harmless
