"""zcast-ws: the handshake, and everything that is refused there. No broker: a worker without one still answers."""

import socket
import struct
import time

import pytest

from stack import wait_for
from wsraw import CLOSE, FIN, KEY, PING, PONG, Raw, encode, head


@pytest.fixture
def ws(stack):
    stack.ws("--head-timeout=2s", "--max-head=2K", "--test-echo")
    return stack


def answer(stack, data):
    """Status, fields and body of the answer to these bytes; the connection must end after it."""
    with Raw(stack.ws_port) as raw:
        raw.send(data)
        status, fields = raw.response()
        body = raw.take(int(fields["content-length"])).decode()
        assert raw.at_end()
        assert body.endswith("\n") and body.count("\n") == 1
        return status, fields, body


REFUSED = {
    "not http": (400, b"hello\r\n\r\n"),
    "tls hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "http 1.0": (400, head(version="HTTP/1.0")),
    "bare lf": (400, b"GET /ws?topic=a HTTP/1.1\nHost: x\n\n"),
    "folded line": (400, head(X="a\r\n b")),
    "space before colon": (400, head().replace(b"Host:", b"Host :")),
    "no host": (400, head(drop=["Host"])),
    "two hosts": (400, head().replace(b"Host: localhost\r\n", b"Host: a\r\nHost: b\r\n")),
    "body": (400, head(Content_Length="5") + b"hello"),
    "chunked body": (400, head(Transfer_Encoding="chunked")),
    "no key": (400, head(drop=["Sec-WebSocket-Key"])),
    "short key": (400, head(Sec_WebSocket_Key="AAAA")),
    "two keys": (400, head(X=f"y\r\nSec-WebSocket-Key: {KEY}")),
    "no topic": (400, head("/ws")),
    "empty topic": (400, head("/ws?topic=")),
    "bad topic": (400, head("/ws?topic=a%00b")),
    "broken escape": (400, head("/ws?topic=%zz")),
    "topic not utf-8": (400, head("/ws?topic=%ff")),
    "too many topics": (400, head("/ws?" + "&".join(f"topic={n}" for n in range(101)))),
    "path": (404, head("/other?topic=a")),
    "longer path": (404, head("/ws/?topic=a")),
    "post": (405, head(method="POST")),
    "no upgrade": (426, head(drop=["Upgrade", "Connection"])),
    "other upgrade": (426, head(Upgrade="h2c")),
    "version 8": (426, head(Sec_WebSocket_Version="8")),
    "no version": (426, head(drop=["Sec-WebSocket-Version"])),
    "long line": (414, b"GET /" + b"a" * 3000),
    "long head": (431, b"GET / HTTP/1.1\r\nX: " + b"a" * 3000),
    "many fields": (431, head(drop=["Host"])[:-2] + b"X: y\r\n" * 101),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(ws, name):
    status, data = REFUSED[name]
    found, fields, body = answer(ws, data)
    assert found == status, body
    if status == 426:
        assert fields["sec-websocket-version"] == "13" and fields["upgrade"] == "websocket"
    if status == 405:
        assert fields["allow"] == "GET"
    # and the next one is served
    with Raw(ws.ws_port) as raw:
        raw.open()


TOLD = {
    "empty topic": (4400, "/ws?topic=", {}),
    "bad topic": (4400, "/ws?topic=a%00b", {}),
    "topic not utf-8": (4400, "/ws?topic=%ff", {}),
    "too many topics": (4400, "/ws?" + "&".join(f"topic={n}" for n in range(101)), {}),
    "path": (4404, "/other?topic=a", {}),
    "another name": (4403, "/ws?topic=a", {"Host": "evil.example"}),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_page_is_told_why_it_is_refused(ws, name):
    """A browser hides the status of an upgrade that fails: who offers zcast.v1 gets it as a close code, with the sentence that
    others get over HTTP."""
    code, path, fields = TOLD[name]
    with Raw(ws.ws_port) as raw:
        assert raw.open(path, Sec_WebSocket_Protocol="zcast.v1", **fields)["sec-websocket-protocol"] == "zcast.v1"
        found, reason = raw.read_close()
        assert found == code
        raw.frame(FIN | CLOSE, struct.pack(">H", code))
        assert raw.at_end()
    status, _, body = answer(ws, head(path, **fields))
    assert (4000 + status, body.strip()) == (code, reason)


def test_what_can_not_be_opened_is_answered(ws):
    """No WebSocket, no close code: also where zcast.v1 is offered."""
    for status, fields in [(426, {"Sec_WebSocket_Version": "8"}), (426, {"drop": ["Upgrade"]}), (400, {"Sec_WebSocket_Key": "A"}), (405, {"method": "POST"})]:
        assert answer(ws, head(Sec_WebSocket_Protocol="zcast.v1", **fields))[0] == status


def test_a_byte_at_a_time(ws):
    with Raw(ws.ws_port) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head("/echo"):
            raw.send(bytes([byte]))
        assert raw.response()[0] == 101


def test_frames_right_behind_the_head(ws):
    with Raw(ws.ws_port) as raw:
        raw.send(head() + encode(FIN | PING, b"early"))
        assert raw.response()[0] == 101
        assert raw.read_frame() == (FIN | PONG, b"early")


def test_the_root_is_served_too_and_absolute_targets(ws):
    for path in ("/?topic=a", "ws://localhost/ws?topic=a", "/ws?topic=a&x=%zz"):
        with Raw(ws.ws_port) as raw:
            raw.open(path)


def test_sub_protocol(ws):
    with Raw(ws.ws_port) as raw:
        assert raw.open("/ws", Sec_WebSocket_Protocol="chat, zcast.v1")["sec-websocket-protocol"] == "zcast.v1"
    with Raw(ws.ws_port) as raw:
        assert "sec-websocket-protocol" not in raw.open(Sec_WebSocket_Protocol="chat")


def test_extensions_that_are_unknown_are_declined(ws):
    with Raw(ws.ws_port) as raw:
        fields = raw.open(Sec_WebSocket_Extensions="permessage-bzip2; level=9, x-webkit-deflate-frame")
        assert "sec-websocket-extensions" not in fields


def test_slow_head(ws):
    """A client that sends a byte now and then is told 408 when its time is over, however often it sends."""
    with Raw(ws.ws_port) as raw:
        started = time.monotonic()
        for byte in head(X="a" * 1500):
            raw.send(bytes([byte]))
            time.sleep(0.02)
            raw.socket.setblocking(False)
            try:
                raw.bytes += raw.socket.recv(65536)
            except BlockingIOError:
                pass
            raw.socket.settimeout(30)
            if raw.bytes:
                break
        assert raw.response()[0] == 408
        assert time.monotonic() - started > 1.5


def test_silent_connection(ws):
    with Raw(ws.ws_port) as raw:
        assert raw.response()[0] == 408


def test_many_silent_connections_hold_nobody_up(ws):
    silent = [Raw(ws.ws_port) for _ in range(200)]
    for raw in silent[:100]:
        raw.send(b"GET /ws?topic=a HT")
    with Raw(ws.ws_port) as raw:
        raw.open()
    for raw in silent:
        assert raw.response()[0] == 408
        raw.close()


def test_origin(stack):
    stack.ws("--allow-origin=https://good.example", "--allow-origin=http://localhost:8080")
    assert answer(stack, head(Origin="https://evil.example"))[0] == 403
    assert answer(stack, head(Origin="https://good.example.evil"))[0] == 403
    for fields in ({"Origin": "https://good.example"}, {"Origin": "http://localhost:8080"}, {}):
        with Raw(stack.ws_port) as raw:
            raw.open(**fields)


def test_origin_of_who_may_publish(stack):
    """Without allow-origin only the site's own pages may do with it what its visitor's browser may."""
    stack.ws("--hosts=site.example", "--allow-publish")
    port = f":{stack.ws_port}"
    same = [{}, {"Origin": f"http://localhost{port}", "Host": f"localhost{port}"}, {"Origin": "https://Site.example", "Host": "site.example"}]
    same += [{"Origin": "https://site.example", "Host": "127.0.0.1", "X_Forwarded_Host": "site.example, inner"}]
    for fields in same:
        with Raw(stack.ws_port) as raw:
            raw.open(**fields)
    other = ["https://evil.example", "null", "", "http://localhost", "http://localhost:1", "https://localhost.evil.example", f"http://localhost{port}.evil.example"]
    for origin in other:
        status, _, body = answer(stack, head(Origin=origin, Host=f"localhost{port}"))
        assert status == 403 and "allow-origin" in body, origin
    assert answer(stack, head(Origin="https://site.example", Host="127.0.0.1", X_Forwarded_Host="inner, site.example"))[0] == 403


@pytest.mark.parametrize("options, origin, status", [
    (["--allow-publish", "--allow-origin=https://good.example"], "https://good.example", 101),
    (["--allow-publish", "--allow-origin=https://good.example"], "http://localhost", 101),
    (["--allow-publish", "--allow-origin=https://good.example"], "http://localhost:1", 403),
    (["--allow-publish", "--allow-origin=*"], "https://any.example", 101),
    (["--allow-publish", "--cors-origin=https://good.example"], "https://good.example", 101),
    (["--allow-publish", "--cors-origin=*"], "https://any.example", 403),
    (["--allow-origin=*"], "null", 101),
    (["--cors-origin=*"], "https://any.example", 101),
    ([], "https://any.example", 403),
    (["--allow-publish", "--trust-proxy=never"], "https://site.example", 403),
])
def test_origin_as_configured(stack, options, origin, status):
    stack.ws(*options)
    fields = {"Origin": origin, "Host": "localhost", "X_Forwarded_Host": "site.example"}
    if status == 101:
        with Raw(stack.ws_port) as raw:
            raw.open(**fields)
    else:
        assert answer(stack, head(**fields))[0] == status


def forwarded(address):
    return head(X_Forwarded_For=f"198.51.100.9, {address}")


def opens(stack, data, **how):
    raw = Raw(how.pop("port", stack.ws_port), **how)
    stack.closers.append(raw.close)
    raw.send(data)
    status, _ = raw.response()
    return raw if status == 101 else status


def test_connections_per_address(stack):
    stack.ws("--max-connections-per-address=2")
    first = opens(stack, forwarded("192.0.2.1"))
    assert isinstance(opens(stack, forwarded("192.0.2.1:4711")), Raw)
    assert opens(stack, forwarded("192.0.2.1")) == 429
    assert isinstance(opens(stack, forwarded("192.0.2.2")), Raw)
    for _ in range(5):  # this machine's own, which no proxy speaks for
        assert isinstance(opens(stack, head()), Raw)
    # an IPv6 address counts by its /64
    for n in (1, 2):
        assert isinstance(opens(stack, forwarded(f"[2001:db8::{n}]:80")), Raw)
    assert opens(stack, forwarded("2001:db8::3")) == 429
    # who leaves makes room
    first.close()
    wait_for(lambda: isinstance(opens(stack, forwarded("192.0.2.1")), Raw), "room for one more")


def test_forwarded_addresses_are_not_believed(stack):
    stack.ws("--max-connections-per-address=2", "--trust-proxy=never")
    assert isinstance(opens(stack, forwarded("192.0.2.1")), Raw)
    assert isinstance(opens(stack, forwarded("192.0.2.2")), Raw)
    assert opens(stack, forwarded("192.0.2.3")) == 429


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_this_machine_behind_a_web_server(stack, web):
    """Its own clients aren't counted; others are in test_web_samples.py."""
    stack.ws("--max-connections-per-address=2")
    getattr(stack, web)()
    for n in range(5):
        assert isinstance(opens(stack, head(), port=stack.web_port, source=f"127.0.0.{n + 1}"), Raw)
