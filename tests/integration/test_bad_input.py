"""Bad input from strangers, on each carrier: it is refused, changes nothing, costs little, and the next request is served."""

import json
import re
import subprocess
import time

import pytest

import fastcgi
from fastcgi import Peer, begin, params, record
from http11 import Http, chunks, request
from stack import BUILD, wait_for
from wsraw import FIN, TEXT, Raw, head

FORM = "application/x-www-form-urlencoded"
NDJSON = "application/x-ndjson"


@pytest.fixture
def open_doors(stack):
    """Both workers, which let anybody publish."""
    stack.broker()
    for worker in (stack.ws("--allow-publish", "--head-timeout=2s"), stack.fcgi("--allow-publish", "--request-timeout=2s")):
        worker.wait_log("broker: connected")
    return stack


def http(stack, **how):
    client = Http(stack.ws_port, **how)
    stack.closers.append(client.close)
    return client


def records(path, method="GET", body=b"", **variables):
    """A request of FastCGI, whose variables may hold any bytes."""
    path, _, query = path.partition("?")
    pairs = {"REQUEST_URI": f"{path}?{query}", "QUERY_STRING": query, "REQUEST_METHOD": method, "CONTENT_LENGTH": str(len(body)) if body else "", **variables}
    parts = [body[at : at + 60000] for at in range(0, len(body), 60000)]
    return begin(1) + params(1, pairs) + b"".join(record(fastcgi.STDIN, 1, part) for part in [*parts, b""])


def ask_fcgi(stack, *arguments, **variables):
    with Peer(stack.fcgi_socket, records(*arguments, **variables)) as peer:
        text = peer.finish()
    return int(text.split()[1]), text


def post(stack, way, path, body, kind):
    if way == "http":
        status, _, text = http(stack).ask(path, "POST", body=body, Content_Type=kind)
        return status, text.decode()
    status, text = ask_fcgi(stack, path, "POST", body, CONTENT_TYPE=kind)
    return status, text.partition("\r\n\r\n")[2]


def is_well(stack, published):
    """Nothing else was published, and the next one is served, over each."""
    assert stack.stats()["published"] == published
    assert http(stack).ask("/live")[0] == 200
    assert ask_fcgi(stack, "/live")[0] == 200
    with Raw(stack.ws_port) as raw:
        raw.open()


# -- characters that end lines and texts

CONTROLS = {"CR": "\r", "LF": "\n", "CRLF": "\r\nid: forged", "NUL": "\0", "C1": "\u0085", "DEL": "\x7f"}
FIELDS = ["topic", "event", "id", "key"]


