"""The Redis bridge, with a real redis-server, real clients of it, and real brokers."""

import contextlib
import itertools
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import redis

from stack import LIMIT, SOURCE, Stack, connections, free_port, is_sanitized, position, run, wait_for
from test_zmq import live_sub


@pytest.fixture
def other():
    """A second site: a broker of its own; the Redis is the first one's."""
    made = Stack()
    yield made
    wrong = made.close()
    print(made.logs())
    made.remove()
    assert not wrong


def client(stack, **options):
    return redis.Redis(host="127.0.0.1", port=stack.redis_port, **options)


def bridge(stack, *options, url=None, ready=True, **how):
    """A bridge; `ready` waits until its subscriptions are there."""
    argv = ["zcast-redis", *stack.endpoints(), f"--redis={url or stack.redis_url}", *options]
    made = stack.start("zcast-redis", argv, **how)
    if ready:
        made.wait_log("zcast-subscriber.*: connected")
        made.wait_log("broker .*: connected")
        # SUBSCRIBE follows the greeting: what Redis handles after this is behind it
        if not url:
            wait_for(lambda: subscriber_subscriptions(stack) > 0, "subscriptions")
    return made


def subscriber_subscriptions(stack):
    return sum(
        int(each["sub"]) + int(each["psub"])
        for each in client(stack).client_list()
        if each["name"] == "zcast-subscriber"
    )


def receive(sub, count):
    return [tuple(sub.recv_multipart()[:2]) for _ in range(count)]


def wait_report(stack, condition, what, name="redis"):
    return stack.wait_report(name, condition, what)


def history(stack, *topics):
    """All payloads of the topics, in the order of their ids."""
    return [reply[2] for reply in stack.requests("REPLAY", "earliest", *topics)[:-1]]


# -- from Redis to the broker


def test_channels_and_patterns(stack):
    stack.redis()
    stack.broker()
    words = ["-C", "plain", "-C", "orders -> shop/orders", "-P", "news.*", "-P", "w?.* -> weather of {channel}"]
    bridge(stack, *words, "--topic", "redis/{channel}")
    wait_for(lambda: subscriber_subscriptions(stack) == 4, "four subscriptions")
    sub = stack.sub("redis/plain", "shop/orders", "redis/news.de", "weather of wx.1", "redis/other")
    for channel in ("plain", "orders", "news.de", "other", "wx.1"):
        stack.redis_cli("PUBLISH", channel, f"on {channel}")
    assert receive(sub, 4) == [
        (b"redis/plain", b"on plain"),
        (b"shop/orders", b"on orders"),
        (b"redis/news.de", b"on news.de"),
        (b"weather of wx.1", b"on wx.1"),
    ]


def test_without_a_configuration_everything_comes(stack):
    stack.redis()
    stack.broker()
    bridge(stack)
    sub = stack.sub("any/thing")
    stack.redis_cli("PUBLISH", "any/thing", "hello")
    assert receive(sub, 1) == [(b"any/thing", b"hello")]


def test_payloads_are_any_bytes(stack):
    stack.redis()
    stack.broker()
    bridge(stack, "-C", "bytes")
    sub = stack.sub("bytes")
    payloads = [b"", bytes(range(256)), b"\r\n$3\r\nabc\r\n", os.urandom(900_000), b"\0", b"end"]
    for payload in payloads:
        assert client(stack).publish("bytes", payload) == 1
    assert [payload for _, payload in receive(sub, len(payloads))] == payloads


def test_order_and_speed(stack):
    """Many at once: all, in order of each channel."""
    stack.redis()
    stack.broker("--topic-messages=100000")
    bridge(stack, "-P", "n.*")
    count = 20000
    pipe = client(stack).pipeline(transaction=False)
    for i in range(count):
        pipe.publish(f"n.{i % 4}", i)
    pipe.execute()
    wait_for(lambda: stack.stats()["published"] == count, "all published")
    for channel in range(4):
        assert [int(payload) for payload in history(stack, f"n.{channel}")] == list(range(channel, count, 4))


def test_channels_that_make_no_topic(stack):
    stack.redis()
    stack.broker("--max-payload=1000")
    daemon = bridge(stack, "-P", "*")
    sub = stack.sub("good")
    for channel in (b"\xff\xfe", b"control\x01", b"x" * 1025, b"line\nfeed"):
        client(stack).publish(channel, "lost")
    client(stack).publish("good", "x" * 1001)
    client(stack).publish("good", "x")
    assert receive(sub, 1) == [(b"good", b"x")]
    figures = wait_report(stack, lambda each: each["received"] == 6, "six messages")
    assert (figures["invalid"], figures["refused"], figures["published"]) == (4, 1, 1)
    assert "makes no valid topic" in daemon.log() and "payload" in daemon.log()


