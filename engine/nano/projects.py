"""Small Python projects with one planted bug, generated from a seed.

A project is one or two modules of two or three functions, each with a docstring that says what it must return, and one pytest
file a module. Exactly one line of one function is wrong, and at least one test fails because of it. Names and constants are drawn
from pools that are split in two: training never sees a held-out name. What this module does not do: run anything.
"""

import builtins
import keyword
import random
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NOUNS = """
apple bread candle desk engine forest garden harbor island jacket kettle ladder market needle orange pencil quilt river saddle
table uniform valley window yarn zebra anchor basket cabin dollar eagle fabric guitar hammer insect jungle kitten lemon mirror
nickel oyster planet rabbit silver ticket umbrella violin walnut yogurt acorn bottle camera dragon elbow feather glove hotel
igloo jewel koala lantern magnet napkin ocean parrot queen ribbon spider tunnel urchin velvet wagon badge cello denim ember
ferry grape hazel ivory juice kiosk lotus maple nectar olive pearl quartz robin scarf tulip vapor whale amber blossom copper
daisy emerald flute ginger honey iris jasmine kelp lily mango nutmeg onyx pepper radish sage thyme vanilla willow price score
order stock total count point level shift speed width height depth weight length volume rate share batch queue stack block
""".split()
VERBS = """
add get make find take build check count merge split apply fetch give hold join keep load mark move pack pick plan pull push rank
read scan send show sort step tell test turn walk wrap call cast copy draw fill fold form grow help hunt jump kick land lift link
lock melt mend mine note open pass pour rent ride ring roll rush sail seek sell shop sing skip spin stay stir swap sway tend tie
""".split()
_ONSETS = "b c d f g h j k l m n p r s t v w z br cr dr fl gr kl pl sk sl st tr".split()
_VOWELS = "a e i o u ai ea io ou".split()
_CODAS = "b d f g k l m n p r s t x nd lt rk st mp".split()
RESERVED = {"test", "total", "result", "conftest", "pytest", "py", *keyword.kwlist, *dir(builtins), *sys.stdlib_module_names}


@dataclass(frozen=True)
class Bug:
    """The planted bug: `wrong` stands once in `path`; replacing it by `right` repairs function `function` with docstring `doc`."""

    path: str
    function: str
    doc: str
    wrong: str
    right: str


@dataclass(frozen=True)
class Project:
    """Files by relative path, the bug among them, and the user's request."""

    files: dict[str, str]
    bug: Bug
    request: str


@dataclass(frozen=True)
class _Function:
    """One function: correct body lines, candidate (right line, wrong line) pairs, and argument tuples for the tests as source."""

    name: str
    params: tuple[str, ...]
    doc: str
    body: tuple[str, ...]
    mutants: tuple[tuple[str, str], ...]
    cases: tuple[str, ...]

    def source(self, swap: tuple[str, str] | None = None) -> str:
        lines = [swap[1] if swap and line.strip() == swap[0] else line for line in self.body]
        if swap:
            lines = [line if line != swap[1] else _indent_of(self.body, swap[0]) + swap[1] for line in lines]
        text = "".join(f"    {line}\n" for line in lines)
        return f'def {self.name}({", ".join(self.params)}):\n    """{self.doc}"""\n{text}'


def _indent_of(body: Sequence[str], stripped: str) -> str:
    line = next(line for line in body if line.strip() == stripped)
    return line[: len(line) - len(line.lstrip())]


class Names:
    """Draws distinct identifiers; `held_out` selects the part of the word space, and of `constants`, that training never sees."""

    def __init__(self, rng: random.Random, *, held_out: bool) -> None:
        self._rng = rng
        self._held_out = held_out
        self._used: set[str] = set(RESERVED)
        self.constants = (101, 199) if held_out else (2, 99)

    def word(self, pool: Sequence[str] = NOUNS, invented: float = 0.5) -> str:
        """A new word: from `pool`, or invented from syllables with probability `invented`."""
        while True:
            word = self._invent() if self._rng.random() < invented else self._rng.choice(pool)
            if word not in self._used and is_held_out(word) == self._held_out:
                self._used.add(word)
                return word

    def _invent(self) -> str:
        pick = self._rng.choice
        tail = pick(_CODAS) if self._rng.random() < 0.6 else ""
        return "".join(pick(_ONSETS) + pick(_VOWELS) for _ in range(self._rng.choice((1, 2, 2)))) + tail


def is_held_out(word: str) -> bool:
    """True for about a fifth of all words, by checksum, so that the split needs no list."""
    return zlib.crc32(word.encode()) % 5 == 0


REQUESTS = (
    "Fix the failing test.",
    "A test fails. Find the bug and fix it.",
    "The tests fail. Repair the code.",
    "Make the tests pass.",
    "Please fix the bug.",
    "Find out why the tests fail and fix it.",
    "Repair this project.",
    "One function is wrong. Fix it.",
)


