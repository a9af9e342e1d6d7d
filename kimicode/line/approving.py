"""An approval in words: everything that would happen, why it is asked, and the answers by number. Pure.

A number always means the same, whatever else may be answered. What this module does not do: ask.
"""

from typing import Final

from kimicode.line.diffs import summary, whole_diff
from kimicode.line.words import Line, count, flat, spoken
from kimicode.sandbox.approval import Answer, Choice, Question

_WHY: Final = "5"

_NUMBERS: Final = {"1": Choice.ONCE, "2": Choice.SESSION, "3": Choice.ALWAYS, "4": Choice.NO}
_WORDS: Final = {
    "y": Choice.ONCE,
    "yes": Choice.ONCE,
    "once": Choice.ONCE,
    "session": Choice.SESSION,
    "always": Choice.ALWAYS,
    "n": Choice.NO,
    "no": Choice.NO,
    "": Choice.NO,
}
_SAID: Final = {
    Choice.ONCE: "allowed once.",
    Choice.SESSION: "allowed for this session.",
    Choice.ALWAYS: "allowed from now on.",
    Choice.NO: "not allowed.",
}


def question_lines(question: Question, *, answers: bool = True) -> tuple[Line, ...]:
    """The whole question, as it is read before it can be answered; `answers` are named at its end."""
    lines = [Line(f"{flat(question.tool)} wants to run or touch:", "Approval wanted:")]
    lines += map(Line, question.text().split("\n"))
    for part in question.part_texts():
        if part != question.text():
            lines += _spread("Part of it:", part)
    for file in question.files:
        lines += [Line(summary(file), "Would change:"), *map(Line, whole_diff(file))]
    lines += [Line(f"other programs run or obey {path!a} by themselves.", "Warning:") for path in question.executable_config]
    lines += spoken("Why you are asked:", question.reason)
    if question.behind:
        lines.append(Line(f"{count(question.behind, 'more question')} after this one.", "Notice:"))
    return (*lines, *_answers(question)) if answers else tuple(lines)


def asked_for(question: Question) -> str:
    """What stands before the answer."""
    numbers = [number for number, choice in _NUMBERS.items() if _offered(question, choice)]
    return f"Answer {', '.join(numbers)} or {_WHY}; Enter is no:"


def understood(question: Question, said: str) -> Answer | None:
    """The answer that was typed; None where it is a number or a word that is no answer here. Whatever else is a no, with what was said."""
    word = said.strip().lower().rstrip(".")
    choice = _NUMBERS.get(word) or _WORDS.get(word)
    if choice is not None:
        return Answer(choice) if _offered(question, choice) else None
    return None if word.isdecimal() or len(word) == 1 else Answer(Choice.NO, said.strip())


def wants_to_say_why(said: str) -> bool:
    """True for the answer after which a reason is asked for."""
    return said.strip().rstrip(".") == _WHY


def answered_line(answer: Answer) -> Line:
    """What was decided, so that it is heard."""
    return Line(_SAID[answer.choice], "Answer:")


def _spread(role: str, shown: str) -> list[Line]:
    """A text that is harmless already, on as many lines as it has."""
    first, *rest = shown.split("\n")
    return [Line(first, role), *map(Line, rest)]


def _offered(question: Question, choice: Choice) -> bool:
    match choice:
        case Choice.SESSION:
            return question.can_grant
        case Choice.ALWAYS:
            return bool(question.rule)
        case _:
            return True


def _answers(question: Question) -> list[Line]:
    lines = [Line("1. once")]
    if question.can_grant:
        lines.append(Line("2. for this session"))
    if question.rule:
        lines.append(Line(f"3. always, by the rule {flat(question.rule)} in your settings"))
    return [*lines, Line("4. no"), Line("5. no, and say why")]
