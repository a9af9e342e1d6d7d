"""The person at a line terminal: choices by number, forms, approvals, long work; and what happens where nobody can answer."""

import asyncio

import pytest

from kimicode.interactive.abilities import ExplainsKeys, LendsTerminal
from kimicode.interactive.person import Field, Form, Menu, Option, Page, Words
from kimicode.line import approving, choosing
from kimicode.line.choosing import Again, Chosen, Look
from kimicode.line.person import LinePerson
from kimicode.line.reader import StoppedError
from kimicode.sandbox.approval import Answer, Choice, FileText, Question


class Desk:
    """A reader that answers what it was told to."""

    answers = True
    echoes = True
    width = 80

    def __init__(self, *said):
        self.said = list(said)
        self.lines = []
        self.requests = []
        self.asides = 0
        self.calmed = 0

    def put(self, lines, *, bell=False):
        self.lines += [line.plain() for line in lines]

    async def calm(self):
        self.calmed += 1

    def begin_aside(self):
        self.asides += 1

    def end_aside(self):
        self.asides -= 1

    async def ask(self, request):
        self.requests.append(request)
        said = self.said.pop(0)
        if isinstance(said, type):
            raise said
        return said or request.default


def at(*said, nobody=False):
    desk = Desk(*said)
    desk.answers = not nobody
    stops = []
    person = LinePerson(desk, interrupt=lambda: stops.append(1), clock=lambda: 0.0)
    return desk, person, stops


def options(many):
    return tuple(Option(f"option {n}", f"detail {n}", current=n == 3) for n in range(1, many + 1))


@pytest.mark.parametrize(
    ("said", "index"),
    [
        (["2"], 1), ([""], None), (["option 3"], 2), (["OPTION 3"], 2), (["b"], 4), (["beta"], 4), (["9", "2"], 1), (["option", "1"], 0),
        (["/beta", "5"], 4), (["nothing", "alpha"], 3), ([EOFError], None), ([StoppedError], None),
    ],
)  # fmt: skip
def test_choosing(said, index):
    menu = Menu("Which?", (*options(3), Option("alpha", key="x"), Option("beta", key="b")))
    desk, person, _ = at(*said)
    assert asyncio.run(person.choose(menu)) == index
    assert desk.lines[:4] == ["Which?", "1. option 1, detail 1", "2. option 2, detail 2", "3. option 3, detail 3, in force now"]


def test_a_long_menu_comes_in_parts():
    menu = Menu("Which?", options(45))
    start = choosing.opened(menu)
    assert len(choosing.listing_lines(menu, start)) == choosing.AT_ONCE + 1
    more = choosing.move(menu, start, "more")
    assert isinstance(more, Again)
    assert choosing.listing_lines(menu, more.listing)[0].text.startswith("21. ")
    last = choosing.move(menu, more.listing, "more")
    assert isinstance(last, Again)
    assert choosing.move(menu, last.listing, "more") == Again(last.listing, "That was all.")
    assert choosing.move(menu, last.listing, "1") == Chosen(0)  # numbers hold wherever one is
    filtered = choosing.move(menu, start, "/detail 4")
    assert isinstance(filtered, Again)
    assert filtered.listing.fitting == (3, 39, 40, 41, 42, 43, 44)
    assert isinstance(choosing.move(menu, start, "?2"), Again)


def test_more_about_an_option():
    async def preview(index):
        return Page("More", (Words(f"about {index}"),))

    menu = Menu("Which?", options(3), preview)
    assert choosing.move(menu, choosing.opened(menu), "?2") == Look(1)
    desk, person, _ = at("?2", "1")
    assert asyncio.run(person.choose(menu)) == 0
    assert "about 1" in desk.lines


def test_a_small_form_is_asked_one_by_one():
    wrong = Field("port", "Port", "80", check=lambda value: "" if value.isdecimal() else "That is no number.")
    form = Form("Where?", (("Host", (Field("name", "Name", "here"), wrong)), ("", (Field("key", "Key", secret=True),))))
    desk, person, _ = at("", "x", "8080", "hunter2")
    assert asyncio.run(person.fill(form)) == {"name": "here", "port": "8080", "key": "hunter2"}
    assert "Error: That is no number." in desk.lines
    assert desk.requests[-1].secret
    assert not any("hunter2" in line for line in desk.lines)
    desk, person, _ = at("a", StoppedError)
    assert asyncio.run(person.fill(form)) is None


def test_a_large_form_is_picked_from():
    fields = tuple(Field(f"f{n}", f"Field {n}", str(n)) for n in range(8))
    form = Form("All", (("Group", fields),))
    _, person, _ = at("2", "new", "3", "-", "k")
    assert asyncio.run(person.fill(form)) == {f"f{n}": str(n) for n in range(8)} | {"f1": "new", "f2": ""}
    _, person, _ = at("1", "new", "x")
    assert asyncio.run(person.fill(form)) is None


