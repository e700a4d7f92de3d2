"""Nobody is ever behind without knowing it: kills, stops and full queues while messages flow.

The oracle is a number in each payload: every subscriber sees 1, 2, 3, … on its topic, or a stated gap."""

import json
import os
import random
import socket
import struct
import subprocess
import time

import pytest

from stack import position, program, wait_for
from watchers import SseWatcher, Watchers, WsWatcher

TOPICS = 20
RATE = 1000  # messages a second, over all topics
# Sanitizers make everything slower; what they look for shows with less, too.
KILLS = int(os.environ.get("ZCAST_KILLS", "5" if os.environ.get("ZCAST_QUICK") else "20"))


class Publishers:
    """One `zmq pub --lines` for each topic: acknowledged, and tried again until it is. The ids are in a file for each."""

    def __init__(self, stack, topics, rate):
        self.sent = [0] * topics
        self.rate = rate
        self.also = lambda: None
        self.began = None
        self.count = 0
        self.outputs = [stack.folder / f"ids-{i}" for i in range(topics)]
        self.processes = [
            subprocess.Popen(
                [program("zmq"), "pub", *stack.endpoints(), "--lines", "--timeout=0", f"t{i}"],
                stdin=subprocess.PIPE,
                stdout=open(output, "w"),
                stderr=subprocess.PIPE,
            )
            for i, output in enumerate(self.outputs)
        ]

    def acknowledged(self, topic, number):
        """The id that the publisher of the topic was given for the number."""
        return self.outputs[int(topic[1:])].read_text().splitlines()[number - 1]

    def tick(self):
        """Writes what is due."""
        now = time.monotonic()
        self.began = self.began or now
        due = int((now - self.began) * self.rate)
        for self.count in range(self.count, due):
            topic = self.count % len(self.processes)
            self.sent[topic] += 1
            self.processes[topic].stdin.write(b"%d\n" % self.sent[topic])
        for process in self.processes:
            process.stdin.flush()
        self.count = max(self.count, due)
        self.also()

    def finish(self):
        for process in self.processes:
            process.stdin.close()

    def ended(self):
        return all(process.poll() is not None for process in self.processes)

    def check(self):
        for process in self.processes:
            assert process.returncode == 0, process.stderr.read().decode()
            process.stderr.close()


class RedisPublisher:
    """The numbers 1, 2, 3, … on a Redis channel. What Redis publishes while the bridge is gone is lost with it."""

    def __init__(self, stack, channel):
        self.link = socket.create_connection(("127.0.0.1", stack.redis_port))
        self.channel = channel
        self.sent = 0

    def tick(self):
        self.sent += 1
        self.link.sendall(b"PUBLISH %s %d\r\n" % (self.channel.encode(), self.sent))
        self.link.setblocking(False)
        try:
            self.link.recv(65536)
        except BlockingIOError:
            pass
        self.link.setblocking(True)


def crowd(stack, per_transport, **how):
    watchers = []
    for i in range(per_transport):
        watchers.append(SseWatcher(("127.0.0.1", stack.web_port), "/events", f"t{i % TOPICS}", selects=i % 3 == 0, **how))
        watchers.append(WsWatcher(("127.0.0.1", stack.ws_port), "/ws", f"t{i % TOPICS}", selects=i % 3 == 1, **how))
    return Watchers(watchers)


def complete(watchers, publishers):
    return lambda: all(w.last == publishers.sent[int(w.topic[1:])] for w in watchers.watchers)


def run_through(stack, watchers, publishers, seconds):
    end = time.monotonic() + seconds
    watchers.until(lambda: time.monotonic() > end, "messages flow", seconds + 60, publishers.tick)


def finish(watchers, publishers, limit=120):
    publishers.finish()
    watchers.until(lambda: publishers.ended() and complete(watchers, publishers)(), "everybody has everything", limit)
    publishers.check()
    assert not watchers.faults()
    # What a broker had given out and not acknowledged when its memory was lost is published again; nothing else comes twice.
    for watcher in watchers.watchers:
        for number, first, later in watcher.repeats:
            assert first != later == publishers.acknowledged(watcher.topic, number), f"{watcher.topic}: {number} comes twice"


