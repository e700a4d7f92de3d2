"""The samples for Caddy, HAProxy, and nginx over plain HTTP, each with the daemon that it is for: what comes through them is what
comes without them."""

import socket

import pytest

from http11 import Http
from stack import LIMIT, run, wait_for
from test_proxies import check_flow
from test_web_samples import ORIGIN, check_cors, check_later, head

OVER_HTTP = ["nginx_proxy", "caddy", "haproxy"]
OVER_FASTCGI = ["caddy_fcgi", "haproxy_fcgi"]
WAYS = OVER_HTTP + OVER_FASTCGI
# These tell a client that its stream was broken off. Caddy 2.6 ends it in order; EventSource comes back all the same.
TOLD = ["nginx_proxy", "haproxy", "haproxy_fcgi"]


def start_worker(stack, way, *options):
    if way in OVER_HTTP:
        worker = stack.ws("--retry=200ms", "--allow-publish", *options)
    else:
        worker = stack.fcgi("--retry=200ms", "--allow-publish", "--socket-mode=0666", *options)
    worker.wait_log("broker: connected")
    return worker


def serve(stack, way, *options):
    stack.broker()
    worker = start_worker(stack, way, *options)
    getattr(stack, way)()
    return worker


@pytest.mark.parametrize("way", WAYS)
def test_events_come_as_they_are_published(stack, way):
    serve(stack, way)
    check_flow(stack)


@pytest.mark.parametrize("way", WAYS)
def test_the_stream_s_head_is_the_worker_s(stack, way):
    serve(stack, way, f"--cors-origin={ORIGIN}")
    status, fields, line = head(stack, Origin=ORIGIN)
    assert status == 200 and fields["content-type"] == "text/event-stream" and line == b": zcast\n"
    check_cors((status, fields, line))
    assert fields["cache-control"] == "no-cache, no-transform" and fields["x-accel-buffering"] == "no"


@pytest.mark.parametrize("way", WAYS)
def test_a_client_resumes(stack, way):
    serve(stack, way)
    ids = [stack.publish("a", f"number {number}") for number in range(3)]
    with stack.sse("a", headers={"Last-Event-ID": ids[0]}) as client:
        assert [event.data for event in client.wait(2)] == ["number 1", "number 2"]
    with stack.sse("a", last_event_id=ids[1]) as client:
        assert [event.data for event in client.wait(1)] == ["number 2"]


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("way", WAYS)
def test_a_client_comes_back_complete(stack, way, how):
    worker = serve(stack, way)
    with stack.sse("a", reconnect=True) as client:
        client.wait_open()
        stack.publish("a", "before")
        client.wait(1)
        getattr(worker, how)()
        connections = client.connections
        stack.publish("a", "while it is away")
        client._wait(lambda: client.given_up or client.connections > connections, "the answer in its place", LIMIT)
        start_worker(stack, way)
        assert [event.data for event in client.wait(2)] == ["before", "while it is away"]
        assert not client.given_up
        # of zcast itself nothing but that it goes on
        told = [event.json()["status"] for event in client.events if event.event == "zcast.continuity"]
        assert set(told) <= {"live", "continued"}


@pytest.mark.parametrize("way", TOLD)
def test_a_stream_that_is_broken_off_looks_so(stack, way):
    worker = serve(stack, way)
    client = Http(stack.web_port)
    stack.closers.append(client.close)
    client.stream()
    client.events_until(b"retry: ")
    worker.kill()
    client.socket.settimeout(LIMIT)
    assert client.is_cut()


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_in_the_worker_s_place(stack, way):
    """With the headers that the stream has, for pages of another origin, and without them for others."""
    getattr(stack, way)()
    answer = head(stack, Origin=ORIGIN)
    check_later(answer)
    check_cors(answer)
    plain = head(stack)
    check_later(plain)
    assert not any(name.startswith("access-control") for name in plain[1])
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    status, fields, _ = head(stack, method="OPTIONS", Origin=ORIGIN, **asked)
    assert status == 200 and "GET" in fields["access-control-allow-methods"]
    for name in ("Last-Event-ID", "Cache-Control", "Authorization"):
        assert name in fields["access-control-allow-headers"]
    # what publishes, and WebSocket, have to be told that it wasn't done
    assert stack.get("/publish?topic=a", "POST", body=b"x")[0] in (502, 503)
    assert stack.get("/ws?topic=a")[0] in (502, 503)


@pytest.mark.parametrize("way", WAYS)
def test_the_time_to_come_back_is_spread(stack, way):
    getattr(stack, way)()
    wait_for(lambda: len({stack.get("/events?topic=a")[2] for _ in range(4)}) > 1, "different retry times")