@pytest.mark.parametrize("limit", ["1M", "11M"])
def test_a_message_that_the_broker_would_hang_up_on(stack, limit):
    """It is refused, and what is behind it goes on, over the same connection."""
    stack.redis("--client-output-buffer-limit", "pubsub", "0", "0", "0")  # or Redis cuts a bridge that a busy machine slows
    stack.broker(f"--max-payload={limit}")
    daemon = bridge(stack, "-P", "*")
    link = client(stack)
    for number in range(3):
        link.publish("t", f"before {number}")
        link.publish("t", b"x" * 12_000_000)
        link.publish("t", f"after {number}")
    figures = wait_report(stack, lambda each: each["published"] == 6, "the small ones")
    assert (figures["refused"], figures["dropped"], figures["broker_losses"], figures["waiting"]) == (3, 0, 0, 0)
    assert [payload.split()[0] for payload in history(stack, "t")] == [b"before", b"after"] * 3
    assert "message of 12000000 bytes not published: payload: 12000000 bytes are more than the broker's max-payload" in daemon.log()


def test_a_message_that_the_queue_has_no_room_for(stack):
    """Nothing else makes room for it in vain."""
    stack.redis()
    daemon = bridge(stack, "-P", "*", "--queue-bytes=1M", ready=False)
    wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    client(stack).publish("t", "small")
    client(stack).publish("t", b"x" * 2_000_000)
    stack.broker()
    daemon.wait_log("message of 2000000 bytes not published: payload: .* more than the 1048576 that may wait here")
    figures = wait_report(stack, lambda each: each["published"] == 1, "the small one")
    assert (figures["refused"], figures["dropped"]) == (1, 0)


# -- getting in


def test_password_user_database(stack):
    stack.redis("--requirepass", "top secret")
    stack.broker()
    admin = client(stack, password="top secret")
    admin.acl_setuser("bridge", enabled=True, passwords=["+p@ss"], commands=["+@all"], channels=["*"], keys=["*"])
    login = {"enabled": True, "commands": ["+@all"], "channels": ["*"], "keys": ["*"]}
    admin.acl_setuser("us+er", passwords=["+a+b/c=="], **login)  # generated passwords look like this
    secret = stack.folder / "secret"
    secret.write_text("p@ss\n")
    ways = [
        (f"redis://:top%20secret@127.0.0.1:{stack.redis_port}/3", [], "default", "3"),
        (f"redis://bridge:p%40ss@127.0.0.1:{stack.redis_port}?db=4", [], "bridge", "4"),
        (f"redis://127.0.0.1:{stack.redis_port}", ["--user", "bridge", "--password", "p@ss", "--database", "5"], "bridge", "5"),
        (f"redis://us+er:a+b/c==@127.0.0.1:{stack.redis_port}/2", [], "us+er", "2"),
        (f"redis://us%2Ber:a%2Bb%2Fc%3D%3D@127.0.0.1:{stack.redis_port}?db=1", [], "us+er", "1"),
        (f"redis://wrong:wrong@127.0.0.1:{stack.redis_port}", ["--user", "bridge", "--password-file", secret], "bridge", "0"),
    ]
    for url, options, user, database in ways:
        daemon = bridge(stack, *options, url=url)

        def clients():
            return [each for each in admin.client_list() if each["name"] == "zcast-subscriber"]

        wait_for(lambda: [(each["user"], each["db"], each["psub"]) for each in clients()] == [(user, database, "1")], clients)
        assert daemon.stop() == 0
        assert "secret" not in daemon.log() and "p@ss" not in daemon.log()


WAYS = {
    "--password": lambda folder, port: ([f"redis://127.0.0.1:{port}", "--password", "hush hush"], {}),
    "--password=": lambda folder, port: ([f"redis://127.0.0.1:{port}", "--password=hush hush"], {}),
    "the URL": lambda folder, port: ([f"redis://:hush%20hush@127.0.0.1:{port}"], {}),
    "a variable": lambda folder, port: ([f"redis://127.0.0.1:{port}"], {"ZCAST_BRIDGE_PASSWORD": "hush hush"}),
    "a URL in a variable": lambda folder, port: ([], {"ZCAST_REDIS": f"redis://default:hush%20hush@127.0.0.1:{port}"}),
    "a file": lambda folder, port: ([f"redis://127.0.0.1:{port}", f"--password-file={folder}/secret"], {}),
    "a credential": lambda folder, port: ([f"redis://127.0.0.1:{port}"], {"CREDENTIALS_DIRECTORY": folder}),
    "a user and a credential": lambda folder, port: ([f"redis://default@127.0.0.1:{port}"], {"CREDENTIALS_DIRECTORY": folder}),
}


