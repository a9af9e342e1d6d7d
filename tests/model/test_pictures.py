"""Pictures: what is taken for one, where the copy goes, and what a request holds of it."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import UnavailableError, UsageError
from kimicode.messages import Assistant, Image, Message, User
from kimicode.model import ModelRequest, repair, resolve
from kimicode.model.faults import Detail, classify
from kimicode.model.pictures import LARGEST, data_url, keep_picture, media_type
from kimicode.model.wire import request_body

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
SEES = resolve("moonshot", "kimi-k2.6", {"MOONSHOT_API_KEY": "k"})
BLIND = resolve("unix:/x", "kimi-nano", {})


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"GIF87a...", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"<svg></svg>", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_pictures_are_known_by_their_bytes(data: bytes, kind: str | None) -> None:
    assert media_type(data) == kind


def test_a_picture_is_kept_once_and_privately(tmp_path: Path) -> None:
    original = tmp_path / "my shot.jpeg"
    original.write_bytes(PNG)
    folder = tmp_path / "session" / "pictures"
    image = keep_picture(original, "", folder)
    assert (image.media_type, image.name, Path(image.path).suffix) == ("image/png", "my shot.jpeg", ".png"), "its bytes say what it is"
    assert keep_picture(PNG, "pasted", folder).path == image.path
    assert [path.name for path in folder.iterdir()] == [Path(image.path).name]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(image.path).stat().st_mode) == 0o600
    original.unlink()
    assert data_url(image) == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not really")
    os.mkfifo(tmp_path / "pipe.png")
    for name, words in (("notes.png", "no picture"), ("pipe.png", "no file"), ("absent.png", "No such file"), ("", "no file|directory")):
        with pytest.raises(UsageError, match=words):
            keep_picture(tmp_path / name, "", tmp_path / "kept")
    with pytest.raises(UsageError, match="larger than 20 MiB"):
        keep_picture(PNG + bytes(LARGEST), "huge", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UnavailableError, match="can't keep a copy of x"):
        keep_picture(PNG, "x", tmp_path / "taken" / "pictures")


@given(st.text())
def test_any_name_becomes_one_line_that_can_be_sent(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    image = keep_picture(PNG, name, tmp_path_factory.getbasetemp() / "named")
    assert image.name.encode().decode().split("\n") == [image.name]
    assert "]" not in image.name


def content(user: User, *, sees: bool = True) -> object:
    body = request_body(ModelRequest((user,)), SEES if sees else BLIND)
    return json.loads(body.content)["messages"][0]["content"]


def test_text_comes_first_and_then_the_pictures(tmp_path: Path) -> None:
    first, second = (keep_picture(PNG + name.encode(), name, tmp_path) for name in "ab")
    parts = content(User("look", (first, second)))
    urls = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in (first, second)]
    assert parts == [{"type": "text", "text": "look"}, *urls]
    assert content(User(" ", (first,))) == urls[:1], "a blank text is left out"
    assert content(User("plain")) == "plain"


def test_a_model_that_sees_nothing_reads_a_line_instead(tmp_path: Path) -> None:
    image = keep_picture(PNG, "shot.png", tmp_path)
    assert content(User("look", (image,)), sees=False) == "look\n\n[picture shot.png: this model can't see it]"
    body = request_body(ModelRequest((User("look", (image,)), User("again", (image,)))), BLIND)
    assert len(body.notices) == 1
    assert "can't see pictures" in body.notices[0]
    assert request_body(ModelRequest((User("look"),)), BLIND).notices == ()


def test_a_picture_that_is_gone_or_damaged_is_a_line_too(tmp_path: Path) -> None:
    kept, gone = keep_picture(PNG, "kept", tmp_path), Image(str(tmp_path / "gone.png"), "image/png", "gone\n[x]")
    note = "[picture gone [x): its file is gone]"
    assert content(User("look", (gone,))) == f"look\n\n{note}"
    assert content(User("look", (gone, kept)))[1:] == [  # type: ignore[index]
        {"type": "text", "text": note},
        {"type": "image_url", "image_url": {"url": data_url(kept)}},
    ]
    Path(kept.path).write_text("overwritten")
    assert data_url(kept) is None


def test_a_longer_conversation_begins_with_the_bytes_of_the_shorter(tmp_path: Path) -> None:
    first: tuple[Message, ...] = (User("look", (keep_picture(PNG, "a", tmp_path),)),)
    short, long = (request_body(ModelRequest(talk), SEES).content for talk in (first, (*first, Assistant("seen"), User("good"))))
    assert long.startswith(short[: -len(b"]}")])


def test_which_models_see() -> None:
    assert SEES.info.images
    assert not BLIND.info.images, "the engine runs the language model alone"
    assert resolve("http://localhost:9/v1", "somebody/elses", {}).info.images, "nobody knows: its server will say"


def test_a_message_of_pictures_alone_is_one(tmp_path: Path) -> None:
    alone = User("", (keep_picture(PNG, "a", tmp_path),))
    assert repair((alone, User(""))) == (alone,)


@pytest.mark.parametrize(
    "words",
    [
        "image input is not supported - hint: provide the mmproj",
        "this engine can't look at images yet: leave them out",
        "Unsupported image",
    ],
)
@pytest.mark.parametrize("status", [400, 500, 422])
def test_a_server_that_takes_no_pictures_is_not_asked_again(words: str, status: int) -> None:
    error = classify(SEES, Detail(words, "", status))
    assert "for a picture" in error.message
    assert "Rewind" in error.hint
