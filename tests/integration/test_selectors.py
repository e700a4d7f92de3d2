"""Selectors: filters, templates and patterns on every door; history, restarts and losses; and what they may not reach."""

import json
import urllib.parse

import pytest

from stack import WsClient, wait_for
from test_access import CARRIERS, Doors, secret, token  # noqa: F401: secret is a fixture
from test_broker import control, receive
from test_topics import verdicts
from test_ws import V1, events, of_type, wait_events

FORMS = [
    ("match", "shop/+/price", ["shop/1/price", "shop//price"], ["shop/1/2/price", "shop/price", "shopping"]),
    ("match", "shop/#", ["shop", "shop/1", "shop/1/2"], ["shops", "sho"]),
    ("template", "https://shop.example/{id}", ["https://shop.example/1"], ["https://shop.example/1/2"]),
    ("pattern", "https://shop.example/books{/:id}?", ["https://shop.example/books/1", "https://shop.example/books"], ["https://shop.example/b"]),
]


@pytest.fixture
def ws(stack):
    stack.broker()
    stack.ws()
    stack.web_port = stack.ws_port
    return stack


def data(client):
    return [event.data for event in client.events if not event.event.startswith("zcast.")]


def wait_data(client, expected):
    wait_for(lambda: len(data(client)) >= len(expected), lambda: f"{len(expected)} messages, not {data(client)}")
    assert data(client) == expected


@pytest.mark.parametrize("form, text, good, bad", FORMS)
def test_what_matches_comes_and_nothing_else(ws, form, text, good, bad):
    """Topics that nobody has seen before, and then all of them from history."""
    first = ws.publish("before", "x")
    client = ws.sse(**{form: text})
    client.wait_open()
    wait_for(lambda: client.last_id, "the first event")
    sent = []
    for round_ in range(2):
        for topic in [*bad, *good]:
            ws.publish(topic, f"{topic} {round_}")
            sent += [f"{topic} {round_}"] if topic in good else []
    ws.publish(good[0], "last")
    wait_data(client, [*sent, "last"])
    back = ws.sse(headers={"Last-Event-ID": first}, **{form: text})
    wait_data(back, [*sent, "last"])
    assert back.events[0].json() == {"status": "continued", "since": first, "replayed": len(sent) + 1}
    everything = ws.sse(headers={"Last-Event-ID": "earliest"}, **{form: text})
    wait_data(everything, [*sent, "last"])


def test_topics_and_selectors_together(ws):
    """A message that several of them match comes once, and in order."""
    with ws.websocket("a", "shop/1", query={"match": "shop/#"}, **V1) as client:
        client.wait_open()
        client.send(json.dumps({"type": "subscribe", "match": ["shop/+", "b"], "template": ["x{y}"]}))
        assert of_type(client, "subscribed") | {"id": 0} == {
            "type": "subscribed",
            "topics": ["a", "shop/1", "b"],
            "match": ["shop/#", "shop/+"],
            "template": ["x{y}"],
            "id": 0,
        }
        for i in range(20):
            for topic in ["a", "b", "shop/1", "shop/2", "x1", "y"]:
                ws.publish(topic, str(i))
        got = wait_events(client, 100)
        assert [(one["topic"], one["data"]) for one in got] == [
            (topic, str(i)) for i in range(20) for topic in ["a", "b", "shop/1", "shop/2", "x1"]
        ]
        client.send(json.dumps({"type": "unsubscribe", "match": ["shop/#", "shop/+"], "topics": ["a", "shop/1"]}))
        wait_for(lambda: sum(json.loads(text).get("type") == "subscribed" for text in client.messages) == 2, "the second answer")
        for topic in ["shop/1", "a", "b"]:
            ws.publish(topic, "later")
        assert [one["topic"] for one in wait_events(client, 101)[100:]] == ["b"]
        assert ws.stats()["subscriptions"] >= 2


def test_a_selector_s_subscription_goes_with_its_last_client(stack):
    stack.broker()
    stack.ws("--linger=0")
    stack.web_port = stack.ws_port
    before = stack.stats()["subscriptions"]
    clients = [stack.sse("shop", match=text) for text in ("shop/#", "shop/+", "other/#") for _ in range(3)]
    for client in clients:
        client.wait_open()
    wait_for(lambda: stack.stats()["subscriptions"] == before + 3, "shop, shop/ and other")
    for client in clients:
        client.close()
    wait_for(lambda: stack.stats()["subscriptions"] == before, "none is left")


