"""zcast-ws with a broker: streams in both modes, subscriptions, publishing, clients that are slow, silent or too busy, and
the ways in which the daemon starts, stops and runs out of things."""

import base64
import contextlib
import json
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from stack import LIMIT, program, run, wait_for
from wsraw import BINARY, CLOSE, FIN, PING, PONG, TEXT, Closed, Raw, close_body, head

V1 = {"subprotocols": ["zcast.v1"]}


@pytest.fixture
def ws(stack):
    stack.broker()
    stack.ws()
    return stack


def of_type(client, kind):
    """The first of its messages of this type, once it is there."""
    return json.loads(client.wait_message(lambda text: json.loads(text).get("type") == kind))


def events(client):
    """Events of zcast.v1 that it has got, without answers and heartbeats."""
    return [made for made in map(json.loads, list(client.messages)) if "type" not in made]


def wait_events(client, count):
    wait_for(lambda: len(events(client)) >= count, lambda: f"{count} events; {client!r}")
    return events(client)


def ws_stats(stack):
    """The figures that the daemon's processes reported to the broker, added up."""
    total = {}
    workers = stack.stats().get("workers", {})
    found = workers.values() if isinstance(workers, dict) else workers
    for worker in found:
        for name, value in _flat(worker):
            total[name] = total.get(name, 0) + value
    return total


def _flat(value):
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner)
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            yield name, inner


# streams


def test_raw_text_and_binary(ws):
    with ws.websocket("a") as client:
        client.wait_open()
        ws.publish("a", "καλημέρα")
        ws.publish("other", "not for a")
        ws.publish("a", b"\xff\x00\xfe")
        ws.publish("a", "")
        ws.publish("a", b"x" * 100_000)
        assert client.wait(4) == ["καλημέρα", b"\xff\x00\xfe", "", "x" * 100_000]


def test_zcast_v1(ws):
    with ws.websocket("a", "b", **V1) as client:
        client.wait_open()
        assert client.subprotocol == "zcast.v1"
        first = ws.publish("a", 'say "hi"\n', {"event": "greeting"})
        second = ws.publish("b", b"\xff\x00", {"id": "own-7"})
        assert wait_events(client, 2) == [
            {"id": first, "topic": "a", "event": "greeting", "data": 'say "hi"\n'},
            {"id": second, "eventId": "own-7", "topic": "b", "event": "message", "base64": base64.b64encode(b"\xff\x00").decode()},
        ]
        assert second > first


def test_prefixes_are_not_topics(ws):
    with ws.websocket("room1") as client:
        client.wait_open()
        ws.publish("room10", "no")
        ws.publish("room", "no")
        ws.publish("room1", "yes")
        assert client.wait(1) == ["yes"]


def test_every_client_gets_everything_in_order(ws):
    clients = [ws.websocket("n", **(V1 if n % 2 else {})).wait_open() for n in range(10)]
    pub = ws.pub()
    for n in range(500):
        pub.send_multipart([b"n", b"%d" % n])
    for n, client in enumerate(clients):
        if n % 2:
            assert [made["data"] for made in wait_events(client, 500)] == [str(k) for k in range(500)]
        else:
            assert client.wait(500) == [str(k) for k in range(500)]


@pytest.mark.parametrize("name", ["last-event-id", "lastEventID", "lastEventId", "last_event_id"])
def test_resume_by_query(ws, name):
    first = ws.publish("a", "one")
    ws.publish("a", "two")
    url = f"/ws?topic=a&{name}={first}"
    with Raw(ws.ws_port) as raw:
        raw.open(url)
        verdict = json.loads(raw.read_message()[1])
        assert verdict["event"] == "zcast.continuity"
        assert json.loads(verdict["data"]) == {"status": "continued", "since": first, "replayed": 1}
        assert raw.read_message() == (FIN | TEXT, b"two")