@pytest.mark.parametrize("way", WAYS)
def test_where_a_password_comes_from(stack, way):
    """Nobody sees it: not among the processes, not in the log; and it is there still after a reload."""
    stack.redis("--requirepass", "hush hush")
    stack.broker()
    credentials = stack.folder / "credentials"
    credentials.mkdir()
    for name in ("secret", "redis-password"):
        (credentials / name).write_text("hush hush\n")
        (credentials / name).chmod(0o600)
    words, variables = WAYS[way](credentials, stack.redis_port)
    path = stack.folder / "bridge.conf"
    path.write_text("bridge\n    subscribe-channel = t\n")
    argv = ["zcast-redis", *stack.endpoints(), f"--config={path}", *([f"--redis={words[0]}"] if words else []), *words[1:]]
    daemon = stack.start("zcast-redis", argv, env={name: str(value) for name, value in variables.items()})
    daemon.wait_log("zcast-subscriber.*: connected")
    shown = Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    assert b"hush" not in shown and str(stack.redis_port).encode() in shown or way == "a URL in a variable"
    assert b"hush" not in run("ps", "-ww", "-o", "args", "-p", daemon.pid).stdout.encode()
    path.write_text("bridge\n    subscribe-channel = u\n")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log("reloaded")
    link = client(stack, password="hush hush")
    wait_for(lambda: link.pubsub_channels() == [b"u"], "the other channel")
    for each in link.client_list():
        if each["name"] == "zcast-subscriber":
            link.client_kill(each["addr"])
    wait_for(lambda: daemon.log().count("zcast-subscriber): connected") == 2, "the connection again")
    assert "hush" not in daemon.log() and "everyone" not in daemon.log()


def test_a_password_that_everyone_can_read(stack):
    stack.broker()
    path, secret = stack.folder / "bridge.conf", stack.folder / "secret"
    secret.write_text("hush\n")
    path.write_text(f"bridge\n    redis = redis://u:hush@127.0.0.1:1\n    password-file = {secret}\n")
    argv = ["zcast-redis", *stack.endpoints(), f"--config={path}"]
    daemon = stack.start("zcast-redis", argv)
    daemon.wait_log("from redis")
    assert f"{path}: redis: everyone on this machine can read this password" in daemon.log()
    assert "password-file: everyone on this machine can read it" in daemon.log()
    assert "hush" not in daemon.log()
    path.chmod(0o640)
    secret.chmod(0o600)
    other = stack.start("zcast-redis", argv)
    other.wait_log("from redis")
    assert "everyone" not in other.log()


def test_a_wrong_password_is_said_and_tried_again(stack):
    stack.redis("--requirepass", "right")
    stack.broker()
    admin = client(stack, password="right")
    daemon = bridge(stack, url=f"redis://me:soon@127.0.0.1:{stack.redis_port}", ready=False)
    daemon.wait_log("cannot connect: WRONGPASS")
    time.sleep(1)
    assert daemon.log().count("WRONGPASS") == 1  # said once, however often it is tried
    admin.acl_setuser("me", enabled=True, passwords=["+soon"], commands=["+@all"], channels=["*"], keys=["*"])
    daemon.wait_log("zcast-subscriber.*: connected")


def test_a_channel_that_redis_forbids(stack):
    stack.redis()
    stack.broker()
    client(stack).acl_setuser("me", enabled=True, passwords=["+p"], commands=["+@all"], channels=["open"], keys=["*"])
    daemon = bridge(stack, "-C", "closed", "-C", "open", url=f"redis://me:p@127.0.0.1:{stack.redis_port}")
    daemon.wait_log("NOPERM")
    wait_for(lambda: subscriber_subscriptions(stack) == 1, "the open channel")
    sub = stack.sub("open")
    stack.redis_cli("PUBLISH", "open", "x")
    assert receive(sub, 1) == [(b"open", b"x")]
    wait_report(stack, lambda each: each["forbidden"] == 1, "the refusal")


def test_unix_socket(stack):
    path = stack.folder / "redis.sock"
    stack.redis("--unixsocket", path)
    stack.broker()
    daemon = bridge(stack, url=f"unix://{path}?db=1")
    wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    sub = stack.sub("t")
    stack.redis_cli("PUBLISH", "t", "x")
    assert receive(sub, 1) == [(b"t", b"x")]
    assert f"unix://{path}" in daemon.log()


# -- what goes away and comes back


def test_redis_restarts(stack):
    server = stack.redis()
    stack.broker()
    daemon = bridge(stack, "-P", "*")
    sub = stack.sub("t")
    fds, threads = daemon.fds(), daemon.threads()
    for round in range(3):
        stack.redis_cli("PUBLISH", "t", f"{round}")
        assert receive(sub, 1) == [(b"t", b"%d" % round)]
        server.kill()
        wait_for(lambda: daemon.log().count("redis 127.0.0.1") > 2 * round, "the loss in the log")
        time.sleep(0.3 * round)
        server = stack.redis()
        wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    stack.redis_cli("PUBLISH", "t", "end")
    assert receive(sub, 1) == [(b"t", b"end")]
    figures = wait_report(stack, lambda each: each["redis_gaps"] == 3, "three gaps")
    assert figures["redis"] == "connected" and figures["broker_losses"] == 0
    log = daemon.log()
    assert log.count("gap: messages published there while the connection was down are lost") == 3
    assert len(re.findall(r"lost the connection: ", log)) == 3 and "broker" not in "".join(
        line for line in log.splitlines() if "warn" in line
    )
    assert (daemon.fds(), daemon.threads()) == (fds, threads)


