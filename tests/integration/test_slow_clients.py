"""A client that doesn't read, under each policy, on both transports: what becomes of it, and what it is told once it reads
again. How much the sockets on the way hold is the kernel's and the web server's affair, so these tests publish until the rule
has been applied."""

import json
import socket
import time

import pytest

from stack import LIMIT, wait_for
from watchers import SseWatcher, WsWatcher

PAD = b" " + b"x" * 20000


class Lazy:
    """Reads only when told to. The oracle: the numbers of a topic follow one another, or a gap was stated in between."""

    def __init__(self, address, path, topics, last_id=None):
        super().__init__(address, path, "&topic=".join(topics), gaps_allowed=True)
        self.numbers = {}  # by topic: the last one
        self.gapped = set()  # topics whose next number may be any later one
        self.last_id = last_id
        self.events = 0
        self.connect()

    def connect(self):
        self.verdicts = []
        self.start()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(LIMIT)
        self.socket.connect(self.address)
        self.socket.sendall(self.request())
        self.read_until(lambda: self.open, 1024)

    def text(self, topic, text, id):
        number = int(text.split()[0])
        before = self.numbers.get(topic)
        if before is not None and number != before + 1:
            assert topic in self.gapped and number > before, f"{topic}: {number} after {before} without a stated gap"
        self.gapped.discard(topic)
        self.numbers[topic] = number
        self.last_id = id
        self.events += 1

    def verdict(self, data, id):
        if data["status"] == "gap":
            assert data["since"] != data["from"]
            self.gapped = set(self.numbers)
        self.verdicts.append(data)
        super().verdict(data, id)

    def read(self, size):
        """Reads the bytes that are there; False at the end."""
        try:
            data = self.socket.recv(size)
        except ConnectionResetError:
            data = b""
        if data:
            self.feed(data)
        return bool(data)

    def read_until(self, condition, size=262144):
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, f"{self.numbers}, {self.verdicts}"
            assert self.read(size), f"closed at {self.numbers}, {self.verdicts}"

    def read_to_the_end(self):
        while self.read(262144):
            pass
        self.socket.close()


class LazySse(Lazy, SseWatcher):
    def _block(self, block):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if fields.get("event") == "zcast.continuity":
            self.verdict(json.loads(fields["data"]), fields["id"])
        elif "data" in fields:
            topic, text = fields["data"].split(" ", 1)
            self.text(topic, text, fields["id"])


class LazyWs(Lazy, WsWatcher):
    def _object(self, message):
        if message.get("event") == "zcast.continuity":
            self.verdict(json.loads(message["data"]), message["id"])
        elif "data" in message:
            topic, text = message["data"].split(" ", 1)
            self.text(topic, text, message["id"])


class Setting:
    """A worker of one transport, and its clients."""

    def __init__(self, stack, transport, *options):
        self.stack, self.transport = stack, transport
        self.name = {"sse": "fcgi.0", "ws": "ws.0"}[transport]
        self.sent = {}
        stack.broker("--topic-bytes=256M")  # what is dropped in these tests is dropped for a client
        options = ["--max-lag=1M", *options]
        if transport == "sse":
            self.worker = stack.fcgi(*options)
            stack.nginx(edit=lambda text: text.replace("send_timeout 75s", "send_timeout 3600s"))
        else:
            self.worker = stack.ws(*options, "--pong-timeout=3600s")
        self.worker.wait_log("broker: connected")

    def client(self, *topics, **how):
        if self.transport == "sse":
            made = LazySse(("127.0.0.1", self.stack.web_port), "/events", topics, **how)
        else:
            made = LazyWs(("127.0.0.1", self.stack.ws_port), "/ws", topics, **how)
        self.stack.closers.append(made.socket.close)
        return made

    def publish(self, topic, pad=PAD):
        self.sent[topic] = self.sent.get(topic, 0) + 1
        self.stack.publish(topic, b"%s %d" % (topic.encode(), self.sent[topic]) + pad)

    def publish_both(self):
        self.publish("a")
        self.publish("b", b"")

    def publish_until(self, condition, what):
        """Publishes on `a`, and now and then on `b`, until the condition, looked at now and then, is true."""
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, f"not within {LIMIT:.0f} s: {what}; {self.sent}; {self.report()}"
            assert self.worker.running(), self.worker.log()
            for _ in range(20):
                self.publish("a")
            self.publish("b", b"")
            time.sleep(0.05)

    def report(self):
        return self.stack.stats()["workers"].get(self.name, {})

    def count(self, name):
        """A figure of the worker's. It reports every few seconds."""
        return self.report().get(name, 0)

    def all_of(self, client):
        return lambda: client.numbers == {topic: self.sent[topic] for topic in client.topic.split("&topic=")}


