"""Each limit, on each carrier: a client beyond it is refused in the way of the path, and STATS and /metrics count the refusal."""

import json
import subprocess

import pytest

import fastcgi
from fastcgi import Peer, begin, params, record
from http11 import Http, request
from stack import BUILD, wait_for
from test_metrics import lint
from wsraw import FIN, TEXT, Closed, Raw, head


@pytest.fixture(scope="module")
def token(key):
    words = ["token", "make", "--key", key, "--subject", "ann", "--subscribe", "*", "--publish", "*"]
    return subprocess.run([BUILD / "tools/zmq", *map(str, words)], capture_output=True, text=True, check=True).stdout.strip()


class Door:
    """A worker, and clients that come to it as others than this machine, with a token or without."""

    def __init__(self, stack, way, *options, fields=None):
        self.stack, self.way = stack, way
        self.fields = {"X_Forwarded_For": "192.0.2.1", **(fields or {})}
        stack.broker()
        (stack.fcgi if way == "fcgi" else stack.ws)(*options, "--allow-publish").wait_log("broker: connected")

    def connect(self):
        client = Http(self.stack.ws_port)
        self.stack.closers.append(client.close)
        return client

    def records(self, path, method="GET", body=b"", **fields):
        named = {f"HTTP_{name.upper()}": said for name, said in {**self.fields, **fields}.items()}
        path, _, query = path.partition("?")
        pairs = {"REQUEST_URI": f"{path}?{query}", "QUERY_STRING": query, "REQUEST_METHOD": method, "REMOTE_ADDR": "127.0.0.1"}
        sent = begin(1) + params(1, {**pairs, "CONTENT_LENGTH": str(len(body)) if body else "", **named})
        peer = Peer(self.stack.fcgi_socket, sent + (record(fastcgi.STDIN, 1, body) if body else b"") + record(fastcgi.STDIN, 1))
        self.stack.closers.append(peer.close)
        return peer

    def ask(self, path, method="GET", body=b"", **fields):
        """One short request: status, fields, text."""
        if self.way != "fcgi":
            status, found, text = self.connect().ask(path, method, body=body, **self.fields, **fields)
            return status, found, text.decode()
        first, _, text = self.records(path, method, body, **fields).finish().partition("\r\n\r\n")
        found = dict(line.lower().split(": ", 1) for line in first.split("\r\n"))
        return int(found["status"].split()[0]), found, text

    def opens(self):
        """One client that stays: True; else how it was refused."""
        return getattr(self, f"_open_{self.way}")()

    def _open_http(self):
        client = self.connect()
        client.stream(**self.fields)
        text = client.chunk()
        return True if b": busy" not in text else b"retry: " in text and client.is_cut() and "busy"

    def _open_fcgi(self):
        peer = self.records("/events?topic=a").wait_open()
        return True if b": busy" not in peer.text else bool(peer.finish()) and "busy"

    def _open_v1(self):
        raw = Raw(self.stack.ws_port)
        self.stack.closers.append(raw.close)
        raw.open(Sec_WebSocket_Protocol="zcast.v1", **self.fields)
        first, payload = raw.read_frame()
        said = json.loads(payload) if first == FIN | TEXT else {}
        if said.get("type") != "reconnect":
            return True
        return said["after"] > 0 and raw.read_close()[0]

    def _open_raw(self):
        raw = Raw(self.stack.ws_port)
        self.stack.closers.append(raw.close)
        raw.send(head(**self.fields))
        status, fields = raw.response()
        return True if status == 101 else int(fields["retry-after"]) > 0 and status

    def counted(self, limit, count):
        name = "fcgi.0" if self.way == "fcgi" else "ws.0"
        wait_for(lambda: self.stack.wait_report(name)["http"]["limits"][limit] == count, lambda: f"{self.stack.wait_report(name)['http']}")
        self.fields = {}
        _, _, text = self.ask("/metrics") if self.way == "fcgi" else self.connect().ask("/metrics")
        text = text if isinstance(text, str) else text.decode()
        assert f'worker="{name}",limit="{limit}"}} {count}\n' in text
        assert lint(text) == (0, "")


CLIENTS = {
    "clients": (["--max-clients=1"], 503),
    "address_connections": (["--max-connections-per-address=1"], 429),
    "address_connects": (["--connect-rate=1", "--connect-burst=1"], 429),
    "subject_connections": (["--max-connections-per-subject=1"], 429),
    "subject_connects": (["--subject-connect-rate=1", "--subject-connect-burst=1"], 429),
}


