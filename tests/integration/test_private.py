"""Private messages, and topics that rules keep for some: live, in replays, on every door."""

import json
import urllib.parse
import urllib.request

import pytest

from stack import SseClient, WsClient, wait_for
from test_access import CARRIERS, Doors, secret, token  # noqa: F401: secret is a fixture
from test_ws import wait_events

PRIVATE = {"private": "yes"}


def data(client):
    return [event.data for event in client.events if not event.event.startswith("zcast.")]


def wait_data(client, expected):
    wait_for(lambda: len(data(client)) >= len(expected), lambda: f"{expected}, not {data(client)}")
    assert data(client) == expected


def stream(doors, carrier, query, bearer=None, last_id=None):
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    if last_id:
        headers["Last-Event-ID"] = last_id
    path = "/events?" + urllib.parse.urlencode(query, doseq=True)
    client = SseClient(f"http://127.0.0.1:{doors.ports[carrier]}{path}", headers=headers)
    client.wait_open()
    wait_for(lambda: client.last_id, "the first event")
    return client


@pytest.fixture
def doors(stack, secret):
    return Doors(stack, "--subject-rate=0", "--address-rate=0", "--tokens=publish", f"--token-keys={secret}", "--access=staff/=private")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_who_sees_a_private_message(doors, secret, carrier):
    publish = doors.stack.publish
    ann, bob = token(secret, "--subscribe", "user/ann"), token(secret, "--subscribe", "user/*")
    begin = publish("news", "before")
    clients = {
        "anyone": stream(doors, carrier, {"match": ["user/+"], "topic": ["news"]}),
        "ann": stream(doors, carrier, {"match": ["user/+"], "topic": ["news"]}, ann),
        "ann's own": stream(doors, carrier, {"topic": ["user/ann", "news"]}, ann),
        "bob": stream(doors, carrier, {"match": ["user/+"], "topic": ["news"]}, bob),
    }
    for topic, payload, headers in [
        ("news", "1", None), ("user/ann", "2", PRIVATE), ("user/bob", "3", PRIVATE), ("news", "4", PRIVATE), ("user/ann", "5", None),
        ("news", "end", None),
    ]:  # fmt: skip
        publish(topic, payload, headers)
    seen = {"anyone": "1 5", "ann": "1 2 5", "ann's own": "1 2 5", "bob": "1 2 3 5"}
    for name, client in clients.items():
        wait_data(client, [*seen[name].split(), "end"])
        bearer = {"anyone": None, "bob": bob}.get(name, ann)
        query = {"topic": ["user/ann", "news"]} if name == "ann's own" else {"match": ["user/+"], "topic": ["news"]}
        # from history, and the verdict counts what this client may see
        for last_id in (begin, "earliest"):
            back = stream(doors, carrier, query, bearer, last_id)
            expected = ([] if last_id == begin else ["before"]) + [*seen[name].split(), "end"]
            wait_data(back, expected)
            assert back.events[0].json() == {"status": "continued", "since": last_id, "replayed": len(expected)}, name


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_selector_that_covers_a_private_topic_filters(doors, secret, carrier):
    status, _, body = doors.get(carrier, "/events?match=staff/%2B")
    assert status == 401 and "aren't for everyone" in body, "nothing that it matches is for anyone"
    head = token(secret, "--subscribe", "staff/head", "--subscribe", "stuff/*")
    assert doors.get(carrier, "/events?match=staff/%2B", {"Authorization": f"Bearer {token(secret, '--subscribe', 'x')}"})[0] == 403
    anyone, chief = stream(doors, carrier, {"template": ["st{+rest}"]}), stream(doors, carrier, {"template": ["st{+rest}"]}, head)
    for topic in ("staff/all", "staff/head", "stuff/1", "staff/other"):
        doors.stack.publish(topic, topic)
    doors.stack.publish("stuff/1", "private", PRIVATE)
    doors.stack.publish("stop", "end")
    wait_data(anyone, ["stuff/1", "end"])
    wait_data(chief, ["staff/head", "stuff/1", "private", "end"])


def test_the_token_of_now_decides_of_a_replay(doors, secret):
    """Of one that comes back with a lesser token, or without one."""
    first = doors.stack.publish("news", "first")
    rich, poor = token(secret, "--subscribe", "*"), token(secret, "--subscribe", "user/1")
    client = stream(doors, "http", {"topic": ["news", "user/1"]}, rich)
    for topic, payload in [("news", "a"), ("user/1", "b"), ("user/1", "c")]:
        doors.stack.publish(topic, payload, PRIVATE)
    doors.stack.publish("news", "d")
    wait_data(client, ["a", "b", "c", "d"])
    for bearer, expected in ((rich, "abcd"), (poor, "bcd"), (None, "d")):
        back = stream(doors, "http", {"topic": ["news", "user/1"]}, bearer, first)
        wait_data(back, list(expected))
        assert back.events[0].json()["replayed"] == len(expected)


