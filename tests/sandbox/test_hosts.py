"""Only what a person allowed is reached, however the same host, or another one, is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import UsageError
from kimicode.sandbox.hosts import Hosts, canonical, parse_hosts, parse_rule, public

ALLOWED = parse_hosts(
    ["ok.com", "*.wild.org", "api.test:8443", "10.0.0.7", "127.0.0.1:8000", "[::1]:9", "bücher.example", "localhost:3000", "1.1.1.1"]
)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("ok.com", 443),
        ("ok.com", 80),
        ("OK.Com", 443),
        ("ok.com.", 443),
        ("a.wild.org", 443),
        ("a.b.wild.org", 80),
        ("api.test", 8443),
        ("10.0.0.7", 443),
        ("::ffff:10.0.0.7", 443),
        ("127.0.0.1", 8000),
        ("::1", 9),
        ("0:0:0:0:0:0:0:1", 9),
        ("xn--bcher-kva.example", 443),
        ("XN--BCHER-KVA.example", 443),
        ("localhost", 3000),
    ],
)
def test_what_was_allowed(host: str, port: int) -> None:
    assert ALLOWED.allowed(host, port)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("evil.com", 443),
        ("ok.com", 22),
        ("ok.com", 8443),
        ("api.test", 443),
        ("evil.com\0.ok.com", 443),
        ("evil.com\0ok.com", 443),
        ("ok.com\0", 443),
        ("ok.com\0.evil.com", 443),
        ("ok.com\n", 443),
        ("ok.com\r\nx", 443),
        (" ok.com", 443),
        ("ok.com ", 443),
        ("ok.com..", 443),
        (".ok.com", 443),
        ("ok..com", 443),
        (".", 443),
        ("", 443),
        ("com", 443),
        ("ok.com.evil.com", 443),
        ("ok.com@evil.com", 443),
        ("evil.com@ok.com", 443),
        ("user:pass@ok.com", 443),
        ("notok.com", 443),
        ("xok.com", 443),
        ("ok.community", 443),
        ("sub.ok.com", 443),
        ("wild.org", 443),
        ("evilwild.org", 443),
        ("-.wild.org", 443),
        ("*.wild.org", 443),
        (".wild.org", 443),
        ("wild.org.evil.com", 443),
        ("ok.com/", 443),
        ("ok.com#.wild.org", 443),
        ("evil.com#.wild.org", 443),
        ("evil.com?.wild.org", 443),
        ("evil.com/.wild.org", 443),
        ("evil.com\\.wild.org", 443),
        ("evil.com:1.wild.org", 443),
        ("evil.com%2f.wild.org", 443),
        ("evil.com%00.wild.org", 443),
        ("ok%2ecom", 443),
        ("оk.com", 443),  # Cyrillic
        ("ｏｋ.com", 443),  # full width
        ("ok。com", 443),  # ideographic full stop
        ("ok\u200b.com", 443),
        ("ok\u00ad.com", 443),
        ("bücher.example", 443),  # clients send xn--…; who sends this relies on how we read it
        ("xn--k-0tb.com", 443),
        ("10.0.0.8", 443),
        ("10.0.0.07", 443),
        ("010.0.0.7", 443),
        ("0x0a.0.0.7", 443),
        ("0xa000007", 443),
        ("167772167", 443),
        ("10.7", 443),
        ("10.0.7", 443),
        ("10.0.0.7.", 443),
        ("012.0.0.7", 443),
        ("0x1.wild.0x", 443),
        ("16843009", 443),
        ("1.1", 443),
        ("::ffff:10.0.0.8", 443),
        ("[10.0.0.7]", 443),
        ("[::1]", 9),
        ("::1%lo", 9),
        ("::1%25lo", 9),
        ("::2", 9),
        ("a" * 64 + ".wild.org", 443),
        (("a." * 130) + "wild.org", 443),
        ("a-.wild.org", 443),
        ("ok.com", 0),
        ("ok.com", -443),
        ("ok.com", 443 + 65536),
    ],
)
def test_what_was_not(host: str, port: int) -> None:
    assert not ALLOWED.allowed(host, port)


def test_an_empty_list_allows_nothing() -> None:
    for hosts in (Hosts(), parse_hosts([])):
        assert not any(hosts.allowed(host, port) for host in ("ok.com", "", "localhost", "127.0.0.1", "*") for port in (80, 443))


@pytest.mark.parametrize(
    "pattern",
    [
        "", "*", "*.", "*.com", "**.ok.com", "a*.ok.com", "ok.*", "http://ok.com", "ok.com/path", "user@ok.com", "ok.com:", "ok.com:0",
        "ok.com:65536", "ok.com:80:80", "ok.com:*", "ok com", "ok.com\0", "0x7f.1", "127.1", "2130706433", "10.0.0.0/8", "::1", "[::1",
        "[::1]x", "*.10.0.0.7", "аpple.com", "pаypal.com", "a..b", "xn--.\ud800", "-x.com",
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_an_error(pattern: str) -> None:
    with pytest.raises(UsageError, match="no host that can be allowed"):
        parse_rule(pattern)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("64:ff9b::5db8:d70e", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::1", False),
        ("2001:0:53aa:64c::1", False),  # Teredo
        ("ok.com", False),
        ("", False),
    ],
)
def test_which_addresses_are_out_in_the_internet(address: str, expected: bool) -> None:
    assert public(address) is expected


NAMES = st.text(st.one_of(st.characters(), st.sampled_from("okcm.:@/\\%#?\0\n *-_[]019xX")), max_size=40)


@given(NAMES, st.integers(-5, 70000))
def test_whatever_is_allowed_is_one_of_the_names_letter_by_letter(host: str, port: int) -> None:
    hosts = parse_hosts(["ok.com", "*.ok.com"])
    if hosts.allowed(host, port):
        plain = host.lower().removesuffix(".")
        assert plain == "ok.com" or plain.endswith(".ok.com")
        assert set(plain) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_")
        assert port in {80, 443}


@given(NAMES)
def test_the_canonical_form_is_its_own(host: str) -> None:
    name = canonical(host)
    assert name is None or canonical(name) == name