def test_redis_comes_later(stack):
    stack.redis_port = free_port()
    stack.broker()
    daemon = bridge(stack, ready=False)
    daemon.wait_log("cannot connect: Connection refused")
    stack.redis()
    wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    assert "gap" not in daemon.log()  # nothing was heard before, so nothing was missed


def test_redis_says_nothing(stack):
    """A Redis that stands still is no loss while it is short; one that stays silent is given up."""
    server = stack.redis()
    stack.broker()
    daemon = bridge(stack)
    sub = stack.sub("t")
    server.pause()
    publisher = threading.Thread(target=lambda: client(stack).publish("t", "through"))
    publisher.start()
    time.sleep(2)
    server.resume()
    publisher.join()
    assert receive(sub, 1) == [(b"t", b"through")]
    assert "lost the connection" not in daemon.log()
    server.pause()
    daemon.wait_log("lost the connection: no answer", limit=60)
    server.resume()
    daemon.wait_log("gap:")
    wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    stack.redis_cli("PUBLISH", "t", "again")
    assert receive(sub, 1) == [(b"t", b"again")]


def numbers(stack, stop, pause=0.0005, channels=4):
    """Publishes consecutive numbers to Redis, round the channels, until told to stop. Returns how many."""
    link = client(stack)
    for i in itertools.count():
        if stop.is_set():
            return i
        link.publish(f"n.{i % channels}", i)
        time.sleep(pause)


class Numbers(threading.Thread):
    def __init__(self, stack, **how):
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.stack, self.how, self.count = stack, how, None
        self.start()

    def run(self):
        self.count = numbers(self.stack, self.stop, **self.how)

    def end(self):
        self.stop.set()
        self.join(LIMIT)
        return self.count


def test_the_broker_is_killed_under_load(stack):
    """History on disk: what Redis gave is published once, in order of its channel, however often the broker dies."""
    stack.redis()
    options = [f"--history=lmdb:{stack.folder}/history", "--topic-messages=100000"]
    broker = stack.broker(*options)
    daemon = bridge(stack, "-P", "n.*")
    source = Numbers(stack)
    for _ in range(5):
        stack.wait_stats(lambda stats: stats["published"] > 50, "messages through this broker")
        broker.kill()
        time.sleep(0.3)
        broker = stack.broker(*options)
    time.sleep(0.5)
    total = source.end()
    assert total > 100
    wait_for(lambda: sum(len(history(stack, f"n.{i}")) for i in range(4)) >= total, "all of them")
    for i in range(4):
        assert [int(payload) for payload in history(stack, f"n.{i}")] == list(range(i, total, 4))
    figures = wait_report(stack, lambda each: each["published"] == total, "all acknowledged")
    assert figures["broker_losses"] >= 5 and figures["redis_gaps"] == 0 and figures["dropped"] == 0
    assert "broker" in daemon.log() and "lost the connection" not in daemon.log()  # which of the two it was


def test_the_broker_stands_still(stack):
    """For longer than its answers are waited for: sent again over another connection, published once."""
    stack.redis()
    broker = stack.use_tcp().broker("--topic-messages=100000")
    bridge(stack, "-P", "n.*")
    source = Numbers(stack)
    stack.wait_stats(lambda stats: stats["published"] > 50, "messages")
    before = connections(stack.control_endpoint)
    broker.pause()
    wait_for(lambda: connections(stack.control_endpoint) - before, "another connection")
    broker.resume()
    time.sleep(0.5)
    total = source.end()
    wait_for(lambda: sum(len(history(stack, f"n.{i}")) for i in range(4)) >= total, "all of them")
    for i in range(4):
        assert [int(payload) for payload in history(stack, f"n.{i}")] == list(range(i, total, 4))
    assert stack.stats()["duplicates"] > 0  # else this was no test


def test_the_bridge_stands_still(stack):
    stack.redis()
    stack.broker("--topic-messages=100000")
    daemon = bridge(stack, "-P", "n.*")
    source = Numbers(stack)
    for _ in range(3):
        time.sleep(0.3)
        daemon.pause()
        time.sleep(1)
        daemon.resume()
    total = source.end()
    wait_for(lambda: sum(len(history(stack, f"n.{i}")) for i in range(4)) >= total, "all of them")
    for i in range(4):
        assert [int(payload) for payload in history(stack, f"n.{i}")] == list(range(i, total, 4))