def test_resume_by_header_wins(ws):
    first = ws.publish("a", "one")
    second = ws.publish("a", "two")
    ws.publish("a", "three")
    with Raw(ws.ws_port) as raw:
        raw.open(f"/ws?topic=a&last-event-id={first}", Last_Event_ID=second, Sec_WebSocket_Protocol="zcast.v1")
        verdict = json.loads(raw.read_message()[1])
        assert verdict["id"] == second and verdict["topic"] == ""
        assert json.loads(verdict["data"])["since"] == second
        assert json.loads(raw.read_message()[1])["data"] == "three"


def test_gap_is_stated(stack):
    stack.broker("--history-messages=2") if "history-messages" in run("zcast-broker", "--help").stdout else stack.broker()
    stack.ws()
    with Raw(stack.ws_port) as raw:
        stack.publish("a", "one")
        raw.open("/ws?topic=a&last-event-id=never-seen", Sec_WebSocket_Protocol="zcast.v1")
        verdict = json.loads(raw.read_message()[1])
        assert json.loads(verdict["data"])["status"] == "gap"


@pytest.mark.parametrize("bad", ["%0a", "%00", "%ff", "x" * 257])
@pytest.mark.parametrize("late", [False, True])
def test_bad_last_id_is_a_gap(ws, bad, late):
    with Raw(ws.ws_port) as raw:
        raw.open(f"/ws?last-event-id={bad}" + ("" if late else "&topic=a"), Sec_WebSocket_Protocol="zcast.v1")
        if late:
            raw.frame(FIN | TEXT, b'{"type":"subscribe","topics":["a"]}')
        made = [json.loads(raw.read_message()[1]) for _ in range(1 + late)]
        verdict = next(one for one in made if one.get("event") == "zcast.continuity")
        data = json.loads(verdict["data"])
        assert (data["status"], data["since"]) == ("gap", "")


def test_resume_with_the_first_subscription(ws):
    first = ws.publish("a", "one")
    ws.publish("a", "two")
    with ws.websocket(query={"last-event-id": first}, **V1) as client:
        client.wait_open()
        client.send_json({"type": "subscribe", "topics": ["a"]})
        verdict, two = wait_events(client, 2)
        assert json.loads(verdict["data"]) == {"status": "continued", "since": first, "replayed": 1}
        assert two["data"] == "two"


def test_heartbeats(stack):
    stack.broker()
    stack.ws("--heartbeat=300ms")
    with Raw(stack.ws_port) as raw:
        raw.open()
        for _ in range(3):
            assert raw.read_frame() == (FIN | PING, b"")
    with stack.websocket("a", **V1) as client:
        client.wait_open()
        assert of_type(client, "heartbeat")


@pytest.mark.parametrize("option", ["yes", "no"])
def test_many_clients_in_one_system_call(stack, option):
    """With io_uring, where the system has it, and without: everyone gets everything, also those who leave in the middle."""
    stack.broker()
    daemon = stack.ws(f"--io-uring={option}", "--max-connections-per-address=0")
    forbidden = option == "yes" and "io_uring: " in daemon.log()
    with contextlib.ExitStack() as all:
        clients = [all.enter_context(stack.websocket("t")) for _ in range(60)]
        for client in clients:
            client.wait_open()
        for number in range(50):
            stack.publish("t", str(number))
            if number % 10 == 9:
                clients.pop().close()
        for client in clients:
            assert client.wait(50) == [str(number) for number in range(50)]
        report = stack.wait_report("ws.0", lambda report: report["delivered"] >= 55 * 50, "all delivered")
    assert (report["batches"] > 0) == (option == "yes" and not forbidden)


# zcast.v1


