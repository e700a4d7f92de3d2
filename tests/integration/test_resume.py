"""What a client that comes with a last id is told, as doc/protocol.md says it (Continuity): the same on both transports, from a
worker that has to ask the broker and from one whose feed knows."""

import json

import pytest

from stack import wait_for

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