def test_a_long_replay_counts_what_is_seen(doors, secret):
    """More than a page, of which every other message is private."""
    first = doors.stack.publish("n", "first")
    batch = "".join(json.dumps({"topic": "n", "data": str(i), "private": i % 2 == 1}) + "\n" for i in range(3000))
    bearer = token(secret, "--publish", "*", "--subscribe", "n")
    fields = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {bearer}"}
    url = f"http://127.0.0.1:{doors.ports['http']}/publish"
    with urllib.request.urlopen(urllib.request.Request(url, batch.encode(), fields), timeout=90) as answer:
        assert b"code" not in answer.read()
    anyone, reader = stream(doors, "http", {"topic": ["n"]}, None, first), stream(doors, "http", {"topic": ["n"]}, bearer, first)
    wait_data(anyone, [str(i) for i in range(0, 3000, 2)])
    wait_data(reader, [str(i) for i in range(3000)])
    assert [client.events[0].json()["replayed"] for client in (anyone, reader)] == [1500, 3000]


def test_websocket(doors, secret):
    bearer = token(secret, "--subscribe", "user/1")
    url = f"ws://127.0.0.1:{doors.ports['http']}/ws?topic=news"
    with WsClient(url, ["zcast.v1"]) as anyone, WsClient(url, ["zcast.v1", f"zcast.token.{bearer}"]) as one:
        for client in (anyone, one):
            client.wait_open()
            client.send(json.dumps({"type": "subscribe", "topics": ["user/1"]}))
            wait_for(lambda: any(m.get("type") == "subscribed" and "id" in m for m in map(json.loads, client.messages)), "the answer")  # noqa: B023
        doors.stack.publish("user/1", "mine", PRIVATE)
        doors.stack.publish("news", "nobody's", PRIVATE)
        doors.stack.publish("news", "all's")
        assert [event["data"] for event in wait_events(one, 2)] == ["mine", "all's"]
        assert [event["data"] for event in wait_events(anyone, 1)] == ["all's"]


def test_an_update_on_several_topics(doors, secret):
    """Published as one, shown once, wherever a client enters."""
    before = doors.stack.publish("n/a", "before")
    queries = {"a": ["n/a"], "b": ["n/b"], "both": ["n/b", "n/a"], "none": ["n/c"]}
    live = {name: stream(doors, "http", {"topic": topics}) for name, topics in queries.items()}
    live["all"] = stream(doors, "fcgi", {"match": ["n/+"]})
    answer = doors.stack.request("PUBLISH", "n/a\nn/b\nn/x y", "1", "id: own\nreuse: yes\n")
    assert answer[0] == b"OK"
    ids = sorted(line.split(b" ")[0] for line in doors.stack.request("LIST", "10", "")[2].split(b"\n"))
    assert ids[-1] == answer[1]
    milliseconds, counter = ids[-1].split(b"-")
    assert ids[-3:] == [b"%s-%d" % (milliseconds, int(counter) - behind) for behind in (2, 1, 0)]
    again = doors.stack.request("PUBLISH", "n/b\nn/a", "2", "id: own\nreuse: yes\n")
    assert again[0] == b"OK" and again[1] != answer[1]
    doors.stack.publish("n/a", "3", PRIVATE)
    doors.stack.publish("n/c", "4")
    seen = {"a": "12", "b": "12", "both": "12", "none": "4", "all": "124"}
    for name, client in live.items():
        wait_data(client, list(seen[name]))
        query = {"match": ["n/+"]} if name == "all" else {"topic": queries[name]}
        back = stream(doors, "http", query, None, before)
        wait_data(back, list(seen[name]))
        assert back.events[0].json()["replayed"] == len(seen[name])


@pytest.mark.parametrize("topics, headers, code", [
    ("a\na", "", b"topic"), ("a\n", "", b"topic"), ("\na", "", b"topic"), ("a\n\x01mb", "", b"topic"), ("a\n" + "b" * 1025, "", b"topic"),
    ("\n".join(map(str, range(1001))), "", b"topic"), ("\n".join("%" * 300 + str(i) for i in range(20)), "", b"topic"),
    ("a\nb", "topics: a b\n", b"headers"), ("a\nb", "id: earliest\n", b"headers"),
])  # fmt: skip
def test_bad_updates(stack, topics, headers, code):
    stack.broker()
    assert stack.request("PUBLISH", topics, "x", headers)[:2] == [b"ERR", code]
    assert stack.request("PUBLISH", "\n".join(map(str, range(1000))), "x")[0] == b"OK"
