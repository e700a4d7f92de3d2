"""Workers that know several brokers on one log: if one is gone, silent or behind, they go on at the next, and clients notice nothing."""

import copy

import pytest

from relay import Link
from stack import LIMIT, free_port, position, wait_for


def second(stack):
    """The same stack, seen from another broker."""
    other = copy.copy(stack)
    other.publish_endpoint, other.subscribe_endpoint, other.control_endpoint = (
        f"ipc://{stack.folder}/{name}2" for name in ("publish", "subscribe", "control")
    )
    return other


class Pair:
    """Two brokers on one log, and the options of workers that know both."""

    def __init__(self, stack):
        stack.redis()
        self.stacks = stack, second(stack)
        self.brokers = [each.broker(f"--log={each.redis_url}") for each in self.stacks]

    def start(self, index):
        each = self.stacks[index]
        self.brokers[index] = each.broker(f"--log={each.redis_url}")

    def options(self, first=0):
        order = self.stacks[first], self.stacks[1 - first]
        return [
            "--subscribe=" + " ".join(each.subscribe_endpoint for each in order),
            "--control=" + " ".join(each.control_endpoint for each in order),
        ]


@pytest.fixture
def pair(stack):
    return Pair(stack)


def texts(events):
    return [each.data for each in events.events if each.data.startswith("m")]


def test_a_broker_is_killed(pair):
    """Streams go on at the other one, complete, with no reconnect and no gap; and back again."""
    stack, other = pair.stacks
    ws = stack.ws("--allow-publish", *pair.options())
    stack.web_port = stack.ws_port
    events = stack.sse("t")
    wait_for(lambda: events.events, "the stream begins")
    stack.publish("t", "m0")
    wait_for(lambda: texts(events) == ["m0"], "m0")
    for turn in range(2):
        pair.brokers[turn].kill()
        alive = pair.stacks[1 - turn]
        for i in range(3):
            alive.publish("t", f"m{1 + turn * 3 + i}")
        goal = [f"m{i}" for i in range(4 + turn * 3)]
        wait_for(lambda: texts(events) == goal, f"{goal}")
        pair.start(turn)
    assert events.connections == 1
    assert not [each for each in events.events if each.event == "zcast.gap"]
    ws.wait_log("going on at")


def test_a_broker_stands_still(pair):
    stack, other = pair.stacks
    stack.ws(*pair.options())
    stack.web_port = stack.ws_port
    events = stack.sse("t")
    wait_for(lambda: events.events, "the stream begins")
    stack.publish("t", "m0")
    wait_for(lambda: texts(events) == ["m0"], "m0")
    pair.brokers[0].pause()
    other.publish("t", "m1")
    wait_for(lambda: texts(events) == ["m0", "m1"], "m1")
    pair.brokers[0].resume()
    other.publish("t", "m2")
    wait_for(lambda: texts(events) == ["m0", "m1", "m2"], "m2")
    assert not [each for each in events.events if each.event == "zcast.gap"]


def test_a_broker_that_is_behind_is_left(pair):
    stack, other = pair.stacks
    stack.publish("t", "m0")
    pair.brokers[0].stop()
    stack.redis_cli("acl", "setuser", "slow", "on", ">x", "+@all", "-xread", "~*")
    url = stack.redis_url.replace("//", "//slow:x@")
    stack.start("zcast-broker", ["zcast-broker", *stack.endpoints(), f"--log={url}"], ready=stack.broker_answers)
    assert stack.request("SYNC", "", "t")[:2] == [b"ERR", b"behind"]
    ws = stack.ws(*pair.options())
    stack.web_port = stack.ws_port
    events = stack.sse("t")
    ws.wait_log("going on at")
    wait_for(lambda: events.events, "the stream begins at the other one")
    other.publish("t", "m1")
    wait_for(lambda: "m1" in texts(events), "m1")


def test_the_first_one_is_away_at_the_start(pair):
    stack, other = pair.stacks
    pair.brokers[0].stop()
    ws = stack.ws("--allow-publish", *pair.options())
    stack.web_port = stack.ws_port
    events = stack.sse("t")
    ws.wait_log("going on at")
    wait_for(lambda: events.events, "the stream begins")
    other.publish("t", "m0")
    wait_for(lambda: texts(events) == ["m0"], "m0")


def test_lists_that_do_not_match(stack):
    made = stack.start(
        "zcast-ws", ["zcast-ws", "--subscribe=tcp://127.0.0.1:1 tcp://127.0.0.1:2", "--control=tcp://127.0.0.1:3"], clean=False
    )
    assert made.wait(LIMIT) == 2
    assert "as many endpoints as in subscribe, 2" in made.log()


def test_a_client_comes_before_its_messages(pair):
    """Another broker has read them already: they are waited for, and neither told as a gap nor sent again."""
    stack, other = pair.stacks
    pair.brokers[1].stop()
    link = Link()
    other.closers.append(link.close)
    port = free_port()
    link.listen(port, ("127.0.0.1", stack.redis_port))
    other.broker(f"--log=redis://127.0.0.1:{port}")
    other.wait_stats(lambda stats: stats["log"]["state"] == "ok", "the log takes messages")
    other.ws()
    other.web_port = other.ws_port
    stack.publish("t", "m0")
    with other.sse("t", headers={"Last-Event-ID": "earliest"}) as first:
        first.wait(1)
        link.cut()
        before, last = stack.publish("t", "m1"), stack.publish("t", "m2")
        events = other.sse("t", headers={"Last-Event-ID": last})
        forged = other.sse("t", headers={"Last-Event-ID": f"{position(last)[0] + 1000000}-0"})
        events.wait_open()
        link.mend()
        first.wait(3)
    stack.publish("t", "m3")
    assert [each.data for each in events.wait(1)] == ["m3"]
    assert events.events[0].json() == {"status": "continued", "since": last, "replayed": 0}
    assert position(before) < position(last)
    verdict = forged.wait_event(lambda event: event.event == "zcast.continuity")
    assert verdict.json()["status"] == "gap"
