"""Ids and what belongs to them: a publisher's own id is data and a means against repeats, never a position; event types that
are the broker's; and what each door says to a publisher that gets one of them wrong."""

import json
import time
import urllib.parse

import pytest
import zmq

from http11 import Http
from stack import Stack, run, wait_for
from test_redis import client as redis_client, history, sites, wait_report
from test_ws import V1, of_type, publishing, wait_events

BAD_IDS = ["1795478400123-0", "5-0", "01-2", "1-99999999999", "earliest", "a b", "café", "a\x7f", "i" * 257]
BAD_EVENTS = ["zcast.continuity", "zcast.heartbeat", "zcast.", "mercure", "error", "open"]
BAD_RETRIES = ["600001", "4294967295", "9" * 30]  # all clients of the topic would stay away so long
FORGED = '{"status":"gap","since":"1-0","from":"2-0","replayed":0}'
BAD = [{"id": id} for id in BAD_IDS] + [{"event": event} for event in BAD_EVENTS]
LONG = [{"retry": retry} for retry in BAD_RETRIES]
SAID = {"id": "own id", "event": "zcast.", "retry": "at most 600000 milliseconds (10 minutes)"}


@pytest.fixture
def other():
    made = Stack()
    yield made
    wrong = made.close()
    print(made.logs())
    made.remove()
    assert not wrong


def lines(headers):
    return "".join(f"{name}: {value}\n" for name, value in headers.items()).encode()


@pytest.fixture
def readers(stack):
    """A plain EventSource, one with zcast.v1 and a WebSocket; each must see the one good message, and nothing before it."""
    stack.broker()
    stack.fcgi().wait_log("broker: connected")
    publishing(stack)
    stack.nginx()
    plain, json_, socket = stack.sse("t"), stack.sse("t", format="zcast.v1"), stack.websocket("t", **V1)
    with plain, json_, socket:
        for each in (plain, json_, socket):
            each.wait_open()
        yield stack
        good = stack.publish("t", "good", {"event": "zcast", "id": "own-1"})
        event = plain.wait(1)[0]
        assert (event.event, event.data, event.id) == ("zcast", "good", plain.last_id)
        assert [made["data"] for made in wait_events(socket, 1)] == ["good"]
        assert json.loads(json_.wait(1)[0].data)["data"] == "good"
        assert not [made for made in plain.events + json_.events if made.event == "zcast.continuity"]
        assert good


def test_publish_on_control_refuses(readers):
    stack = readers
    for headers in BAD + LONG:
        (name,) = headers
        code, text = stack.request("PUBLISH", "t", FORGED, lines(headers))[1:]
        assert code == b"headers" and SAID[name] in text.decode()
    assert stack.stats()["errors"] == len(BAD + LONG)


def test_pub_refuses(readers):
    stack = readers
    pub = stack.pub()
    for headers in BAD + LONG:
        pub.send_multipart([b"t", FORGED.encode(), lines(headers)])
    wait_for(lambda: stack.stats()["refused"] == len(BAD + LONG), "all are counted")
    assert "refused a message: an own id is" in stack.daemons[0].log()


def test_a_websocket_refuses(readers):
    stack = readers
    with stack.websocket("other", **V1) as client:
        client.wait_open()
        for ref, headers in enumerate(BAD):
            client.send_json({"type": "publish", "topic": "t", "data": FORGED, "ref": ref, **headers})
            answer = json.loads(client.wait_message(lambda text: json.loads(text).get("ref") == ref))
            assert (answer["type"], answer["code"]) == ("error", "headers")
            assert ("own id" if "id" in headers else "zcast.") in answer["message"] or "control characters" in answer["message"]


