"""zcast-ws speaks HTTP/1.1 itself: streams, short answers, and a connection that is used again. Every byte is the test's own."""

import email.utils
import http.client
import json
import re
import signal
import socket
import time

import pytest

from http11 import Http, chunks, request
from stack import SseClient, free_port, wait_for
from wsraw import Raw, head


@pytest.fixture
def web(stack):
    stack.broker()
    stack.ws("--head-timeout=2s").wait_log("broker: connected")
    return stack


def connect(stack, **how):
    made = Http(stack.ws_port, **how)
    stack.closers.append(made.close)
    return made


# -- streams


def test_a_stream_in_chunks(web):
    client = connect(web)
    fields = client.stream("/events?topic=a&topic=b")
    assert fields["cache-control"].startswith("no-cache") and fields["x-accel-buffering"] == "no"
    assert email.utils.parsedate_to_datetime(fields["date"])
    client.events_until(b"retry: ")
    first = web.publish("a", "one\ntwo", {"event": "tick"})
    text = client.events_until(b"\nid: " + first.encode())
    assert text.endswith(b"event: tick\ndata: one\ndata: two\nid: %s\n\n" % first.encode())
    web.publish("elsewhere", "not this")
    second = web.publish("b", "three")
    assert b"not this" not in client.events_until(b"data: three\nid: %s\n\n" % second.encode())


@pytest.mark.parametrize("size", [0, 1, 14, 15, 16, 200, 5000, 70000, 1000000])
def test_messages_of_any_size(web, size):
    client = connect(web)
    client.stream()
    web.publish("a", "x" * size)
    client.events_until(b"data: " + b"x" * size + b"\n")


def test_json_format(web):
    client = connect(web)
    client.stream("/events?topic=a&format=zcast.v1")
    id = web.publish("a", "one")
    text = client.events_until(b"id: " + id.encode()).decode()
    data = re.findall(r"^data: (\{.*\})$", text, re.M)[-1]
    assert json.loads(data)["id"] == id and json.loads(data)["data"] == "one"


def test_resume_over_either_transport(web):
    ids = [web.publish("a", f"number {i}") for i in range(5)]
    for how in ({"Last_Event_ID": ids[2]}, {"path": f"/events?topic=a&lastEventId={ids[2]}"}):
        client = connect(web)
        client.stream(**how)
        text = client.events_until(b"id: " + ids[4].encode())
        assert re.findall(rb"^data: (number .*)$", text, re.M) == [b"number 3", b"number 4"]
        assert text.index(b"zcast.continuity") < text.index(b"number 3")


def test_an_old_client_gets_a_stream_that_ends_with_the_connection(web):
    client = connect(web)
    client.send(request("/events?topic=a", version="HTTP/1.0", host=None))
    status, fields = client.response()
    assert status == 200 and fields["connection"] == "close" and "transfer-encoding" not in fields
    web.publish("a", "old")
    while b"data: old\n" not in client.bytes:
        client._more()


def test_a_large_stream_through_a_slow_reader(stack):
    """Chunks that a full socket cuts anywhere, with io_uring and without."""
    stack.broker()
    for number, option in enumerate(["yes", "no"]):
        port = free_port()
        worker = stack.ws(f"--io-uring={option}", "--max-lag=32M", listen=f"127.0.0.1:{port}")
        worker.wait_log("broker: connected")
        clients = [Http(port, receive_buffer=4096) for _ in range(3)]
        for client in clients:
            stack.closers.append(client.close)
            client.stream(f"/events?topic=t{number}")
        payloads = [f"{i:03}" * (1 + 997 * i) for i in range(40)]
        for payload in payloads:
            stack.publish(f"t{number}", payload)
        for client in clients:
            text = client.events_until(f"data: {payloads[-1]}\n".encode())
            assert re.findall(r"^data: (\d+)$", text.decode(), re.M) == payloads


def test_a_browser_reconnects_to_a_worker_that_restarts(web):
    with SseClient(f"http://127.0.0.1:{web.ws_port}/events?topic=a", reconnect=True) as client:
        client.wait_open()
        web.publish("a", "before")
        client.wait(1)
        web.daemons[-1].stop()
        web.publish("a", "meanwhile")
        web.ws()
        web.publish("a", "after")
        assert [event.data for event in client.wait(3)] == ["before", "meanwhile", "after"]


def test_a_stream_is_cut_when_the_daemon_stops(web):
    """fetch takes a clean end for the end: such a client never came back."""
    clients = [connect(web) for _ in range(5)]
    for client in clients:
        client.stream()
    old = connect(web)
    old.send(request(version="HTTP/1.0", host=None))
    old.response()
    web.daemons[-1].send_signal(signal.SIGTERM)
    for client in clients:
        assert client.is_cut()
    assert web.daemons[-1].wait() == 0


