"""Workers, the command line and the bridge that know several brokers on one log: if one is gone, silent or behind, they go on at the
next, and clients notice nothing."""

import concurrent.futures
import copy
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from relay import Link
from stack import LIMIT, free_port, position, program, run, wait_for
from test_redis import client, history


def second(stack):
    """The same stack, seen from another broker."""
    other = copy.copy(stack)
    other.publish_endpoint, other.subscribe_endpoint, other.control_endpoint = (
        f"ipc://{stack.folder}/{name}2" for name in ("publish", "subscribe", "control")
    )
    return other


class Pair:
    """Two brokers on one log, and the options of workers that know both."""

    def __init__(self, stack, *options):
        stack.redis()
        self.stacks = stack, second(stack)
        self.brokers = [each.broker(f"--log={each.redis_url}", *options) for each in self.stacks]

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


def post(stack, text, **query):
    """Publishes by HTTP; the status and the answer."""
    request = urllib.request.Request(stack.url("/publish", ["t"], **query), text.encode())
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()


@pytest.mark.parametrize("fate", ["stands still", "is killed"])
def test_a_publish_is_under_way_as_the_worker_moves(pair, fate):
    """Under a key it goes on at the next broker, in order, and is published once, though the first one may have it, too. Without a
    key nobody can know: an error, and at most once."""
    stack, other = pair.stacks
    ws = stack.ws("--allow-publish", *pair.options())
    stack.web_port = stack.ws_port
    events = stack.sse("t")
    wait_for(lambda: events.events, "the stream begins")
    assert post(stack, "m-first", id="first")[0] == 200
    pair.brokers[0].pause()
    with concurrent.futures.ThreadPoolExecutor(21) as pool:
        named = [pool.submit(post, stack, f"m{i}", id=f"name{i}") for i in range(20)]
        bare = pool.submit(post, stack, "m-bare")
        if fate == "is killed":
            pair.brokers[0].kill()
        ws.wait_log("going on at")
        answers = [each.result() for each in named]
        status, answer = bare.result()
    assert [status for status, _ in answers] == [200] * 20
    assert len({id for _, id in answers}) == 20
    assert status == 503, answer
    if fate == "stands still":
        pair.brokers[0].resume()  # it publishes what it has got
        stack.wait_stats(lambda stats: stats["log"]["waiting"] == 0 and stats["published"] >= 21, "it has published")
    other.publish("t", "m-last")
    wait_for(lambda: "m-last" in texts(events), "the last one")
    got = texts(events)
    assert sorted(got) == sorted({*got}) and {f"m{i}" for i in range(20)} < {*got}
    for i, (_, id) in enumerate(answers):
        assert [each.id for each in events.events if each.data == f"m{i}"] == [id]


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


# -- the command line, and the bridge


def tool(stack, pair, command, *words, first=0, **how):
    """`zmq` with the list of both brokers."""
    order = pair.stacks[first], pair.stacks[1 - first]
    lists = ["--publish=" + " ".join(each.publish_endpoint for each in order), *pair.options(first)]
    return run(program("zmq"), command, *lists, *words, **how)


QUESTIONS = {
    "ping": ([], "zcast "),
    "stat": ([], "zcast-broker"),
    "top": ([], "zcast-broker"),
    "topics": ([], "news"),
    "history": (["news"], "m0"),
    "latency": (["--count=1"], ""),
}


@pytest.mark.parametrize("state", ["gone", "still"])
def test_a_question_goes_on_at_the_other_broker(pair, state):
    stack, other = pair.stacks
    stack.publish("news", "m0")
    wait_for(lambda: other.request("SYNC", "", "news")[-1] == stack.request("SYNC", "", "news")[-1], "the other one has it")
    pair.brokers[0].kill() if state == "gone" else pair.brokers[0].pause()
    for command, (words, text) in QUESTIONS.items():
        result = tool(stack, pair, command, *words, "--timeout=60" if command != "top" else "--interval=1")
        assert text in result.stdout, (command, result)
        if command in ("ping", "stat", "top"):
            assert other.control_endpoint in result.stdout
    tool(stack, pair, "pub", "news", "m1", "--timeout=60")
    tool(stack, pair, "pub", "--fast", "news", "m2", "--timeout=60")
    wait_for(lambda: "m2" in tool(stack, pair, "history", "news", "--timeout=60").stdout, "m2")
    result = tool(stack, pair, "sub", "news", "--since=last:3", "--count=3", "--timeout=60")
    assert result.stdout.split() == ["m0", "m1", "m2"]
    pair.brokers[0].resume() if state == "still" else None


