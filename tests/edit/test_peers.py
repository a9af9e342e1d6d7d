"""What other agents' tests of their edit tools demand, as cases of our own; docs/edits.md says where we differ, and why."""

import pytest

from kimicode.edit.replace import replace
from kimicode.errors import ToolError

REFUSED = None

CASES = {
    # gemini-cli: replacement is literal, whatever looks like a pattern.
    "dollar sign and number": ("costs $5 now\n", "costs $5", "costs $7", "costs $7 now\n"),
    "dollar and quote": ("key\n", "key", "lock$'s", "lock$'s\n"),
    "dollar ampersand": ("good day\n", "good", "$&-bye", "$&-bye day\n"),
    "dollar backtick": ("left|mid|right\n", "mid", "m$`d", "left|m$`d|right\n"),
    "groups": ("some words\n", "some", "$1$2\\1\\g<0>", "$1$2\\1\\g<0> words\n"),
    "two dollars": ("sum of it\n", "sum", "$$9", "$$9 of it\n"),
    "pattern with end": ("grep '^[ab]+$' x\n", "'^[ab]+$'", "'^[abc]+$'", "grep '^[abc]+$' x\n"),
    # gemini-cli: finding.
    "part of a line": ("good evening\n", "evening", "morning", "good morning\n"),
    "not there": ("good evening\n", "night", "morning", REFUSED),
    "several": ("tick tick tock\n", "tick", "tack", REFUSED),
    "indentation line by line": ("  one\n     two\n", "one\ntwo", "three\nfour", REFUSED),
    "blanks within a line": ("  def  area( w, h ):\n", "def area(w, h):", "def size(w, h):", REFUSED),
    "nearly alike": ("limits = [\n  low: 1,\n  high: 2\n]\n", "limits = [\n  low: 1\n  high: 2\n]", "limits = []", REFUSED),
    "nothing alike": ("limits = [\n  low: 1\n]\n", "def other():\n    return 0", "limits = []", REFUSED),
    "other quotes": ('print("a")\n\nprint("b")\n', "print('a')", "print('c')", REFUSED),
    "long lines nearly alike": (("z" * 3000 + "\n") * 150, "z" * 3000 + "y", "short", REFUSED),
    "newline after the place": ("  up\n  down\n  left\n", "up\ndown", "UP\nDOWN", "  UP\n  DOWN\n  left\n"),
    "block re-indented": (
        "   for a in b:\n       go(a)\n   end\n",
        "for a in b:\n    go(a)\nend",
        "for a in b:\n    stop(a)\nend",
        "   for a in b:\n       stop(a)\n   end\n",
    ),
    "blank line before the block": ("# why\n\n  def old(): ...\n", "\ndef old(): ...", "\ndef new(): ...", "# why\n\n  def new(): ...\n"),
    "CRLF kept": ("up one\r\ndown one\r\n", "down one", "down two", "up one\r\ndown two\r\n"),
    # gemini-cli: omissions.
    "omission": ("abc = 1\n", "abc = 1", "(rest of functions ...)", REFUSED),
    "one omission more": ("(rest of code ...)\n", "(rest of code ...)", "(rest of code ...)\n(unchanged functions ...)", REFUSED),
    "omissions that were there": (
        "// rest of code ...\n# …\n",
        "// rest of code ...\n# …",
        "# …\n// rest of code ...",
        "# …\n// rest of code ...\n",
    ),
    "omission in a string": ('a = "x"\n', '"x"', '"(rest of functions ...)"', 'a = "(rest of functions ...)"\n'),
    # pi: spelling.
    "trailing blanks": ("alpha  \nbeta \ngamma\n", "alpha\nbeta\n", "delta\n", "delta\ngamma\n"),
    "full-width punctuation": (
        "早上好，先生\n再见（朋友）\n",
        "早上好,先生\n再见(朋友)\n",
        "早上好，女士\n再见(朋友们)\n",
        "早上好，女士\n再见（朋友们）\n",
    ),
    "full-width letters": ("ＸＹ７\nre\u0301sume\u0301\n", "XY7\nrésumé\n", "AB1\ncv\n", "AB1\ncv\n"),
    "single quotes": ("log(\u2018start\u2019);\n", "log('start');", "log('stop');", "log(\u2018stop\u2019);\n"),
    "double quotes": ("let m = \u201cUp\u201d;\n", 'let m = "Up";', 'let m = "Down";', "let m = \u201cDown\u201d;\n"),
    "dashes": ("pages 3\u20139\nstop\u2014now\n", "pages 3-9\nstop-now", "pages 30-90\nstop--now", "pages 30-90\nstop\u2014-now\n"),
    "no-break space": ("two\u00a0words\n", "two words", "two letters", "two\u00a0letters\n"),
    "exact before alike": ("p = 'one'\nq = 'two'\n", "p = 'one'", "p = 'three'", "p = 'three'\nq = 'two'\n"),
    "alike twice": ("same text  \nsame text\n", "same text", "other", REFUSED),
    # pi: newlines.
    "LF sent for CRLF": ("un\r\ndeux\r\ntrois\r\n", "deux\n", "DEUX\n", "un\r\nDEUX\r\ntrois\r\n"),
    "LF stays LF": ("un\ndeux\ntrois\n", "deux\n", "DEUX\n", "un\nDEUX\ntrois\n"),
    "twice but for newlines": ("un\r\ndeux\r\n--\r\nun\ndeux\n", "un\ndeux\n", "trois\n", "un\r\ndeux\r\n--\r\ntrois\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    text, old, new, want = CASES[name]
    if want is None:
        with pytest.raises(ToolError):
            replace(text, old, new)
    else:
        assert replace(text, old, new).text == want


def test_all_of_several() -> None:
    assert replace("tick tick tick\n", "tick", "tock", replace_all=True).text == "tock tock tock\n"
    assert replace("tick\n", "tick", "tock", replace_all=True).count == 1
    assert replace("tick $' tick\n", "tick", "t$'", replace_all=True).text == "t$' $' t$'\n"
    done = replace("  go\n  on\n  go\n  on\n", "go\non", "1\n2\n3", replace_all=True)
    assert (done.text, done.count) == ("  1\n  2\n  3\n  1\n  2\n  3\n", 2)
    with pytest.raises(ToolError):
        replace("tack\n", "tick", "tock", replace_all=True)