def test_a_stream_without_room_is_cut_too(web):
    """Told to come back, while the daemon stops."""
    idle = connect(web)
    idle.ask("/nothing")
    late = connect(web)
    late.send(request()[:-2])  # its request has begun
    wait_for(lambda: late.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, "a connection")
    time.sleep(0.2)  # so that the daemon has read it: what it hasn't yet is answered likewise
    web.daemons[-1].send_signal(signal.SIGTERM)
    assert idle.at_end()
    late.send(b"\r\n")
    status, fields = late.response()
    assert status == 200 and fields["content-type"] == "text/event-stream"
    assert b"retry: " in late.chunk() and late.is_cut()
    assert web.daemons[-1].wait() == 0


def test_heartbeats(stack):
    stack.broker()
    stack.ws("--heartbeat=200ms").wait_log("broker: connected")
    client = connect(stack)
    client.stream()
    for _ in range(3):
        client.chunk()


def test_both_on_one_port(web):
    """A WebSocket beside a stream; an id got on one resumes on the other."""
    client = connect(web)
    client.stream()
    with Raw(web.ws_port) as raw:
        raw.open("/ws?topic=a", Sec_WebSocket_Protocol="ZCAST.v1")
        id = web.publish("a", "both")
        client.events_until(b"data: both\n")
        while b'"both"' not in raw.read_message()[1]:
            pass
    web.publish("a", "next")
    other = connect(web)
    other.stream(Last_Event_ID=id)
    assert b"data: both" not in other.events_until(b"data: next\n")


def test_a_silent_peer_is_left(stack):
    """Who acknowledges nothing is gone, though a stream's client never says anything."""
    stack.broker()
    stack.ws("--pong-timeout=1s", "--heartbeat=100ms").wait_log("broker: connected")
    client = connect(stack)
    client.stream()
    user_timeout = 18  # TCP_USER_TIMEOUT; the other end's is what counts, and isn't seen from here
    assert client.socket.getsockopt(socket.IPPROTO_TCP, user_timeout) == 0
    for _ in range(5):
        client.chunk()  # who reads stays


def test_what_comes_behind_a_stream_is_passed_over_within_bounds(web):
    client = connect(web)
    client.stream()
    client.send(request("/nothing") * 10)
    web.publish("a", "goes on")
    client.events_until(b"data: goes on\n")
    client.send(b"x" * 70000)
    assert client.is_cut()


# -- short answers, and the connection


def test_a_connection_is_used_again(web):
    client = connect(web)
    for _ in range(3):
        assert client.ask("/nothing")[::2] == (404, b"no such path\n")
        assert client.ask("/events")[0] == 400
        assert client.ask("/events?topic=a", "HEAD")[0] == 200
        assert client.ask("/events", "OPTIONS")[0] == 204
        assert client.ask("/events?topic=a", "POST", body=b"x" * 1000)[0] == 405
        assert client.ask("*", "OPTIONS")[0] == 204
    client.stream()


def test_pipelining(web):
    """Many requests in one piece and cut anywhere: the answers come in their order."""
    paths = ["/nothing", "/events", "/events?topic=%zz", "/nothing?2"]
    wanted = [404, 400, 400, 404]
    for size in (1, 7, 1 << 20):
        client = connect(web)
        sent = b"".join(request(path) for path in paths * 5) + request("/events?topic=a")
        for at in range(0, len(sent), size):
            client.send(sent[at : at + size])
        assert [client.answer()[0] for _ in paths * 5] == wanted * 5
        assert client.response()[0] == 200
        client.events_until(b"retry: ")


def test_a_client_that_asks_and_never_reads(web):
    """It isn't read any more, and costs no memory beyond that."""
    worker = web.daemons[-1]
    client = connect(web, receive_buffer=4096)
    client.socket.settimeout(0.5)
    before = worker.pss()
    with pytest.raises(TimeoutError):
        for _ in range(100000):
            client.socket.sendall(request("/nothing") * 100)
    assert worker.pss() - before < 64 << 20  # a sanitizer keeps what is freed for a while
    other = connect(web)
    assert other.ask("/nothing")[0] == 404


def test_an_end_is_told(web):
    """Of an HTTP/1.0 client, and of one that says so."""
    for sent in (request("/nothing", version="HTTP/1.0"), request("/nothing", Connection="close")):
        client = connect(web)
        client.send(sent)
        _, fields, _ = client.answer()
        assert fields["connection"] == "close" and client.at_end()
    client = connect(web)
    client.send(request("/nothing", version="HTTP/1.0", Connection="keep-alive"))
    assert client.answer()[1]["connection"] == "keep-alive"
    assert client.ask("/nothing")[0] == 404


