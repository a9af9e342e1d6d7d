"""What counts as a final answer: text that is there and whole, and valid JSON where a schema was asked for.

An answer that does not count is sent back with a note that says why, `RETRIES` times in one run; then the run ends with
`ContractError`. An answer that was cut at the output limit is asked for again too, rather than failed at once: a model that wanted
to say too much in one step usually does it in two, and the step costs less than the whole run.
What this module does not do: append notes or end the run (the loop does).
"""

import importlib
import re
from typing import Protocol, cast

import msgspec

from kimicode.errors import ContractError, UsageError
from kimicode.messages import JsonObject, JsonValue
from kimicode.model.client import Finished

RETRIES = 2

_FENCED = re.compile(r"\A.*?^```[a-z]*[ \t]*\n(.*?)\n?^```[ \t]*$.*\Z", re.DOTALL | re.MULTILINE)


class _Validation(Protocol):
    def schema_problem(self, schema: JsonObject) -> str: ...

    def value_problem(self, value: JsonValue, schema: JsonObject) -> str: ...


class Contract:
    """A JSON Schema that the final answer must follow. Raises `UsageError` where the schema itself is wrong."""

    def __init__(self, schema: JsonObject) -> None:
        # Imported here because only runs with a schema may pay for jsonschema's start-up.
        self._validation = cast("_Validation", importlib.import_module("kimicode.agent.validation"))
        self.schema = schema
        problem = self._validation.schema_problem(schema)
        if problem:
            raise UsageError(f"not a valid JSON Schema: {problem}", hint="Correct the file given with --schema.")

    @property
    def request(self) -> str:
        """What to tell the model beside the prompt."""
        schema = msgspec.json.encode(self.schema).decode()
        return f"Your final answer must be one JSON value and nothing else, and follow this JSON Schema:\n{schema}"

    def read(self, text: str) -> JsonValue:
        """The value in `text`, bare or in one fenced block. Raises `ContractError` saying what is wrong with it."""
        try:
            value: JsonValue = msgspec.json.decode(_unfenced(text))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ContractError(f"the answer is not JSON: {error}") from error
        problem = self._validation.value_problem(value, self.schema)
        if problem:
            raise ContractError(f"the answer does not follow the schema: {problem}")
        return value


class Judge:
    """Decides on the answers of one run that call no tools. `text` and `data` are the accepted answer, or what there is of it."""

    def __init__(self, contract: Contract | None = None) -> None:
        self._contract = contract
        self._refused = 0
        self._continued = False
        self.text = ""
        self.data: JsonValue = None

    def accept(self, finished: Finished) -> str:
        """Empty where the answer counts, else the note that asks for a better one. Raises `ContractError` after `RETRIES` notes."""
        piece = finished.message.content
        self.text = self.text + piece if self._continued else piece
        self._continued = False
        if finished.finish_reason == "length":
            return self._cut(bool(piece.strip()))
        if not piece.strip():
            return self._refuse("the answer is empty", "Your last answer was empty. Go on, or give your final answer as text.")
        if self._contract is None:
            return ""
        try:
            self.data = self._contract.read(self.text)
        except ContractError as error:
            return self._refuse(error.message, f"Your answer can't be used: {error.message}. Answer again with the JSON value only.")
        return ""

    def _cut(self, something: bool) -> str:
        note = "Your last answer reached the output limit before anything usable came. Think less and take a smaller step."
        if something:
            note = "Your last answer was cut at the output limit. Continue exactly where it stopped, without repeating anything."
        reply = self._refuse("the answer was cut at the output limit", note)
        self._continued = something
        return reply

    def _refuse(self, problem: str, note: str) -> str:
        if self._refused >= RETRIES:
            raise ContractError(f"{problem}, after {RETRIES} reminders", hint="Try again, or simplify the task or the schema.")
        self._refused += 1
        return note


def _unfenced(text: str) -> str:
    found = _FENCED.match(text)
    bare = text.strip()
    return found[1] if found and text.count("```") == 2 and not bare.startswith(("{", "[", '"')) else bare
