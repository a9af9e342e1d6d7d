"""The same conversation about other names: identifiers are replaced, consistently, by words made of random tokens.

A project's names come from two finite pools; copying any name at all is what repairing needs, so most training documents get new ones.
Nothing else changes: the tool results stay what pytest and the tools said, but for the names. What this module does not do: touch
words that the formats or the code itself use.
"""

import random
import re
from collections.abc import Sequence
from typing import cast

from engine.nano.trajectories import Message

_NAMES = re.compile(r"def (\w+)\(([^)]*)\)|for (\w+) in")
_FIXED = frozenset(
    """all and assert at by call case command commas content count def edit edited else equals exit failed fails first fix fixed for form
    from functions greater if import in info is item items joined joins largest larger last least len less lower max min minus most
    name new number of old order pass passed path plus product project pytest python read replacement result return reverse run shell
    short smaller smallest so string sum summary test tests than the times total true upper""".split()
)


def rename(messages: Sequence[Message], syllables: Sequence[str], rng: random.Random) -> list[Message]:
    """The conversation with every name of its project replaced; new words are one to three of `syllables`."""
    names = _names(messages)
    fresh: dict[str, str] = {}
    while len(fresh) < len(names):
        word = "".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3))))
        if len(word) > 1 and word not in _FIXED and word not in fresh.values() and word not in names:
            fresh[names[len(fresh)]] = word
    if not fresh:
        return list(messages)
    pattern = re.compile(f"(?<![A-Za-z])({'|'.join(map(re.escape, names))})(?![A-Za-z])")
    return [cast("Message", _replace(message, pattern, fresh)) for message in messages]


def _names(messages: Sequence[Message]) -> list[str]:
    """Words of functions, parameters, loop variables and modules, from the source that the conversation reads."""
    words: dict[str, None] = {}
    for message in messages:
        text = str(message["content"])
        for module in re.findall(r"FAILED test_([a-z]+)\.py", text):
            words[module] = None
        for function, parameters, variable in _NAMES.findall(text):
            for name in (*function.split("_"), *re.split(r"[, ]+", parameters), variable):
                words[name] = None
    return [word for word in words if word and word not in _FIXED]


def _replace(value: object, pattern: re.Pattern[str], fresh: dict[str, str]) -> object:
    match value:
        case str():
            return pattern.sub(lambda found: fresh[found[1]], value)
        case list():
            return [_replace(item, pattern, fresh) for item in value]
        case dict():
            return {
                key: item if key in ("role", "id", "name", "tool_call_id", "type") else _replace(item, pattern, fresh)
                for key, item in value.items()
            }
        case _:
            return value
