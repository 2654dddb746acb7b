"""Requests that apps make: which addresses they may reach, and how much they may take."""

from __future__ import annotations

import gzip
import http.server
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from engine.network.address_guard import AddressGuard, AddressRefused, broken_rule
from engine.network.http_client import GuardedHttpClient
from engine.network.redirects import within_origin
from engine.running.cancel import Cancelled, CancelToken
from tests.engine.tripped import TrippedAtWork
from tests.engine.web_server import listening
from tests.waiting import HANG


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fd00::1", "private"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("100.64.0.1", "reserved"),
        ("240.0.0.1", "private"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("fec0::1", "reserved"),
        ("3fff::1", "reserved"),
        ("4000::1", "reserved"),
        ("64:ff9b:1::7f00:1", "private"),
        ("::7f00:1", "reserved"),
        ("192.88.99.1", "reserved"),
        ("168.63.129.16", "cloud-internal"),
        ("::ffff:168.63.129.16", "cloud-internal"),
        ("2002:a83f:8110::", "cloud-internal"),
        ("64:ff9b::a83f:8110", "cloud-internal"),
        ("161.26.0.10", "cloud-internal"),
        ("166.8.0.1", "cloud-internal"),
        ("166.11.255.254", "cloud-internal"),
        ("166.12.0.1", None),
        ("100.100.100.200", "reserved"),
        ("192.0.0.192", "reserved"),
        ("192.0.0.9", "reserved"),
        ("192.0.0.10", "reserved"),
        ("192.31.196.1", "reserved"),
        ("192.52.193.1", "reserved"),
        ("192.175.48.1", "reserved"),
        ("198.19.255.255", "reserved"),
        ("169.254.170.2", "link-local"),
        ("169.254.42.42", "link-local"),
        ("fd00:ec2::254", "private"),
        ("fd20:ce::254", "private"),
        ("fd00:42::42", "private"),
        ("2001:1::1", "reserved"),
        ("2001:20::1", "reserved"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
        ("2606:4700::5efe:7f00:1", "loopback"),
        ("2606:4700::200:5efe:a00:1", "private"),
        ("2620:4f:8000::1", "reserved"),
        ("5f00::1", "reserved"),
        ("nonsense", "unreadable"),
        ("93.184.216.34", None),
        ("2606:2800:220:1:248:1893:25c8:1946", None),
        ("64:ff9b::5db8:d822", None),
    ],
)
def test_every_kind_of_address_that_is_not_public_is_named(address: str, rule: str | None) -> None:
    assert broken_rule(address) == rule


def guard(*addresses: str, allow: bool = False, hosts: frozenset[str] = frozenset()) -> AddressGuard:
    return AddressGuard(allow_private=allow, allowed_hosts=hosts, resolver=lambda host, port: list(addresses))


def test_a_host_with_one_forbidden_address_among_good_ones_is_refused() -> None:
    with pytest.raises(AddressRefused, match=r"'mixed\.example' has a private address"):
        guard("93.184.216.34", "10.0.0.1").address("mixed.example", 80)


def test_an_allowed_host_and_an_allowed_network_may_be_private() -> None:
    assert guard("10.0.0.1", hosts=frozenset({"wiki.internal"})).address("WIKI.internal", 80) == "10.0.0.1"
    assert guard("10.0.0.1", allow=True).address("anything", 80) == "10.0.0.1"


def test_a_host_without_address_says_so() -> None:
    real = AddressGuard(allow_private=False, allowed_hosts=frozenset())
    with pytest.raises(AddressRefused, match="could not be resolved"):
        real.address("no-such-host.invalid", 80)


FINE = b'{"fine":true}'
PACKED = {
    "/gzip": ("gzip", gzip.compress(FINE)),
    "/deflate": ("deflate", zlib.compress(FINE)),
    "/bare": ("deflate", zlib.compress(FINE)[2:-4]),
    "/twice": ("deflate, identity, GZIP", gzip.compress(zlib.compress(FINE))),
    "/bomb": ("gzip", gzip.compress(b"x" * 100_000)),
    "/bomb-in-bomb": ("gzip, gzip", gzip.compress(gzip.compress(bytes(10**8), 9))),
    "/thrice": ("gzip, gzip, gzip", b""),
    "/br": ("br", FINE),
    "/lie": ("gzip", FINE),
}

# Somebody asked the server's slow page; its answer may come.
asked, over = threading.Event(), threading.Event()