def escaped(text):
    return "".join(f"%{byte:02x}" for byte in text.encode())


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_in_what_is_published(open_doors, name):
    """In each field, in each form that it may come in: it reaches no stream, and nobody's history."""
    stack, bad = open_doors, CONTROLS[name]
    for field in FIELDS:
        rest = "" if field == "topic" else "topic=a&"
        given = {"topic": "a", "data": "x", field: f"a{bad}b"}
        for way in ("http", "fcgi"):
            assert post(stack, way, f"/publish?{rest}{field}=a{escaped(bad)}b", b"x", "text/plain")[0] == 400, (way, field)
            assert post(stack, way, "/publish", f"{rest}data=x&{field}=a{escaped(bad)}b".encode(), FORM)[0] == 400, (way, field)
            status, text = post(stack, way, "/publish", json.dumps(given).encode(), NDJSON)
            assert status == 400 and "id" not in json.loads(text.splitlines()[0]), (way, field)
        # a web server hands on any byte that its client's head had
        status, _ = ask_fcgi(stack, "/publish?topic=a" if rest else "/publish", "POST", b"x", CONTENT_TYPE="text/plain", **{f"HTTP_ZCAST_{field.upper()}": f"a{bad}b"})
        assert status == 400, field
        if field != "key":
            with Raw(stack.ws_port) as raw:
                raw.open("/ws", Sec_WebSocket_Protocol="zcast.v1")
                raw.frame(FIN | TEXT, json.dumps({"type": "publish", **given}).encode())
                assert b'"error"' in raw.read_message()[1], field
    is_well(stack, 0)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_in_what_is_asked_for(open_doors, name):
    """A head can't be split by what an answer repeats, nor a log by what it tells."""
    stack, bad = open_doors, CONTROLS[name]
    for path in (f"/events?topic=a{escaped(bad)}b", f"/ws?topic=a{escaped(bad)}b"):
        assert http(stack).ask(path, **({"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="} if path.startswith("/ws") else {}))[0] == 400
    assert ask_fcgi(stack, f"/events?topic=a{escaped(bad)}b")[0] == 400
    forged = f"x{bad}Forged: yes"
    for variable in ("HTTP_ORIGIN", "HTTP_HOST", "HTTP_ACCEPT", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR", "REMOTE_PORT"):
        with Peer(stack.fcgi_socket, records("/nothing/at/all", "PUT", **{variable: forged})) as peer:
            text = peer.finish()
        assert "\nForged" not in text.partition("\r\n\r\n")[0], variable
    with Peer(stack.fcgi_socket, records("/events?topic=a", REMOTE_ADDR="192.0.2.1\nforged line", HTTP_LAST_EVENT_ID=f"1-0{bad}forged")) as peer:
        peer.wait("zcast.continuity")
        assert b"\nforged" not in peer.text
    for daemon in stack.daemons:
        assert not any(line.startswith(("forged", "Forged")) for line in daemon.log().splitlines())
    is_well(stack, 0)


BROKEN = ["%", "%2", "%zz", "%g0", "%c3%28", "%ff", "%ed%a0%80", "%c0%af", "%f5%80%80%80", "%e2%82"]


@pytest.mark.parametrize("bad", BROKEN)
def test_broken_escapes_and_utf8(open_doors, bad):
    stack = open_doors
    for way in ("http", "fcgi"):
        ask = (lambda path: http(stack).ask(path)[0]) if way == "http" else (lambda path: ask_fcgi(stack, path)[0])
        assert ask(f"/events?topic=a{bad}") == 400
        for field in ("topic", "event", "id", "key"):
            rest = "" if field == "topic" else "topic=a&"
            assert post(stack, way, f"/publish?{rest}{field}=a{bad}", b"x", "text/plain")[0] == 400
            assert post(stack, way, "/publish", f"{rest}data=x&{field}=a{bad}".encode(), FORM)[0] == 400
    client = http(stack)
    client.send(head(f"/ws?topic=a{bad}"))
    assert client.response()[0] == 400
    is_well(stack, 0)


# -- much of it


@pytest.mark.parametrize("way", ["http", "fcgi"])
@pytest.mark.parametrize("pair", [b"a=b&", b"&", b"topic=a&", b"data&", b"%41=%41&"])
def test_a_million_form_fields(open_doors, way, pair):
    """They take the time to read them, and no memory beyond the body's."""
    stack = open_doors
    body = pair * 1_000_000
    body = body[: 4 * 1024 * 1024 - 16] + b"&topic=b&data=x"
    began = time.monotonic()
    status, text = post(stack, way, "/publish", body, FORM)
    assert status == (200 if pair == b"&" or pair[:1] in b"a%" else 400), text
    assert time.monotonic() - began < 60
    is_well(stack, int(status == 200))


def test_a_query_of_many_fields(open_doors):
    stack = open_doors
    query = "topic=a" + "&x" * 15000
    client = http(stack)
    client.stream(f"/events?{query}")
    with Peer(stack.fcgi_socket, records(f"/events?{query}")) as peer:
        peer.wait_open()
    with Raw(stack.ws_port) as raw:
        raw.open(f"/ws?{query}")
    is_well(stack, 0)


DEEP = {"arrays": "[" * 60000, "closed arrays": "[" * 30000 + "]" * 30000, "objects": '{"a":' * 12000, "closed objects": '{"a":' * 9000 + "1" + "}" * 9000}


@pytest.mark.parametrize("name", DEEP)
def test_deep_json(open_doors, name):
    stack, deep = open_doors, DEEP[name]
    for way in ("http", "fcgi"):
        status, text = post(stack, way, "/publish?topic=a", f'{{"data":"x","y":{deep}}}\n{deep}\n'.encode(), NDJSON)
        assert status == 400 and all("code" in json.loads(line) for line in text.splitlines())
    with Raw(stack.ws_port) as raw:
        raw.open("/ws", Sec_WebSocket_Protocol="zcast.v1")
        for text in (deep, f'{{"type":"publish","topic":"a","data":{deep}}}', f'{{"type":"ping","ref":{deep}}}'):
            raw.frame(FIN | TEXT, text.encode())
            assert b'"error"' in raw.read_message()[1]
        raw.frame(FIN | TEXT, b'{"type":"ping"}')
        assert b'"pong"' in raw.read_message()[1]
    is_well(stack, 0)


@pytest.fixture
def closed_doors(stack, key):
    stack.broker()
    options = ["--tokens=all", f"--token-keys={key}", "--max-head=1M", "--token-query", "--token-leeway=0s"]
    for worker in (stack.ws(*options), stack.fcgi(*options)):
        worker.wait_log("broker: connected")
    return stack


def test_large_tokens_and_cookies(closed_doors):
    """100 KB: beyond max-head a status says so, within it the token does. A web server sends 64 KB at most."""
    stack, large = closed_doors, "e" * 100_000
    brought = [{"Authorization": f"Bearer {large}"}, {"Cookie": f"zcast_token={large}"}, {"Cookie": f"a={large}; zcast_token=x"}]
    for fields in brought:
        assert http(stack).ask("/events?topic=a", **fields)[0] == 401
        client = http(stack)
        client.send(head(**fields))
        assert client.response()[0] == 401
        named = {f"HTTP_{name.upper()}": value.replace(large, large[:50_000]) for name, value in fields.items()}
        assert ask_fcgi(stack, "/events?topic=a", **named)[0] == 401
    assert http(stack).ask(f"/events?topic=a&access_token={large}")[0] == 401
    assert ask_fcgi(stack, f"/events?topic=a&access_token={large[:20000]}")[0] == 401
    with Raw(stack.ws_port) as raw:
        raw.open(Sec_WebSocket_Protocol=f"zcast.v1, zcast.token.{large}")
        assert raw.read_close()[0] == 4401
    cookies = "; ".join(f"c{number}=v" for number in range(20000))
    assert http(stack).ask("/events?topic=a", Cookie=cookies)[0] == 401
    assert http(stack).ask("/live", Cookie="x" * (1 << 20))[0] == 431
    assert http(stack).ask("/live")[0] == 200 and ask_fcgi(stack, "/live")[0] == 200


# -- slowly, and behind something else


def drip(send, data, pause=0.012):
    """A byte at a time until the other end has closed."""
    try:
        for at in range(len(data)):
            send(data[at : at + 1])
            time.sleep(pause)
    except OSError:
        pass


def test_heads_and_bodies_by_drops(stack):
    """Each byte in time, and the whole not: what counts is the whole head, or 4 KiB of a body."""
    stack.broker()
    for worker in (stack.ws("--allow-publish", "--head-timeout=500ms"), stack.fcgi("--allow-publish", "--request-timeout=500ms")):
        worker.wait_log("broker: connected")
    slow = [request("/live", X="y" * 60), request("/publish?topic=a", "POST", Content_Length="80") + b"x" * 80]
    slow += [request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + chunks(*[b"x"] * 15)]
    for sent in slow:
        client = http(stack)
        end = sent.find(b"\r\n\r\n") + 4 if sent.startswith(b"POST") else 0
        client.send(sent[:end])
        drip(client.socket.sendall, sent[end:])
        assert client.answer()[0] == 408 and client.at_end()
    peer = Peer(stack.fcgi_socket, begin(1) + params(1, {"REQUEST_URI": "/publish", "QUERY_STRING": "topic=a", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "200"}))
    drip(peer.socket.sendall, b"".join(record(fastcgi.STDIN, 1, b"x") for _ in range(100)), 0.002)
    peer.wait_closed()
    peer.close()
    is_well(stack, 0)


@pytest.mark.parametrize("before", ["a stream", "an upgrade", "a refused upgrade", "a refused body"])
def test_requests_behind(open_doors, before):
    """What comes behind a stream or a WebSocket is no request, whoever put it there."""
    stack = open_doors
    behind = request("/publish?topic=a", "POST", body=b"smuggled")
    client = http(stack)
    if before == "a stream":
        client.send(request("/events?topic=a") + behind)
        assert client.response()[0] == 200
        client.events_until(b"retry: ")
    elif before == "an upgrade":
        client.send(head() + behind)
        assert client.response()[0] == 101
        wait_for(lambda: stack.wait_report("ws.0")["ws"]["violations"] == 1, "it is closed")
    elif before == "a refused upgrade":
        client.send(head(Sec_WebSocket_Version="12") + behind)
        assert client.response()[0] == 426
        assert b"HTTP/1.1" not in client.take(len("WebSocket version 13"))
    else:
        client.send(request("/publish?topic=a", "POST", Content_Length="100000", Origin="https://evil.example") + behind)
        assert client.answer()[0] == 403 and client.at_end()
    is_well(stack, 0)


def slowly(read, pause, count):
    """All that comes, as bytes; the first pieces with a pause before each, in which the token's time passes."""
    text = b""
    try:
        while True:
            if count > 0:
                time.sleep(pause)
            count -= 1
            piece = read()
            if not piece:
                return text
            text += piece
    except (EOFError, ConnectionResetError):
        return text


def replay(stack, way, token):
    """A stream of all history, read slowly; None where the token had ended before it began."""
    path = "a&lastEventId=earliest"
    if way == "fcgi":
        peer = Peer(stack.fcgi_socket, records(f"/events?topic={path}", HTTP_AUTHORIZATION=f"Bearer {token}"))
        stack.closers.append(peer.close)
        text = slowly(lambda: peer.read()[2], 0.1, 40)
        return None if b"Status: 401" in text[:100] else text
    client = http(stack, receive_buffer=4096)
    bearer = {"Authorization": f"Bearer {token}"}
    client.send(request(f"/events?topic={path}", **bearer) if way == "http" else head(f"/ws?topic={path}", **bearer))
    text = slowly(lambda: client.socket.recv(4096), 0.01, 400)
    return None if b" 401 " in text[:20] else text


@pytest.mark.parametrize("way", ["http", "fcgi", "ws"])
def test_a_token_that_ends_during_a_replay(closed_doors, key, way):
    """What has been sent until then is whole and in order; then comes the end, with its reason, and nothing else."""
    stack, text = closed_doors, None
    for number in range(300):
        stack.publish("a", f"<{number:05}" + "x" * 40000)
    words = ["token", "make", "--key", key, "--subscribe", "a", "--for", "2s"]
    while text is None:
        token = subprocess.run([BUILD / "tools/zmq", *map(str, words)], capture_output=True, text=True, check=True).stdout.strip()
        text = replay(stack, way, token)
    found = [int(number) for number in re.findall(rb"<(\d{5})x", text)]
    assert found == list(range(len(found))) and len(found) < 300, found
    if way == "http":
        assert b"event: zcast.end\n" in text[-300:]
    elif way == "ws":
        assert b"the token has expired" in text[-100:]
    assert http(stack).ask("/live")[0] == 200 and ask_fcgi(stack, "/live")[0] == 200
