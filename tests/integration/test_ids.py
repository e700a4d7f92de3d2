"""Ids and what belongs to them: a publisher's own id is data and a means against repeats, never a position; event types that
are the broker's; and what each door says to a publisher that gets one of them wrong."""

import json
import time

import pytest
import zmq

from stack import Stack, run, wait_for
from test_redis import client as redis_client, history, sites, wait_report
from test_ws import V1, of_type, publishing, wait_events

BAD_IDS = ["1795478400123-0", "5-0", "01-2", "1-99999999999", "earliest", "a b", "café", "a\x7f", "i" * 257]
BAD_EVENTS = ["zcast.continuity", "zcast.heartbeat", "zcast.", "mercure"]
FORGED = '{"status":"gap","since":"1-0","from":"2-0","replayed":0}'
BAD = [{"id": id} for id in BAD_IDS] + [{"event": event} for event in BAD_EVENTS]


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
    for headers in BAD:
        code, text = stack.request("PUBLISH", "t", FORGED, lines(headers))[1:]
        assert code == b"headers" and (b"own id" if "id" in headers else b"zcast.") in text
    assert stack.stats()["errors"] == len(BAD)


def test_pub_refuses(readers):
    stack = readers
    pub = stack.pub()
    for headers in BAD:
        pub.send_multipart([b"t", FORGED.encode(), lines(headers)])
    wait_for(lambda: stack.stats()["refused"] == len(BAD), "all are counted")
    assert "refused a message: an own id is" in stack.daemons[0].log()


def test_a_websocket_refuses(readers):
    stack = readers
    with stack.websocket("other", **V1) as client:
        client.wait_open()
        for ref, headers in enumerate(BAD):
            client.send_json({"type": "publish", "topic": "t", "data": FORGED, "ref": ref, **headers})
            answer = json.loads(client.wait_message(lambda text: json.loads(text).get("ref") == ref))
            assert (answer["type"], answer["code"]) == ("error", "headers")
            assert ("own id" if "id" in headers else "zcast.") in answer["message"]


def test_the_command_line_refuses(readers):
    stack = readers
    for headers in BAD:
        (name, value), = headers.items()
        for option in ((f"--{name}", value), ("--header", f"{name}={value}")):
            done = stack.zmq("pub", "t", FORGED, *option, check=False)
            assert done.returncode == 2 and done.stdout == ""
            # an option's own limits may say it first
            assert ("own id" if name == "id" else "zcast.") in done.stderr or "bytes of plain text" in done.stderr


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
    north.wait_log("not published: headers: event types that begin")


def fake_broker(stack, head):
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
    xpub, topics, serve = fake_broker(stack, b"%d-0" % ms)
    stack.fcgi()
    stack.nginx()
    with stack.sse("t") as client:
        wait_for(lambda: serve() or b"\x01t" in topics, "a subscription")
        wait_for(lambda: serve() or client.last_id, "the worker follows")
        for number, event in enumerate([*BAD_EVENTS, "fine"], 1):
            xpub.send_multipart([b"t", FORGED.encode(), f"id: {ms}-{number}\nprev: {ms}-{number - 1}\nevent: {event}\n".encode()])
        wait_for(lambda: serve() or len(client.events) == 5, lambda: f"five messages: {client.events}")
        assert [event.event for event in client.events] == ["message"] * 4 + ["fine"]


def test_a_default_event_that_is_reserved(stack):
    stack.broker()
    for name in ("zcast-fcgi", "zcast-ws"):
        for event in ("zcast.continuity", "mercure", "a\nid: 5-0"):
            done = run(name, f"--default-event={event}", "-t", check=False)
            assert done.returncode != 0 and "default-event" in done.stderr