def test_a_queue_that_overflows(stack):
    """No broker for long: the queue is bounded, the oldest go, and that is counted and said."""
    stack.redis()
    daemon = bridge(stack, "-C", "t", "--queue-bytes=1M", ready=False)
    wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    before = daemon.pss()
    pipe = client(stack).pipeline(transaction=False)
    for i in range(20000):
        pipe.publish("t", b"%d %s" % (i, b"x" * 1000))
    pipe.execute()
    daemon.wait_log("not published: dropped: the queue was full")
    stack.broker()
    figures = wait_report(stack, lambda each: each["received"] == 20000 and each["waiting"] == 0, "the queue to empty")
    kept = [int(payload.split()[0]) for payload in history(stack, "t")]
    # where the broker came while it still read, what was on its way by then has stayed
    assert kept == sorted(set(kept)) and kept[-1] == 19999 and len(kept) < 20000
    assert figures["dropped"] == 20000 - len(kept) and figures["published"] == len(kept)
    if not is_sanitized("zcast-redis"):
        assert daemon.pss() - before < 30_000_000


# -- signals, configuration


def test_reload(stack):
    stack.redis()
    stack.broker()
    path = stack.folder / "bridge.conf"

    def configure(*lines):
        path.write_text("bridge\n" + "".join(f"    {line}\n" for line in lines))

    configure('subscribe-channel = "one"', 'subscribe-channel = "two -> zwei"', "subscribe-pattern = p.*")
    daemon = bridge(stack, "--config", path)
    wait_for(lambda: subscriber_subscriptions(stack) == 3, "three")
    stop = threading.Event()
    sent = []

    def stream():
        link = client(stack)
        while not stop.is_set():
            link.publish("one", len(sent))
            sent.append(1)
            time.sleep(0.001)

    thread = threading.Thread(target=stream)
    thread.start()
    sub = stack.sub("two", "zwei", "three", "p.x")
    stack.redis_cli("PUBLISH", "two", "before")
    assert receive(sub, 1) == [(b"zwei", b"before")]
    configure('subscribe-channel = "one"', "subscribe-channel = two", "subscribe-channel = three", "outgoing-prefix = x")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log("takes effect with the next start: .*outgoing-prefix")
    wait_for(lambda: set(client(stack).pubsub_channels()) == {b"one", b"two", b"three"}, "the new channels")
    assert client(stack).pubsub_numpat() == 0
    stack.redis_cli("PUBLISH", "p.x", "nobody")
    stack.redis_cli("PUBLISH", "two", "after")
    stack.redis_cli("PUBLISH", "three", "new")
    assert receive(sub, 2) == [(b"two", b"after"), (b"three", b"new")]
    configure("subscribe-channel = {oops} -> {oops}")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log(r"not reloaded: .*subscribe-channel")
    stop.set()
    thread.join()
    wait_for(lambda: len(history(stack, "one")) == len(sent), "the channel that stayed, whole")
    assert [int(payload) for payload in history(stack, "one")] == list(range(len(sent)))


def test_stops_when_all_is_out(stack):
    stack.redis()
    broker = stack.broker("--topic-messages=100000")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.settimeout(LIMIT)
    notify.bind(str(stack.folder / "notify"))
    daemon = bridge(stack, env={"NOTIFY_SOCKET": str(stack.folder / "notify")})
    assert notify.recv(100) == b"READY=1"
    broker.pause()
    for i in range(500):
        client(stack).publish("t", i)
    client(stack).publish("t", "end")
    # taken, not published: the broker stands still
    wait_for(lambda: all(each["oll"] == "0" and each["omem"] == "0" for each in client(stack).client_list()), "taken")
    time.sleep(0.5)
    daemon.send_signal(signal.SIGTERM)
    assert notify.recv(100) == b"STOPPING=1"
    daemon.wait_log("stopping")
    broker.resume()
    assert daemon.wait() == 0
    assert len(history(stack, "t")) == 501
    notify.close()


def test_stops_in_time_without_a_broker(stack):
    stack.redis()
    daemon = bridge(stack, "--drain-timeout=1", ready=False)
    wait_for(lambda: subscriber_subscriptions(stack), "subscription")
    daemon.wait_log("broker .*: no connection")
    client(stack).publish("t", "x")
    daemon.send_signal(signal.SIGHUP)  # in the turn in which it handles this, it also reads from Redis
    daemon.wait_log("reloaded")
    assert daemon.stop() == 0
    assert "time is up: 1 messages have not reached the broker" in daemon.log()


BAD = [
    (["--redis=http://x"], "--redis: .*expected redis://"),
    (["--redis=redis://h:0"], "--redis"),
    (["--database=-1"], "--database"),
    (["--user=x"], "--user: a user needs a password"),
    (["--password-file=/nonexistent"], "--password-file: .*No such file"),
    (["--subscribe-channel=x -> {y}"], "--subscribe-channel: .*what can be in braces"),
    (["--subscribe-pattern=x", "--subscribe-pattern=x"], "--subscribe-pattern: .*twice"),
    (["--topic={}"], "--topic"),
    (["--outgoing=a\nb"], "--outgoing"),
    (["--outgoing=a", "--site=a b"], "--site: .*letters"),
    (["--outgoing-format=xml"], "--outgoing-format"),
    (["--queue-bytes=1"], "--queue-bytes"),
    (["--nonsense"], "nonsense"),
    (["word"], "unexpected"),
]