@pytest.fixture
def server() -> Iterator[str]:
    """A server on this machine; its paths misbehave in different ways."""

    asked.clear()
    over.clear()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/to/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/to/"))
                self.send_header("Content-Length", str(10**9))
                self.end_headers()
                return
            if self.path == "/slow":
                asked.set()
                over.wait(HANG)
            coding, body = PACKED.get(self.path, ("", b"x" * 5000 if self.path == "/big" else b'{"fine":true}'))
            self.send_response(200)
            if coding:
                self.send_header("Content-Encoding", coding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with listening(Handler) as url:
        yield url
        over.set()


def client(*, allow: bool, cancel: CancelToken | None = None, hosts: frozenset[str] = frozenset()) -> GuardedHttpClient:
    real = AddressGuard(allow_private=allow, allowed_hosts=hosts)
    return GuardedHttpClient(real, cancel or CancelToken(), 4000)


def test_a_request_to_this_machine_is_refused_with_the_rule(server: str) -> None:
    with pytest.raises(httpx.RequestError, match="has a loopback address; requests to such addresses are refused"):
        client(allow=False).get(server + "/")


@pytest.mark.parametrize(
    "url", ["http://localhost/", "http://[::1]/", "http://0/", "http://2130706433/", "http://0x7f.1/"]
)
def test_every_spelling_of_this_machine_is_refused(url: str) -> None:
    with pytest.raises(httpx.RequestError, match=r"has a loopback address|has an unspecified address"):
        client(allow=False).get(url)


def test_a_redirect_to_a_forbidden_address_is_refused(server: str) -> None:
    port = server.rsplit(":", 1)[1]
    allowed = client(allow=False, hosts=frozenset({"127.0.0.1"}))
    with pytest.raises(httpx.RequestError, match="'localhost' has a loopback address"):
        allowed.get(f"{server}/to/http://localhost:{port}/", follow_redirects=True)


def test_an_allowed_request_is_answered(server: str) -> None:
    response = client(allow=True).get(server + "/", headers={}, timeout=(HANG, HANG, HANG), ssl_verify=True)
    assert (response.status_code, response.text) == (200, '{"fine":true}')


@pytest.mark.parametrize("path", ["/big", "/bomb", "/bomb-in-bomb"])
def test_a_response_that_is_too_large_once_unpacked_is_refused_before_it_is_unpacked(server: str, path: str) -> None:
    tracemalloc.start()
    with pytest.raises(httpx.RequestError, match="larger than 4000 bytes"):
        client(allow=True).get(server + path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/bare", "/twice"])
def test_a_packed_response_is_unpacked(server: str, path: str) -> None:
    assert client(allow=True).get(server + path).text == '{"fine":true}'


@pytest.mark.parametrize(("path", "why"), [("/br", "'br'"), ("/thrice", "gzip, gzip, gzip"), ("/lie", "is not packed")])
def test_a_response_that_cannot_be_unpacked_is_refused_with_the_reason(server: str, path: str, why: str) -> None:
    with pytest.raises(httpx.RequestError, match=f"^The response cannot be read: .*{why}"):
        client(allow=True).get(server + path)


def test_what_a_redirect_says_is_not_read(server: str) -> None:
    assert client(allow=True).get(f"{server}/to/{server}/", follow_redirects=True).text == '{"fine":true}'


class Sent(NamedTuple):
    """A request as a server saw it."""

    method: str
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def two() -> Iterator[tuple[str, str, list[Sent]]]:
    """Two servers that answer ``/STATUS/ADDRESS`` with a redirect, and what they were sent."""
    seen: list[Sent] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(Sent(self.command, {name.lower(): value for name, value in self.headers.items()}, body))
            _, _, rest = self.path.partition("/")
            status, _, address = rest.partition("/")
            self.send_response(int(status or 200))
            if address:
                self.send_header("Location", address)
            self.send_header("Set-Cookie", "theirs=1; Path=/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_HEAD = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with listening(Handler) as one, listening(Handler) as other:
        yield one, other, seen


KEYS = {
    "X-API-Key": "planted", "Authorization": "Bearer planted", "Cookie": "c=planted", "Referer": "http://planted/",
    "Proxy-Authorization": "planted", "Private-Token": "planted", "User-Agent": "mine", "Accept": "text/plain",
}  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_header_of_its_author_follows_a_request_to_another_origin(two: Any, status: int) -> None:
    one, other, seen = two
    answer = client(allow=True).get(f"{one}/{status}/{other}/", headers=KEYS, follow_redirects=True)
    assert (answer.status_code, len(seen)) == (200, 2)
    assert "planted" in seen[0].headers["x-api-key"]
    assert [name for name, value in seen[1].headers.items() if "planted" in value] == []
    assert seen[1].headers["host"] == other.removeprefix("http://")
    assert (seen[1].headers["user-agent"], seen[1].headers["accept"]) == ("mine", "text/plain")


def test_what_was_taken_off_on_the_way_is_not_put_on_again_at_home(two: Any) -> None:
    one, other, seen = two
    client(allow=True).get(f"{one}/302/{other}/302/{one}/", headers=KEYS, follow_redirects=True)
    assert [("x-api-key" in sent.headers) for sent in seen] == [True, False, False]


def test_within_the_origin_a_request_keeps_its_headers_and_its_body(two: Any) -> None:
    one, _, seen = two
    client(allow=True).post(f"{one}/307//200", headers=KEYS, content=b"planted", follow_redirects=True)
    assert [(sent.method, sent.headers["x-api-key"], sent.body) for sent in seen] == [
        ("POST", "planted", b"planted")
    ] * 2


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_is_not_sent_to_another_origin(two: Any, status: int) -> None:
    one, other, seen = two
    host = other.removeprefix("http://")
    with pytest.raises(
        httpx.RequestError, match=rf"^The address redirects to '{host}', where the request's body is not"
    ):
        client(allow=True).post(f"{one}/{status}/http://u:p@{host}/", json={"a": "planted"}, follow_redirects=True)
    assert len(seen) == 1


def test_a_password_in_an_address_stays_with_its_host(two: Any) -> None:
    one, other, seen = two
    client(allow=True).get(f"{one.replace('//', '//ada:planted@')}/302/{other}/", follow_redirects=True)
    assert [("authorization" in sent.headers) for sent in seen] == [True, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://a.example:443/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("http://a.example:8080/", "https://a.example/", False),
        ("https://a.example/", "https://a.example:8443/", False),
        ("https://a.example/", "https://b.a.example/", False),
        ("https://a.example/", "https://a.example.b/", False),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(one: str, other: str, same: bool) -> None:
    assert within_origin(httpx.URL(one), httpx.URL(other)) is same


def test_a_circle_of_redirects_ends(server: str) -> None:
    with pytest.raises(httpx.RequestError, match="redirects more than 10 times"):
        client(allow=True).get(f"{server}/to/" + f"{server}/to/" * 12, follow_redirects=True)


def test_a_request_ends_with_its_run(server: str) -> None:
    with pytest.raises(Cancelled):
        client(allow=True, cancel=TrippedAtWork(asked)).get(server + "/slow")
    assert not over.is_set(), "the server has not answered yet"


def test_a_slow_answer_meets_the_read_limit(server: str) -> None:
    host = server.removeprefix("http://")
    with pytest.raises(httpx.RequestError, match=rf"^No answer from '{host}' within 0\.3 seconds$"):
        client(allow=True).get(server + "/slow", timeout=(HANG, 0.3, HANG))
    assert not over.is_set(), "the server has not answered yet"


def test_only_http_is_spoken() -> None:
    with pytest.raises((httpx.RequestError, httpx.UnsupportedProtocol)):
        client(allow=True).get("file:///etc/passwd")


def test_why_there_was_no_answer_is_said_in_words(server: str) -> None:
    with pytest.raises(httpx.RequestError, match=r"^No connection to '127\.0\.0\.1:1': Connection refused$"):
        client(allow=True).get("http://127.0.0.1:1/")
    with pytest.raises(httpx.RequestError, match=r"^The request cannot be sent: Illegal header name 'no colon here'$"):
        client(allow=True).get(server + "/", headers={"no colon here": ""})


@pytest.mark.parametrize(
    "url", ["http://xn--/", "http://0177.0.0.1/", "http://127.0.0.1\r\nHost: x/", "http://①②⑦.0.0.1/"]
)
def test_an_address_that_is_none_is_refused_as_one(url: str) -> None:
    with pytest.raises(httpx.RequestError, match=r"^The URL cannot be used: "):
        client(allow=True).get(url)


def test_a_part_of_a_password_is_not_told_with_an_address_that_is_none() -> None:
    with pytest.raises(httpx.RequestError, match=r"^The URL cannot be used: Invalid port$"):
        client(allow=True).get("http://ada:s3cret/word@127.0.0.1/")


def test_a_refused_host_names_the_setting_that_allows_it() -> None:
    with pytest.raises(AddressRefused, match="unless DIFYSPEC_ALLOWED_OUTBOUND_HOSTS names the host"):
        guard("10.0.0.1").address("wiki.internal", 80)
