import subprocess
import sys
from pathlib import Path

import pytest

import kimicode
from kimicode.agent.answer import Contract
from kimicode.errors import ContractError, UsageError
from kimicode.messages import Assistant, User

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.mark.parametrize(
    "text",
    ['{"n": 1}', ' \n{"n":1}\n', '```json\n{"n": 1}\n```', 'Here it is:\n\n```\n{"n": 1}\n```\nBye.', '```JSON\n{"n": 1}\n```'.lower()],
)
def test_readable_answers(text):
    assert Contract(SCHEMA).read(text) == {"n": 1}


def test_fences_inside_of_a_value_are_text():
    assert Contract({"type": "string"}).read('"```\\n1\\n```"') == "```\n1\n```"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("One.", "not JSON"),
        ('{"n": 1', "not JSON"),
        ('{"n": NaN}', "not JSON"),
        ('{"n": "\\ud800"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('```\n{"n": 1}\n```\n```\n{"n": 2}\n```', "not JSON"),
        ('{"n": "1"}', r"\$\.n: '1' is not of type 'integer'"),
        ("{}", "'n' is a required property"),
        ('{"n": 1, "m": 2}', "Additional properties"),
    ],
)
def test_unusable_answers(text, problem):
    with pytest.raises(ContractError, match=problem):
        Contract(SCHEMA).read(text)


def test_a_wrong_schema_is_a_mistake_of_the_user():
    with pytest.raises(UsageError, match="not a valid JSON Schema"):
        Contract({"type": "objekt"})


def test_references_are_never_fetched():
    with pytest.raises(ContractError, match=r"refers to something that is not in it: http://localhost:1/x"):
        Contract({"$ref": "http://localhost:1/x"}).read("1")


def test_an_endless_schema_ends():
    with pytest.raises(ContractError):
        Contract({"$ref": "#"}).read("1")


def test_the_answer_is_data(rig):
    made = rig(['```json\n{"n": 3}\n```'], contract=Contract(SCHEMA))
    finished = made.run("count")
    assert (finished.status, finished.data) == ("done", {"n": 3})
    assert made.messages[1].content.startswith("count\n\nYour final answer must be one JSON value")
    assert made.model.requests[0].schema == SCHEMA


def test_a_wrong_answer_is_sent_back_and_then_ends_the_run(rig):
    made = rig(["three", '{"n": 3}'], contract=Contract(SCHEMA))
    assert made.run().data == {"n": 3}
    assert made.messages[2] == Assistant("three")
    assert isinstance(made.messages[3], User)
    assert "not JSON" in made.messages[3].content
    finished = rig(["three"] * 9, contract=Contract(SCHEMA)).run()
    assert (finished.status, finished.exit_code, finished.data, finished.steps, finished.text) == ("contract", 4, None, 3, "three")
    assert "not JSON" in finished.error


def test_jsonschema_is_not_loaded_without_a_schema():
    code = "import sys, kimicode.agent.loop; sys.exit('jsonschema' in sys.modules or 'httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(kimicode.__file__).parents[1]).returncode == 0