@pytest.mark.parametrize("options, say", BAD, ids=[" ".join(options)[:40] for options, _ in BAD])
def test_wrong_options(options, say):
    done = run("zcast-redis", *options, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert re.search(say, done.stderr) and len(done.stderr.splitlines()) == 1


def test_check(stack):
    path = stack.folder / "z.conf"
    path.write_text('bridge\n    redis = "redis://h:1/2"\n    subscribe-pattern = "a.* -> b/{channel}"\n    outgoing = c*\n')
    assert "ok" in run("zcast-redis", "-t", "-c", path).stdout
    path.write_text("bridge\n    redis = nonsense\n")
    done = run("zcast-redis", "-t", "-c", path, check=False)
    assert done.returncode == 2 and re.match(rf"zcast-redis: {re.escape(str(path))}:2: redis: ", done.stderr)
    assert "ok" in run("zcast-redis", "-t", "-c", SOURCE / "etc/zcast.conf").stdout


# -- between sites


def sites(stack, other, *options, broker=()):
    """Two sites on one Redis: north and south. Both relay the topics of `shared/`."""
    stack.redis()
    other.redis_port = stack.redis_port
    made = []
    for site, name in ((stack, "north"), (other, "south")):
        site.broker(*broker)
        daemon = bridge(site, "--outgoing=shared/*", "--outgoing=single", f"--site={name}", f"--name={name}", *options, ready=False)
        daemon.wait_log("relaying messages to Redis")
        made.append(daemon)
    wait_for(lambda: client(stack).pubsub_numpat() == 1 and client(stack).pubsub_numsub("zcast:single")[0][1] == 2, "subscriptions")
    wait_for(lambda: sum(int(each["psub"]) for each in client(stack).client_list()) == 2, "both sites' patterns")
    return made


def metas(stack, *topics):
    return [
        (reply[1].decode(), reply[2], dict(line.split(": ", 1) for line in reply[3].decode().splitlines()))
        for reply in stack.requests("REPLAY", "earliest", *topics)[:-1]
    ]


def test_sites_relay_to_one_another(stack, other):
    north, south = sites(stack, other)
    payload = bytes(range(256)) + b"\n\nzcast/1\n"
    position = stack.publish("shared/a", payload, {"event": "e", "x-own": "kept", "ttl": "60"})
    stack.publish("single", "from north", {"id": "own"})
    stack.publish("private", "stays here")
    other.publish("shared/b", "from south")
    for site in (stack, other):
        wait_for(lambda: len(history(site, "shared/a", "shared/b", "single")) == 3, "three messages at each site")
    there = {topic: (payload, meta) for topic, payload, meta in metas(other, "shared/a", "shared/b", "single")}
    assert there["shared/a"][0] == payload
    meta = there["shared/a"][1]
    assert (meta["event"], meta["x-own"], meta["ttl"]) == ("e", "kept", "60")
    assert (meta["key"], meta["origin"], meta["via"]) == (f"north.{position}", "north", "redis")
    assert "event-id" not in meta
    assert there["single"][1]["event-id"] == "own"
    # and nothing goes round: each site has exactly what was published
    stack.publish("shared/end", "1")
    other.publish("shared/end", "2")
    for site in (stack, other):
        wait_for(lambda: len(history(site, "shared/end")) == 2, "the end")
        assert len(history(site, "shared/a", "shared/b", "single")) == 3
        assert site.stats()["duplicates"] == 0
    assert history(other, "private") == []
    for site, name in ((stack, "north"), (other, "south")):
        figures = wait_report(site, lambda each: each["relayed"] + each["relay_skipped"] >= 5, "the relay", name)
        assert figures["site"] == name and figures["relay_gaps"] == 0 and figures["invalid"] == 0
        assert figures["relayed"] == figures["echoes"]
    assert north.stop() == 0 and south.stop() == 0


def test_strangers_on_the_relay_channels(stack, other):
    north, _ = sites(stack, other)
    for payload in (b"", b"hello", b"zcast/1\n", b"zcast/1\nsite: x\nid: 1-1\n", b"zcast/1\nsite: x\nid: 1-1\nbad header\n\nx", os.urandom(1000)):
        client(stack).publish("zcast:shared/x", payload)
    client(stack).publish("zcast:shared/\x01", "zcast/1\nsite: x\nid: 1-1\n\nx")
    client(stack).publish("zcast:shared/x", "zcast/1\nsite: third\nid: 1-1\n\ngood")
    for site in (stack, other):
        wait_for(lambda: history(site, "shared/x") == [b"good"], "the good one")
    north.wait_log("not a message that a site relays")


def test_sites_under_load_with_kills(stack, other):
    """Numbers from both sites, while bridges, the Redis and a broker are killed: at the other site each number once, in
    order, as long as Redis was there to carry it: a bridge that comes back goes on where it was, and repeats are known."""
    options = ["--topic-messages=100000", "--dedup-max=1000000"]
    north, south = sites(stack, other, broker=options)
    stop = threading.Event()
    sent = {"north": 0, "south": 0}

    def stream(site, name):
        while not stop.is_set():
            site.publish(f"shared/{name}", sent[name])
            sent[name] += 1
            time.sleep(0.002)

    threads = [threading.Thread(target=stream, args=(stack, "north")), threading.Thread(target=stream, args=(other, "south"))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):  # north's bridge sends again from its position, so the other site misses nothing
            time.sleep(1.5)
            north.kill()
            time.sleep(0.2)
            north = bridge(stack, "--outgoing=shared/*", "--outgoing=single", "--site=north", "--name=north", ready=False)
            north.wait_log("going on after [0-9]+-")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    there = lambda: history(other, "shared/north")
    wait_for(lambda: there()[-1:] == [b"%d" % (sent["north"] - 1)], lambda: f"the last one, {sent}: {there()[-20:]}")
    assert [int(payload) for payload in history(other, "shared/north")] == list(range(sent["north"]))
    assert [int(payload) for payload in history(stack, "shared/north")] == list(range(sent["north"]))  # not back home
    # what south sent while north's bridge was dead is lost to north (Redis keeps nothing), but never out of order, or twice
    seen = [int(payload) for payload in history(stack, "shared/south")]
    assert seen == sorted(set(seen)) and seen
    assert [int(payload) for payload in history(other, "shared/south")] == list(range(sent["south"]))


def listener(stack, *channels):
    """A plain subscriber of Redis, known to be there."""
    made = client(stack).pubsub()
    made.subscribe(*channels)
    for _ in channels:
        assert made.get_message(timeout=LIMIT)["type"] == "subscribe"
    return made


def payloads(listener, count):
    return [listener.get_message(timeout=LIMIT)["data"] for _ in range(count)]


def kept(stack, site):
    """The position that a bridge has left in Redis."""
    return client(stack).get(f"zcast:position:{site}")


def test_what_is_published_while_a_bridge_is_away_goes_out_later(stack):
    """Also where it had nothing to send before it went, and where what came last was not for Redis."""
    stack.redis()
    stack.broker()
    options = ["--outgoing=out/*", "--outgoing-format=payload", "--outgoing-prefix=", "--site=north"]
    heard = listener(stack, "out/1")
    for number in range(2):
        daemon = bridge(stack, *options, ready=False)
        wait_for(lambda: kept(stack, "north"), "a position")
        if number == 1:
            assert payloads(heard, 1) == [b"away 0"]
            last = stack.publish("out/1", "brought in by another", {"via": "redis"})
            wait_for(lambda: position(kept(stack, "north")) >= position(last), "the position to move on")
        assert daemon.stop() == 0
        stack.publish("out/1", f"away {number}")
    bridge(stack, *options, ready=False)
    assert payloads(heard, 1) == [b"away 1"]


def test_redis_is_busy(stack):
    """While it runs a script it takes nothing: what goes out meanwhile waits, in order, and so do subscriptions."""
    stack.redis("--busy-reply-threshold", 50)
    stack.broker()
    path = stack.folder / "bridge.conf"
    path.write_text("bridge\n    subscribe-channel = in/1\n")
    daemon = bridge(stack, f"--config={path}", "--outgoing=out", "--outgoing-format=payload", "--outgoing-prefix=", "--site=north")
    heard = listener(stack, "out")
    daemon.wait_log("relaying messages to Redis")
    link = client(stack)

    def script():
        with contextlib.suppress(redis.ResponseError):
            client(stack).eval("while true do end", 0)

    def is_busy():
        try:
            link.get("x")
        except redis.ResponseError as wrong:
            return "BUSY" in str(wrong)
        return False

    runs = threading.Thread(target=script)
    runs.start()
    wait_for(is_busy, "a busy Redis")
    for number in range(3):
        stack.publish("out", f"{number}")
    path.write_text("bridge\n    subscribe-channel = in/2\n")
    daemon.send_signal(signal.SIGHUP)
    for name in ("publisher", "subscriber"):
        daemon.wait_log(rf"\(zcast-{name}\): lost the connection: BUSY")
    link.script_kill()
    runs.join()
    assert payloads(heard, 3) == [b"0", b"1", b"2"]
    sub = stack.sub("in/2")
    wait_for(lambda: client(stack).publish("in/2", "heard") > 0, "the subscription")
    assert receive(sub, 1) == [(b"in/2", b"heard")]
    figures = wait_report(stack, lambda each: each["relayed"] == 3, "all relayed")
    assert figures["relay_refused"] == 0 and figures["forbidden"] == 0


def test_redis_does_not_tell_where_a_bridge_was(stack):
    """It doesn't go on from anywhere else then: it asks again."""
    stack.redis()
    stack.broker()
    link = client(stack)
    login = {"username": "north", "passwords": ["+p"], "channels": ["*"], "keys": ["*"]}
    link.acl_setuser(enabled=True, commands=["+@all"], **login)
    options = ["--outgoing=out", "--outgoing-format=payload", "--outgoing-prefix=", "--site=north"]
    url = f"redis://north:p@127.0.0.1:{stack.redis_port}"
    heard = listener(stack, "out")
    first = bridge(stack, *options, url=url)
    first.wait_log("relaying messages to Redis")
    stack.publish("out", "first")
    assert payloads(heard, 1) == [b"first"]
    assert first.stop() == 0
    stack.publish("out", "away")
    link.acl_setuser(enabled=True, commands=["-get"], **login)
    second = bridge(stack, *options, url=url)
    wait_for(lambda: sum(int(each["count"]) for each in link.acl_log()) > 2, "several attempts")
    link.acl_setuser(enabled=True, commands=["+get"], **login)
    assert payloads(heard, 1) == [b"away"]
    assert second.log().count("NOPERM") == 1  # said once


def test_redis_is_away_while_messages_go_out(stack, other):
    """What is published meanwhile waits: in the bridge, and then in the broker's history."""
    stack.redis()
    other.redis_port = stack.redis_port
    admin = client(stack)
    login = {"username": "north", "passwords": ["+p"], "commands": ["+@all"], "channels": ["*"], "keys": ["*"]}
    admin.acl_setuser(enabled=True, **login)
    stack.broker("--topic-messages=100000", "--subscribe-hwm=50")
    other.broker("--topic-messages=100000")
    north = bridge(stack, "--outgoing=shared/*", "--queue-bytes=8K", "--site=north", url=f"redis://north:p@127.0.0.1:{stack.redis_port}")
    bridge(other, "--outgoing=shared/*", "--site=south")
    for site in (stack, other):
        site.daemons[-1].wait_log("relaying messages to Redis")
    stack.publish("shared/t", "0")
    wait_for(lambda: history(other, "shared/t") == [b"0"], "the first")
    admin.acl_setuser(enabled=False, **login)
    for each in admin.client_list():
        if each["user"] == "north":
            admin.client_kill(each["addr"])
    north.wait_log("cannot connect: WRONGPASS")
    count = 3000
    stack.zmq("pub", "shared/t", "--lines", "--quiet", input="".join(f"{i} {'x' * 2000}\n" for i in range(1, count)))
    wait_for(lambda: stack.stats()["dropped"]["count"] > 0, "the broker to drop some")
    admin.acl_setuser(enabled=True, **login)
    wait_for(lambda: len(history(other, "shared/t")) == count, lambda: f"all of them: {len(history(other, 'shared/t'))}")
    assert [int(payload.split()[0]) for payload in history(other, "shared/t")] == list(range(count))
    figures = wait_report(stack, lambda each: each["relayed"] == count, "all relayed")
    assert figures["relay_gaps"] == 0 and figures["relay_refused"] == 0 and figures["relay_waiting"] == 0
    assert other.stats()["duplicates"] == 0


def test_bare_payloads_for_other_programs(stack):
    stack.redis()
    stack.broker()
    daemon = bridge(stack, "-P", "*", "--outgoing=t", "--outgoing=u/*", "--outgoing-format=payload", "--outgoing-prefix=out.", "--site=x")
    daemon.wait_log("relaying messages to Redis")
    listener = client(stack).pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("out.*")
    wait_for(lambda: client(stack).pubsub_numpat() == 2, "both patterns")
    stack.publish("t", b"\x00\xff", {"event": "e"})
    stack.publish("u/1", "two")
    stack.publish("v", "not this one")
    stack.redis_cli("PUBLISH", "u/2", "from redis, and not back")
    stack.publish("t", "end")
    got = []
    wait_for(lambda: got.append(listener.get_message()) or any(each and each["data"] == b"end" for each in got), "the end")
    assert [(each["channel"], each["data"]) for each in got if each] == [
        (b"out.t", b"\x00\xff"),
        (b"out.u/1", b"two"),
        (b"out.t", b"end"),
    ]
    assert history(stack, "u/2") == [b"from redis, and not back"]
    # what it sent came back by the pattern *, and was known
    figures = wait_report(stack, lambda each: each["relayed"] == 3, "the relay")
    assert figures["echoes"] == 3 and figures["relay_skipped"] == 1 and figures["published"] == 1
    listener.close()


def test_stat_shows_the_bridge(stack):
    stack.redis()
    stack.broker()
    bridge(stack, "--name=bridge-1")
    wait_report(stack, lambda each: each["redis"] == "connected", "a report", "bridge-1")
    text = stack.zmq("stat").stdout
    assert re.search(r"^BRIDGE +REDIS", text, re.M) and re.search(r"^bridge-1 +connected +0", text, re.M)


def test_a_subscriber_sees_it_all_the_way(stack):
    stack.redis()
    stack.broker()
    bridge(stack)
    sub = live_sub(stack, "t", "--count", 1)
    run("redis-cli", "-p", stack.redis_port, "PUBLISH", "t", "hello")
    assert sub.end() == 0 and sub.out == ["hello"]