def authorized(limit, key, token):
    """The options, and the fields, with which a client is a subject's."""
    if not limit.startswith("subject"):
        return [], {}
    return ["--tokens=all", f"--token-keys={key}"], {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("way", ["http", "fcgi", "v1", "raw"])
@pytest.mark.parametrize("limit", CLIENTS)
def test_clients(stack, key, token, limit, way):
    options, status = CLIENTS[limit]
    more, fields = authorized(limit, key, token)
    door = Door(stack, way, *options, *more, fields=fields)
    assert door.opens() is True
    refused = {"http": "busy", "fcgi": "busy", "v1": 4000 + status, "raw": status}[way]
    found = [door.opens() for _ in range(2)]
    while refused not in found:  # a slow machine's bucket fills while we ask
        found.append(door.opens())
    assert set(found) <= {True, refused}
    door.counted(limit, found.count(refused))


MESSAGES = {
    # also where nothing else of an address is limited
    "address_messages": ["--address-rate=1", "--address-burst=1", "--max-connections-per-address=0", "--connect-rate=0"],
    "subject_messages": ["--subject-rate=1", "--subject-burst=1"],
}


@pytest.mark.parametrize("way", ["http", "fcgi"])
@pytest.mark.parametrize("limit", MESSAGES)
def test_publishes(stack, key, token, limit, way):
    more, fields = authorized(limit, key, token)
    door = Door(stack, way, *MESSAGES[limit], *more, fields=fields)
    found = []
    while 429 not in found:
        status, named, text = door.ask("/publish?topic=a", "POST", b"x")
        found.append(status)
        assert status == 200 or (int(named["retry-after"]) > 0 and "too many messages" in text)
    assert found[0] == 200
    door.counted(limit, 1)


@pytest.mark.parametrize("limit", [*MESSAGES, "client_messages"])
def test_messages_of_a_websocket(stack, key, token, limit):
    more, fields = authorized(limit, key, token)
    door = Door(stack, "v1", *MESSAGES.get(limit, ["--rate=1", "--burst=1"]), *more, fields=fields)
    with Raw(stack.ws_port) as raw:
        raw.open(Sec_WebSocket_Protocol="zcast.v1", **door.fields)
        for _ in range(20):
            raw.frame(FIN | TEXT, b'{"type":"ping"}')
        while (made := raw.read_message())[0] == FIN | TEXT:
            pass
        assert made[1][:2] == (1008).to_bytes(2, "big") and b"too many messages" in made[1]
    door.counted(limit, 1)


@pytest.mark.parametrize("way", ["http", "fcgi", "v1", "raw"])
def test_a_token_without_a_subject(stack, key, way):
    """It is limited like a subject, by itself."""
    words = ["token", "make", "--key", key, "--subscribe", "*"]
    made = [subprocess.run([BUILD / "tools/zmq", *map(str, [*words, "--for", time])], capture_output=True, text=True, check=True).stdout.strip() for time in ("1h", "2h")]
    door = Door(stack, way, "--tokens=all", f"--token-keys={key}", "--max-connections-per-subject=1", fields={"Authorization": f"Bearer {made[0]}"})
    refused = {"http": "busy", "fcgi": "busy", "v1": 4429, "raw": 429}[way]
    assert door.opens() is True
    assert door.opens() == refused
    door.fields["Authorization"] = f"Bearer {made[1]}"
    assert door.opens() is True
    door.counted("subject_connections", 1)


@pytest.mark.parametrize("way", ["http", "fcgi", "v1", "raw"])
@pytest.mark.parametrize("path", ["/events?topic=a", "/publish?topic=a"])
def test_bad_tokens(stack, key, token, way, path):
    """Whoever tries many isn't answered any more, whatever the door; then the right one is no help either."""
    door = Door(stack, way, "--tokens=all", f"--token-keys={key}", "--failure-rate=1", "--failure-burst=3")
    method = "POST" if "publish" in path else "HEAD"
    for number in range(10):  # a good one costs nothing
        assert door.ask(path, method, Authorization=f"Bearer {token}")[0] == 200, number
    found = []
    while 429 not in found:
        asked = f"Bearer {token[:-4]}{len(found):04}"
        if method == "HEAD" and way in ("v1", "raw"):
            door.fields["Authorization"] = asked
            found.append({4401: 401, 4429: 429}.get(refused := refusal(door), refused))
        else:
            found.append(door.ask(path, method, Authorization=asked)[0])
            found[-1] = 429 if found[-1] == 200 else found[-1]  # a stream says "come back"
    assert found[:3] == [401] * 3 and set(found[:-1]) == {401}
    door.fields = {"X_Forwarded_For": "192.0.2.2"}
    assert door.ask(path, method, Authorization=f"Bearer {token}")[0] == 200
    door.counted("address_failures", 1)


def refusal(door):
    """The status, or close code, with which a WebSocket is refused."""
    with Raw(door.stack.ws_port) as raw:
        raw.send(head(**door.fields, **({"Sec_WebSocket_Protocol": "zcast.v1"} if door.way == "v1" else {})))
        status, _ = raw.response()
        if status != 101:
            return status
        first, payload = raw.read_frame()
        return int.from_bytes(payload[:2], "big") if first != FIN | TEXT else raw.read_close()[0]


def is_closed(raw):
    try:
        raw.take(1)
        return False
    except Closed:
        return True


PROXIED = b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 80\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET /live HTTP/1.1\r\nHost: ", b"PROXY", request("/live")])
@pytest.mark.parametrize("proxy", [False, True])
def test_connections_that_ask_for_nothing(stack, sent, proxy):
    """They are counted by their address from the beginning, but for a proxy's own, and the others are closed."""
    trusted = ["--proxy-protocol"] if proxy else ["--trust-proxy=192.0.2.0/24"]
    door = Door(stack, "http", *trusted, "--max-connections-per-address=3", "--metrics=all", "--head-timeout=600s")
    before = PROXIED if proxy else b""
    silent = [Raw(stack.ws_port, source="127.0.0.2") for _ in range(3)]
    for raw in silent:
        stack.closers.append(raw.close)
        raw.send(before + sent)
    wait_for(lambda: stack.wait_report("ws.0")["ws"]["sessions"] >= 3, "they are there")
    with Raw(stack.ws_port, source="127.0.0.2") as more:
        more.send(before + request("/live"))
        assert is_closed(more)
    other = Http(stack.ws_port, source="127.0.0.3")
    stack.closers.append(other.close)
    other.send(before.replace(b".1 ", b".2 "))
    assert other.ask("/live")[0] == 200
    limits = lambda: stack.wait_report("ws.0")["http"]["limits"]["address_connections"]
    wait_for(lambda: limits() == 1, "the refusal is counted")
    silent.pop().close()

    def is_served():
        with Http(stack.ws_port, source="127.0.0.2") as again:
            again.send(before)
            try:
                return again.ask("/live")[0] == 200
            except Closed:
                return False

    wait_for(is_served, "whoever leaves makes room")


def test_clients_leave_room_for_those_that_ask(stack):
    """Streams and WebSockets are counted as such: they don't take the place of what isn't one yet."""
    Door(stack, "http", "--trust-proxy=192.0.2.0/24", "--max-connections-per-address=2")
    for number in range(2):
        raw = Raw(stack.ws_port)
        stack.closers.append(raw.close)
        raw.open()
    for _ in range(3):
        with Raw(stack.ws_port) as raw:
            raw.send(head())
            assert raw.response()[0] == 429


SIZES = [
    ("head", 431, ["--max-head=1K"], {"path": "/events?topic=a", "X": {"Cookie": "a=" + "x" * 1200}}),
    ("head", 414, ["--max-head=1K"], {"path": "/events?topic=" + "a" * 1200}),
    ("body", 413, ["--max-payload=1K"], {"path": "/publish?topic=a", "method": "POST", "body": b"x" * 1200}),
    ("bodies", 503, ["--max-bodies=1K"], {"path": "/publish?topic=a", "method": "POST", "body": b"x" * 1200}),
    ("topics", 400, ["--max-topics=2"], {"path": "/events?topic=a&topic=b&topic=c"}),
]


@pytest.mark.parametrize("way", ["http", "fcgi"])
@pytest.mark.parametrize("limit, status, options, asked", SIZES)
def test_sizes(stack, way, limit, status, options, asked):
    door = Door(stack, way, *options)
    asked = dict(asked)
    fields = asked.pop("X", {})
    found, named, text = door.ask(**asked, **fields)
    assert found == status and text.strip()
    assert status != 503 or int(named["retry-after"]) > 0
    assert door.ask("/live")[0] == 200
    door.counted(limit, 1)


def test_what_is_short_is_served_where_no_client_has_room(stack):
    door = Door(stack, "http", "--max-clients=1")
    assert door.opens() is True
    assert door.opens() == "busy"
    assert door.ask("/publish?topic=a", "POST", b"x")[0] == 200
    assert door.ask("/live")[0] == 200
    wait_for(lambda: door.connect().ask("/ready")[0] == 200, "a test message came back")  # on a busy machine not at once


def test_who_leaves_makes_room(stack):
    door = Door(stack, "v1", "--max-clients=1")
    first = Raw(stack.ws_port)
    first.open(**door.fields)
    assert door.opens() == 4503
    first.close()
    wait_for(lambda: door.opens() is True, "room")
