"""Workers that are cut off from the broker, and their names: their clients and the operator are told."""

import json
import re
import subprocess
import time

import pytest
import zmq

from relay import Link
from stack import program, wait_for

SOON = "--stale-after=1s"


def stale_events(client):
    return [event.json()["status"] for event in client.events if event.event == "zcast.stale"]


def stale_objects(client):
    objects = [json.loads(message) for message in client.messages]
    return [json.loads(each["data"])["status"] for each in objects if each.get("event") == "zcast.stale"]


def test_clients_are_told_and_new_ones_sent_away(stack):
    stack.use_tcp().broker()
    link = Link()
    over = stack.over(link)
    stack.fcgi(*over[1:], SOON)
    ws = stack.ws(*over, SOON)
    ws.wait_log("broker: connected")
    stack.nginx()
    plain = stack.sse("t", reconnect=True)
    as_json = stack.sse("t", format="zcast.v1")
    v1 = stack.websocket("t", subprotocols=["zcast.v1"]).wait_open()
    raw = stack.websocket("t").wait_open()
    for stream in (plain, as_json):
        stream.wait_open()
    first = stack.publish("t", '"first"')
    for stream in (plain, as_json):
        stream.wait(1)
    raw.wait(1)
    v1.wait_message(lambda message: "first" in message)

    link.cut()
    for stream in (plain, as_json):
        event = stream.wait_event(lambda event: event.event == "zcast.stale")
        assert event.json() == {"status": "stale"} and event.id == first
    wait_for(lambda: stale_objects(v1) == ["stale"], "an object that says so")
    ws.wait_log("broker: no answer for")
    missed = stack.publish("t", '"missed"')

    # an EventSource would give up on any status but 200; it is told to come back, by a balancer to another worker
    status, headers, body = stack.get("/events?topic=t")
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    assert re.search(rb"^retry: \d+$", body, re.MULTILINE) and b"data" not in body
    late = stack.websocket("t", subprotocols=["zcast.v1"])
    late.wait_closed()
    assert late.close_code in (None, 1013, 4503), (late.close_code, late.error)
    late = stack.websocket("t")
    late.wait_closed()
    assert "503" in str(late.error)
    returning = stack.sse("t", reconnect=True)

    link.mend()
    for stream in (plain, as_json):
        stream.wait_event(lambda event: event.event == "zcast.stale" and event.json() == {"status": "live"})
        assert stream.wait(2)[1].id == missed
        assert stale_events(stream) == ["stale", "live"]
    wait_for(lambda: stale_objects(v1) == ["stale", "live"], "an object that says that it is over")
    v1.wait_message(lambda message: "missed" in message)
    assert raw.wait(2) == ['"first"', '"missed"']
    assert plain.connections == 1
    wait_for(lambda: returning.connections > 1, "one that was sent away is back")
    wait_for(lambda: stack.publish("t", '"later"') and returning.messages(), "and is served")


def test_a_broker_that_is_away_for_a_moment(stack):
    """Who comes meanwhile waits for it, and nobody is told anything."""
    broker = stack.use_tcp().broker()
    stack.fcgi("--stale-after=20s")
    stack.nginx()
    before = stack.sse("t").wait_open()
    broker.kill()
    early = stack.sse("t")
    time.sleep(1)
    stack.broker()
    early.wait_open()
    wait_for(lambda: stack.publish("t", "x") and early.messages() and before.messages(), "both are served")
    assert not stale_events(early) + stale_events(before)


def test_a_worker_without_a_broker_from_the_start(stack):
    stack.use_tcp()
    stack.fcgi(SOON).wait_log("broker: no answer for")
    stack.nginx()
    assert b"retry: " in stack.get("/events?topic=t")[2]
    stack.broker()
    stream = stack.sse("t", reconnect=True)
    wait_for(lambda: stack.publish("t", "x") and stream.messages(), "it is served")


def test_stat_says_when_a_worker_was_last_in_touch(stack):
    stack.use_tcp().broker()
    link = Link()
    stack.ws(*stack.over(link), "--name=edge", SOON).wait_log("broker: connected")
    wait_for(lambda: "ws.0@edge" in stack.stats()["workers"], "a report")
    report = stack.stats()["workers"]["ws.0@edge"]
    assert report["synced"] < 60 and report["stale"] is False
    assert re.search(r"ws\.0@edge .* \d+ s ago", stack.zmq("stat").stdout)
    link.cut()
    before = stack.stats()["reported"]["ws.0@edge"]
    wait_for(lambda: stack.stats()["reported"]["ws.0@edge"] > max(before, 8), "it to be silent")
    assert re.search(r"ws\.0@edge .* (8|9|\d\d+) s ago", stack.zmq("stat").stdout)


# -- names


def test_names(stack):
    stack.use_tcp().broker()
    stack.fcgi(processes=2)
    stack.ws("--name=here.1")
    wait_for(lambda: set(stack.stats()["workers"]) == {"fcgi.0", "fcgi.1", "ws.0@here.1"}, lambda: f"reports: {set(stack.stats()['workers'])}")
    shown = stack.zmq("stat").stdout
    assert [line.split()[0] for line in shown.splitlines() if re.match(r"(fcgi|ws)\.", line)] == ["fcgi.0", "fcgi.1", "ws.0@here.1"]


@pytest.mark.parametrize("name", ["a b", "x" * 65, "a/b", ""])
def test_names_that_are_none(stack, name):
    done = subprocess.run([program("zcast-ws"), "-t", f"--name={name}"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "name" in done.stderr


def test_two_that_share_a_name(stack):
    """Neither overwrites the other for long."""
    stack.broker()
    one = stack.fcgi()
    two = stack.fcgi(socket_path=stack.folder / "second.sock")
    wait_for(lambda: len(stack.stats()["workers"]) == 2, lambda: f"both: {set(stack.stats()['workers'])}")
    names = sorted(stack.stats()["workers"])
    assert names[0] == "fcgi.0" and names[1].startswith("fcgi.0@")
    pids = {report["pid"] for report in stack.stats()["workers"].values()}
    assert pids == {one.pid, two.pid}
    wait_for(lambda: "another program reports" in one.log() + two.log(), "a warning")
    # one that starts again has its name at once
    for worker in (one, two):
        worker.stop()
    third = stack.fcgi()
    wait_for(lambda: stack.stats()["workers"]["fcgi.0"]["pid"] == third.pid, "its report")


def test_names_of_peers_that_take_turns(stack):
    stack.broker()
    peers = [stack.socket(zmq.DEALER, stack.control_endpoint) for _ in range(2)]

    def report(peer):
        peer.send_multipart([b"REPORT", b"x.0", b"{}"])
        assert peer.poll(60000)
        return peer.recv_multipart()

    assert report(peers[0]) == [b"OK"]
    assert report(peers[0]) == [b"OK"]
    assert report(peers[1]) == [b"OK"]  # it may be the same one, which has started again
    assert report(peers[0])[:2] == [b"ERR", b"name"]
    assert report(peers[1]) == [b"OK"]