def test_posting_refuses(readers):
    """In the query, in a header of the request, and in a line of a batch."""
    stack = readers
    for headers in BAD + LONG:
        (name, value), = headers.items()
        with Http(stack.ws_port) as client:
            query = urllib.parse.urlencode({"topic": "t", name: value})
            status, _, body = client.ask(f"/publish?{query}", "POST", body=FORGED.encode(), Connection="close")
        assert int(status) == 400 and (SAID[name].encode() in as_bytes(body) or b"control characters" in as_bytes(body))
        with Http(stack.ws_port) as client:
            line = json.dumps({"topic": "t", "data": FORGED, **headers}).encode()
            fields = {"Content_Type": "application/x-ndjson", "Connection": "close"}
            _, _, body = client.ask("/publish", "POST", body=line, **fields)
        assert json.loads(as_bytes(body))["code"] == "headers"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def test_the_command_line_refuses(readers):
    stack = readers
    for headers in BAD + LONG:
        (name, value), = headers.items()
        options = [] if name == "retry" else [(f"--{name}", value)]
        for option in (*options, ("--header", f"{name}={value}")):
            done = stack.zmq("pub", "t", FORGED, *option, check=False)
            assert done.returncode == 2 and done.stdout == ""
            # an option's own limits may say it first
            assert SAID[name] in done.stderr or "bytes of plain text" in done.stderr


def test_a_header_option_cannot_bring_in_another(readers):
    done = readers.zmq("pub", "t", FORGED, "--header", "x=1\nevent: zcast.continuity", check=False)
    assert done.returncode == 2


def test_the_relay_refuses_what_another_site_let_pass(stack, other):
    """The site that relays it may be older: what it sends is refused here, counted and logged, and nothing waits behind it."""
    north, _ = sites(stack, other)
    redis = redis_client(stack)
    for number, headers in enumerate(BAD):
        meta = lines({"event-id" if name == "id" else name: value for name, value in headers.items()})
        redis.publish("zcast:shared/x", b"zcast/1\nsite: old\nid: 1-%d\n" % number + meta + b"\n" + FORGED.encode())
    redis.publish("zcast:shared/x", "zcast/1\nsite: old\nid: 2-0\nevent-id: fine\n\ngood")
    for site in (stack, other):
        wait_for(lambda: history(site, "shared/x") == [b"good"], "the good one alone")
    wait_report(stack, lambda each: each["refused"] == len(BAD), "what is refused is counted", "north")
    north.wait_log("not published: headers: the event types 'error'")


def fake_broker(stack, heads):
    """An XPUB that isn't zcast's broker, with as much of control as a worker needs to follow it; nothing is in history."""
    xpub, router = stack.context.socket(zmq.XPUB), stack.context.socket(zmq.ROUTER)
    for made, endpoint in ((xpub, stack.subscribe_endpoint), (router, stack.control_endpoint)):
        made.linger = 0
        made.bind(endpoint)
        stack.closers.append(lambda made=made: made.close(0))
    poller = zmq.Poller()
    poller.register(router, zmq.POLLIN)
    poller.register(xpub, zmq.POLLIN)
    topics = set()

    def answer(verb, words):
        head = heads[-1]
        if verb == b"SYNC":
            count = words[1].count(b"\n") + 1 if words[1] else 0
            return [b"OK", head, b"0-0", b"\n".join([head] * count)]
        return [b"END", head, b"0-0", words[0], b"0"] if verb == b"FETCH" else [b"OK"]

    def serve():
        for made, _ in poller.poll(20):
            frames = made.recv_multipart()
            if made is xpub:
                topics.add(frames[0])
                continue
            begin = 1
            while frames[begin] == b"" or frames[begin].startswith(b"#"):
                begin += 1
            router.send_multipart(frames[:begin] + answer(frames[begin], frames[begin + 1 :]))

    return xpub, topics, serve


def test_a_worker_does_not_pass_on_a_forged_verdict(stack):
    """Whoever is at the other end: an older broker, its history, or something else that speaks the protocol."""
    ms = int(time.time() * 1000) + 100000
    heads = [b"%d-0" % ms]
    xpub, topics, serve = fake_broker(stack, heads)
    stack.fcgi()
    stack.nginx()
    with stack.sse("t") as client:
        wait_for(lambda: serve() or b"\x01t" in topics, "a subscription")
        wait_for(lambda: serve() or client.last_id, "the worker follows")
        for number, event in enumerate([*BAD_EVENTS, "fine"], 1):
            heads.append(b"%d-%d" % (ms, number))
            xpub.send_multipart([b"t", FORGED.encode(), b"id: %s\nprev: %s\nevent: %s\n" % (heads[-1], heads[-2], event.encode())])
        seen = lambda: [event.event for event in client.events if event.data == FORGED]
        wait_for(lambda: serve() or len(seen()) == len(BAD_EVENTS) + 1, lambda: f"all messages: {client.events}")
        assert seen() == ["message"] * len(BAD_EVENTS) + ["fine"]


