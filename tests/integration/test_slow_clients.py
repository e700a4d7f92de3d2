"""A client that doesn't read, under each policy: what it is told once it reads again."""

import json
import socket
import time

import pytest

from stack import wait_for
from watchers import WsWatcher

SIZE = 20000
COUNT = 1000  # 20 MB: more than max-lag and what sockets hold


class Lazy(WsWatcher):
    """Reads only when told to."""

    def __init__(self, port, topics):
        super().__init__(("127.0.0.1", port), "/ws", "&topic=".join(topics), gaps_allowed=True)
        self.seen = []
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(30)
        self.socket.connect(self.address)
        self.start()
        self.socket.sendall(self.request())
        while not self.open:
            self.feed(self.socket.recv(4096))

    def _object(self, message):
        if message.get("event") == "zcast.continuity":
            self.seen.append(("gap", json.loads(message["data"])))
        elif "data" in message:
            self.seen.append((message["topic"], int(message["data"].split()[0])))

    def read_until(self, condition):
        end = time.monotonic() + 60
        while not (self.seen and condition(self.seen[-1])):
            assert time.monotonic() < end, self.seen[-3:]
            data = self.socket.recv(262144)
            assert data, f"closed after {self.seen[-3:]}"
            self.feed(data)


def publish_many(stack, topic="a"):
    for number in range(1, COUNT + 1):
        stack.publish(topic, b"%d " % number + b"x" * SIZE)


def test_skip_states_the_gap_and_goes_on_from_the_newest(stack):
    stack.broker()
    stack.ws("--slow=skip", "--max-lag=1M")
    client = Lazy(stack.ws_port, ["a"])
    publish_many(stack)
    # it can be found while it lags: workers report every few seconds
    wait_for(lambda: "127.0.0.1" in stack.zmq("stat", "--slow").stdout, "zmq stat --slow names it")
    wait_for(lambda: stack.stats()["workers"]["ws.0"]["slow_skipped"] >= 1, "the skip is counted")
    reading = Lazy(stack.ws_port, ["a"])  # a new client isn't concerned
    stack.publish("a", b"%d" % (COUNT + 1))
    reading.read_until(lambda seen: seen == ("a", COUNT + 1))
    assert [what for what, _ in reading.seen] == ["a"]
    client.read_until(lambda seen: seen[0] == "gap")
    stack.publish("a", b"%d" % (COUNT + 2))
    client.read_until(lambda seen: seen == ("a", COUNT + 2))
    kinds = [what for what, _ in client.seen]
    assert kinds.count("gap") >= 1
    expected = 0
    for what, value in client.seen:
        if what == "gap":
            expected = None
            assert value["status"] == "gap" and value["since"] != value["from"]
        else:
            assert expected is None or value == expected + 1, f"{value} after {expected} without a stated gap"
            expected = value


def test_latest_keeps_the_newest_of_each_topic(stack):
    stack.broker()
    stack.ws("--slow=latest", "--max-lag=1M")
    client = Lazy(stack.ws_port, ["a", "b"])
    stack.publish("b", b"7")
    publish_many(stack)
    wait_for(lambda: stack.stats()["workers"]["ws.0"]["slow_skipped"] >= 1, "the skip is counted")
    client.read_until(lambda seen: seen == ("a", COUNT))
    kinds = [what for what, _ in client.seen]
    assert "gap" in kinds and ("b", 7) in client.seen
    numbers = [value for what, value in client.seen if what == "a"]
    assert numbers == sorted(set(numbers)) and len(numbers) < COUNT


@pytest.mark.parametrize("options", [["--slow=disconnect"], ["--slow=skip", "--slow-topics=a=disconnect"]])
def test_disconnect(stack, options):
    stack.broker()
    ws = stack.ws("--max-lag=1M", *options)
    client = Lazy(stack.ws_port, ["a"])
    fds = ws.fds()
    publish_many(stack)
    wait_for(lambda: ws.fds() == fds - 1, "the client is dropped")
    wait_for(lambda: stack.stats()["workers"]["ws.0"]["slow_dropped"] == 1, "the drop is counted")
    client.socket.close()