def test_a_question_at_a_broker_that_is_behind(pair):
    stack, other = pair.stacks
    stack.publish("news", "m0")
    pair.brokers[0].stop()
    stack.redis_cli("acl", "setuser", "slow", "on", ">x", "+@all", "-xread", "~*")
    url = stack.redis_url.replace("//", "//slow:x@")
    stack.start("zcast-broker", ["zcast-broker", *stack.endpoints(), f"--log={url}"], ready=stack.broker_answers)
    assert "m0" in tool(stack, pair, "history", "news", "--timeout=60").stdout
    assert tool(stack, pair, "sub", "news", "--since=earliest", "--count=1", "--timeout=60").stdout == "m0\n"


def test_publishing_and_following_while_brokers_die(pair):
    """Every message once, in order: what was on its way when a broker died is sent again with its key."""
    stack, other = pair.stacks
    count = 3000
    seen = stack.folder / "seen"
    lists = ["--publish=tcp://127.0.0.1:1 tcp://127.0.0.1:1", *pair.options()]
    with open(seen, "wb") as out:
        sub = subprocess.Popen([program("zmq"), "sub", *lists, "t", f"--count={count + 1}"], stdout=out, stderr=subprocess.PIPE)
    wait_for(lambda: stack.stats()["subscriptions"] > 0, "the subscription")
    stack.publish("t", "0")
    wait_for(lambda: seen.read_text() == "0\n", "the first message")
    pub = subprocess.Popen(
        [program("zmq"), "pub", *lists, "t", "--lines", "--quiet", "--timeout=120", "--rate=1000"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    feed = threading.Thread(target=lambda: pub.stdin.write(b"".join(b"%d\n" % i for i in range(1, count + 1))) and pub.stdin.close())
    feed.start()
    for turn in range(3):
        goal = (turn + 1) * count // 5
        wait_for(lambda: len(seen.read_text().split()) > goal, f"{goal} messages")
        pair.brokers[turn % 2].kill()
        wait_for(lambda: len(seen.read_text().split()) > goal + 200, f"more than {goal} messages")
        pair.start(turn % 2)
    feed.join(LIMIT)
    assert pub.wait(LIMIT) == 0, pub.stderr.read()
    pub.stdout.read(), pub.stdout.close(), pub.stderr.close()
    assert sub.wait(LIMIT) == 0
    said = sub.stderr.read().decode()
    sub.stderr.close()
    assert seen.read_text().split() == [str(i) for i in range(count + 1)]
    assert "gone from history" not in said and "lost the broker" in said


def test_the_bridge_goes_on_at_the_other_broker(pair):
    """In: acknowledged, once each, in order. Out: without a hole."""
    stack, other = pair.stacks
    bridge = stack.bridge("--subscribe-channel=in", "--outgoing=out", "--outgoing-format=payload", *pair.options())
    bridge.wait_log("relaying messages")
    redis = client(stack)
    wait_for(lambda: redis.pubsub_numsub("in")[0][1] == 1, "its subscription")
    heard = redis.pubsub()
    heard.subscribe("zcast:out")
    wait_for(lambda: heard.get_message(timeout=1), "ours")
    for turn in range(2):
        alive = pair.stacks[1 - turn]
        pair.brokers[turn].kill()
        for i in range(200):
            redis.publish("in", f"{turn * 200 + i}")
            alive.publish("out", f"{turn * 200 + i}")
        goal = [str(i).encode() for i in range((turn + 1) * 200)]
        wait_for(lambda: history(alive, "in") == goal, "all of them")
        pair.start(turn)
    out = []

    def all_came():
        while each := heard.get_message():
            out.append(int(each["data"]))
        return len(out) >= 400

    wait_for(all_came, lambda: f"all, and not {len(out)}")
    assert out == list(range(400))
    alive.wait_report("redis", lambda report: report["published"] == 400, "at the broker where it is now")


def test_lists_of_the_tool_that_do_not_match(stack):
    result = run(program("zmq"), "ping", "--control=tcp://127.0.0.1:1 tcp://127.0.0.1:2", check=False)
    assert result.returncode == 2 and "as many endpoints as in subscribe, 1" in result.stderr
