"""The client's address behind proxies: the PROXY protocol, Forwarded, X-Forwarded-For, and which proxies are trusted."""

import socket
import struct
import subprocess

import pytest

from fastcgi import Peer, request as records
from http11 import Http, request as asks
from stack import free_port, program, wait_for
from wsraw import Closed, head

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ONE = "--max-connections-per-address=1"


def line(source, port=4711):
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {'::1' if ':' in source else '127.0.0.1'} {port} 443\r\n".encode()


def binary(source, command=1, more=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    block = socket.inet_pton(family, source) * 2 + struct.pack(">HH", 4711, 443) + more
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, 0x21 if ":" in source else 0x11, len(block)) + block


def connect(stack, sent=b"", **how):
    made = Http(stack.ws_port, **how)
    stack.closers.append(made.close)
    made.send(sent)
    return made


def opens(stack, begin, source=None):
    """Whether a WebSocket is opened behind these bytes: it holds its place until the test ends. Else the status."""
    link = connect(stack, begin + head(), source=source) if source else connect(stack, begin + head())
    status, _ = link.response()
    return status == 101 or status


@pytest.fixture
def front(stack):
    stack.broker()
    stack.ws("--proxy-protocol", ONE).wait_log("broker: connected")
    return stack


def proxies(stack, name="ws.0"):
    return stack.wait_report(name)["http"]["proxies"]


@pytest.mark.parametrize("form", [line, binary])
def test_the_proxy_protocol(front, form):
    """Each client has its own account, also an IPv6 one, of whose /64 all count as one."""
    assert opens(front, form("192.0.2.1")) is True
    assert opens(front, form("192.0.2.1")) == 429
    assert opens(front, form("192.0.2.2")) is True
    assert opens(front, form("2001:db8::1")) is True
    assert opens(front, form("2001:db8::2")) == 429
    client = connect(front, form("192.0.2.3"))
    client.stream()
    front.publish("a", "through")
    client.events_until(b"data: through\n")
    # many requests, and one header: it is the connection's
    client = connect(front, form("192.0.2.4"))
    for _ in range(3):
        assert client.ask("/live")[0] == 200


def test_a_header_in_pieces_and_with_more_behind(front):
    for begin in (line("192.0.2.1"), binary("192.0.2.2", more=b"\x01\0\2h2")):
        client = connect(front)
        for at in range(len(begin)):
            client.send(begin[at : at + 1])
        client.send(asks("/live") * 2)
        assert client.answer()[0] == client.answer()[0] == 200


@pytest.mark.parametrize("begin", [b"PROXY UNKNOWN\r\n", binary("192.0.2.1", command=0), SIGNATURE + b"\x20\0\0\0"])
def test_a_proxy_that_asks_for_itself(front, begin):
    """It is on this machine, so it counts for nobody; a balancer looks in this way."""
    for _ in range(3):
        assert opens(front, begin) is True


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 127.0.0.1 1\r\n" + asks("/live"),
        b"PROXY TCP4 example.org 127.0.0.1 1 2\r\n" + asks("/live"),
        b"PROXY UNKNOWN " + b"x" * 200,
        SIGNATURE + b"\x21\x11\0\4abcd" + asks("/live"),
        SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_a_proxy_that_does_not_say(front, sent):
    client = connect(front, sent)
    status, _, body = client.answer()
    assert status == 400 and b"PROXY protocol" in body
    assert client.at_end()
    wait_for(lambda: proxies(front) == 1, "it is counted")


def test_a_header_that_stays_incomplete(stack):
    stack.ws("--proxy-protocol", "--head-timeout=500ms")
    client = connect(stack, b"PROXY TCP4 ")
    assert client.answer()[0] == 408
    client = connect(stack, b"PROXY TCP4 ")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.at_end()


@pytest.mark.parametrize("options", [[], ["--proxy-protocol", "--trust-proxy=192.0.2.0/24"]])
@pytest.mark.parametrize("begin", [line("192.0.2.1"), binary("192.0.2.1")])
def test_a_stranger_is_not_believed(stack, options, begin):
    """Who isn't a proxy of ours speaks HTTP, and nothing else."""
    stack.broker()
    stack.ws(*options).wait_log("broker: connected")
    status, _, body = connect(stack, begin + asks("/live")).answer()
    assert status == 400 and b"trust-proxy" in body
    assert connect(stack).ask("/live")[0] == 200
    wait_for(lambda: proxies(stack) == 1, "it is counted")


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_haproxy(front, version):
    port = free_port()
    (front.folder / "haproxy.cfg").write_text(f"""
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:{port}
    default_backend out
backend out
    server ws 127.0.0.1:{front.ws_port} {version} check check-send-proxy inter 100ms
""")
    front.start("haproxy", ["haproxy", "-db", "-f", front.folder / "haproxy.cfg"], lambda: can_ask(port))
    client = Http(port, source="127.0.0.2")
    front.closers.append(client.close)
    client.stream()
    front.publish("a", "by haproxy")
    client.events_until(b"data: by haproxy\n")


def can_ask(port):
    try:
        with Http(port) as client:
            return client.ask("/live")[0] == 200
    except OSError:
        return False


