"""What the broker tells all workers to do, over control: it reaches the worker that has the client, whatever broker or process that
is by then, and no subscriber sees it."""

import json
import signal
import socket
import struct

import pytest
import zmq

from stack import LIMIT, wait_for
from test_brokers import Pair
from wsraw import head

PAD = "x" * 60000
WORKER = "--max-lag=64M", "--allow-publish"


class Stuck:
    """A client that doesn't read, so its worker names it among the slow ones."""

    def __init__(self, port, request):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(LIMIT)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(request)
        self.first = self.socket.recv(64)
        assert b" 200 " in self.first or b" 101 " in self.first, self.first

    def rest(self):
        """All that comes until the end."""
        parts = []
        while True:
            try:
                parts.append(self.socket.recv(262144))
            except ConnectionResetError:
                break
            if not parts[-1]:
                break
        self.socket.close()
        return b"".join(parts)


def stream(port):
    return Stuck(port, b"GET /events?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n")


def talker(port):
    return Stuck(port, head("/ws?topic=t", Sec_WebSocket_Protocol="zcast.v1"))


def ids(stack, worker, count):
    """The ids of that many clients, which are slow after enough messages."""
    seen = {}

    def look():
        stack.publish("t", PAD)
        slow = stack.stats()["workers"].get(worker, {}).get("slow", [])
        seen.update({row["transport"] + row["client"]: row["id"] for row in slow if row["blocked"]})
        return len(seen) >= count and set(seen.values())

    return wait_for(look, lambda: f"slow clients: {seen}")


def drop(stack, client):
    reply = stack.request("INSTRUCT", json.dumps({"do": "drop", "client": client}))
    assert reply[0] == b"OK", reply
    return reply[1]


def assert_dropped(rest):
    """It was told so last of all."""
    close = b"\x88" + bytes([2 + len(b"the connection was ended by an operator")]) + struct.pack(">H", 4429)
    end = b'event: zcast.end\ndata: {"code":"dropped","message":"the connection was ended by an operator"}\nid: '
    assert close in rest[-60:] or end in rest[-220:], rest[-300:]


def test_a_slow_client_is_dropped(stack):
    """On either transport, and no other client is."""
    stack.broker()
    ws = stack.ws(*WORKER)
    clients = [stream(stack.ws_port), talker(stack.ws_port)]
    stack.web_port = stack.ws_port
    other = stack.sse("t")
    for client in ids(stack, "ws.0", 2):
        drop(stack, client)
    for client in clients:
        assert_dropped(client.rest())
    assert ws.log().count("an operator wants it") == 2
    stack.publish("t", "still there")
    other.wait_event(lambda event: event.data == "still there")


def test_no_subscriber_sees_it(stack):
    stack.broker()
    everything = stack.sub("")
    assert drop(stack, "00000000deadbeef")
    stack.publish("t", "m")
    assert everything.recv_multipart()[:2] == [b"t", b"m"]
    assert not everything.poll(0)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"do":"dance"}', '{"do":"drop"}', '{"do":"drop","client":"xyz"}', '{"do":"drop","client":"' + "0" * 16 + '"}', "x" * 100000],
)
def test_bad_instructions(stack, text):
    stack.broker()
    code, reason = stack.request("INSTRUCT", text)[1:]
    assert code == b"arguments" and reason
    assert stack.request("INSTRUCTIONS", "0-0", "?")[4] == b""


def test_the_topic_of_instructions_is_nobodys(stack):
    """With a log they are messages there; nobody publishes on their topic, whatever a header says."""
    stack.broker()
    for headers in [(), ("via: http\n",)]:
        assert stack.request("PUBLISH", "$zcast/instructions", '{"do":"drop"}', *headers)[:2] == [b"ERR", b"forbidden"]


def test_numbers(stack):
    """A worker is told what it hasn't heard, and all of it where its number is of another broker's life."""
    broker = stack.broker()
    first = drop(stack, "00000000000000a1")
    second = drop(stack, "00000000000000a2")
    ok, last, since, line, listed = stack.request("INSTRUCTIONS", "0-0", "?")
    assert (ok, last, since) == (b"OK", second, b"0-0") and listed.count(b"\n") == 2
    ok, last, since, line, listed = stack.request("INSTRUCTIONS", first, line)
    assert since == first and listed == second + b' {"do":"drop","client":"00000000000000a2"}\n'
    assert stack.request("INSTRUCTIONS", second, line)[4] == b""
    broker.kill()
    stack.broker()
    ok, last, since, new, listed = stack.request("INSTRUCTIONS", second, line)
    assert since == b"0-0" and new != line and listed == b""
    assert stack.request("INSTRUCTIONS", "x", line)[1] == b"since"
    assert stack.request("INSTRUCTIONS", "1-0", "")[1] == b"arguments"


def test_two_brokers_on_one_log(stack):
    """What one broker is told, the workers of the other one hear; and a worker that moves hears nothing again and misses nothing."""
    pair = Pair(stack)
    one, other = pair.stacks
    stack.ws(*WORKER, *pair.options(first=1))
    client = stream(stack.ws_port)
    wait_for(lambda: other.stats()["workers"], "the worker is at the second broker")
    everything = other.sub("")
    (id,) = ids(other, "ws.0", 1)
    number = drop(one, id)
    assert_dropped(client.rest())
    line = one.request("SYNC", "", "")[4]
    for broker in pair.stacks:
        listed = wait_for(lambda: broker.request("INSTRUCTIONS", "0-0", line)[4], "the broker has read it")
        assert listed == number + b' {"do":"drop","client":"' + id.encode() + b'"}\n'
    one.publish("t", "last")
    while True:
        topic, payload, _ = everything.recv_multipart()
        assert topic == b"t"
        if payload == b"last":
            break
    pair.brokers[0].kill()
    pair.start(0)
    wait_for(lambda: one.request("INSTRUCTIONS", "0-0", line)[0] == b"OK", "the broker is back")


def test_a_client_keeps_its_id_through_an_upgrade(stack):
    stack.broker()
    ws = stack.ws(*WORKER)
    stack.web_port = stack.ws_port
    clients = [stream(stack.ws_port), talker(stack.ws_port)]
    known = ids(stack, "ws.0", 2)
    ws.send_signal(signal.SIGUSR2)
    ws.wait_log("upgrade: complete")
    for client in known:
        drop(stack, client)
    for client in clients:
        assert_dropped(client.rest())
