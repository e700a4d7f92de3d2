"""traceparent: from every door to every subscriber that can be shown it, through history, replays and other sites, and into the logs."""

import json

import pytest

from stack import run, wait_for
from test_logs import lines, wait_event
from test_publish import Door
from test_redis import other, sites  # noqa: F401

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{TRACE[::-1]}-{SPAN}-00"
LATER = f"cc-{TRACE}-{SPAN}-03-what"
BAD = ["00-" + "0" * 32 + f"-{SPAN}-01", GOOD.upper(), GOOD + "-x", "nonsense", f"{GOOD}, {GOOD}", f"ff-{TRACE}-{SPAN}-01"]


def metas(stack, *topics):
    """The traceparent of each message in history."""
    found = []
    for frames in stack.requests("REPLAY", "earliest", *topics):
        if frames[0] == b"MSG":
            fields = [line.split(": ", 1) for line in frames[3].decode().splitlines()]
            found.append([value for name, value in fields if name == "traceparent"])
    return found


@pytest.mark.parametrize("way", ["direct", "fcgi", "nginx"])
def test_from_http_to_subscribers_and_history(stack, way):
    stack.broker()
    door = Door(stack, way)
    sub = stack.sub("a")
    door.post("topic=a", "1", traceparent=GOOD).id
    door.post("topic=a", "2", traceparent=LATER).id
    door.post("topic=a", "3").id
    for bad in BAD:
        door.post("topic=a", "bad", traceparent=bad).id
    assert metas(stack, "a") == [[GOOD], [GOOD], [], *([] for _ in BAD)]
    assert sub.poll(60000) and f"\ntraceparent: {GOOD}\n".encode() in sub.recv_multipart()[2]
    name = "zcast-ws" if way == "direct" else "zcast-fcgi"
    stack.wait_stats(lambda stats: sum(report.get("http", {}).get("untraced", 0) for report in stats["workers"].values()) == len(BAD), f"{name}'s count")


@pytest.mark.parametrize("way", ["direct", "fcgi"])
def test_a_batch_and_a_form(stack, way):
    """A line's own counts before the request's."""
    stack.broker()
    door = Door(stack, way)
    batch = [{"data": "1"}, {"data": "2", "traceparent": OTHER}, {"data": "3", "traceparent": "x"}, {"data": "4", "traceparent": 5}, {"data": "5", "traceparent": None}]
    answer = door.post("topic=a", "".join(json.dumps(line) + "\n" for line in batch), Content_Type="application/x-ndjson", traceparent=GOOD)
    assert answer.status == 200 and all("id" in line for line in answer.lines()), answer.body
    assert metas(stack, "a") == [[GOOD], [OTHER], [], [], [GOOD]]
    door.post("", f"topic=b&data=1&traceparent={OTHER}", Content_Type="application/x-www-form-urlencoded", traceparent=GOOD).id
    door.post(f"topic=b&traceparent={OTHER}", "2", traceparent=GOOD).id
    assert metas(stack, "b") == [[OTHER], [OTHER]]


def test_what_clients_are_shown(stack):
    """zcast.v1 has it, live and replayed; plain SSE and raw WebSockets have no place for it."""
    stack.broker()
    worker = stack.ws("--allow-publish")
    worker.wait_log("broker: connected")
    stack.web_port = stack.ws_port
    link = stack.websocket(subprotocols=["zcast.v1"]).wait_open()
    link.send_json({"type": "subscribe", "topics": ["a"]})
    link.wait_message(lambda text: '"subscribed"' in text)
    plain = stack.sse("a").wait_open()
    enveloped = stack.sse("a", format="zcast.v1").wait_open()
    raw = stack.websocket("a").wait_open()
    link.send_json({"type": "publish", "topic": "a", "data": "x", "traceparent": LATER})
    shown = json.loads(link.wait_message(lambda text: '"data":"x"' in text))
    assert shown["traceparent"] == GOOD
    assert json.loads(enveloped.wait(1)[0].data) == shown
    assert plain.wait(1)[0].data == "x" and raw.wait(1)[0] == "x"
    link.send_json({"type": "publish", "topic": "a", "data": "y", "traceparent": "y", "ref": 1})
    assert "traceparent" not in json.loads(link.wait_message(lambda text: '"data":"y"' in text))
    late = stack.sse("a", format="zcast.v1", headers={"Last-Event-ID": "earliest"})
    assert [json.loads(event.data).get("traceparent") for event in late.wait(2)] == [GOOD, None]