def make_project(seed: int, *, held_out: bool = False) -> Project:
    """The project of this seed. Held-out projects use names from the other half of the word space and their own seeds."""
    rng = random.Random(f"{'held-out' if held_out else 'train'}-{seed}")
    names = Names(rng, held_out=held_out)
    modules = {names.word(): [_make_function(rng, names) for _ in range(rng.choice((2, 2, 3)))] for _ in range(rng.choice((1, 1, 2)))}
    target = rng.choice(list(modules))
    while not (choices := _unique_mutants(modules[target])):
        modules[target] = [_make_function(rng, names) for _ in range(2)]
    function, swap = rng.choice(choices)
    files: dict[str, str] = {}
    for module, functions in modules.items():
        parts = [f.source(swap if f is function else None) for f in functions]
        files[f"{module}.py"] = "\n\n".join(parts)
        files[f"test_{module}.py"] = _tests(module, functions)
    bug = Bug(f"{target}.py", function.name, function.doc, swap[1], swap[0])
    return Project(files, bug, rng.choice(REQUESTS))


def _unique_mutants(functions: list[_Function]) -> list[tuple[_Function, tuple[str, str]]]:
    """The mutants whose wrong line would stand exactly once in the module and whose tests notice them."""
    found = []
    for function in functions:
        others = "".join(f.source() for f in functions if f is not function)
        for swap in function.mutants:
            own = function.source(swap)
            if (others + own).count(swap[1]) == 1 and _differs(function, swap):
                found.append((function, swap))
    return found


def _differs(function: _Function, swap: tuple[str, str]) -> bool:
    return any(
        _value(function.source(), function.name, case) != _value(function.source(swap), function.name, case) for case in function.cases
    )


def _value(source: str, name: str, case: str) -> str:
    space: dict[str, object] = {}
    try:
        exec(source, space)
        return repr(eval(f"{name}({case})", space))
    except (IndexError, TypeError, ZeroDivisionError, ValueError) as error:
        return f"raises {type(error).__name__}"


def _tests(module: str, functions: list[_Function]) -> str:
    imports = ", ".join(f.name for f in functions)
    parts = [f"from {module} import {imports}\n"]
    for function in functions:
        lines = "".join(
            f"    assert {function.name}({case}) == {_value(function.source(), function.name, case)}\n" for case in function.cases
        )
        parts.append(f"def test_{function.name}():\n{lines}")
    return "\n\n".join(parts)


def _make_function(rng: random.Random, names: Names) -> _Function:
    name = f"{names.word(VERBS, 0.3)}_{names.word()}"
    return rng.choice(KINDS)(rng, names, name)


def _two(names: Names) -> tuple[str, str]:
    return names.word(), names.word()


def _pairs(rng: random.Random, count: int = 2) -> tuple[str, ...]:
    """Argument pairs of distinct numbers, once with the first larger and once with the second."""
    found = []
    for index in range(count):
        small = rng.randint(2, 20)
        large = small + rng.randint(1, 20)
        found.append(f"{small}, {large}" if index % 2 == 0 else f"{large}, {small}")
    rng.shuffle(found)
    return tuple(found)


def _binary(doc: str, right: str, wrongs: tuple[str, ...]) -> Callable[[random.Random, Names, str], _Function]:
    """A kind of function of two numbers: one return line. `{a}` and `{b}` stand for the parameters."""

    def make(rng: random.Random, names: Names, name: str) -> _Function:
        a, b = _two(names)
        line = right.format(a=a, b=b)
        mutants = tuple((line, wrong.format(a=a, b=b)) for wrong in wrongs)
        return _Function(name, (a, b), doc.format(a=a, b=b), (line,), mutants, _pairs(rng))

    return make


def _constant(doc: str, right: str, wrongs: tuple[str, ...], around: bool = False) -> Callable[[random.Random, Names, str], _Function]:
    """A kind of function of one number and a constant `{k}`; `{w}` is another constant. `around`: cases lie next to the constant."""

    def make(rng: random.Random, names: Names, name: str) -> _Function:
        low, high = names.constants
        a, k = names.word(), rng.randint(low, high)
        w = rng.choice([x for x in (k - 1, k + 1, k + 10, rng.randint(low, high)) if x not in (k, 0, 1)])
        line = right.format(a=a, k=k)
        mutants = tuple((line, wrong.format(a=a, k=k, w=w)) for wrong in wrongs)
        cases = (str(k), str(k + 1), str(k - 1)) if around else (str(rng.randint(3, 20)), str(rng.randint(21, 60)))
        return _Function(name, (a,), doc.format(a=a, k=k), (line,), mutants, cases)

    return make


def _sequence(
    doc: str, body: tuple[str, ...], mutants: tuple[tuple[str, str], ...], *, words: bool = False
) -> Callable[[random.Random, Names, str], _Function]:
    """A kind of function of a list `{a}`; `{x}` is the loop variable."""

    def make(rng: random.Random, names: Names, name: str) -> _Function:
        a, x = _two(names)
        lines = tuple(line.format(a=a, x=x) for line in body)
        swaps = tuple((right.format(a=a, x=x), wrong.format(a=a, x=x)) for right, wrong in mutants)
        items = [repr(names.word()) if words else str(rng.randint(2, 30)) for _ in range(3)]
        case = f"[{', '.join(items)}]"
        return _Function(name, (a,), doc.format(a=a), lines, swaps, (case,))

    return make


