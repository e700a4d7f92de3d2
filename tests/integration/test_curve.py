"""CURVE between the broker and all others: peers with a certificate get in, each with its rights; strangers don't."""

import json
import subprocess
import time

import pytest
import redis
import zmq
from stack import BUILD, WsClient, wait_for


def keygen(*words):
    subprocess.run([BUILD / "tools/zmq", "keygen", *map(str, words)], check=True, capture_output=True)


def value(path, key):
    for line in path.read_text().splitlines():
        name, _, rest = line.strip().partition(" = ")
        if name == key:
            return rest.strip('"')
    return None


class Secured:
    def __init__(self, stack, tmp_path, *options):
        self.stack, self.folder, self.clients = stack, tmp_path, tmp_path / "clients"
        self.clients.mkdir()
        keygen(tmp_path / "broker")
        self.certify("workers", "--worker")
        stack.use_tcp()
        keys = [f"--curve-key={tmp_path}/broker_secret", f"--curve-clients={self.clients}"]
        argv = ["zcast-broker", *stack.endpoints(), *keys, *options]
        self.broker = stack.start("zcast-broker", argv, ready=lambda: self.ping("workers"))

    def certify(self, name, *words, admit=True):
        keygen(self.folder / name, *words, "--server", self.folder / "broker")
        if admit:
            (self.clients / name).write_bytes((self.folder / name).read_bytes())

    def key(self, name):
        return f"--curve-key={self.folder}/{name}_secret"

    def zmq(self, name, command, *words, timeout="10s"):
        argv = [BUILD / "tools/zmq", command, *self.stack.endpoints(), self.key(name), "--timeout", timeout, *map(str, words)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120)

    def ping(self, name):
        return self.zmq(name, "ping", timeout="1s").returncode == 0

    def stats(self):
        done = self.zmq("workers", "stat", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def socket(self, kind, endpoint, name=None):
        """One of libzmq's own, with a certificate's keys, or none at all."""
        context = zmq.Context()
        socket = context.socket(kind)
        socket.linger = 0
        if name:
            secret = self.folder / f"{name}_secret"
            socket.curve_secretkey = value(secret, "secret-key").encode()
            socket.curve_publickey = value(secret, "public-key").encode()
            socket.curve_serverkey = value(self.folder / "broker", "public-key").encode()
        socket.connect(endpoint)
        self.stack.closers.append(lambda: context.destroy(0))
        return socket


@pytest.fixture
def secured(stack, tmp_path):
    return Secured(stack, tmp_path)


def test_end_to_end(secured):
    stack = secured.stack
    stack.ws(secured.key("workers")).wait_log("broker: connected")
    stack.fcgi(secured.key("workers")).wait_log("broker: connected")
    stack.nginx()
    client = WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws?topic=a")
    stack.closers.append(client.close)
    client.wait_open()
    with stack.sse("a") as sse:
        sse.wait_open()
        for number in range(3):
            assert secured.zmq("workers", "pub", "a", f"m{number}").returncode == 0
        client.wait(3)
        assert [event.data for event in sse.wait(3)] == ["m0", "m1", "m2"]
    done = secured.zmq("workers", "sub", "a", "--since", "earliest", "--count", "3")
    assert done.stdout.split() == ["m0", "m1", "m2"], done.stderr


def test_the_bridge(stack, tmp_path):
    """Redis to the broker, and back, with the certificate of a worker; rules tell its messages from others."""
    stack.redis()
    secured = Secured(stack, tmp_path, "--access=inside/=publish=zeromq")
    words = ["-C", "news", "-C", "inside/1", "--outgoing=out", "--outgoing-format=payload", "--outgoing-prefix=from:"]
    stack.bridge(secured.key("workers"), *words).wait_log("broker .*: connected")
    heard = redis.Redis(host="127.0.0.1", port=stack.redis_port)
    channel = heard.pubsub()
    channel.subscribe("from:out")
    channel.get_message(timeout=60)
    heard.publish("inside/1", "refused")
    heard.publish("news", "from Redis")
    done = secured.zmq("workers", "sub", "news", "--since", "earliest", "--count", "1", timeout="60s")
    assert done.stdout == "from Redis\n", done.stderr
    assert secured.zmq("workers", "pub", "out", "to Redis").returncode == 0
    while (message := channel.get_message(timeout=60))["type"] != "message":
        pass
    assert message["data"] == b"to Redis"
    wait_for(lambda: secured.stats()["workers"]["redis"]["refused"] == 1, "what a rule refuses is counted")


@pytest.mark.parametrize("admitted", [False, True])
def test_a_bridge_that_may_not(stack, tmp_path, admitted):
    """A stranger's key, and one that may only read: neither publishes."""
    stack.redis()
    secured = Secured(stack, tmp_path)
    secured.certify("bridge", "--subscribe", admit=admitted)
    if admitted:
        wait_for(lambda: secured.ping("bridge"), "the certificate is taken up")
    daemon = stack.bridge(secured.key("bridge"), "-C", "news")
    redis.Redis(host="127.0.0.1", port=stack.redis_port).publish("news", "x")
    if admitted:
        daemon.wait_log("not published: forbidden")
    else:
        wait_for(lambda: secured.stats()["unauthorized"] > 0, "it is refused")
    assert secured.stats()["published"] == 0


def test_roles(secured):
    secured.certify("shop", "--publish", "orders/*")
    secured.certify("reader", "--subscribe")
    secured.certify("watcher", "--control")
    wait_for(lambda: secured.ping("watcher"), "the certificates are taken up")
    assert secured.zmq("shop", "pub", "orders/1", "x").returncode == 0
    refused = secured.zmq("shop", "pub", "news", "x", timeout="5s")
    assert refused.returncode == 1 and "may not publish" in refused.stderr
    refused = secured.zmq("reader", "pub", "orders/1", "x", timeout="5s")
    assert refused.returncode == 1 and "may not publish" in refused.stderr
    assert secured.zmq("reader", "sub", "orders/1", "--since", "earliest", "--count", "1").stdout == "x\n"
    assert secured.zmq("reader", "stat").returncode == 1
    assert secured.zmq("watcher", "stat").returncode == 0
    assert secured.zmq("shop", "stat").returncode == 1
    assert secured.zmq("reader", "topics").returncode == 0 and secured.zmq("shop", "topics").returncode == 1
    refused = secured.zmq("reader", "purge", "orders/1", "--yes")
    assert refused.returncode == 1 and "forbidden" not in refused.stdout and "doesn't allow" in refused.stderr
    assert secured.zmq("watcher", "sub", "orders/1", "--since", "earliest", timeout="2s").returncode == 1
    assert secured.stats()["published"] == 1
    assert secured.zmq("watcher", "purge", "orders/1", "--yes").stdout == "1 messages removed\n"


def test_a_publisher_on_pub(secured):
    """A single frame loses ZeroMQ's notes on its sender when it is split; the role is enforced all the same."""
    secured.certify("shop", "--publish", "orders/*")
    wait_for(lambda: secured.ping("shop"), "the certificate is taken up")
    publisher = secured.socket(zmq.XPUB, secured.stack.publish_endpoint, "shop")
    assert publisher.recv() == b"\1"
    for frames in ([b"orders/1", b"a"], [b"orders/2 b"], [b"news", b"c"], [b"news d"], [b"orders/3", b"e", b"event: x\n"]):
        publisher.send_multipart(frames)
    wait_for(lambda: secured.stats()["received"] == 5, "all have come")
    assert secured.stats()["published"] == 3 and secured.stats()["refused"] == 2


@pytest.mark.parametrize("how", ["without keys", "with keys of its own"])
def test_strangers(secured, how):
    name = None
    if how == "with keys of its own":
        secured.certify("stranger", "--worker", admit=False)
        name = "stranger"
    stack = secured.stack
    strangers = secured.stats()["strangers"]
    publisher = secured.socket(zmq.PUB, stack.publish_endpoint, name)
    subscriber = secured.socket(zmq.SUB, stack.subscribe_endpoint, name)
    subscriber.subscribe(b"")
    asker = secured.socket(zmq.DEALER, stack.control_endpoint, name)
    asker.send_multipart([b"PING"])
    before = secured.stats()
    end = time.monotonic() + 3  # long enough for all of them to have been refused a few times
    while time.monotonic() < end:
        publisher.send_multipart([b"a", b"stranger"])
        time.sleep(0.05)
    assert secured.zmq("workers", "pub", "a", "friend").returncode == 0
    assert not subscriber.poll(500) and not asker.poll(0)
    after = secured.stats()
    assert after["received"] - before["received"] == 1 and after["published"] - before["published"] == 1
    if name:
        assert after["unauthorized"] > 0
    else:
        assert after["strangers"] > strangers


def test_a_certificate_is_removed(secured):
    """Its connection ends; the others' come back, and miss nothing."""
    stack = secured.stack
    secured.certify("reader", "--subscribe")
    wait_for(lambda: secured.ping("reader"), "the certificate is taken up")
    stack.ws(secured.key("workers")).wait_log("broker: connected")
    client = WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws?topic=a")
    stack.closers.append(client.close)
    client.wait_open()
    removed = secured.socket(zmq.SUB, stack.subscribe_endpoint, "reader")
    removed.subscribe(b"a")

    def both_hear():
        assert secured.zmq("workers", "pub", "a", "hello").returncode == 0
        return removed.poll(500)

    wait_for(both_hear, "the reader is subscribed")
    (secured.clients / "reader").unlink()
    secured.broker.wait_log("all connections are ended, and come back")
    while removed.poll(200):
        removed.recv_multipart()
    sent = 0
    for number in range(20):
        assert secured.zmq("workers", "pub", "a", f"after {number}").returncode == 0
        sent += 1
    client.wait_message(lambda text: text == "after 19")
    got = [text for text in client.messages if text.startswith("after")]
    assert got == [f"after {number}" for number in range(20)]
    assert not removed.poll(1000), "who was removed still hears"
    assert not secured.ping("reader")


def test_under_load(secured):
    """Connections that are ended while messages flow: nothing is lost, and the broker lives."""
    stack = secured.stack
    stack.ws(secured.key("workers")).wait_log("broker: connected")
    client = WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws?topic=a")
    stack.closers.append(client.close)
    client.wait_open()
    argv = [BUILD / "tools/zmq", "pub", *stack.endpoints(), secured.key("workers"), "--lines", "--quiet", "a"]
    publisher = subprocess.Popen(argv, stdin=subprocess.PIPE)
    stack.closers.append(lambda: publisher.kill() or publisher.wait())
    for round in range(3):
        secured.certify(f"guest{round}", "--subscribe")
        publisher.stdin.write(b"".join(b"%d\n" % number for number in range(round * 1000, round * 1000 + 1000)))
        publisher.stdin.flush()
        wait_for(lambda: secured.ping(f"guest{round}"), "the certificate is taken up")
        (secured.clients / f"guest{round}").unlink()
        wait_for(lambda: secured.broker.log().count("all connections are ended, and come back") == round + 1, "connections were ended")
    publisher.stdin.close()
    assert publisher.wait(120) == 0
    client.wait_message(lambda text: text == "2999")
    assert client.messages == [str(number) for number in range(3000)]


@pytest.mark.parametrize(
    "options, why",
    [
        (["--curve-key=/nowhere"], "curve-clients"),
        (["--curve-clients=/tmp"], "curve-key"),
        (["--curve-key=/nowhere", "--curve-clients=/tmp"], "No such file"),
        (["--access=a=nonsense"], "expected public"),
        (["--publish=tcp://0.0.0.0:5560"], "curve-key"),
    ],
)
def test_wrong_broker_options(options, why):
    done = subprocess.run([BUILD / "broker/zcast-broker", "-t", *options], capture_output=True, text=True)
    assert done.returncode == 2 and why in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("program", [["tools/zmq", "ping"], ["ws/zcast-ws"], ["fcgi/zcast-fcgi"], ["bridge/zcast-redis"]])
def test_wrong_client_options(program, tmp_path):
    keygen(tmp_path / "lonely")  # names no server
    for options, why in [
        ([f"--curve-key={tmp_path}/lonely_secret"], "curve-server"),
        (["--curve-server=x"], "curve-key"),
        ([f"--curve-key={tmp_path}/lonely", "--curve-server=x"], "secret"),
    ]:
        argv = [BUILD / program[0], *program[1:], *options]
        if program[0].startswith("fcgi"):
            argv.append(f"--socket={tmp_path}/sse.sock")
        if program[0].startswith("ws"):
            argv.append("--listen=127.0.0.1:0")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and why in done.stderr, (options, done.stderr)


def test_rules_for_zeromq_and_redis(stack):
    stack.broker("--access=orders/=publish=redis", "--access=audit/=publish=nobody", "--access=wall/=publish=token")
    for topic, headers, good in [
        ("free", None, True),
        ("orders/1", None, False),
        ("orders/1", {"via": "redis"}, True),
        ("audit/1", None, False),
        ("audit/1", {"via": "redis"}, False),
        ("wall/1", None, False),
        ("wall/1", {"via": "http"}, True),
    ]:
        text = "".join(f"{name}: {value}\n" for name, value in (headers or {}).items()).encode()
        answer = stack.request(b"PUBLISH", topic.encode(), b"x", text)
        assert answer[0] == (b"OK" if good else b"ERR"), (topic, headers, answer)
        if not good:
            assert answer[1] == b"forbidden"
    publisher = stack.pub()
    publisher.send_multipart([b"orders/1", b"x"])
    publisher.send_multipart([b"free", b"x"])
    wait_for(lambda: stack.stats()["received"] == 9, "both have come")
    assert stack.stats()["refused"] == 1