def test_what_a_worker_loses(stack):
    """The worker stands still, and the broker drops messages for it: nothing but the broker's lists tells it of topics that
    it has never seen. There are more than a list has room for. What the clients then get at once is no reason to
    disconnect them, however slowly a busy machine reads it."""
    stack.broker("--subscribe-hwm=100", "--max-topics=200000", "--history-messages=100000")
    daemon = stack.ws("--max-lag=64M")
    stack.web_port = stack.ws_port
    clients = [stack.sse(match="many/#"), stack.sse("many/7", match="many/+"), stack.sse(pattern="many/1*")]
    for client in clients:
        client.wait_open()
        wait_for(lambda: client.last_id, "the first event")
    stack.publish("many/7", "first")
    wait_data(clients[0], ["first"])
    daemon.pause()
    count = 12_000
    dealer, padding = control(stack), "." * 1000
    for block in range(0, count, 100):
        for i in range(block, block + 100):
            dealer.send_multipart([b"PUBLISH", f"many/{i}".encode(), f"{i}{padding}".encode()])
        receive(dealer, 100)
    assert stack.stats()["dropped"]["episodes"] > 0
    daemon.resume()
    every = [f"{i}{padding}" for i in range(count)]
    wait_data(clients[0], ["first", *every])
    wait_data(clients[1], ["first", *every])
    wait_data(clients[2], [one for i, one in enumerate(every) if str(i)[0] == "1"])
    for client in clients:
        assert verdicts(client) == []
    workers = stack.stats()["workers"].values()
    wait_for(lambda: sum(worker["lists"] for worker in stack.stats()["workers"].values()) > 0, "a list was asked for")
    assert all(worker["late"] == 0 for worker in workers)


@pytest.mark.parametrize("durable", [False, True])
def test_a_broker_that_restarts(stack, tmp_path, durable):
    options = [f"--history=lmdb:{tmp_path}/history"] if durable else []
    broker = stack.broker(*options)
    stack.ws()
    stack.web_port = stack.ws_port
    client = stack.sse(match="shop/#")
    client.wait_open()
    stack.publish("shop/1", "1")
    wait_data(client, ["1"])
    broker.stop()
    broker = stack.broker(*options)
    stack.publish("shop/2", "2")
    stack.publish("shop/3", "3")
    wait_data(client, ["1", "2", "3"])
    assert verdicts(client) == [] if durable else set(verdicts(client)) <= {"gap"}


@pytest.mark.parametrize("http", [False, True])
def test_zmq_sub(ws, http):
    where = ["--http", f"http://127.0.0.1:{ws.ws_port}"] if http else []
    for topic in ["shop/1/price", "shop/1", "shops", "shop/2/price"]:
        ws.publish(topic, f"of {topic}")
    found = ws.zmq("sub", "--match", "shop/+/price", "shops", "--since", "earliest", "--count", "3", *where)
    assert found.stdout.splitlines() == ["shop/1/price\tof shop/1/price", "shops\tof shops", "shop/2/price\tof shop/2/price"]
    for words, why in [(["a/#/b"], "+ stands for"), (["a", "--prefix"], "go together"), ([""], "1 to 1024"), (["a/#", "--since", "last:2"], "last:2")]:
        done = ws.zmq("sub", "--match", *words, *where, check=False)
        assert done.returncode == 2 and why in done.stderr


REFUSED = [
    ("match", "a/#/b", "+ stands for a whole level"),
    ("match", "a" * 1025, "1 to 1024 bytes"),
    ("match", "a" * 100_000, ""),
    ("template", "{", "ends with }"),
    ("template", "x{a}" * 200, "too many wildcards"),
    ("pattern", "(a+)+", "regular expressions"),
    ("pattern", "{a{b}}", "no group in it"),
    ("match", "\n", "control"),
    ("match", "", "1 to 1024 bytes"),
]


@pytest.mark.parametrize("form, text, why", REFUSED)
def test_refusals(ws, form, text, why):
    status, _, body = ws.get(f"/events?{form}={urllib.parse.quote(text, safe='')}")
    assert status in ([400] if len(text) < 10_000 else [414, 431]) and why in body.decode()
    with ws.websocket("a", **V1) as client:
        client.wait_open()
        client.send(json.dumps({"type": "subscribe", form: [text]}))
        if len(text) < 10_000:
            error = of_type(client, "error")
            assert error["code"] == "selector" and why in error["message"]