def policies(policy, by_prefix):
    other = "skip" if policy == "disconnect" else "disconnect"
    if not by_prefix:
        return [f"--slow={policy}"]
    return [f"--slow={other}", f"--slow-topics=nothing={other}", *(f"--slow-topics={topic}={policy}" for topic in "ab")]


@pytest.mark.parametrize("transport, by_prefix", [("sse", True), ("ws", False)])
def test_disconnect_and_it_comes_back_for_the_rest(stack, transport, by_prefix):
    setting = Setting(stack, transport, *policies("disconnect", by_prefix))
    client = setting.client("a", "b")
    setting.publish_until(lambda: "it fell too far behind" in setting.worker.log(), "the client is dropped")
    wait_for(lambda: setting.count("slow_dropped") == 1, "the drop is counted")
    assert setting.count("slow_skipped") == 0
    client.read_to_the_end()
    assert client.verdicts == [] and not setting.all_of(client)()
    client.connect()
    client.read_until(setting.all_of(client))
    assert [verdict["status"] for verdict in client.verdicts] == ["continued"]


@pytest.mark.parametrize("transport, by_prefix", [("sse", True), ("ws", False)])
def test_skip_states_the_gap_and_goes_on_from_the_newest(stack, transport, by_prefix):
    setting = Setting(stack, transport, *policies("skip", by_prefix))
    client = setting.client("a", "b")
    setting.publish_until(lambda: setting.count("slow_skipped") > 0, "the skip is counted")
    # it can be found, and others aren't concerned
    wait_for(lambda: "127.0.0.1" in stack.zmq("stat", "--slow").stdout, "zmq stat --slow names it")
    other = setting.client("a", "b")
    setting.publish_both()
    other.read_until(setting.all_of(other))
    assert other.verdicts == []
    # what it had not been sent it isn't sent any more
    client.read_until(lambda: client.verdicts)
    assert client.verdicts[0]["status"] == "gap"
    setting.publish_both()
    client.read_until(setting.all_of(client))
    assert client.events < sum(setting.sent.values())
    assert setting.count("slow_dropped") == 0


@pytest.mark.parametrize("transport, by_prefix", [("sse", True), ("ws", False)])
def test_latest_keeps_the_newest_of_each_topic(stack, transport, by_prefix):
    setting = Setting(stack, transport, *policies("latest", by_prefix))
    client = setting.client("a", "b")
    setting.publish_until(lambda: setting.count("slow_skipped") > 0, "the skip is counted")
    # nothing more is published: what it has in the end is the newest of both
    client.read_until(setting.all_of(client))
    assert client.verdicts and all(verdict["status"] == "gap" for verdict in client.verdicts)
    assert client.events < sum(setting.sent.values())
    assert setting.count("slow_dropped") == 0


@pytest.mark.parametrize("transport, policy", [("sse", "disconnect"), ("ws", "skip")])
def test_a_replay_that_is_not_read(stack, transport, policy):
    """A client that is given history, page by page, and doesn't read it, falls behind like any other."""
    setting = Setting(stack, transport, f"--slow={policy}")
    for _ in range(1000):  # more than the sockets hold, or it would be following the feed before long
        setting.publish("a")
    setting.publish("b", b"")
    client = setting.client("a", "b", last_id="earliest")
    count = "slow_dropped" if policy == "disconnect" else "slow_skipped"
    setting.publish_until(lambda: setting.count(count) > 0, "the rule is applied")
    if policy == "disconnect":
        client.read_to_the_end()
        client.connect()
        client.read_until(setting.all_of(client))
        assert [verdict["status"] for verdict in client.verdicts] == ["continued"]
    else:
        client.read_until(lambda: len(client.verdicts) > 1)
        assert [verdict["status"] for verdict in client.verdicts[:2]] == ["continued", "gap"]
        setting.publish_both()
        client.read_until(setting.all_of(client))