def _text(doc: str, right: str, wrongs: tuple[str, ...]) -> Callable[[random.Random, Names, str], _Function]:
    """A kind of function of one string `{a}`."""

    def make(_rng: random.Random, names: Names, name: str) -> _Function:
        a = names.word()
        line = right.format(a=a)
        return _Function(name, (a,), doc.format(a=a), (line,), tuple((line, w.format(a=a)) for w in wrongs), (repr(names.word().title()),))

    return make


KINDS: tuple[Callable[[random.Random, Names, str], _Function], ...] = (
    _binary("Return the sum of {a} and {b}.", "return {a} + {b}", ("return {a} - {b}", "return {a} * {b}")),
    _binary("Return {a} minus {b}.", "return {a} - {b}", ("return {a} + {b}", "return {b} - {a}")),
    _binary("Return the product of {a} and {b}.", "return {a} * {b}", ("return {a} + {b}", "return {a} - {b}")),
    _binary("Return the larger of {a} and {b}.", "return {a} if {a} > {b} else {b}", ("return {a} if {a} < {b} else {b}",)),
    _binary("Return the smaller of {a} and {b}.", "return {a} if {a} < {b} else {b}", ("return {a} if {a} > {b} else {b}",)),
    _binary("Return the larger of {a} and {b}.", "return max({a}, {b})", ("return min({a}, {b})",)),
    _binary("Return the smaller of {a} and {b}.", "return min({a}, {b})", ("return max({a}, {b})",)),
    _binary("Return True if {a} is less than {b}.", "return {a} < {b}", ("return {a} > {b}", "return {a} == {b}")),
    _binary("Return True if {a} is greater than {b}.", "return {a} > {b}", ("return {a} < {b}", "return {a} == {b}")),
    _constant("Return {a} times {k}.", "return {a} * {k}", ("return {a} * {w}", "return {a} + {k}")),
    _constant("Return {a} plus {k}.", "return {a} + {k}", ("return {a} + {w}", "return {a} - {k}")),
    _constant("Return {a} minus {k}.", "return {a} - {k}", ("return {a} - {w}", "return {a} + {k}")),
    _constant("Return True if {a} is at least {k}.", "return {a} >= {k}", ("return {a} > {k}", "return {a} <= {k}"), around=True),
    _constant("Return True if {a} is at most {k}.", "return {a} <= {k}", ("return {a} < {k}", "return {a} >= {k}"), around=True),
    _constant("Return True if {a} equals {k}.", "return {a} == {k}", ("return {a} != {k}",), around=True),
    _sequence(
        "Return the first item of {a}.", ("return {a}[0]",), (("return {a}[0]", "return {a}[1]"), ("return {a}[0]", "return {a}[-1]"))
    ),
    _sequence(
        "Return the last item of {a}.", ("return {a}[-1]",), (("return {a}[-1]", "return {a}[0]"), ("return {a}[-1]", "return {a}[1]"))
    ),
    _sequence(
        "Return the number of items in {a}.",
        ("return len({a})",),
        (("return len({a})", "return len({a}) - 1"), ("return len({a})", "return len({a}) + 1")),
    ),
    _sequence(
        "Return {a} in reverse order.",
        ("return {a}[::-1]",),
        (("return {a}[::-1]", "return {a}[:]"), ("return {a}[::-1]", "return {a}[1:]")),
    ),
    _sequence(
        "Return {a} joined by commas.",
        ("return ','.join({a})",),
        (("return ','.join({a})", "return ' '.join({a})"), ("return ','.join({a})", "return ''.join({a})")),
        words=True,
    ),
    _sequence(
        "Return the sum of all items in {a}.",
        ("total = 0", "for {x} in {a}:", "    total += {x}", "return total"),
        (("total += {x}", "total -= {x}"), ("total += {x}", "total = {x}")),
    ),
    _sequence(
        "Return the product of all items in {a}.",
        ("result = 1", "for {x} in {a}:", "    result *= {x}", "return result"),
        (("result *= {x}", "result += {x}"), ("result *= {x}", "result = {x}")),
    ),
    _sequence("Return the largest item of {a}.", ("return max({a})",), (("return max({a})", "return min({a})"),)),
    _sequence("Return the smallest item of {a}.", ("return min({a})",), (("return min({a})", "return max({a})"),)),
    _text("Return {a} in upper case.", "return {a}.upper()", ("return {a}.lower()",)),
    _text("Return {a} in lower case.", "return {a}.lower()", ("return {a}.upper()",)),
    _text("Return {a} in reverse order.", "return {a}[::-1]", ("return {a}[:]", "return {a}[1:]")),
)