@pytest.fixture
def flow(stack):
    """A stack with durable history under load. Yields (daemons by name, watchers, publishers)."""
    history = f"--history=lmdb:{stack.folder}/history"
    start = {
        "broker": lambda: stack.broker(history),
        "fcgi": lambda: stack.fcgi(processes=2),
        "ws": lambda: stack.ws("--max-connections-per-address=0"),
    }
    daemons = {name: how() for name, how in start.items()}
    stack.nginx()
    watchers = crowd(stack, 200)
    publishers = Publishers(stack, TOPICS, RATE)
    try:
        watchers.until(watchers.all_open, "all streams open", 60)
        yield start, daemons, watchers, publishers
    finally:
        for process in publishers.processes:
            process.kill()
            process.wait()
        watchers.close()


def test_kill_9_at_random_moments(flow, stack):
    start, daemons, watchers, publishers = flow
    stack.redis()
    start["bridge"] = lambda: stack.bridge("--subscribe-channel=numbers")
    daemons["bridge"] = start["bridge"]()
    redis = RedisPublisher(stack, "numbers")
    watchers.watchers += [
        SseWatcher(("127.0.0.1", stack.web_port), "/events", "numbers", holes_allowed=True),
        WsWatcher(("127.0.0.1", stack.ws_port), "/ws", "numbers", holes_allowed=True),
    ]
    through_redis = watchers.watchers[-2:]
    publishers.also = redis.tick
    run_through(None, watchers, publishers, 1)
    victims = [name for name in daemons for _ in range(KILLS)]
    random.shuffle(victims)
    for name in victims:
        run_through(None, watchers, publishers, random.uniform(0, 0.6))
        daemons[name].kill()
        run_through(None, watchers, publishers, random.uniform(0, 0.3))
        daemons[name] = start[name]()
    run_through(None, watchers, publishers, 1)
    # the bridge is back: what Redis gets now arrives
    mark = redis.sent
    watchers.until(lambda: all(w.last > mark for w in through_redis), "Redis reaches both", 60, publishers.tick)
    for watcher in through_redis:
        watchers.watchers.remove(watcher)
    finish(watchers, publishers)


@pytest.mark.parametrize("name", ["broker", "fcgi", "ws"])
def test_stopped_for_longer_than_the_heartbeat(flow, name):
    _, daemons, watchers, publishers = flow
    run_through(None, watchers, publishers, 1)
    daemons[name].pause()
    run_through(None, watchers, publishers, 9)
    daemons[name].resume()
    run_through(None, watchers, publishers, 2)
    finish(watchers, publishers)


def test_a_worker_stopped_until_its_queue_overflows(stack):
    """Its queue in the broker is full, the broker drops for it and for nobody else; all its clients complete."""
    stack.broker("--subscribe-hwm=100")
    fcgi = stack.fcgi()
    stack.ws("--max-connections-per-address=0")
    stack.nginx()
    watchers = crowd(stack, 40)
    publishers = Publishers(stack, TOPICS, 5000)
    try:
        watchers.until(watchers.all_open, "all streams open", 60)
        run_through(stack, watchers, publishers, 1)
        fcgi.pause()
        # what the sockets and the worker's own queue hold comes first; then the broker must drop
        watchers.until(lambda: stack.stats()["dropped"]["count"] > 0, "the broker drops", 90, publishers.tick)
        run_through(stack, watchers, publishers, 0.5)
        fcgi.resume()
        run_through(stack, watchers, publishers, 1)
        finish(watchers, publishers)
    finally:
        for process in publishers.processes:
            process.kill()
            process.wait()
        watchers.close()


