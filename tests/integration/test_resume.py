"""What a client that comes with a last id is told, as doc/protocol.md says it (Continuity): the same on both transports, from a
worker that has to ask the broker and from one whose feed knows."""

import http.client
import json

import pytest

from stack import LIMIT, SseParser, wait_for

OLDER = "gap"  # something is gone, and what is left follows
FUTURE = "future"  # a gap up to the broker's head, and nothing follows

LAST_IDS = {
    "earliest": ("continued", 3),
    "{0}": ("continued", 2),
    "{2}": ("continued", 0),
    "own0": ("continued", 2),  # a publisher's own ids
    "own2": ("continued", 0),
    "own9": (OLDER, 3),
    "0-0": (OLDER, 3),
    "1000-0": (OLDER, 3),
    "{later}": (FUTURE, 0),
    "x" * 257: (FUTURE, 0),
    "a\x01b": (FUTURE, 0),
    "1-": (OLDER, 3),  # no position, so an own id that nobody knows
    "-1": (OLDER, 3),
    "1-99999999999": (OLDER, 3),
    "é": (OLDER, 3),
}


def sse(stack, last, expected):
    with stack.sse("t", last_event_id=last) as client:
        verdict = client.wait_event(lambda event: event.event == "zcast.continuity")
        seen = [event.data for event in client.wait(expected)]
        assert client.events[0] is verdict
        return verdict.json(), verdict.id, seen


def ws(stack, last, expected):
    with stack.websocket("t", subprotocols=["zcast.v1"], query={"last_event_id": last}) as client:
        first, *others = map(json.loads, client.wait(1 + expected))
        assert first["event"] == "zcast.continuity"
        return json.loads(first["data"]), first["id"], [other["data"] for other in others if other.get("type") != "heartbeat"]


def check(stack, ids, last, status, replayed):
    head = ids[-1]
    last = last.format(*ids, later=f"{int(head.split('-')[0]) + 10**7}-0")
    verdict, id, seen = sse(stack, last, replayed)
    assert (verdict, id, seen) == ws(stack, last, replayed)
    assert seen == ["0", "1", "2"][3 - replayed :]
    assert verdict["replayed"] == replayed
    assert verdict["status"] == ("continued" if status == "continued" else "gap")
    sound = len(last) <= 256 and last.isprintable()
    assert verdict["since"] == (last if sound else "")
    if status == "continued":
        assert "from" not in verdict
    else:
        assert id == verdict["from"]
        assert (id == head) == (status == FUTURE)
    # who saw nothing but the verdict comes back with its id and has missed nothing
    again, _, seen = sse(stack, id, replayed)
    assert again["status"] == "continued" and again["replayed"] == replayed == len(seen)


@pytest.mark.parametrize("lingering", [True, False])
def test_every_last_id_has_its_answer(stack, lingering):
    stack.broker()
    for start in (stack.fcgi, stack.ws):
        start("--linger=60s" if lingering else "--linger=0s").wait_log("broker: connected")
    stack.nginx()
    ids = [stack.publish("t", str(i), {"id": f"own{i}"}) for i in range(3)]
    for last, (status, replayed) in LAST_IDS.items():
        check(stack, ids, last, status, replayed)


def test_the_ids_of_idle_clients_go_on(stack):
    """Who sleeps on a quiet topic doesn't come back with an ancient id: heartbeats bring it up to what the worker knows."""
    stack.broker()
    for start in (stack.fcgi, stack.ws):
        start("--heartbeat=300ms")
    stack.nginx()

    def number(id):
        return [int(part) for part in id.split("-")]

    def heartbeat(text):
        message = json.loads(text)
        return message.get("type") == "heartbeat" and number(message.get("id", "0-0")) >= elsewhere

    with stack.sse("t") as quiet, stack.websocket("t", subprotocols=["zcast.v1"]) as socket:
        quiet.wait_open()
        socket.wait_open()
        elsewhere = number(stack.publish("busy", "x"))
        wait_for(lambda: quiet.last_id and number(quiet.last_id) >= elsewhere, "an id with a heartbeat, over SSE")
        id = json.loads(socket.wait_message(heartbeat))["id"]
        assert quiet.messages() == []
        last = quiet.last_id
    for client in (sse, ws):
        for known in (last, id):
            verdict, _, seen = client(stack, known, 0)
            assert (verdict["status"], seen) == ("continued", [])


# Cut anywhere: who comes back with any id that it saw loses nothing.