def test_from_a_publisher_that_sends_what_is_none(stack):
    """The broker passes on what it doesn't know; no client is shown it as a traceparent, nor a version that it may not know."""
    stack.broker()
    stack.ws()
    stack.web_port = stack.ws_port
    client = stack.sse("a", format="zcast.v1").wait_open()
    stack.publish("a", "1", {"traceparent": "nonsense"})
    stack.publish("a", "2", {"traceparent": GOOD})
    stack.publish("a", "3", {"traceparent": LATER})
    assert [json.loads(event.data).get("traceparent") for event in client.wait(3)] == [None, GOOD, GOOD]


def test_the_command_line(stack):
    stack.broker()
    stack.ws("--allow-publish").wait_log("broker: connected")
    http = f"http://127.0.0.1:{stack.ws_port}"
    stack.zmq("pub", "--traceparent", GOOD, "a", "1")
    stack.zmq("pub", "--traceparent", LATER, "--http", http, "a", "2")
    run("zmq", "pub", "--ndjson", f"--control={stack.control_endpoint}", input=json.dumps({"topic": "a", "data": "3", "traceparent": OTHER}) + "\n")
    assert metas(stack, "a") == [[GOOD], [GOOD], [OTHER]]
    said = run("zmq", "history", "--ndjson", f"--control={stack.control_endpoint}", "a").stdout
    assert [json.loads(line)["headers"]["traceparent"] for line in said.splitlines()] == [GOOD, GOOD, OTHER]
    again = stack.zmq("sub", "--since", "earliest", "--count", "3", "-f", r"%{traceparent}\n", "a").stdout
    assert again.splitlines() == [GOOD, GOOD, OTHER]
    by_http = run("zmq", "sub", "--http", http, "--since", "earliest", "--count", "3", "--json", "a").stdout
    assert [json.loads(line).get("headers") for line in by_http.splitlines()] == [{"traceparent": trace} for trace in (GOOD, GOOD, OTHER)]
    done = run("zmq", "pub", "--traceparent", GOOD.upper(), f"--control={stack.control_endpoint}", "a", "x", check=False)
    assert done.returncode == 2 and "is no traceparent" in done.stderr


@pytest.mark.parametrize("kept", ["disk", "log"])
def test_a_broker_that_restarts(stack, kept):
    """History on disk has it, and the log in Redis."""
    if kept == "log":
        stack.redis()
    options = [f"--history=lmdb:{stack.folder}/history"] if kept == "disk" else [f"--log={stack.redis_url}"]
    broker = stack.broker(*options)
    stack.publish("a", "1", {"traceparent": GOOD})
    broker.stop()
    stack.broker(*options)
    wait_for(lambda: metas(stack, "a") == [[GOOD]], "the message")


def test_another_site(stack, other):
    """By the bridge."""
    sites(stack, other)
    stack.publish("shared/a", "1", {"traceparent": GOOD})
    wait_for(lambda: metas(other, "shared/a") == [[GOOD]], "the message at the other site")


def test_logs_name_the_trace(stack):
    broker = stack.broker("--log-format=json")
    worker = stack.ws("--allow-publish", "--log-format=json", "--log-level=debug")
    wait_event(worker, "broker.connected")
    door = Door.__new__(Door)
    door.stack, door.way = stack, "direct"
    given = door.post("topic=a&key=k", "1", traceparent=GOOD).id
    told = wait_event(worker, "publish.acknowledged")
    assert (told["trace_id"], told["span_id"], told["id"]) == (TRACE, SPAN, given)
    assert door.post("topic=a&key=k", "other", traceparent=OTHER).status == 409
    told = wait_event(worker, "publish.failed", code="conflict")
    assert told["trace_id"] == TRACE[::-1]
    told = wait_event(worker, "request.denied", status=409)
    assert told["trace_id"] == TRACE[::-1] and told["level"] == "info"
    door.post("topic=a", "2").id
    wait_for(lambda: [line for line in lines(worker) if line["event"] == "publish.acknowledged" and "trace_id" not in line], "the one without")
    stack.pub().send_multipart([b"a", b"x", f"event: error\ntraceparent: {GOOD}\n".encode()])
    told = wait_event(broker, "publish.refused")
    assert (told["trace_id"], told["span_id"], told["topic"]) == (TRACE, SPAN, "a")