def test_subscribe_and_unsubscribe(ws):
    with ws.websocket(**V1) as client:
        client.wait_open()
        client.send_json({"type": "subscribe", "topics": ["a", "b"], "ref": 1})
        made = of_type(client, "subscribed")
        assert (made["ref"], made["topics"]) == (1, ["a", "b"])
        ws.publish("a", "1")
        wait_events(client, 1)
        client.send_json({"type": "subscribe", "topics": ["c", "a"], "ref": "x"})
        client.send_json({"type": "unsubscribe", "topics": ["a", "zzz"], "ref": "y"})
        wait_for(lambda: len([m for m in client.messages if '"subscribed"' in m]) == 3, "three answers")
        answers = [m for m in map(json.loads, client.messages) if m.get("type") == "subscribed"][1:]
        assert [(m["ref"], sorted(m["topics"])) for m in answers] == [("x", ["a", "b", "c"]), ("y", ["b", "c"])]
        one = json.loads(next(m for m in client.messages if '"data":"1"' in m))["id"]
        assert one <= answers[0]["id"] <= answers[1]["id"]
        for topic in "abc":
            ws.publish(topic, "2")
        assert [made["topic"] for made in wait_events(client, 3)] == ["a", "b", "c"], client.messages
        client.send_json({"type": "unsubscribe", "topics": ["b", "c"]})
        client.wait_message(lambda text: json.loads(text).get("topics") == [])
        ws.publish("b", "3")
        client.send_json({"type": "subscribe", "topics": ["c"]})
        client.wait_message(lambda text: json.loads(text).get("topics") == ["c"])
        ws.publish("c", "4")
        assert [made["data"] for made in wait_events(client, 4)] == ["1", "2", "2", "4"]


def test_moving_between_topics_loses_and_repeats_nothing(ws):
    """While messages flow, a client adds and leaves other topics over and over; the one that it keeps is complete."""
    done = threading.Event()
    count = 0

    def flow():
        nonlocal count
        pub = ws.pub()
        while not done.is_set():
            for topic in (b"kept", b"other"):
                pub.send_multipart([topic, b"%d" % count])
            count += 1
            time.sleep(0.001)

    with ws.websocket("kept", **V1) as client:
        client.wait_open()
        flowing = threading.Thread(target=flow)
        flowing.start()
        try:
            for n in range(40):
                had = sum('"other"' in text for text in list(client.messages))
                for kind in ("subscribe", "unsubscribe"):
                    client.send_json({"type": kind, "topics": ["other", f"t{n}"], "ref": f"{n}{kind}"})
                    client.wait_message(lambda text, ref=f"{n}{kind}": json.loads(text).get("ref") == ref)
                    if kind == "subscribe" and n % 2:  # half of the times it is moved on before it has arrived
                        wait_for(lambda: sum('"other"' in text for text in list(client.messages)) > had + 3, "another topic")
        finally:
            done.set()
            flowing.join()
        ws.publish("kept", "last")
        client.wait_message(lambda text: json.loads(text).get("data") == "last")
        kept = [made["data"] for made in events(client) if made["topic"] == "kept"]
        first = int(kept[0])
        assert kept == [str(n) for n in range(first, count)] + ["last"]
        assert first < 1000
        other = [int(made["data"]) for made in events(client) if made["topic"] == "other"]
        assert other == sorted(set(other)) and len(other) > 0


def test_ping(ws):
    with ws.websocket(**V1) as client:
        client.wait_open()
        client.send_json({"type": "ping"})
        assert of_type(client, "pong") == {"type": "pong"}
        client.ping()


@pytest.mark.parametrize(
    "message, code",
    [
        ("", "json"),
        ("{", "json"),
        ("[1]", "json"),
        ("[" * 60000, "json"),
        (b"{}", "json"),
        ("{}", "type"),
        ('{"type":"shout"}', "type"),
        ('{"type":"subscribe"}', "topics"),
        ('{"type":"subscribe","topics":["a\\u0001"]}', "topics"),
        (json.dumps({"type": "subscribe", "topics": [str(n) for n in range(101)]}), "topics"),
        ('{"type":"publish","topic":"a","data":"x","ref":9}', "forbidden"),
    ],
)
def test_what_is_wrong_is_answered(ws, message, code):
    with ws.websocket("a", **V1) as client:
        client.wait_open()
        client.send(message)
        answer = of_type(client, "error")
        assert answer["code"] == code and answer["message"]
        client.send_json({"type": "ping"})  # and nothing else happened
        of_type(client, "pong")


