"""More topics than are remembered: a topic with a subscriber isn't forgotten, and a publisher that invents topics pushes out its own."""

import pytest

from stack import wait_for
from test_broker import ask, control
from test_broker_disk import on_disk


def in_memory(stack, *options):
    return stack.broker(*options)


both = pytest.mark.parametrize("begin", [in_memory, on_disk])


def verdicts(client):
    return [event.json()["status"] for event in client.events if event.event == "zcast.continuity"]


@both
def test_what_is_subscribed_to_is_not_forgotten(stack, begin):
    begin(stack, "--max-topics=8")
    stack.ws()
    stack.web_port = stack.ws_port
    topics = [f"t{i}" for i in range(16)]
    clients = [stack.sse(topic) for topic in topics] + [stack.sse(*topics)]
    for client in clients:
        client.wait_open()
    wait_for(lambda: stack.stats()["subscriptions"] >= len(topics), "all are subscribed to")
    ids = {}
    for i in range(320):
        ids.setdefault(topics[i % 16], []).append(stack.publish(topics[i % 16], str(i)))
        if i % 5 == 0:
            stack.publish(f"nobody's {i}", "x")  # pushes out others that nobody listens to
    for client in clients:
        client.wait(320 if client is clients[-1] else 20)
        assert verdicts(client) == []
    for topic in topics:
        back = stack.sse(topic, headers={"Last-Event-ID": ids[topic][3]})
        back.wait(16)
        assert verdicts(back) == ["continued"]


@both
def test_a_topic_that_is_waited_on_begins_without_a_gap(stack, begin):
    begin(stack, "--max-topics=8")
    stack.ws()
    stack.web_port = stack.ws_port
    client = stack.sse("quiet")
    client.wait_open()
    for i in range(100):
        stack.publish(f"other {i}", "x")
    stack.publish("quiet", "at last")
    client.wait(1)
    assert verdicts(client) == []


@both
@pytest.mark.parametrize("socket", ["control", "publish"])
def test_who_invents_topics(stack, begin, socket):
    begin(stack, "--max-topics=80")
    one = control(stack)
    history = {}
    for i in range(60):
        topic = f"of all {i}".encode()
        history[topic] = ask(one, "PUBLISH", topic, "first")[1]
        ask(one, "PUBLISH", topic, "second")
    if socket == "control":
        assert stack.stats()["topics"] == 60
        inventor = control(stack)
        for i in range(2000):
            assert ask(inventor, "PUBLISH", f"invented {i}", "x")[0] == b"OK"
    else:
        pub = stack.pub()
        before = stack.stats()["published"]
        for i in range(2000):
            pub.send_multipart([b"invented %d" % i, b"x"] if i % 2 else [b"invented-%d x" % i])
            if i % 500 == 499:
                wait_for(lambda: stack.stats()["published"] > before + i, "all of them")
    for topic, id in history.items():
        *messages, end = stack.requests("FETCH", id, "10", "1000", topic)
        assert [message[2] for message in messages] == [b"second"]
        assert end[2] <= id, "complete"
