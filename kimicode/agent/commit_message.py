"""A commit message from what is staged: one bounded call of a model, and what it answered made into a message.

A large diff is cut so that every file still has its share. What this module does not do: read the repository, ask the user, or commit.
"""

import asyncio
import re
import textwrap
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, cast

from kimicode.errors import ContractError, TemporaryError
from kimicode.messages import System, User
from kimicode.model.client import Delta, Finished, ModelClient, ModelRequest, Thinking
from kimicode.repo.git_diff import FileDiff, split_diff
from kimicode.text import well_formed
from prompts import load

SUBJECT_WIDTH: Final = 72
"""What git's own tools show of a subject without cutting it."""

MOST_CHARS: Final = 40_000
"""What of a diff is sent, at most: about 12,000 tokens. A message says what a change is for, and more of it says no more about that."""

ANSWER_TOKENS: Final = 500
SECONDS: Final = 120.0
"""A model in memory answers within seconds; one that has to be loaded first takes longer."""

_CHARS_A_TOKEN: Final = 2
"""Fewer than any source code has, so that what is sent fits."""

_SUBJECTS: Final = 10
_CUT: Final = "[cut here]"
_FENCE: Final = re.compile(r"\A```[a-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_LABEL: Final = re.compile(r"\A(?:commit message|subject|message)\s*:\s*", re.IGNORECASE)
_TRAILER: Final = re.compile(r"(?:signed-off|co-authored|assisted|reviewed|tested|generated)-by:.*", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


async def write_message(client: ModelClient, diff: bytes, subjects: Sequence[str], *, seconds: float = SECONDS) -> str:
    """The message for `diff`; `subjects` are those of earlier commits, newest first. Asked once.

    Raises `ContractError` where the answer is none, `TemporaryError` where it takes longer than `seconds`, and what the client raises.
    """
    room = min(MOST_CHARS, _CHARS_A_TOKEN * max(0, client.info.context - 2 * ANSWER_TOKENS))
    words = f"{_past(subjects)}The commit's diff:\n\n{shorten(diff, room)}"
    request = ModelRequest((System(load("commit").text), User(well_formed(words))), thinking=Thinking.OFF, max_tokens=ANSWER_TOKENS)
    try:
        async with asyncio.timeout(seconds):
            answer = await _answer(client, request)
    except TimeoutError:
        raise TemporaryError(
            f"{client.info.model} wrote no message within {seconds:g} s", hint="Try again, or give one with --message."
        ) from None
    return tidy(answer)


async def _answer(client: ModelClient, request: ModelRequest) -> str:
    async with aclosing(cast("AsyncGenerator[Delta, None]", client.stream(request))) as deltas:
        async for delta in deltas:
            if isinstance(delta, Finished):
                return delta.message.content
    raise ContractError("the model's answer did not end")


def _past(subjects: Sequence[str]) -> str:
    lines = "\n".join(f"- {subject}" for subject in subjects[:_SUBJECTS])
    return f"Earlier subjects:\n{lines}\n\n" if lines else ""


def tidy(answer: str) -> str:
    """The message in a model's answer: a subject that fits, a blank line, a body. Raises `ContractError` where there is none."""
    text = _CONTROL.sub("", answer).strip()
    if found := _FENCE.match(text):
        text = found[1].strip()
    text = _LABEL.sub("", text)
    lines = [line.rstrip() for line in text.split("\n") if not _TRAILER.fullmatch(line.strip())]
    first, _, rest = "\n".join(lines).strip().partition("\n")
    subject, body = first.strip(" \t\"'`*").removesuffix(".").rstrip(), rest.strip()
    if not subject:
        raise ContractError("the model gave no commit message", hint="Try again, or give one with --message.")
    if len(subject) > SUBJECT_WIDTH:
        # What does not fit is not lost: the whole sentence begins the body.
        body = f"{textwrap.fill(subject, SUBJECT_WIDTH)}\n\n{body}".strip()
        subject = textwrap.shorten(subject, SUBJECT_WIDTH, placeholder="…")
    return f"{subject}\n\n{body}".strip()


def shorten(diff: bytes, room: int) -> str:
    """The diff in at most about `room` characters: every file is named with its size, small ones are whole, large ones lose their end."""
    files = split_diff(diff)
    titles = [_title(file) for file in files]
    bodies = ["\n".join(file.hunks) for file in files]
    shares = _shares([len(body) for body in bodies], room - sum(len(title) + len(_CUT) + 2 for title in titles))
    out: list[str] = []
    for title, body, share in zip(titles, bodies, shares, strict=True):
        part = body if len(body) <= share else f"{body[:share]}\n{_CUT}" if share else _CUT
        out.append(f"{title}\n{part}".rstrip())
    text = "\n".join(out)
    # With thousands of files, their names alone are too many.
    return text if len(text) <= room else f"{text[:room]}\n{_CUT}\n{len(files)} files in all"


def _title(file: FileDiff) -> str:
    notes = f" ({', '.join(file.notes)})" if file.notes else ""
    return f"{file.path}{notes} +{file.added} -{file.removed}"


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """How much each gets of `room`: all it wants, or as much as every other that wants more."""
    shares = [0] * len(sizes)
    left = max(0, room)
    for done, at in enumerate(sorted(range(len(sizes)), key=lambda each: sizes[each])):
        shares[at] = min(sizes[at], left // (len(sizes) - done))
        left -= shares[at]
    return shares