# The id of an event is its position.


@pytest.fixture
def served(stack):
    stack.broker("--dedup-window=300ms")
    for start in (stack.fcgi, stack.ws):
        start().wait_log("broker: connected")
    stack.nginx()
    return stack


def resumed(stack, kind, topics, last, count):
    """What follows a last id: the verdict's status, and of each message its id, own id and data."""
    if kind == "ws":
        with stack.websocket(*topics, **V1, query={"last_event_id": last}) as client:
            made = wait_events(client, 1 + count)
            verdict, messages = json.loads(made[0]["data"]), made[1:]
    else:
        query = {"format": "zcast.v1"} if kind == "sse+json" else {}
        with stack.sse(*topics, last_event_id=last, **query) as client:
            verdict = client.wait_event(lambda event: event.event == "zcast.continuity").json()
            messages = [{"id": event.id, "data": event.data} for event in client.wait(count)]
            if query:
                assert [json.loads(each["data"])["id"] for each in messages] == [each["id"] for each in messages]
                messages = [json.loads(each["data"]) for each in messages]
    assert verdict["replayed"] == len(messages)
    return verdict["status"], [(each["id"], each.get("eventId"), each["data"]) for each in messages]


KINDS = ["sse", "sse+json", "ws"]


def as_shown(kind, messages):
    return [(id, own if kind != "sse" else None, data) for id, own, data in messages]


@pytest.mark.parametrize("kind", KINDS)
def test_an_own_id_that_is_used_again(served, kind):
    """After the window it is another message's. Positions tell them apart; an own id from an earlier version means the first."""
    stack, made = served, []
    for own, data in (("1", "A"), ("2", "B"), ("3", "C"), ("1", "A2"), ("2", "D")):
        while True:
            reply = stack.request("PUBLISH", "t", data, lines({"id": own}))
            if reply[0] == b"OK":
                break
            assert reply[1] == b"conflict"
        made.append((reply[1].decode(), own, data))
    for number, (id, _, _) in enumerate(made):
        rest = made[number + 1 :]
        assert resumed(stack, kind, ["t"], id, len(rest)) == ("continued", as_shown(kind, rest))
    for own, first in (("1", 0), ("2", 1), ("3", 2)):
        rest = made[first + 1 :]
        assert resumed(stack, kind, ["t"], own, len(rest)) == ("continued", as_shown(kind, rest))


@pytest.mark.parametrize("kind", KINDS)
def test_two_topics_that_are_numbered_alike(served, kind):
    """A client of both that has seen everything gets nothing again, and one that has seen a part gets the rest."""
    stack = served
    made = [(stack.publish(topic, f"{topic}{n}", {"id": str(n)}), str(n), f"{topic}{n}") for n in range(4) for topic in "ab"]
    for number, (id, _, _) in enumerate(made):
        rest = made[number + 1 :]
        assert resumed(stack, kind, ["a", "b"], id, len(rest)) == ("continued", as_shown(kind, rest))
    # with an own id, which is the earliest of both: some come again, none is missing
    assert resumed(stack, kind, ["a", "b"], "2", 3) == ("continued", as_shown(kind, made[5:]))


def test_a_live_message_shows_its_position(served):
    stack = served
    with stack.sse("t") as plain, stack.sse("t", format="zcast.v1") as json_, stack.websocket("t", **V1) as socket:
        for each in (plain, json_, socket):
            each.wait_open()
        id = stack.publish("t", "x", {"id": "own-1", "key": "not shown"})
        assert plain.wait(1)[0].id == json_.wait(1)[0].id == id
        expected = {"id": id, "eventId": "own-1", "topic": "t", "event": "message", "data": "x"}
        assert json.loads(json_.events[-1].data) == wait_events(socket, 1)[0] == expected
        id = stack.publish("t", "y", {"key": "not shown"})
        assert "eventId" not in wait_events(socket, 2)[1] and plain.wait(2)[1].id == id


