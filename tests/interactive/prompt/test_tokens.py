"""Long pastes and pictures as tokens: nothing is lost, a damaged one is text."""

from hypothesis import given
from hypothesis import strategies as st

from kimicode.interactive.prompt.tokens import (
    KEPT_CHARS,
    MOST_CHARS,
    MOST_LINES,
    Tokens,
    delete,
    expand,
    is_long,
    remembered,
    restored,
    snapped,
    token_at,
)
from kimicode.messages import Image

SHOT = Image("/home/ada/.kimicode/pictures/1.png", "image/png", "shot.png")
LOOKALIKES = st.text() | st.from_regex(r"\[(pasted|picture) [1-3]: [0-9]{1,2} (lines|characters)\]")


def test_long_is_more_lines_or_characters_than_are_read_at_a_glance():
    assert not is_long("x\n" * (MOST_LINES - 1))
    assert is_long("x\n" * MOST_LINES)
    assert not is_long("x" * MOST_CHARS)
    assert is_long("x" * (MOST_CHARS + 1))


def test_tokens_say_what_they_are():
    label, tokens = Tokens().with_paste("x\n" * 120)
    assert label == "[pasted 1: 120 lines]"
    label, tokens = tokens.with_picture(SHOT)
    assert label == "[picture 2: shot.png]"
    assert tokens.with_paste("y" * 2000)[0] == "[pasted 3: 2000 characters]"


@given(LOOKALIKES, LOOKALIKES, st.lists(LOOKALIKES, max_size=4))
def test_what_was_folded_is_sent_whole(before, after, pastes):
    tokens, text = Tokens(), before
    for paste in pastes:
        label, tokens = tokens.with_paste(paste, text + after)
        text += label
    assert expand(text + after, tokens).text == before + "".join(pastes) + after


def test_a_damaged_token_is_text():
    label, tokens = Tokens().with_paste("secret\n" * 20)
    for at in range(len(label)):
        damaged = label[:at] + label[at + 1 :]
        assert expand(damaged, tokens).text == damaged


def test_pictures_go_along_once_and_stay_named():
    label, tokens = Tokens().with_picture(SHOT)
    sent = expand(f"{label} and {label}", tokens)
    assert sent.text == f"{label} and {label}"
    assert sent.images == (SHOT,)
    assert expand("none", tokens).images == ()


def test_a_name_of_a_picture_breaks_no_token():
    label, tokens = Tokens().with_picture(Image("/p", "image/png", "a]\n[b\x1b" + "c" * 90 + ".png"))
    assert "\n" not in label
    assert label.count("]") == 1
    assert len(label) < 70
    assert [span.start for span in tokens.spans(label)] == [0]


def test_for_an_editor_a_token_is_one_character():
    label, tokens = Tokens().with_paste("x\n" * 20)
    text, first, last = f"a {label} b", 2, 2 + len(label)
    assert token_at(text, first, tokens) is None
    assert token_at(text, last, tokens) is None
    assert all(token_at(text, at, tokens) for at in range(first + 1, last))
    assert snapped(text, first + 3, tokens, forwards=True) == last
    assert snapped(text, first + 3, tokens, forwards=False) == first
    assert delete(text, last - 1, last, tokens) == ("a  b", 2)
    assert delete(text, 0, first, tokens) == (f"{label} b", 0)


def test_a_history_keeps_short_pastes_and_names_the_rest():
    short, tokens = Tokens().with_paste("x\n" * 20)
    long, tokens = tokens.with_paste("y" * (KEPT_CHARS + 1))
    picture, tokens = tokens.with_picture(SHOT)
    kept = remembered(f"{short}|{long}|{picture}", tokens)
    assert kept == "x\n" * 20 + "|[pasted 2: 10001 characters, not kept]|[picture 3: shot.png, not kept]"
    assert expand(kept, tokens) == expand(kept, Tokens())


@given(LOOKALIKES, st.lists(st.text(max_size=8), max_size=3))
def test_what_was_sent_can_be_edited_and_sent_again(text, names):
    images = tuple(Image(f"/{number}", "image/png", name) for number, name in enumerate(names))
    tokens = Tokens()
    for image in images:
        label, tokens = tokens.with_picture(image, text)
        text += label
    sent = expand(text, tokens)
    again, known = restored(sent.text, sent.images)
    assert set(expand(again, known).images) == set(sent.images)
    assert again.startswith(text)


def test_pictures_without_a_token_get_one():
    text, tokens = restored("look", (SHOT,))
    assert text == "look [picture 1: shot.png]"
    assert expand(text, tokens).images == (SHOT,)


def test_ten_megabytes_are_fine():
    paste = "line\n" * 2_000_000
    label, tokens = Tokens().with_paste(paste)
    assert label == "[pasted 1: 2000000 lines]"
    assert expand(f"a{label}b", tokens).text == f"a{paste}b"
