from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.model.sse import SseDecoder, SseOverflowError


def decode(*chunks: bytes) -> list[bytes]:
    decoder = SseDecoder()
    return [payload for chunk in chunks for payload in decoder.feed(chunk)] + decoder.flush()


@pytest.mark.parametrize(
    ("data", "payloads"),
    [
        (b'data: {"a":1}\n\n', [b'{"a":1}']),
        (b'data:{"a":1}\n\n', [b'{"a":1}']),
        (b'data: {"a":1}\r\n\r\ndata: [DONE]\r\n\r\n', [b'{"a":1}', b"[DONE]"]),
        (b'data: {"a":1}\r\rdata: {"b":1}\r\r', [b'{"a":1}', b'{"b":1}']),
        (b': keep-alive\n\n\nevent: message\nid: 7\nretry: 9\ndata: {"a":1}\n\n', [b'{"a":1}']),
        (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
        (b'data: {"a":1}\ndata: {"b":1}\ndata: [DONE]\n', [b'{"a":1}', b'{"b":1}', b"[DONE]"]),
        (b'data: {"a":1}', [b'{"a":1}']),
        (b"data\n\ndata:\n\ndata: \n\n", []),
        (b'error: {"code":500}\n\n', [b'{"code":500}']),
        (b'{"error":"raw"}\n', [b'{"error":"raw"}']),
        ('data: {"a":"x\u2028y\u0085z\x0b"}\n\n'.encode(), ['{"a":"x\u2028y\u0085z\x0b"}'.encode()]),  # str.splitlines would cut here
        (b"<html>\n<body>data</body>\n", []),
        (b"", []),
    ],
)
def test_payloads(data: bytes, payloads: list[bytes]) -> None:
    assert decode(data) == payloads


@given(st.lists(st.integers(0, 60), max_size=8))
def test_where_the_bytes_are_split_makes_no_difference(cuts: list[int]) -> None:
    data = 'data: {"a":"é€😀"}\r\n\r\n: c\r\ndata: {\r\ndata: "b":1}\r\n\r\ndata: [DONE]\r\n\r\n'.encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert decode(*pieces) == ['{"a":"é€😀"}'.encode(), b'{\n"b":1}', b"[DONE]"]


def test_a_line_of_10_mb_in_small_pieces_is_linear() -> None:
    payload = b'{"a":"' + b"x" * 10_000_000 + b'"}'
    data = b"data: " + payload + b"\n\n"
    assert decode(*(data[i : i + 1_000] for i in range(0, len(data), 1_000))) == [payload]


def test_an_event_without_end_is_given_up() -> None:
    decoder = SseDecoder()
    for _ in range(64):
        decoder.feed(b"x" * (1 << 20))
    with pytest.raises(SseOverflowError):
        decoder.feed(b"x")