def test_memory_history_lost_with_the_broker_is_stated(stack):
    """What was published before the restart and not delivered is told as a gap; nothing is silent, nothing that was
    acknowledged comes twice."""
    broker = stack.broker()
    stack.fcgi()
    stack.ws("--max-connections-per-address=0")
    stack.nginx()
    watchers = crowd(stack, 20, gaps_allowed=True)
    publishers = Publishers(stack, TOPICS, 500)
    try:
        watchers.until(watchers.all_open, "all streams open", 60)
        run_through(stack, watchers, publishers, 1)
        broker.kill()
        run_through(stack, watchers, publishers, 0.5)
        stack.broker()
        run_through(stack, watchers, publishers, 2)
        finish(watchers, publishers)
    finally:
        for process in publishers.processes:
            process.kill()
            process.wait()
        watchers.close()


def test_all_reset_at_once_come_back_with_their_last_id(flow):
    _, _, watchers, publishers = flow
    run_through(None, watchers, publishers, 1)
    for _ in range(3):
        watchers.reset()
        run_through(None, watchers, publishers, 1)
    finish(watchers, publishers)
    assert all(watcher.gaps == 0 for watcher in watchers.watchers)


def test_more_topics_than_a_socket_queues(stack):
    """ZeroMQ sends all subscriptions at once when a broker is there again: it gets every one of them."""
    topics = [f"t{i}" for i in range(2500)]
    everything = lambda: stack.stats()["subscriptions"] >= len(topics)
    broker = stack.broker()
    stack.ws("--max-connections-per-address=0")
    for i in range(0, len(topics), 100):
        stack.websocket(*topics[i : i + 100])
    wait_for(everything, "the worker has subscribed", 60)
    broker.kill()
    stack.broker()
    wait_for(everything, "the worker has subscribed again", 60)


def test_zmq_sub_with_more_topics_than_a_socket_queues(stack):
    topics = [f"t{i}" for i in range(2500)]
    stack.broker()
    stack.start("sub", ["zmq", "sub", *stack.endpoints(), *topics])
    wait_for(lambda: stack.stats()["subscriptions"] >= len(topics), "it has subscribed", 60)


def history_of_another_day(folder):
    """A history on disk that is empty, of a broker whose clock was two days ahead: the file of broker/history/position.c."""
    magic, reserved, lost = 0x314E4F4954534F50, int((time.time() + 2 * 86400) * 1000) << 20, 0
    check = (magic ^ reserved * 3 ^ lost * 7) * 0x9E3779B97F4A7C15 % 2**64
    folder.mkdir()
    (folder / "position").write_bytes(struct.pack("<4Q", magic, reserved, lost, check))
    return f"--history=lmdb:{folder}"


def test_positions_that_go_back_are_stated(stack):
    """A broker comes back without its history, and with a clock that was set back: everybody is told, and gets what comes."""
    broker = stack.broker(history_of_another_day(stack.folder / "history"))
    stack.fcgi()
    stack.ws()
    stack.nginx()
    argv = ["zmq", "sub", *stack.endpoints(), "--since=earliest"]
    subs = [stack.start("sub", argv + topic) for topic in (["t"], ["--prefix", "t"])]
    sse, ws = stack.sse("t"), stack.websocket("t", subprotocols=["zcast.v1"])
    sse.wait_open()
    ws.wait_open()
    before = stack.publish("t", "before")
    sse.wait_event(lambda event: event.data == "before")
    ws.wait_message(lambda text: json.loads(text).get("data") == "before")
    for sub in subs:
        sub.wait_log("before")
    broker.kill()
    stack.broker()
    gap = sse.wait_event(lambda event: event.event == "zcast.continuity")
    assert gap.json()["status"] == "gap" and gap.id == gap.json()["from"]
    ws.wait_message(lambda text: json.loads(text).get("event") == "zcast.continuity")
    for sub in subs:
        sub.wait_log("gap: ")
    after = stack.publish("t", "after")
    assert position(after) < position(before)
    sse.wait_event(lambda event: event.data == "after")
    ws.wait_message(lambda text: json.loads(text).get("data") == "after")
    for sub in subs:
        sub.wait_log("after$")