def test_behind_two_proxies(stack):
    """PROXY says who the nearest one speaks for, and where that is a proxy of ours, too, its field is believed."""
    stack.broker()
    stack.ws("--proxy-protocol", "--trust-proxy=local", "--trust-proxy=192.0.2.0/24", ONE).wait_log("broker: connected")

    def stream(source, said):
        client = connect(stack, line(source))
        client.stream(X_Forwarded_For=said)
        return b"retry" in client.chunk() and client

    asked = [stream("192.0.2.1", f"10.0.0.1, 203.0.113.{n}, 192.0.2.9") for n in (1, 2)]
    asked.append(stream("198.51.100.1", "203.0.113.3"))
    stack.publish("a", "to all")
    for client in asked:
        client.events_until(b"data: to all\n")
    for source, said in (("192.0.2.2", "203.0.113.1"), ("198.51.100.1", "203.0.113.4")):
        client = connect(stack, line(source))
        client.stream(X_Forwarded_For=said)
        assert client.is_cut()


# -- fields, on both carriers


@pytest.fixture(params=["http", "fcgi"])
def counted(stack, request):
    """Starts a worker that takes one stream of an address, and returns what asks for one: True where it streams, False
    where it is told to come back, else the status."""

    def answered(fields):
        """A connection that asks for nothing, as the one that looked whether the port is open, takes the one place until its end
        is seen. The next one is closed without a word."""
        try:
            client = connect(stack, asks(**fields))
            return client, client.response()[0]
        except Closed:
            return None

    def over_http(**fields):
        client, status = wait_for(lambda: answered(fields), "an answer")
        return status if status != 200 else b": busy" not in client.chunk()

    def over_fastcgi(**fields):
        named = {f"HTTP_{name.upper()}": said for name, said in fields.items()}
        peer = Peer(stack.fcgi_socket, records(**{"REMOTE_ADDR": "127.0.0.1", **named}))
        stack.closers.append(peer.close)
        peer.wait("\r\n\r\n")
        status = int(peer.text.split()[1])
        return status if status != 200 else b": busy" not in peer.wait_open().text

    def start(*options):
        stack.broker()
        getattr(stack, "ws" if request.param == "http" else "fcgi")(ONE, *options).wait_log("broker: connected")
        return over_http if request.param == "http" else over_fastcgi

    return start


def test_x_forwarded_for(counted):
    ask = counted()
    assert ask(X_Forwarded_For="192.0.2.1") is True
    assert ask(X_Forwarded_For="192.0.2.1") is False
    assert ask(X_Forwarded_For="192.0.2.2, 192.0.2.1") is False
    assert ask(X_Forwarded_For="192.0.2.1, 192.0.2.2") is True
    assert ask(X_Forwarded_For="192.0.2.3, 127.0.0.1") is True  # two proxies on this machine
    assert ask(X_Forwarded_For="192.0.2.3", Forwarded="for=192.0.2.4") is False  # anybody may send the other field
    assert ask(X_Forwarded_For="what, 192.0.2.5") is True
    assert ask(X_Forwarded_For="192.0.2.6, what") == 400
    assert ask() is ask() is True  # this machine's own


def test_forwarded(counted):
    ask = counted("--forwarded=forwarded")
    assert ask(Forwarded='for="[2001:db8::1]:80";proto=https') is True
    assert ask(Forwarded='For="[2001:db8::2]"') is False  # of the same /64
    assert ask(Forwarded="for=192.0.2.9, for=192.0.2.1;by=127.0.0.1") is True
    assert ask(Forwarded="for=192.0.2.1", X_Forwarded_For="192.0.2.7") is False
    assert ask(Forwarded="for=_hidden") is True
    assert ask(Forwarded="for=_hidden") is False
    assert ask(Forwarded="for=unknown") is True
    assert ask(Forwarded='for="192.0.2.8, for=192.0.2.1') == 400  # an open quote would hide what the proxy said
    assert ask(Forwarded="192.0.2.1") == 400


def test_only_of_proxies(counted):
    ask = counted("--trust-proxy=192.0.2.0/24")
    assert ask(X_Forwarded_For="203.0.113.1") is True
    assert ask(X_Forwarded_For="203.0.113.2") is False


def test_who_leaves_makes_room(stack):
    """The address that was counted is the one that is taken off."""
    stack.broker()
    stack.fcgi(ONE).wait_log("broker: connected")
    for _ in range(3):
        with Peer(stack.fcgi_socket, records(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.1")) as peer:
            assert b": busy" not in peer.wait_open().text
            wait_for(lambda: stack.wait_report("fcgi.0")["http"]["addresses"] == 1, "it is counted")
        wait_for(lambda: stack.wait_report("fcgi.0")["http"]["addresses"] == 0, "nobody is counted")


@pytest.mark.parametrize("value", ["localhost", "192.0.2.0/33", "192.0.2.1:80", "[::1]"])
def test_whom_to_trust_is_checked(value):
    done = subprocess.run([program("zcast-ws"), f"--trust-proxy={value}"], capture_output=True, text=True)
    assert done.returncode == 2 and "trust-proxy" in done.stderr and "192.0.2.0/24" in done.stderr