# A repeat is the same message under the same id or key; another one is refused.


def seen(stack, *topics):
    return [reply[2].decode() for reply in stack.requests("REPLAY", "earliest", *(topics or ["a"]))[:-1]]


def conflict(stack, topic, payload, headers):
    reply = stack.request("PUBLISH", topic, payload, lines(headers))
    return reply[:2] == [b"ERR", b"conflict"] and len(reply[2]) > 20


@pytest.mark.parametrize("name", ["id", "key"])
def test_another_message_under_the_same_name_is_refused(stack, name):
    stack.broker()
    headers = {name: "https://example.org/things/7", "event": "changed"}
    first = stack.publish("a", "1", headers)
    assert stack.publish("a", "1", headers) == first
    # another attempt may say other things about itself; what a subscriber is shown is the same
    assert stack.publish("a", "1", {**headers, "x-attempt": "2", "ttl": "60"}) == first
    assert conflict(stack, "a", "2", headers)
    assert conflict(stack, "a", "1", {**headers, "event": "deleted"})
    assert conflict(stack, "a", "1", {name: headers[name]})
    assert conflict(stack, "a", "", headers)
    assert stack.publish("b", "2", headers) != first
    assert stack.publish("a", "2", {**headers, name: "https://example.org/things/8"}) != first
    assert seen(stack) == ["1", "2"]
    stats = stack.stats()
    assert (stats["duplicates"], stats["conflicts"], stats["errors"], stats["published"]) == (2, 4, 4, 3)


def test_a_conflict_on_pub_is_counted_and_logged(stack):
    broker = stack.broker()
    pub = stack.pub()
    for payload in ("1", "2", "1", "3"):
        pub.send_multipart([b"a", payload.encode(), b"id: x"])
    wait_for(lambda: stack.stats()["received"] == 4, "all have come")
    stats = stack.stats()
    assert (stats["published"], stats["duplicates"], stats["conflicts"], stats["refused"]) == (1, 1, 2, 2)
    assert seen(stack) == ["1"]
    broker.wait_log("refused a message: another message with this id, or key, .*; topic a")
    assert "in conflict" in stack.zmq("stat").stdout


@pytest.mark.parametrize("history", ["memory", "lmdb"])
def test_the_window_and_its_bound_are_the_same_for_both(stack, history):
    options = ["--dedup-window=1s", "--dedup-max=3"]
    stack.broker(*options, *([f"--history=lmdb:{stack.folder}/history"] if history == "lmdb" else []))
    first = stack.publish("a", "1", {"id": "x"})
    wait_for(lambda: not conflict(stack, "a", "2", {"id": "x"}), "the window is over")
    for number in range(4):  # the oldest makes room
        stack.publish("b", "x", {"id": f"y{number}"})
    assert stack.publish("a", "3", {"id": "x"}) != first
    assert seen(stack) == ["1", "2", "3"]


def test_history_on_disk_knows_what_was_published_before_a_restart(stack):
    on_disk = f"--history=lmdb:{stack.folder}/history"
    broker = stack.broker(on_disk)
    large = "x" * 100000
    first = stack.publish("a", "1", {"id": "x", "event": "e"})
    second = stack.publish("a", large, {"key": "y"})
    broker.kill()
    broker = stack.broker(on_disk)
    assert stack.publish("a", "1", {"id": "x", "event": "e", "x-attempt": "2"}) == first
    assert stack.publish("a", large, {"key": "y"}) == second
    assert conflict(stack, "a", "1", {"id": "x"})
    assert conflict(stack, "a", "2", {"id": "x", "event": "e"})
    assert conflict(stack, "a", large + "x", {"key": "y"})
    assert conflict(stack, "a", large[1:] + "y", {"key": "y"})
    assert stack.stats()["published"] == 0
    broker.kill()
    stack.broker(on_disk, "--dedup-window=0")
    assert stack.publish("a", "2", {"id": "x", "event": "e"}) != first


