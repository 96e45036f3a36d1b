"""Which URLs an outcome may be posted to, as far as the URL itself tells."""

from __future__ import annotations

import pytest

from faasioflex.model.callback import CallbackTarget, check_url, parse_callback_hosts


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.org/hook?x=1", "example.org", 443),
        ("http://EXAMPLE.org.:8080", "example.org", 8080),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443),
    ],
)
def test_public_ones(url: str, host: str, port: int) -> None:
    assert check_url(url, ()) == CallbackTarget(url, host, port)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:6379/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://10.0.0.5/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://user:pass@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org#@127.0.0.1/",
        "http://example.org\\@127.0.0.1/",
        "http://exa mple.org/",
        "http://example.org/\r\nX: y",
        "http://example.org:0/",
        "http://example.org:99999/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "https:///x",
        "example.org",
        "https://" + "a" * 2000 + ".org",
        "https://ñandú.example/",
        "",
    ],
)
def test_those_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"[A-Za-z]"):
        check_url(url, ())


def test_what_the_operator_opens_by_name() -> None:
    allowed = parse_callback_hosts("127.0.0.1:9000, hooks.internal  *.lan:8080 localhost:9001")
    for url in ("http://127.0.0.1:9000/x", "http://localhost:9001/", "http://hooks.internal/", "http://a.lan:8080/"):
        check_url(url, allowed)
    for url in ("http://127.0.0.1:9001/", "http://127.0.0.2:9000/", "http://localhost/", "http://10.0.0.1:8080/"):
        with pytest.raises(ValueError, match="callback_hosts"):
            check_url(url, allowed)
    for wrong in ("*", "*:80", "http://x", "a b/c"):
        with pytest.raises(ValueError, match=r"\w"):
            parse_callback_hosts(wrong)