def test_too_many(stack):
    stack.broker()
    stack.ws("--max-topics=3")
    stack.web_port = stack.ws_port
    query = "&".join(f"match=a{i}/%23" for i in range(3))
    status, _, body = stack.get(f"/events?{query}&topic=a")
    assert status == 400 and b"too many topics" in body
    with stack.websocket("a", **V1) as client:
        client.wait_open()
        client.send(json.dumps({"type": "subscribe", "match": ["a/#", "b/#", "c/#"]}))
        assert of_type(client, "error")["code"] == "topics"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_they_may_not_reach(stack, secret, carrier):  # noqa: F811
    doors = Doors(stack, "--tokens=publish", f"--token-keys={secret}", "--access=shop/staff/=private", "--access=vault=private")

    def status(query, *grants):
        headers = {"Authorization": f"Bearer {token(secret, *grants)}"} if grants else {}
        return doors.get(carrier, "/events?" + query, headers)[0]

    everything = ["--subscribe", "*"]
    assert status("match=shop/%2B/price") == 200, "shop/staff/price is left out"
    assert status("match=shop/staff/%2B") == 401, "nothing is left"
    assert status("match=shopping/%23") == 200
    assert status("match=shop/1/%23") == 200
    assert status("match=vault/%23") == 401
    assert status("pattern=vault*") == 401 and status("pattern=vau*") == 200
    assert status("match=%23") == 401 and status("template=*") == 401 and status("pattern=*") == 401
    assert status("match=%24zcast/%2B", *everything) == 403
    for query in ["match=shop/staff/%2B", "match=%23", "pattern=*"]:
        assert status(query, *everything) == 200
        assert status(query, "--subscribe", "other/*") == 403
    assert status("match=shop/%2B/price", "--subscribe", "shop/staff/*") == 200, "the rest is public"
    assert status("match=shop/staff/%2B/%2B", "--subscribe", "shop/staff/1/*") == 200, "that is what it gets"
    assert status("match=%23", "--subscribe", "shop/*") == 403


def test_a_private_topic_is_not_delivered(stack, secret):  # noqa: F811
    """A selector that is allowed next to one that isn't."""
    Doors(stack, "--tokens=publish", f"--token-keys={secret}", "--access=shop/staff/=private")
    stack.web_port = stack.ws_port
    client = stack.sse(match="shop/s/#")
    client.wait_open()
    for topic in ["shop/staff/1", "shop/s/1", "shop/staff", "shop/s/2"]:
        stack.publish(topic, topic)
    wait_data(client, ["shop/s/1", "shop/s/2"])


@pytest.mark.parametrize("transport", ["http", "fcgi", "handshake", "plain handshake", "command"])
def test_refusals_are_counted(stack, secret, transport):  # noqa: F811
    """Each exactly once, where what this transport refuses is counted: in the reports, and in the metrics that are made of them."""
    doors = Doors(stack, "--tokens=publish", f"--token-keys={secret}", "--access=vault=private", "--max-topics=3")
    granted = {"Authorization": f"Bearer {token(secret, '--subscribe', 'shop/*')}"}
    refused = [
        ({}, ["#"], "token"),  # too short a beginning
        ({}, ["vault/#"], "token"),
        (granted, ["#"], "forbidden"),
        (granted, ["vault/#"], "forbidden"),
        ({}, ["a/#/b"], "selector"),
        ({}, ["a/#", "b/#", "c/#", "d/#"], "topics"),
    ]
    for headers, filters, code in refused:
        path = "?" + urllib.parse.urlencode([("match", text) for text in filters])
        if transport in doors.ports:
            assert doors.get(transport, "/events" + path, headers)[0] == {"token": 401, "forbidden": 403}.get(code, 400)
        elif transport == "command":
            with WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws?topic=shop/1", headers=headers, **V1) as client:
                client.wait_open()
                client.send(json.dumps({"type": "subscribe", "match": filters}))
                assert of_type(client, "error")["code"] == code
        else:
            how = V1 if transport == "handshake" else {}
            with WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws{path}", headers=headers, **how) as client:
                client.wait_closed()
                assert client.error or client.close_code in (4400, 4401, 4403)
    name = "fcgi.0" if transport == "fcgi" else "ws.0"
    expected = {"errors": 0 if transport == "command" else len(refused), "topics": 1}
    if transport != "fcgi":
        expected["refused"] = len(refused)

    def counted(report):
        found = {"errors": report["http"]["errors"], "topics": report["http"]["limits"]["topics"]}
        return found | ({"refused": report["ws"]["refused"]} if "ws" in report else {})

    stack.wait_report(name, lambda report: counted(report) == expected, f"{expected}")