def test_more_topics_than_allowed_in_steps(stack):
    stack.broker()
    stack.ws("--max-topics=3")
    with stack.websocket("a", **V1) as client:
        client.wait_open()
        client.send_json({"type": "subscribe", "topics": ["a", "b", "c"]})
        of_type(client, "subscribed")
        client.send_json({"type": "subscribe", "topics": ["d"]})
        assert of_type(client, "error")["code"] == "topics"


# publishing by clients


def test_raw_messages_are_refused(ws):
    with Raw(ws.ws_port) as raw:
        raw.open()
        raw.frame(FIN | TEXT, b"hello")
        code, reason = raw.read_close()
        assert code == 1008 and "publish" in reason
        raw.frame(FIN | CLOSE, close_body(1008))
        assert raw.at_end()


def publishing(stack):
    """A daemon that lets clients publish, and has its broker."""
    daemon = stack.ws("--allow-publish")
    daemon.wait_log("broker: connected")
    return daemon


def test_publish(stack):
    stack.broker()
    publishing(stack)
    with stack.websocket("a", **V1) as client:
        client.wait_open()
        client.send_json({"type": "publish", "topic": "a", "data": "héllo", "event": "hi", "id": "own-1"})
        answer = of_type(client, "published")
        assert answer["ref"] == "own-1"
        made = wait_events(client, 1)[0]
        assert made == {"id": answer["id"], "eventId": "own-1", "topic": "a", "event": "hi", "data": "héllo"}
        client.send_json({"type": "publish", "topic": "a", "base64": "/wA=", "ref": 5})
        client.wait_message(lambda text: json.loads(text).get("ref") == 5)
        assert wait_events(client, 2)[1]["base64"] == "/wA="
        # the same own id again is the same event: answered, not delivered
        client.send_json({"type": "publish", "topic": "a", "data": "héllo", "event": "hi", "id": "own-1", "ref": 6})
        again = json.loads(client.wait_message(lambda text: json.loads(text).get("ref") == 6))
        assert again["type"] == "published" and again["id"] == answer["id"]
        assert len(events(client)) == 2


@pytest.mark.parametrize("limit", ["1M", "11M"])
def test_publish_what_the_broker_would_hang_up_on(stack, limit):
    """The daemon takes more than its broker: one client is told, and the others notice nothing."""
    stack.broker(f"--max-payload={limit}")
    daemon = stack.ws("--allow-publish", "--max-payload=32M", "--max-message=64M")
    daemon.wait_log("broker: connected")
    with stack.websocket("a", **V1) as client, stack.websocket("a") as other:
        client.wait_open()
        other.wait_open()
        for number in range(3):
            client.send_json({"type": "publish", "topic": "a", "data": "x" * 12_000_000, "ref": number})
            answer = json.loads(client.wait_message(lambda text: json.loads(text).get("ref") == number))
            assert (answer["type"], answer["code"]) == ("error", "payload")
        client.send_json({"type": "publish", "topic": "a", "data": "small", "ref": "end"})
        assert other.wait(1) == ["small"]
    assert "connection lost" not in daemon.log()


