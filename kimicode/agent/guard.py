"""The loop guard: notices when a model goes round in circles, says so in the tool result, and stops it in the end.

Kimi models are known to repeat a call for hundreds of steps. Two counts are kept, over one run:

- *identical*: the same tool with the same arguments (compared as values, so key order and spaces don't matter). A repetition with
  the same result counts 1, one with a different result (polling) counts a half. Reminders at 3, 5 and 8; the run stops at 12.
- *near-identical*: calls in a row that brought nothing new (every result had been seen before in this run) and resemble an earlier
  one of that row: the same tool, other arguments, but at least 60 % of their words. Reminders at 5, 8 and 12; the run stops at 20.

What counts as progress: a call never made before in this run that succeeded and may have changed something (a declared write, or a
command) sets all identical counts back, so the same test command after each edit is never a loop. A declared write, like any
result not seen before, also ends a near-identical row. Results are compared without durations, clock times and addresses, which
differ on every run of the same command. Undoing and redoing an edit for ever is no progress, since both edits have been made before.
What this module does not do: touch the conversation; the loop appends the reminder and ends the run.
"""

import re
from collections import Counter

import msgspec

from kimicode.messages import ToolCall, ToolResult
from kimicode.tools.base import Accesses

# In halves, since a repetition with a new result counts a half.
_IDENTICAL_REMIND = (6, 10, 16)
_IDENTICAL_STOP = 24
_NEAR_REMIND = (5, 8, 12)
_NEAR_STOP = 20
_SIMILAR = 0.6
_WORDS_COMPARED = 400

_WORD = re.compile(r"\w+")
_VOLATILE = re.compile(r"0x[0-9a-f]+|\b\d\d:\d\d(:\d\d)?(\.\d+)?\b|\b\d+(\.\d+)?\s?(ms|s|sec|secs|seconds)\b", re.IGNORECASE)


class Verdict(msgspec.Struct, frozen=True):
    """What to tell the model after its call (empty: nothing), and why the run must end (empty: it need not)."""

    reminder: str = ""
    stop: str = ""


class _Made(msgspec.Struct, frozen=True):
    """One call of a row that brought nothing new."""

    key: str
    name: str
    words: Counter[str]


class Guard(msgspec.Struct, frozen=True):
    """What has been seen so far. A value: `after` returns the next one."""

    counts: dict[str, int] = {}
    last: dict[str, int] = {}
    seen: frozenset[int] = frozenset()
    row: tuple[_Made, ...] = ()
    near: int = 0

    def after(self, call: ToolCall, accesses: Accesses, result: ToolResult) -> tuple["Guard", Verdict]:
        """The guard after one more call and its result, and what to do about it."""
        arguments = _canonical(call.arguments)
        key = f"{call.name} {arguments}"
        outcome = hash(_VOLATILE.sub("", result.content))
        changed = key not in self.last and result.ok and (bool(accesses.writes) or accesses.everything)
        counts = dict(self.counts) if not changed else {}
        before = counts.get(key, 0)
        counts[key] = before + (2 if self.last.get(key, outcome) == outcome else 1)
        made = _Made(key, call.name, Counter(_WORD.findall(arguments)[:_WORDS_COMPARED]))
        new = outcome not in self.seen or (changed and not accesses.everything)
        row = (made,) if new else (*self.row, made)
        near = 0 if new else self.near + any(_similar(made, earlier) for earlier in self.row)
        guard = Guard(counts, {**self.last, key: outcome}, self.seen | {outcome}, row, near)
        return guard, _verdict(call.name, before, counts[key], self.near, near)


def _verdict(name: str, before: int, now: int, near_before: int, near_now: int) -> Verdict:
    if now >= _IDENTICAL_STOP:
        return Verdict(stop=f"the model called {name} again and again with the same arguments, and nothing changed")
    if near_now >= _NEAR_STOP:
        return Verdict(stop=f"the model called {name} again and again with almost the same arguments, and learned nothing new")
    if any(before < mark <= now for mark in _IDENTICAL_REMIND):
        return Verdict(
            reminder=f"You have called {name} with these same arguments several times, and nothing has changed in between. "
            "Calling it again will not help: use what you know, try something else, or say what stops you."
        )
    if any(near_before < mark <= near_now for mark in _NEAR_REMIND):
        return Verdict(
            reminder=f"Your last calls of {name} were almost the same and told you nothing new. "
            "Change your approach, or say what stops you."
        )
    return Verdict()


def _canonical(arguments: str) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(arguments), order="deterministic").decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return arguments


def _similar(left: _Made, right: _Made) -> bool:
    # Identical calls have a count of their own, with earlier reminders.
    if left.name != right.name or left.key == right.key:
        return False
    size = left.words.total() + right.words.total()
    return size == 0 or 2 * (left.words & right.words).total() / size >= _SIMILAR