def test_yes_is_only_yes():
    for said, yes in (("y", True), ("Yes", True), ("", False), ("n", False), ("sure", False), (EOFError, False)):
        _, person, _ = at(said)
        assert asyncio.run(person.confirm("Really?", detail="It is gone then.")) is yes


QUESTION = Question(
    "shell", "make \u202e all\nrm x", "it is not known", ("rm x",), ("Makefile",), rule="shell(make all)",
    files=(FileText("a", None, "x\n"),), behind=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["1"], Answer(Choice.ONCE)), (["2"], Answer(Choice.SESSION)), (["3"], Answer(Choice.ALWAYS)), (["4"], Answer()), ([""], Answer()),
        (["yes"], Answer(Choice.ONCE)), (["n"], Answer()), (["5", "use make"], Answer(Choice.NO, "use make")),
        (["use ninja instead"], Answer(Choice.NO, "use ninja instead")), (["7", "x", "1"], Answer(Choice.ONCE)), ([EOFError], Answer()),
    ],
)  # fmt: skip
def test_approving(said, answer):
    desk, person, stops = at(*said)
    assert asyncio.run(person.approve(QUESTION)) == answer
    assert desk.requests[0].grave
    assert desk.asides == 0
    assert desk.calmed == 1
    assert not stops
    assert desk.lines[:3] == ["Approval wanted: shell wants to run or touch:", "make ⟨U+202E⟩ all␊", "rm x"]
    for line in ("Part of it: rm x", "Would change: a, created, 1 line", "Why you are asked: it is not known", "1. once", "4. no"):
        assert line in desk.lines
    assert "3. always, by the rule shell(make all) in your settings" in desk.lines
    assert "Notice: 2 more questions after this one." in desk.lines


def test_ctrl_c_at_an_approval_is_no_and_ends_the_run():
    desk, person, stops = at(StoppedError)
    assert asyncio.run(person.approve(QUESTION)) == Answer()
    assert stops == [1]
    assert desk.asides == 0


def test_what_is_not_offered_is_no_answer():
    narrow = Question("shell", "ls", "why", can_grant=False)
    assert approving.understood(narrow, "2") is None
    assert approving.understood(narrow, "always") is None
    assert approving.understood(narrow, "session") is None
    assert approving.understood(narrow, "1") == Answer(Choice.ONCE)
    assert [line.text for line in approving.question_lines(narrow)][-3:] == ["1. once", "4. no", "5. no, and say why"]


def test_where_nobody_is_every_answer_is_no():
    desk, person, _ = at(nobody=True)

    async def all_of_it():
        assert await person.choose(Menu("Which?", options(2))) is None
        assert await person.word(Field("a", "A")) is None
        assert await person.fill(Form("F", (("", (Field("a", "A"),)),))) is None
        assert not await person.confirm("Really?")
        assert (await person.approve(QUESTION)).choice is Choice.NO

    asyncio.run(all_of_it())
    assert not desk.requests
    assert any("nobody can answer" in line for line in desk.lines)


def test_work_is_told_and_can_be_stopped():
    async def main():
        desk, person, _ = at()
        now = [0.0]
        person = LinePerson(desk, interrupt=lambda: None, clock=lambda: now[0])

        async def job(step):
            for share in range(0, 101, 2):
                now[0] += 0.1
                step.tell("copying", share / 100)

        assert await person.work("Copy", job)
        told = [line for line in desk.lines if line.startswith("Progress:")]
        assert 5 <= len(told) <= 11
        assert desk.lines[-1] == "Copy: done."
        began = asyncio.Event()

        async def forever(step):
            began.set()
            await asyncio.Event().wait()

        working = asyncio.ensure_future(person.work("Wait", forever))
        await began.wait()
        assert person.stop_work()
        assert await working is False
        assert not person.stop_work()

        async def failing(step):
            raise OSError("no disk")

        with pytest.raises(OSError, match="no disk"):
            await person.work("Fail", failing)

    asyncio.run(main())


def test_what_it_can_do_beside():
    desk, person, _ = at()
    assert isinstance(person, LendsTerminal)
    assert isinstance(person, ExplainsKeys)
    assert asyncio.run(person.lend(lambda: 7)) == 7
    assert desk.asides == 0
    asyncio.run(person.show(person.keys()))
    assert any("Ctrl+R" in line for line in desk.lines)


def test_questions_take_turns():
    async def main():
        desk, person, _ = at()
        first = asyncio.get_running_loop().create_future()

        async def slowly(request):
            desk.requests.append(request)
            return await first if len(desk.requests) == 1 else "1"

        desk.ask = slowly
        choosing_ = asyncio.ensure_future(person.choose(Menu("Which?", options(2))))
        await asyncio.sleep(0)
        approving_ = asyncio.ensure_future(person.approve(QUESTION))
        await asyncio.sleep(0)
        assert desk.lines[-1] == "Notice: an approval is wanted; it comes when this is answered."
        assert len(desk.requests) == 1
        first.set_result("2")
        assert await choosing_ == 1
        assert await approving_ == Answer(Choice.ONCE)

    asyncio.run(main())