def sse_bytes(stack, last, wanted, format=None):
    """The bytes of a stream from its first to its last block, where all wanted messages have come; and others, where a feed still
    has what history has not."""
    query = {"format": format} if format else {}
    path = stack.url("/events", ("a", "b"), **query, last_event_id=last).split(f":{stack.web_port}", 1)[1]
    link = http.client.HTTPConnection("127.0.0.1", stack.web_port, timeout=LIMIT)
    link.request("GET", path, headers={"Accept": "text/event-stream"})
    reply = link.getresponse()
    text = b""
    while not set(wanted) <= {payload(event, format) for event in events_of(text) if event.event not in OURS}:
        text += reply.read1(65536)
    link.close()
    return text


OURS = ("zcast.continuity", "zcast.heartbeat")


def events_of(text):
    """What an EventSource dispatches of so many bytes."""
    parser, events = SseParser(), []
    for line in text.split(b"\n")[:-1]:
        made = parser.line(line.decode(errors="replace"))
        if made:
            events.append(made)
    return events


def payload(event, format):
    return event.json()["data"] if format else event.data


def ws_frames(stack, last, wanted):
    with stack.websocket("a", "b", subprotocols=["zcast.v1"], query={"last_event_id": last}) as client:
        messages = lambda: [made for made in map(json.loads, list(client.messages)) if made.get("topic")]
        client.wait(1)
        wait_for(lambda: set(wanted) <= {made["data"] for made in messages()}, lambda: f"{wanted}: {client!r}")
        return list(map(json.loads, list(client.messages)))


@pytest.fixture(params=[0, 60], ids=["after its feed is gone", "while there is a feed"])
def trimmed(request, stack):
    """Topic a has lost its first messages, the last of them after all that is left of b; what both have left, in order."""
    stack.broker("--topic-messages=4")
    for start in (stack.fcgi, stack.ws):
        start(f"--linger={request.param}s").wait_log("broker: connected")
    stack.nginx()
    if request.param:  # somebody is there all the time, since before what is replayed
        for made in (stack.sse("a", "b"), stack.sse("a", "b", format="zcast.v1"), stack.websocket("a", "b", subprotocols=["zcast.v1"])):
            made.wait_open()
    before = stack.publish("b", "before")
    for topic, numbers in (("a", range(3)), ("b", range(3)), ("a", range(3, 6)), ("b", range(3, 4)), ("a", range(6, 9))):
        for number in numbers:
            stack.publish(topic, f"{topic}{number}", {"id": f"{topic}{number}"})
    return stack, before, [reply[2].decode() for reply in stack.requests("REPLAY", before, "a", "b")[:-1]]


def test_there_is_something_to_lose(trimmed):
    _, _, left = trimmed
    assert left == ["b0", "b1", "b2", "b3", "a5", "a6", "a7", "a8"] or left == ["b0", "b1", "b2", "a5", "b3", "a6", "a7", "a8"]


@pytest.mark.parametrize("format", [None, "zcast.v1"])
@pytest.mark.parametrize("since", ["{before}", "1-0", "earliest", "nobody's"])
def test_an_event_stream_that_is_cut_after_any_block(trimmed, since, format):
    stack, before, left = trimmed
    events = events_of(sse_bytes(stack, since.format(before=before), left, format))
    cuts = {}  # what was seen by then, by the id that an EventSource comes back with: nothing changes within a block
    for end in range(1, len(events) + 1):
        cuts[events[end - 1].id] = [payload(event, format) for event in events[:end] if event.event not in OURS]
    assert len(cuts) > len(left) // 2
    for id, seen in cuts.items():
        rest = [event for event in events_of(sse_bytes(stack, id, set(left) - set(seen), format)) if event.event not in OURS]
        assert set(left) <= set(seen) | {payload(event, format) for event in rest}, f"cut at {id}, after {seen}"


@pytest.mark.parametrize("since", ["{before}", "1-0", "earliest", "nobody's"])
def test_a_websocket_that_is_cut_after_any_message(trimmed, since):
    stack, before, left = trimmed
    frames = ws_frames(stack, since.format(before=before), left)
    for end in range(1, len(frames) + 1):
        seen = {frame["data"] for frame in frames[:end] if frame.get("topic")}
        id = frames[end - 1]["id"]
        rest = ws_frames(stack, id, set(left) - seen)
        assert set(left) <= seen | {frame["data"] for frame in rest if frame.get("topic")}, f"cut at {id}, after {seen}"
