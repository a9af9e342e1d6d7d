import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kimicode.agent.guard import Guard
from kimicode.messages import ToolCall, ToolResult
from kimicode.tools.base import Accesses

READ = Accesses(reads=(Path("/w/a"),))
WRITE = Accesses(writes=(Path("/w/a"),))
SHELL = Accesses(everything=True)


def feed(guard, name, args, content, accesses=READ, ok=True):
    text = args if isinstance(args, str) else json.dumps(args)
    return guard.after(ToolCall("c", name, text), accesses, ToolResult("c", name, content, ok))


def run(steps, guard=None):
    """The numbers (from 1) of the calls that were reminded, and of the one that was stopped."""
    guard = guard or Guard()
    reminded = []
    for number, step in enumerate(steps, 1):
        guard, verdict = feed(guard, *step)
        if verdict.stop:
            return reminded, number
        if verdict.reminder:
            reminded.append(number)
    return reminded, None


def test_identical_calls():
    assert run([("read", {"path": "a"}, "same")] * 30) == ([3, 5, 8], 12)


def test_arguments_are_compared_as_values():
    spellings = ['{"path": "a", "limit": 1}', '{"limit":1,"path":"a"}', ' { "limit" : 1, "path" : "a" } ']
    assert run([("read", spellings[n % 3], "same") for n in range(30)]) == ([3, 5, 8], 12)


def test_broken_arguments_are_compared_as_text():
    assert run([("read", '{"path": "a', "Error: bad arguments", READ, False)] * 30) == ([3, 5, 8], 12)


def test_a_loop_of_two_calls():
    pair = [("read", {"path": "a"}, "A"), ("grep", {"pattern": "x"}, "B")]
    assert run(pair * 30)[1] == 23


def test_the_same_test_command_after_each_edit_is_no_loop():
    steps = []
    for n in range(40):
        steps.append(("edit", {"path": "a", "old_string": str(n), "new_string": str(n + 1)}, "Edited a: 1 replacement.", WRITE))
        steps.append(("shell", {"command": "pytest"}, "1 failed in 0.12s\n[exit 1]", SHELL))
    assert run(steps) == ([], None)


def test_the_same_test_command_after_each_silent_command_is_no_loop_of_identical_calls():
    steps = []
    for n in range(9):
        steps.append(("shell", {"command": f"sed -i s/{n}/{n + 1}/ a{n}.py"}, "[exit 0]", SHELL))
        steps.append(("shell", {"command": "pytest"}, "1 failed in 0.12s\n[exit 1]", SHELL))
    assert run(steps)[1] is None


def test_the_same_test_command_after_failed_edits_is_a_loop():
    steps = []
    for n in range(40):
        steps.append(("edit", {"path": "a", "old_string": str(n)}, "Error: a: old_string not found.", WRITE, False))
        steps.append(("shell", {"command": "pytest"}, f"1 failed in 0.{n}s at 0x7f{n:02}\n[exit 1]", SHELL))
    assert run(steps)[1] is not None


def test_doing_and_undoing_is_a_loop():
    there = ("edit", {"path": "a", "old_string": "x", "new_string": "y"}, "Edited a: 1 replacement.", WRITE)
    back = ("edit", {"path": "a", "old_string": "y", "new_string": "x"}, "Edited a: 1 replacement.", WRITE)
    reminded, stopped = run([there, back] * 30)
    assert reminded
    assert stopped is not None
    assert stopped <= 26


def test_polling_counts_a_half():
    assert run([("shell", {"command": "tail log"}, f"line {n}", SHELL) for n in range(40)])[1] == 23


def test_near_identical_calls_that_bring_nothing_new():
    steps = [("grep", {"pattern": f"name{n}", "path": "src", "glob": "*.py"}, "No matches.") for n in range(40)]
    reminded, stopped = run(steps)
    assert (reminded, stopped) == ([6, 9, 13], 21)


def test_near_identical_calls_that_bring_something_new_are_no_loop():
    assert run([("read", {"path": "big.py", "offset": n}, f"text {n}") for n in range(60)]) == ([], None)


def test_different_calls_with_the_same_result_are_no_loop():
    words = [chr(97 + n) * 3 for n in range(24)]
    assert run([(word, {word: f"{word}/{word}"}, "[exit 0]") for word in words]) == ([], None)


def test_the_guard_is_a_value():
    guard = Guard()
    feed(guard, "read", {}, "x")
    assert guard == Guard()


texts = st.text(max_size=30)


@given(st.lists(st.tuples(st.sampled_from(["read", "edit"]), texts), max_size=30))
def test_nothing_is_said_while_every_result_is_new(steps):
    """Up to 4 polls of one call, each with another result, stay below the first reminder (the fifth brings it)."""
    fresh = [(name, f"{args}{number // 4}", "new" * (number + 1)) for number, (name, args) in enumerate(steps)]
    assert run(fresh) == ([], None)


@given(st.lists(st.tuples(texts, texts, st.booleans()), max_size=40))
def test_a_stop_comes_after_a_reminder(steps):
    reminded, stopped = run([("read", args, content, READ, ok) for args, content, ok in steps])
    assert stopped is None or reminded