def test_publish_says_as_much_as_over_http(stack):
    """A key makes it safe to send again; what POST takes is taken, and the rest refused."""
    stack.broker()
    publishing(stack)
    heard = stack.sub("a")
    with stack.websocket(**V1) as client:
        client.wait_open()
        one = {"type": "publish", "topic": "a", "data": "x", "key": "k 1", "ttl": 60, "retry": 4000, "private": True}
        ids = []
        for ref in (1, 2):
            client.send_json({**one, "ref": ref})
            ids.append(json.loads(client.wait_message(lambda text, ref=ref: json.loads(text).get("ref") == ref))["id"])
        assert ids[0] == ids[1] and stack.stats()["duplicates"] == 1
        meta = heard.recv_multipart()[2].decode()
        assert all(f"\n{line}\n" in meta for line in ("key: k 1", "ttl: 60", "retry: 4000", "private: yes"))
        for ref, wrong, code in [(3, {"data": "another"}, "conflict"), (4, {"retry": 600001}, "headers"), (5, {"ttl": -1}, "headers"), (6, {"event": "error"}, "headers")]:
            client.send_json({**one, **wrong, "ref": ref})
            said = json.loads(client.wait_message(lambda text, ref=ref: json.loads(text).get("ref") == ref))
            assert said["type"] == "error" and said["code"] == code
    assert stack.stats()["published"] == 1


def test_publish_raw(stack):
    stack.broker()
    publishing(stack)
    with Raw(stack.ws_port) as raw, stack.websocket("a", "b") as two:
        two.wait_open()
        raw.open("/ws?topic=a")
        raw.frame(FIN | TEXT, b"one")
        raw.frame(FIN | BINARY, b"\xff")
        assert raw.read_message() == (FIN | TEXT, b"one")
        assert raw.read_message() == (FIN | BINARY, b"\xff")
        assert two.wait(2) == ["one", b"\xff"]
        two.send("to which?")
        two.wait_closed()
        assert two.close_code == 1008


def test_publish_without_a_broker(stack):
    """Without a broker clients stay, and a publish is answered in the end, also one that was under way."""
    broker = stack.broker()
    daemon = publishing(stack)
    with stack.websocket("a", **V1) as client, Raw(stack.ws_port) as raw:
        client.wait_open()
        raw.open()
        stack.publish("a", "both are there")
        wait_events(client, 1)
        broker.pause()
        client.send_json({"type": "publish", "topic": "a", "data": "x", "ref": 1})
        client.send_json({"type": "ping"})
        of_type(client, "pong")
        broker.kill()
        daemon.wait_log("connection lost")
        client.send_json({"type": "publish", "topic": "a", "data": "x", "ref": 2})
        refs = [json.loads(client.wait_message(lambda text, n=n: json.loads(text).get("ref") == n)) for n in (2, 1)]
        assert [(made["type"], made["code"]) for made in refs] == [("error", "broker"), ("error", "timeout")]
        raw.frame(FIN | TEXT, b"x")
        assert raw.read_message()[0] == FIN | TEXT  # the message from before
        assert raw.read_close()[0] == 1013
        stack.broker()
        stack.publish("a", "back")
        client.wait_message(lambda text: json.loads(text).get("data") == "back")


def test_a_publisher_that_leaves_before_the_answer(stack):
    broker = stack.broker()
    publishing(stack)
    broker.pause()
    for n in range(20):
        with Raw(stack.ws_port) as raw:
            raw.open("/ws?topic=a")
            raw.frame(FIN | TEXT, b"%d" % n)
            if n % 2:
                raw.reset()
    broker.resume()
    with Raw(stack.ws_port) as raw:
        raw.open("/ws?topic=a")
        raw.frame(FIN | TEXT, b"last")
        while raw.read_message()[1] != b"last":
            pass


# clients that misbehave


def test_too_large(ws):
    with Raw(ws.ws_port) as raw:
        raw.open(Sec_WebSocket_Protocol="zcast.v1")
        raw.frame(FIN | TEXT, b" " * 65536)
        assert json.loads(raw.read_message()[1])["code"] == "json"
        raw.frame(FIN | TEXT, b" " * 65537)
        assert raw.read_close() == (1009, "message too large")


