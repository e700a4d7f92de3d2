"""Workers, tools and the bridge over a link that is narrow, or stands still for a while: each
page comes over it once, and live messages don't wait for history."""

import json
import os
import random
import time

import pytest

from relay import Link
from stack import wait_for
from test_zmq import start

MEGABIT = 125_000  # bytes a second
LARGE = ("--max-payload=4M", "--topic-bytes=1G", "--history-bytes=1G")


def noise(size):
    return random.randbytes(size // 2).hex()


def fill(stack, topic, count, size):
    for _ in range(count):
        stack.publish(topic, noise(size))
    return count * size


def payloads(client):
    """The events without the verdict."""
    return [message for message in client.messages if "zcast.continuity" not in message[:40]]


class Live:
    """A client of a topic of its own, and how it is served meanwhile."""

    def __init__(self, stack):
        self.stack, self.count = stack, 0
        self.client = stack.websocket("live").wait_open()
        self.check()

    def check(self):
        """One more message comes."""
        self.count += 1
        self.stack.publish("live", str(self.count))
        self.client.wait(self.count)

    def check_until(self, condition, what):
        """Again and again, until the condition is true. Returns how often."""
        before = self.count

        def both():
            self.check()
            time.sleep(0.1)
            return condition()

        wait_for(both, what)
        return self.count - before


@pytest.mark.parametrize("count, size", [(2000, 1000), (2, 1_000_000)])
def test_history_comes_once_and_live_messages_meanwhile(stack, count, size):
    """1 Mbit/s: a page takes two seconds, a message of a megabyte eight."""
    stack.use_tcp().broker(*LARGE)
    need = fill(stack, "h", count, size)
    link = Link(rate=MEGABIT)
    stack.ws(*stack.over(link)).wait_log("broker: connected")
    live = Live(stack)
    before = link.down
    history = stack.websocket("h", query={"last-event-id": "earliest"}).wait_open()
    wait_for(lambda: link.down - before > 100_000, "a page under way")
    for topic in ("new0", "new1"):  # their topics are new to the worker
        newcomer = stack.websocket(topic, subprotocols=["zcast.v1"]).wait_open()
        newcomer.wait(1)  # it is told where it is
        stack.publish(topic, "hello")
        newcomer.wait_message(lambda message: '"hello"' in message)
    assert len(payloads(history)) < count
    assert live.check_until(lambda: len(payloads(history)) == count, "history") >= 5
    assert link.down - before < need * 1.2
    assert link.connections == 3  # nothing was torn down


def test_many_clients_resume(stack):
    """64 of them at 10 Mbit/s, 200 KB each."""
    clients = 64
    stack.use_tcp().broker(*LARGE, "--topic-messages=100000")
    need = sum(fill(stack, f"h{i}", 20, 10_000) for i in range(clients))
    link = Link(rate=10 * MEGABIT)
    stack.ws(*stack.over(link)).wait_log("broker: connected")
    live = Live(stack)
    before = link.down
    resumed = [stack.websocket(f"h{i}", query={"last-event-id": "earliest"}) for i in range(clients)]
    live.check_until(lambda: all(len(payloads(client)) == 20 for client in resumed), "history")
    assert link.down - before < need * 1.2
    assert link.connections == 3


def test_a_pause_in_the_middle_of_a_page(stack):
    """Longer than any answer usually takes; what was on its way counts."""
    stack.use_tcp().broker(*LARGE)
    need = fill(stack, "h", 10, 100_000)
    link = Link(rate=2 * MEGABIT)
    stack.ws(*stack.over(link)).wait_log("broker: connected")
    live = Live(stack)
    before = link.down
    history = stack.websocket("h", query={"last-event-id": "earliest"}).wait_open()
    wait_for(lambda: link.down - before > 100_000, "a page under way")
    link.cut()
    time.sleep(7)
    link.mend()
    wait_for(lambda: len(payloads(history)) == 10, "history")
    assert link.down - before < need * 1.2
    live.check()


def test_a_connection_that_is_lost_in_the_middle_of_a_page(stack):
    stack.use_tcp().broker(*LARGE)
    fill(stack, "h", 10, 100_000)
    link = Link(rate=4 * MEGABIT)
    worker = stack.ws(*stack.over(link))
    worker.wait_log("broker: connected")
    live = Live(stack)
    history = stack.websocket("h", query={"last-event-id": "earliest"}).wait_open()
    for _ in range(3):
        before = link.down
        wait_for(lambda: link.down - before > 100_000 or len(payloads(history)) == 10, "a page under way")
        link.reset()
    wait_for(lambda: len(payloads(history)) == 10, "history")
    assert len(set(history.messages)) == len(history.messages)
    live.check()


@pytest.mark.parametrize("count, size", [(1000, 1000), (2, 1_000_000)])
def test_sub(stack, count, size):
    stack.use_tcp().broker(*LARGE)
    need = fill(stack, "h", count, size)
    link = Link(rate=MEGABIT)
    sub = start(stack, "sub", "--since=earliest", f"--count={count + 1}", "h", *stack.over(link))
    wait_for(lambda: link.down > need / 2, "half of it")
    stack.publish("h", "and live")
    wait_for(lambda: len(sub.out) == count + 1, "all of it")
    assert sub.out[-1] == "and live"
    assert link.down < need * 1.2


def test_pub(stack):
    """Messages that take longer than an answer usually does."""
    stack.use_tcp().broker(*LARGE)
    link = Link(rate=MEGABIT)
    lines = [noise(1_500_000), noise(1000), noise(1000)]
    pub = start(stack, "pub", "--lines", "t", *stack.over(link))
    pub.write("".join(f"{line}\n" for line in lines))
    assert pub.end() == 0
    assert [frames[2].decode() for frames in stack.requests("REPLAY", "earliest", "t")[:-1]] == lines
    assert link.up < sum(map(len, lines)) * 1.2


def test_pub_through_a_tunnel_that_reads_slowly(stack):
    """One packet at a time: the window that it leaves is too small for the next one, for longer than TCP waits for a peer that is
    gone, and yet bytes move."""
    stack.use_tcp().broker(*LARGE)
    link = Link(rate=MEGABIT // 5)
    line = noise(300_000)
    pub = start(stack, "pub", "t", *stack.over(link))
    pub.write(line)
    assert pub.end() == 0
    assert link.connections == 1 and link.up < len(line) * 1.2


def test_publishing_clients(stack):
    """A large one is on its way to the broker; others are served, and it is answered."""
    stack.use_tcp().broker(*LARGE)
    link = Link(rate=MEGABIT)
    worker = stack.ws(*stack.over(link), "--allow-publish", "--max-payload=4M", "--max-message=4M")
    worker.wait_log("broker: connected")
    live = Live(stack)
    publisher = stack.websocket("x", subprotocols=["zcast.v1"]).wait_open()
    publisher.send_json({"type": "publish", "topic": "p", "data": noise(1_500_000), "ref": "large"})
    wait_for(lambda: link.up > 100_000, "it is on its way")
    newcomer = stack.websocket("new", query={"last-event-id": "0-0"}).wait_open()
    newcomer.wait(1)
    assert link.up < 1_400_000
    live.check()
    answer = json.loads(publisher.wait_message(lambda message: '"ref":"large"' in message))
    assert answer["type"] == "published", answer


def test_the_bridge(stack):
    """Relays history to Redis, over a narrow link to the broker."""
    stack.redis()
    stack.use_tcp().broker(*LARGE)
    first = stack.publish("t", "first")
    need = fill(stack, "t", 2, 1_000_000)
    stack.redis_cli("set", "zcast:position:here", first)
    link = Link(rate=MEGABIT)
    follower = stack.start("redis-cli", ["redis-cli", "-p", str(stack.redis_port), "subscribe", "zcast:t"])
    wait_for(lambda: stack.redis_cli("pubsub", "numsub", "zcast:t").endswith("1"), "a subscriber")
    bridge = ["zcast-redis", *stack.over(link), f"--redis={stack.redis_url}", "--outgoing=t", "--site=here"]
    stack.start("zcast-redis", bridge)
    wait_for(lambda: os.path.getsize(follower.log_path) > need, "both messages")
    assert link.down < need * 1.2