def test_an_idle_connection_is_closed_without_a_word(stack):
    stack.ws("--keep-alive=500ms", "--head-timeout=30s")
    client = connect(stack)
    client.ask("/nothing")
    assert client.at_end()


def test_no_body_behind_head(web):
    """RFC 9110 §9.3.2, whatever the answer is."""
    client = connect(web)
    for path in ("/events?topic=a", "/events", "/nothing", "/ws?topic=a"):
        client.send(request(path, "HEAD"))
        status, fields = client.response()
        assert status in (200, 400, 404, 405) and client.bytes == b""
        assert "text/event-stream" in fields.get("content-type", "") or int(fields["content-length"]) > 0
    client.send(b"HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert client.response()[0] == 400 and client.at_end()


MALFORMED = {
    "no host": (400, b"GET /events?topic=a HTTP/1.1\r\n\r\n"),
    "a host that is none": (400, request(host="a/b")),
    "two hosts": (400, request(Host="b")),
    "a folded line": (400, request(X="a\r\n b")),
    "a blank before the colon": (400, request().replace(b"Host:", b"Host :")),
    "a bare line feed": (400, request().replace(b"\r\n", b"\n")),
    "two lengths": (400, request(method="POST", Content_Length="1\r\nContent-Length: 1", body=b"x")),
    "length and chunks": (400, request(method="POST", Content_Length="1", Transfer_Encoding="chunked")),
    "an unknown coding": (501, request(method="POST", Transfer_Encoding="gzip, chunked")),
    "an unknown expectation": (417, request(Expect="tea")),
    "HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_close(web, name):
    status, sent = MALFORMED[name]
    client = connect(web)
    client.send(sent)
    found, fields, body = client.answer()
    assert found == status and fields["connection"] == "close"
    assert body.endswith(b"\n") and client.at_end()


def test_a_field_that_comes_once(web):
    """Where its request ends is clear all the same: the connection goes on."""
    client = connect(web)
    assert client.ask("/events?topic=a", Origin="http://a\r\nOrigin: http://b")[0] == 400
    assert client.ask("/nothing")[0] == 404


def test_a_large_cookie(web):
    """8 KB of it pass; a head beyond max-head is refused, with the status that says so."""
    client = connect(web)
    client.stream(Cookie="c" * 8192)
    assert connect(web).ask("/nothing", Cookie="c" * 40000)[0] == 431
    assert connect(web).ask("/" + "x" * 40000)[0] == 414


def test_websocket_needs_its_upgrade(web):
    client = connect(web)
    status, fields, _ = client.ask("/ws?topic=a")
    assert status == 426 and fields["upgrade"] == "websocket" and client.at_end()


def test_a_slow_request_is_refused(web):
    client = connect(web)
    client.send(request("/nothing")[:-1])
    assert client.answer()[0] == 408 and client.at_end()


def test_addresses_are_limited_alike(stack):
    """Streams and WebSockets of one address are counted together, and each is told in its own way."""
    stack.ws("--max-connections-per-address=2")
    forwarded = {"X_Forwarded_For": "192.0.2.1"}
    connect(stack).stream(**forwarded)
    with Raw(stack.ws_port) as raw:
        raw.open(**forwarded)
        status, fields, _ = connect(stack).ask("/ws?topic=a", **forwarded)
        assert status == 429 and int(fields["retry-after"]) >= 1
        refused = connect(stack)
        refused.stream(**forwarded)
        assert b"retry: " in refused.chunk() and refused.is_cut()
    wait_for(lambda: b"retry" in (client := connect(stack)).stream(**forwarded) or client.chunk(), "room again")


def test_over_a_unix_socket(stack):
    stack.broker()
    path = stack.folder / "ws.sock"
    stack.ws(listen=str(path)).wait_log("broker: connected")
    with Http(path) as client:
        client.stream(X_Forwarded_For="192.0.2.7")
        stack.publish("a", "hello")
        client.events_until(b"data: hello\n")


def test_pythons_own_client(web):
    link = http.client.HTTPConnection("127.0.0.1", web.ws_port, timeout=60)
    link.request("GET", "/nothing")
    assert link.getresponse().read() == b"no such path\n"
    link.request("GET", "/events?topic=a")
    reply = link.getresponse()
    web.publish("a", "hello")
    while reply.readline() != b"data: hello\n":
        pass
    link.close()