def test_a_name_that_is_still_on_its_way_into_history(stack):
    """Whoever was first has it; the answers wait for the first one's."""
    stack.broker(f"--history=lmdb:{stack.folder}/history", "--sync=always")
    dealer = stack.socket(zmq.DEALER, stack.control_endpoint)
    count = 1200
    for i in range(count):
        dealer.send_multipart([b"#%d" % i, b"PUBLISH", b"a", b"%d" % (i % 3), b"id: %d" % (i // 6)])
    answers = {}
    while len(answers) < count:
        assert dealer.poll(90000)
        tag, *rest = dealer.recv_multipart()
        answers[int(tag[1:])] = rest
    for i in range(0, count, 6):
        verdicts = [answers[i + n][:2] for n in range(6)]
        assert verdicts[0][0] == b"OK" and verdicts[3] == verdicts[0]
        assert [verdicts[n] for n in (1, 2, 4, 5)] == [[b"ERR", b"conflict"]] * 4
    assert seen(stack) == ["0"] * (count // 6)
    assert (stack.stats()["duplicates"], stack.stats()["conflicts"]) == (count // 6, count // 6 * 4)


def test_a_conflict_with_what_history_could_not_take(stack):
    """Neither was published: whoever tries again first has the name."""
    broker = stack.broker(f"--history=lmdb:{stack.folder}/history")
    payload = b"x" * 30000
    dealer = stack.socket(zmq.DEALER, stack.control_endpoint)

    def ask(count):
        for number in range(count):
            dealer.send_multipart([b"#%d" % number, b"PUBLISH", b"a", payload + b"%d" % number, b"id: x"])
        return sorted(dealer.recv_multipart() for _ in range(count))

    run("prlimit", f"--pid={broker.pid}", "--fsize=4096:unlimited")
    assert ask(1)[0][1:3] == [b"ERR", b"history"]
    for answer in ask(2):
        assert answer[1:3] == [b"ERR", b"history"]
    run("prlimit", f"--pid={broker.pid}", "--fsize=unlimited:unlimited")
    wait_for(lambda: stack.stats()["history"]["state"] == "ok", "it heals")
    first, second = ask(2)
    assert first[1] == b"OK" and second[1:3] == [b"ERR", b"conflict"]


def test_a_websocket_and_the_command_line_are_told_of_a_conflict(stack):
    stack.broker()
    publishing(stack)
    assert stack.zmq("pub", "a", "1", "--id", "x").returncode == 0
    with stack.websocket("a", **V1) as client:
        client.wait_open()
        client.send_json({"type": "publish", "topic": "a", "data": "2", "id": "x", "ref": 1})
        assert of_type(client, "error")["code"] == "conflict"
        client.send_json({"type": "publish", "topic": "a", "data": "1", "id": "x", "ref": 2})
        assert of_type(client, "published")["ref"] == 2
    done = stack.zmq("pub", "a", "2", "--id", "x", "--timeout", "60", check=False)
    assert done.returncode == 1 and "refused: conflict: " in done.stderr


def test_the_relay_goes_on_after_a_conflict(stack, other):
    """Two sites number alike: what is in conflict at the other site is refused there for good, counted and logged, and nothing
    waits behind it, nor is it sent again."""
    north, south = sites(stack, other)
    other.publish("shared/x", "from south", {"id": "1"})
    wait_for(lambda: history(stack, "shared/x") == [b"from south"], "it has come")
    redis_client(stack).publish("zcast:shared/x", b"zcast/1\nsite: third\nid: 1-1\nevent-id: 1\n\nfrom third")
    stack.publish("shared/x", "after", {"id": "2"})
    wait_for(lambda: history(other, "shared/x") == [b"from south", b"after"], "what came behind it")
    for daemon, site, name in ((north, stack, "north"), (south, other, "south")):
        daemon.wait_log("not published: conflict: another message")
        wait_report(site, lambda each: each["refused"] == 1 and each["waiting"] == 0, "counted once", name)


def test_a_default_event_that_is_reserved(stack):
    stack.broker()
    for name in ("zcast-fcgi", "zcast-ws"):
        for event in ("zcast.continuity", "mercure", "error", "open", "a\nid: 5-0"):
            done = run(name, f"--default-event={event}", "-t", check=False)
            assert done.returncode != 0 and "default-event" in done.stderr