@pytest.mark.parametrize("way", WAYS)
def test_the_worker_s_own_refusals_pass(stack, way):
    """A stream's is 200 anyhow; what is wrong with a request is the worker's to say."""
    serve(stack, way)
    status, _, line = stack.get("/events")
    assert status == 400 and b"topic" in line


@pytest.mark.parametrize("way", WAYS)
def test_publishing(stack, way):
    serve(stack, way)
    with stack.sse("a") as client:
        client.wait_open()
        status, _, body = stack.get("/publish?topic=a", "POST", {"Content-Type": "text/plain", "Idempotency-Key": "k"}, b"published")
        assert status == 200
        assert (client.wait(1)[0].data, client.last_id) == ("published", body.decode().strip())
    again = stack.get("/publish?topic=a", "POST", {"Content-Type": "text/plain", "Idempotency-Key": "k"}, b"published")
    assert again[2] == body and stack.stats()["published"] == 1
    done = run("curl", "-s", "-T", "-", "-X", "POST", "-H", "Content-Type: text/plain", stack.url("/publish", ["a"]), input="in chunks")
    assert "-" in done.stdout, done.stdout  # of a length that isn't said before
    with stack.sse("a", last_event_id=body.decode().strip()) as client:
        assert client.wait(1)[0].data == "in chunks"


@pytest.mark.parametrize("way", WAYS)
def test_websocket(stack, way):
    serve(stack, way)
    if way not in OVER_HTTP:
        stack.ws()
    with stack.websocket("a", port=stack.web_port) as client:
        client.wait_open()
        stack.publish("a", "hello")
        assert client.wait(1) == ["hello"]
        client.ping()


def asked(stack, worker, end, **said):
    """What a worker is asked for a browser at 127.0.0.7, as far as `end`."""
    worker.listen()
    worker.settimeout(LIMIT)
    with socket.create_connection(("127.0.0.1", stack.web_port), LIMIT, source_address=("127.0.0.7", 0)) as link:
        fields = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        link.sendall(f"GET /events?topic=a HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        while True:  # a proxy may look first whether somebody is there
            with worker.accept()[0] as request:
                request.settimeout(LIMIT)
                received = b""
                while end not in received and (more := request.recv(65536)):
                    received += more
            if end in received:
                return received


@pytest.mark.parametrize("way", OVER_HTTP)
def test_the_browser_s_address_is_passed_on(stack, way):
    """And what it says of itself isn't."""
    with socket.socket() as worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        worker.bind(("127.0.0.1", stack.ws_port))
        getattr(stack, way)()
        head = asked(stack, worker, b"\r\n\r\n", **{"X-Forwarded-For": "198.51.100.1"}).lower()
    assert b"\r\nx-forwarded-for: 127.0.0.7\r\n" in head and b"198.51.100.1" not in head
    assert b"\r\nhost: localhost\r\n" in head


@pytest.mark.parametrize("way", OVER_FASTCGI)
def test_the_browser_s_address_is_a_variable(stack, way):
    with socket.socket(socket.AF_UNIX) as worker:
        worker.bind(str(stack.fcgi_socket))
        getattr(stack, way)()
        assert asked(stack, worker, b"\x0b\x09REMOTE_ADDR127.0.0.7")


def test_nginx_reaches_the_daemon_over_a_unix_socket(stack):
    """Which is the cheaper way."""
    path = stack.folder / "ws.sock"
    stack.broker()
    stack.ws("--allow-publish", listen=f"unix:{path}").wait_log("broker: connected")
    stack.nginx_proxy(edit=lambda text: text.replace(f"server 127.0.0.1:{stack.ws_port};", f"server unix:{path};"))
    with stack.sse("a") as client, stack.websocket("a", port=stack.web_port) as other:
        client.wait_open()
        other.wait_open()
        assert stack.get("/publish?topic=a", "POST", {"Content-Type": "text/plain"}, b"x")[0] == 200
        assert client.wait(1)[0].data == "x" and other.wait(1) == ["x"]


@pytest.mark.parametrize("way", ["nginx_proxy", "caddy", "caddy_fcgi"])
def test_the_page_and_the_module(stack, way):
    getattr(stack, way)()
    for path in ("/", "/zcast/", "/zcast.js", "/zcast/zcast.js"):
        status, fields, body = stack.get(path)
        assert status == 200 and len(body) > 100, path
        assert path == "/" or fields["X-Content-Type-Options"] == "nosniff", path
        assert path != "/zcast/" or fields["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert "javascript" in fields["Content-Type"] if path.endswith(".js") else "html" in fields["Content-Type"]