def test_message_rate(stack):
    stack.broker()
    stack.ws("--rate=5", "--burst=10")
    with Raw(stack.ws_port) as raw:
        raw.open("/ws", Sec_WebSocket_Protocol="zcast.v1")
        for _ in range(100):
            raw.frame(FIN | TEXT, b'{"type":"ping"}')
        for _ in range(10):
            assert raw.read_message() == (FIN | TEXT, b'{"type":"pong"}')
        while (made := raw.read_message()) == (FIN | TEXT, b'{"type":"pong"}'):
            pass  # the bucket fills while we write
        assert made == (FIN | CLOSE, close_body(1008, b"too many messages"))
    # pings count too, others are not concerned
    with Raw(stack.ws_port) as raw, Raw(stack.ws_port) as other:
        raw.open()
        other.open()
        for _ in range(50):
            raw.frame(FIN | PING)
        for _ in range(10):
            assert raw.read_frame()[0] == FIN | PONG
        while True:
            first, payload = raw.read_frame()
            if first == FIN | CLOSE:
                break
            assert first == FIN | PONG
        assert payload[:2] == (1008).to_bytes(2, "big")
        other.frame(FIN | PING, b"still here")
        assert other.read_frame() == (FIN | PONG, b"still here")


def test_message_rate_of_an_address(stack):
    stack.broker()
    stack.ws("--address-rate=1", "--address-burst=20")
    raws = [Raw(stack.ws_port) for _ in range(4)]
    for n, raw in enumerate(raws):
        raw.open(X_Forwarded_For="192.0.2.1" if n < 3 else "192.0.2.2")
    for n in range(90):
        raws[n % 3].frame(FIN | PING, b"x")
    codes = []
    for raw in raws[:3]:
        with pytest.raises(Closed):
            while True:
                first, payload = raw.read_frame()
                if first == FIN | CLOSE:
                    codes.append(int.from_bytes(payload[:2], "big"))
                    raw.frame(FIN | CLOSE, payload)
    assert codes == [1008] * 3
    raws[3].frame(FIN | PING, b"y")
    assert raws[3].read_frame() == (FIN | PONG, b"y")
    for raw in raws:
        raw.close()


def test_slow_reader_is_dropped_and_nobody_waits(stack):
    stack.broker("--max-payload=2M")
    daemon = stack.ws("--max-lag=256K", "--max-payload=2M")
    slow = Raw(stack.ws_port, receive_buffer=4096)
    slow.open("/ws?topic=a")
    before = daemon.pss()
    with stack.websocket("a", **V1) as quick:
        quick.wait_open()
        payload = "x" * 50_000
        for n in range(4, 404, 4):  # 20 MB in all, more than any socket buffer, at the pace of the quick one
            for _ in range(4):
                stack.publish("a", payload)
            wait_for(lambda n=n: len(quick.messages) >= n, lambda: f"{quick!r}")
        daemon.wait_log("fell too far behind")
        if b"__asan_init" not in Path(program("zcast-ws")).read_bytes():  # which keeps what was freed
            assert daemon.pss() - before < 16 << 20
    with pytest.raises(Closed):
        while True:
            slow.take(4096)
    slow.close()


def test_silent_peer_is_dropped(stack):
    """A peer that answers no ping is dropped; one that does stays, though its channel is never quiet."""
    stack.broker()
    daemon = stack.ws("--pong-timeout=2s", "--heartbeat=1h")
    with Raw(stack.ws_port) as silent, stack.websocket("a") as alive, stack.websocket(**V1) as idle:
        silent.open()
        alive.wait_open()
        idle.wait_open()
        pings = 0
        with pytest.raises(Closed):
            while True:
                pings += silent.read_frame() == (FIN | PING, b"")
        assert pings == 1
        daemon.wait_log("no sign of life")
        stack.publish("a", "hello")
        alive.wait(1)
        idle.send_json({"type": "ping"})
        of_type(idle, "pong")
        time.sleep(3)  # beyond the timeout once more
        assert not alive.closed and not idle.closed


