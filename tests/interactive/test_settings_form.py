"""The settings form: every field of the schema is in it, and what it shows reads back as what it was."""

from typing import get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.errors import UsageError
from kimicode.interactive.person import Field
from kimicode.interactive.settings_form import changes_in, form_of, with_changes
from kimicode.settings import (
    GitSettings,
    PermissionRules,
    ReviewIgnore,
    ReviewSettings,
    SandboxSettings,
    Settings,
    UiSettings,
    load_settings,
)
from kimicode.settings_file import set_values


def fields(settings: Settings) -> dict[str, Field]:
    return {field.name: field for _, group in form_of(settings).groups for field in group}


def names(struct: type[msgspec.Struct], above: str = "") -> list[str]:
    found = []
    for name, kind in get_type_hints(struct).items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            found += names(kind, f"{above}{name}.")
        elif ReviewIgnore not in get_args(kind):
            found.append(above + name)
    return found


ITEMS = st.lists(st.text(min_size=1, max_size=12), max_size=3).map(tuple)
LIMIT = st.none() | st.integers(1, 10**9)
AMOUNT = st.none() | st.floats(0.001, 1e9)
WORD = st.none() | st.text(max_size=20)


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    return Settings(
        model=draw(WORD),
        endpoint=draw(WORD),
        permission=draw(st.sampled_from([None, "read-only", "workspace", "full"])),
        thinking=draw(st.sampled_from(["on", "off", "keep"])),
        max_steps=draw(st.integers(1, 999)),
        max_tokens=draw(LIMIT),
        max_seconds=draw(AMOUNT),
        max_cost=draw(AMOUNT),
        permissions=PermissionRules(allow=draw(ITEMS), deny=draw(ITEMS), commands=draw(st.sampled_from(["contained", "known"]))),
        sandbox=SandboxSettings(writable=draw(ITEMS), memory_gib=draw(AMOUNT), processes=draw(LIMIT)),
        review=ReviewSettings(
            confidence=draw(st.floats(0, 1)), strict=draw(st.booleans()), model=draw(WORD), rules=draw(st.text(max_size=30))
        ),
        git=GitSettings(trailer=draw(st.booleans())),
        ui=UiSettings(theme=draw(st.text(max_size=10)), mouse=draw(st.booleans()), width=draw(st.integers(0, 300))),
    )


def test_every_field_is_there_with_its_choices_and_a_word_about_it() -> None:
    found = fields(Settings())
    assert sorted(found) == sorted(names(Settings))
    assert found["thinking"].choices == ("off", "on", "keep")
    assert found["permission"].choices == ("", "read-only", "workspace", "full")
    assert found["ui.mouse"].choices == ("on", "off")
    assert found["ui.theme"].choices == ()
    assert found["max_steps"].value == "200"
    for field in found.values():
        assert not field.help.startswith("Default:"), field.name


@settings(deadline=None)
@given(all_settings(), all_settings())
def test_what_the_form_shows_reads_back(before: Settings, wanted: Settings) -> None:
    answers = {name: field.value for name, field in fields(wanted).items()}
    for name, field in fields(before).items():
        assert field.check is not None
        assert field.check(answers[name]) == ""
        assert not field.choices or answers[name] in field.choices
    changes = changes_in(before, answers)
    assert with_changes(before, changes) == wanted
    assert changes_in(wanted, answers) == {}


def test_the_form_goes_through_the_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    wanted = Settings(
        model="a.gguf", max_cost=1.5, permissions=PermissionRules(allow=("shell(git log *)", "shell(a, b)")), ui=UiSettings(width=0)
    )
    path = tmp_path / "settings.toml"
    set_values(path, changes_in(Settings(), {name: field.value for name, field in fields(wanted).items()}))
    environ = {"KIMICODE_CONFIG": str(path)}
    assert load_settings(environ, {}) == wanted
    back = {name: field.value for name, field in fields(Settings()).items()}
    set_values(path, changes_in(wanted, back))
    assert load_settings(environ, {}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_steps", "0"), ("max_steps", "many"), ("max_cost", "-1"), ("max_cost", "nan"), ("max_cost", "inf"), ("ui.mouse", "yes"),
        ("thinking", "maybe"), ("ui.fold_lines", "-1"), ("permissions.allow", "[1]"), ("permissions.allow", '["a"'), ("model", '"open'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_not_taken(name: str, text: str) -> None:
    check = fields(Settings())[name].check
    assert check is not None
    assert check(text)
    with pytest.raises(UsageError):
        changes_in(Settings(), {name: text})


def test_origins_are_known() -> None:
    # The form knows literals, options, tuples of texts and plain values; a new kind of field has to be thought about.
    for struct in (Settings, PermissionRules, SandboxSettings, ReviewSettings, GitSettings, UiSettings):
        for kind in get_type_hints(struct).values():
            assert get_origin(kind) is not dict
            assert get_origin(kind) is not list