def test_client_gone_is_released(ws):
    """However clients leave, descriptors come back."""
    daemon = ws.daemons[-1]
    with ws.websocket("a") as client:  # so that it is connected to the broker
        client.wait_open()
        ws.publish("a", "x")
        client.wait(1)
    before = daemon.fds()
    for round in range(3):
        raws = [Raw(ws.ws_port) for _ in range(50)]
        for n, raw in enumerate(raws):
            if n % 5:
                raw.open(f"/ws?topic={n}")
            if n % 5 == 1:
                raw.frame(FIN | CLOSE)
            elif n % 5 == 2:
                raw.reset()
            elif n % 5 == 3:
                raw.send(b"\x81")
        for raw in raws:
            raw.close()
        wait_for(lambda: daemon.fds() == before, "the descriptors of those who left")


# the daemon


def test_restart_is_told(stack):
    stack.broker()
    daemon = stack.ws("--retry=1s")
    with stack.websocket("a", **V1) as v1, stack.websocket("a") as raw, Raw(stack.ws_port) as mute, Raw(stack.ws_port) as head:
        v1.wait_open()
        raw.wait_open()
        mute.open()
        head.send(b"GET /ws HTTP/1.1\r\n")
        stack.publish("a", "x")
        raw.wait(1)
        mute.read_message()
        started = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        v1.wait_closed()
        raw.wait_closed()
        assert (v1.close_code, raw.close_code) == (1012, 1012)
        assert 500 <= of_type(v1, "reconnect")["after"] <= 1500
        assert mute.read_close()[0] == 1012
        assert head.response()[0] == 503
        assert daemon.wait() == 0  # though `mute` never answers
        assert time.monotonic() - started < 15


def test_stop_with_a_client_that_takes_nothing(stack):
    stack.broker()
    daemon = stack.ws("--drain-timeout=1s", "--max-lag=64M")
    stuck = Raw(stack.ws_port, receive_buffer=4096)
    stuck.open()
    for _ in range(200):
        stack.publish("a", "x" * 50_000)
    assert daemon.stop() == 0
    stuck.close()


def test_stop_without_clients_or_broker(stack):
    daemon = stack.ws()
    assert daemon.stop() == 0
    daemon = stack.ws()
    assert daemon.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_systemd_is_told(stack, processes):
    path = stack.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(LIMIT)
        daemon = stack.ws(f"--processes={processes}", env={"NOTIFY_SOCKET": str(path)})
        assert b"READY=1" in notify.recv(4096)
        assert daemon.stop() == 0
        assert b"STOPPING=1" in notify.recv(4096)


def test_processes(stack):
    stack.broker()
    daemon = stack.ws("--processes=2")
    wait_for(lambda: len(daemon.pids()) == 3, "two workers")
    clients = [stack.websocket("a").wait_open() for _ in range(20)]
    stack.publish("a", "to all")
    for client in clients:
        assert client.wait(1) == ["to all"]
    assert daemon.stop() == 0
    for client in clients:
        client.wait_closed()


def test_unix_socket(stack):
    stack.broker()
    path = stack.folder / "ws.sock"
    daemon = stack.ws("--socket-mode=0600", listen=str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    with Raw(path) as raw:
        raw.open()
        stack.publish("a", "x")
        assert raw.read_message() == (FIN | TEXT, b"x")
    assert daemon.stop() == 0
    assert not path.exists()


def test_out_of_descriptors(stack):
    """New clients wait in the backlog, the daemon doesn't spin, and goes on by itself."""
    stack.broker()
    daemon = stack.ws(limit_fds=64)
    raws = []
    while len(raws) < 100 and "out of file descriptors" not in daemon.log():
        raws.append(Raw(stack.ws_port))
        raws[-1].send(b"GET ")
    daemon.wait_log("out of file descriptors")
    waiting = [Raw(stack.ws_port) for _ in range(10)]
    for raw in waiting:
        raw.send(b"GET /ws?topic=a HTTP/1.1\r\n")
    cpu = daemon.cpu()
    time.sleep(2)
    assert daemon.cpu() - cpu < 0.5
    for raw in raws:
        raw.close()
    for raw in waiting:
        raw.send(b"X: y\r\n\r\n")
        assert raw.response()[0] == 400
        raw.close()
    with Raw(stack.ws_port) as raw:
        raw.open()
        stack.publish("a", "again")
        assert raw.read_message() == (FIN | TEXT, b"again")


def test_no_client_takes_the_descriptors_that_the_broker_needs(stack):
    """What was connected to the broker is free while that is away, and has to be there when it is back."""
    broker = stack.broker()
    daemon = stack.ws(limit_fds=80)
    daemon.wait_log("broker: connected")
    clients = [Raw(stack.ws_port) for _ in range(60)]
    for client in clients:
        client.send(head())
    daemon.wait_log("out of file descriptors")
    assert clients[0].response()[0] == 101
    broker.kill()
    daemon.wait_log("connection lost")
    waiting = [Raw(stack.ws_port) for _ in range(30)]
    stack.broker()
    wait_for(lambda: stack.stats()["subscriptions"] > 0, "zcast-ws is back at the broker")
    stack.publish("a", "again")
    while clients[0].read_message()[1] != b"again":  # a gap first: what that broker had is gone
        pass
    for client in clients + waiting:
        client.close()


def test_reload(stack):
    stack.broker()
    config = stack.folder / "ws.conf"
    config.write_text("ws\n    max-message = 1000\n")
    daemon = stack.ws(f"--config={config}")
    with stack.websocket(**V1) as client:
        client.wait_open()
        client.send(" " * 2000)
        client.wait_closed()
        assert client.close_code == 1009
    with stack.websocket("a", **V1) as client:
        client.wait_open()
        config.write_text("ws\n    max-message = 3000\n    allow-publish = yes\n")
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: _publishes(stack), "the new configuration")
        client.send(" " * 2000)  # who is there stays
        of_type(client, "error")


def _publishes(stack):
    with stack.websocket("p", **V1) as client:
        client.wait_open()
        client.send_json({"type": "publish", "topic": "p", "data": "x"})
        wait_for(lambda: [m for m in client.messages if '"type":"error"' in m or '"published"' in m], "an answer")
        return any('"published"' in m for m in client.messages)


@pytest.mark.parametrize(
    "options, words",
    [
        (["--no-such-option"], ["no-such-option"]),
        (["--max-message=lots"], ["max-message", "lots"]),
        (["--max-message=1"], ["max-message"]),
        (["--trust-proxy=maybe"], ["trust-proxy", "local"]),
        (["--socket-mode=rw"], ["socket-mode"]),
        (["--processes=0"], ["processes"]),
        (["--control=nonsense"], ["control"]),
    ],
)
def test_bad_options(options, words):
    done = run("zcast-ws", "--listen=127.0.0.1:1", *options, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def test_bad_listen(stack):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("zcast-ws", f"--listen=127.0.0.1:{port}", check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1 and f"127.0.0.1:{port}" in done.stderr
    done = run("zcast-ws", f"--listen={stack.folder}/no/such/folder", check=False)
    assert done.returncode == 1 and "no/such/folder" in done.stderr


def test_help_and_version():
    text = run("zcast-ws", "--help").stdout
    for name in ("--listen", "--max-connections-per-address", "--subscribe", "--allow-publish"):
        assert name in text
    assert run("zcast-ws", "--version").stdout.startswith("zcast-ws ")
    assert run("zcast-ws", "-t").returncode == 0


def test_figures(ws):
    with ws.websocket("a") as client:
        client.wait_open()
        with Raw(ws.ws_port) as raw:
            raw.open()
            raw.frame(FIN | 3)
            raw.read_close()
        wait_for(lambda: ws_stats(ws).get("violations") == 1, lambda: f"the figures; {ws.stats()}")
        assert ws_stats(ws)["opened"] == 2
