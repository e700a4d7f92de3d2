"""POST /publish, on every transport: an acknowledged message was published, once for each key; a refusal says why."""

import base64
import json
import re
import signal
import threading
import time
import urllib.parse

import pytest

import fastcgi
from fastcgi import KEEP_CONN, Peer, begin, params, record
from http11 import Http, chunks, request
from stack import LIMIT, position, wait_for

WAYS = ["direct", "fcgi", "nginx", "lighttpd", "apache", "cgi"]


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.body = int(status), body if isinstance(body, str) else body.decode()
        self.fields = {name.lower(): value for name, value in fields.items()}

    @property
    def id(self):
        assert self.status == 200, f"{self.status} {self.body}"
        assert re.fullmatch(r"\d+-\d+\n", self.body), self.body
        return self.body.strip()

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Door:
    """POST /publish by one of the ways."""

    def __init__(self, stack, way, *options):
        self.stack, self.way = stack, way
        options = ["--allow-publish", *options]
        if way == "direct":
            self.worker = stack.ws(*options)
        elif way == "cgi":
            stack.config_file().write_text(stack.config_file().read_text() + "fcgi\n    allow-publish = yes\n")
            stack.lighttpd("events-cgi.conf")
            return
        else:
            self.worker = stack.fcgi(*options, "--socket-mode=0666")
            if way != "fcgi":
                getattr(stack, way)()
        self.worker.wait_log("broker: connected")

    def post(self, query="topic=a", body=b"", method="POST", **fields):
        """Fields by name with _ for -."""
        body = body if isinstance(body, bytes) else body.encode()
        if self.way == "fcgi":
            return self.post_records(query, body, method, fields)
        with Http(self.stack.ws_port if self.way == "direct" else self.stack.web_port) as client:
            path = "/publish" + (f"?{query}" if query else "")
            length = {} if body or "Transfer_Encoding" in fields else {"Content_Length": "0"}
            return Answer(*client.ask(path, method, body=body, Connection="close", **length, **fields))

    def post_records(self, query, body, method, fields):
        named = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
        named["CONTENT_TYPE"] = named.pop("HTTP_CONTENT_TYPE", "")
        pairs = {"REQUEST_URI": f"/publish?{query}", "QUERY_STRING": query, "REQUEST_METHOD": method, "CONTENT_LENGTH": str(len(body))}
        parts = [body[at : at + 60000] for at in range(0, len(body), 60000)]
        sent = begin(3) + params(3, {**pairs, **named}) + b"".join(record(fastcgi.STDIN, 3, part, 5) for part in [*parts, b""])
        with Peer(self.stack.fcgi_socket, sent) as peer:
            text = peer.finish(3)
        head, _, rest = text.partition("\r\n\r\n")
        found = dict(line.split(": ", 1) for line in head.split("\r\n"))
        return Answer(found.pop("Status").split()[0], found, rest)


@pytest.fixture(params=WAYS)
def door(stack, request):
    stack.broker("--max-payload=2M")
    return Door(stack, request.param)


@pytest.fixture
def direct(stack):
    stack.broker()
    return Door(stack, "direct")


def heard(sub, count):
    """The next messages: topic, payload, meta as a dict."""
    found = []
    for _ in range(count):
        topic, payload, meta = sub.recv_multipart()
        found.append((topic.decode(), payload, dict(line.split(": ", 1) for line in meta.decode().splitlines())))
    return found


# -- one message


def test_a_body_is_the_payload(door):
    sub = door.stack.sub("a", "b/ä ö")
    first = door.post("topic=a", b"hello").id
    second = door.post("topic=b/%C3%A4+%C3%B6&event=note&id=own-1&ttl=60&retry=500&private", b"\x00\xff\r\n", Content_Type="image/x").id
    third = door.post("topic=a", b"").id
    messages = heard(sub, 3)
    assert [(topic, payload) for topic, payload, _ in messages] == [("a", b"hello"), ("b/ä ö", b"\x00\xff\r\n"), ("a", b"")]
    assert [meta["id"] for _, _, meta in messages] == [first, second, third]
    wanted = {"event": "note", "event-id": "own-1", "ttl": "60", "retry": "500", "private": "yes", "content-type": "image/x"}
    assert wanted.items() <= messages[1][2].items()
    assert position(first) < position(second) < position(third)


def test_header_fields_say_the_same(door):
    sub = door.stack.sub("a")
    door.post("", b"x", Zcast_Topic="a", Zcast_Event="note", Zcast_Id="own-2", Zcast_Ttl="9", Zcast_Retry="8", Zcast_Private="1").id
    wanted = {"event": "note", "event-id": "own-2", "ttl": "9", "retry": "8", "private": "yes"}
    assert wanted.items() <= heard(sub, 1)[0][2].items()


def test_a_form(door):
    sub = door.stack.sub("a")
    form = {"Content_Type": "application/x-www-form-urlencoded; charset=utf-8"}
    door.post("", urllib.parse.urlencode({"topic": "a", "data": "ü & =\n", "event": "e"}), **form).id
    door.post("topic=a", b"not a form, as curl sends it", **form).id
    messages = heard(sub, 2)
    assert [payload for _, payload, _ in messages] == ["ü & =\n".encode(), b"not a form, as curl sends it"]
    assert messages[0][2]["event"] == "e" and "content-type" not in messages[1][2]
    assert door.post("", "topic=a", **form).id  # an empty one
    assert door.post("", "data=x", **form).status == 400
    assert door.post("", "topic=a&data=%zz", **form).status == 400


def test_a_large_payload(door):
    sub = door.stack.sub("a")
    payload = bytes(range(256)) * 4096  # 1 MiB, the default limit
    door.post("topic=a", payload, Content_Type="application/octet-stream").id
    assert heard(sub, 1)[0][1] == payload
    answer = door.post("topic=a", payload + b"x", Content_Type="application/octet-stream")
    assert answer.status == 413 and "too large" in answer.body


REFUSED = {
    "no topic": (400, "topic", dict(query="")),
    "an empty topic": (400, "topic", dict(query="topic=")),
    "a topic with a control": (400, "topic", dict(query="topic=a%0Ab")),
    "a topic that isn't UTF-8": (400, "topic", dict(query="topic=%ff")),
    "a long topic": (400, "topic", dict(query="topic=" + "a" * 1025)),
    "two topics": (400, "once", dict(query="topic=a&topic=b")),
    "a topic twice": (400, "once", dict(Zcast_Topic="a")),
    "a broken escape": (400, "escape", dict(query="topic=a&event=%2")),
    "an event with a line": (400, "control", dict(query="topic=a&event=x%0Aid:%20forged")),
    "an event of ours": (400, "zcast.", dict(query="topic=a&event=zcast.continuity")),
    "an id that is a position": (400, "headers", dict(query="topic=a&id=1-0")),
    "an empty key": (400, "empty", dict(query="topic=a&key=")),
    "a bad ttl": (400, "headers", dict(query="topic=a&ttl=soon")),
    "a bad private": (400, "private", dict(query="topic=a&private=maybe")),
    "GET": (405, "use POST", dict(method="GET")),
    "PUT": (405, "use POST", dict(method="PUT")),
    "another site's page": (403, "origin", dict(Origin="https://evil.example")),
    "a page without an origin": (403, "origin", dict(Origin="null")),
}


@pytest.mark.parametrize("way", ["direct", "fcgi"])
def test_refused(stack, way):
    stack.broker()
    door = Door(stack, way)
    for name, (status, says, how) in REFUSED.items():
        answer = door.post(**{"body": b"x", **how})
        assert answer.status == status and says in answer.body and answer.body.count("\n") == 1, f"{name}: {answer.status} {answer.body}"
        found = door.post(**{"body": b"x", "Accept": "application/json", **how})
        assert found.status == status and found.fields["content-type"] == "application/json", name
        assert set(found.lines()[0]) == {"code", "message"}, name
    assert stack.stats()["published"] == 0


def test_json_where_it_is_asked_for(door):
    answer = door.post("topic=a", b"x", Accept="application/json, text/plain, */*")
    assert answer.status == 200 and answer.fields["content-type"] == "application/json"
    assert re.fullmatch(r"\d+-\d+", answer.lines()[0]["id"]) and len(answer.lines()[0]) == 1


@pytest.mark.parametrize("way", WAYS[:2])
def test_off_by_default(stack, way):
    stack.broker()
    door = Door(stack, way, "--allow-publish=no")
    answer = door.post("topic=a", b"x")
    assert answer.status == 403 and "switched off" in answer.body
    assert stack.stats()["published"] == 0


def test_pages_that_may(stack):
    stack.broker()
    door = Door(stack, "direct", "--allow-origin=https://good.example")
    answer = door.post("topic=a", b"x", Origin="https://good.example")
    assert answer.id and answer.fields["access-control-allow-origin"] == "https://good.example"
    assert door.post("topic=a", b"x", Origin="http://localhost").id  # the site itself, as Host says
    preflight = door.post("", method="OPTIONS", Origin="https://good.example", Access_Control_Request_Method="POST")
    assert preflight.status == 204 and "POST" in preflight.fields["access-control-allow-methods"]
    assert "Idempotency-Key" in preflight.fields["access-control-allow-headers"]


# -- once


def test_a_key_is_published_once(door):
    sub = door.stack.sub("a")
    ids = {door.post("topic=a", b"once", Idempotency_Key='"8e03978e-40d5"').id for _ in range(3)}
    ids |= {door.post("topic=a&key=8e03978e-40d5", b"once").id, door.post("topic=a", b"once", Zcast_Key="8e03978e-40d5").id}
    assert len(ids) == 1
    other = door.post("topic=a&key=8e03978e-40d5", b"another")
    assert other.status == 409 and "conflict" in other.body
    assert door.post("topic=a&key=8e03978e-40d5", b"x", Accept="application/json").lines()[0]["code"] == "conflict"
    door.post("topic=a", b"last").id
    assert [payload for _, payload, _ in heard(sub, 2)] == [b"once", b"last"]


def test_nothing_acknowledged_is_lost_and_nothing_published_twice(stack):
    """The broker is killed again and again under publishers that try again, under their keys."""
    stack.broker(f"--history=lmdb:{stack.folder}/history")
    door = Door(stack, "direct")
    taken, statuses, failed = {}, set(), []

    def publisher(number):
        try:
            for n in range(60):
                end = time.monotonic() + LIMIT
                while time.monotonic() < end:
                    answer = door.post("topic=a", f"{number}/{n}", Idempotency_Key=f"k-{number}-{n}")
                    statuses.add(answer.status)
                    if answer.status == 200:
                        taken[f"{number}/{n}"] = answer.id
                        break
                    assert answer.status == 503 and int(answer.fields["retry-after"]) >= 1, answer.body
                    time.sleep(0.02)
        except BaseException as wrong:
            failed.append(wrong)

    threads = [threading.Thread(target=publisher, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(0.5)
        stack.daemons[0].kill()
        stack.daemons[0].close()
        stack.daemons[0] = stack.broker(f"--history=lmdb:{stack.folder}/history")
        stack.daemons.pop()
    for thread in threads:
        thread.join(3 * LIMIT)
    assert not failed and len(taken) == 8 * 60, (failed, statuses)
    replies = stack.requests("REPLAY", "0-0", "a")
    kept = {reply[2].decode(): re.search(rb"^id: (.*)$", reply[3], re.M).group(1).decode() for reply in replies[:-1]}
    assert len(replies) - 1 == len(kept), "something was published twice"
    assert kept == taken


def test_without_a_broker(stack):
    broker = stack.broker()
    door = Door(stack, "direct")
    broker.kill()
    wait_for(lambda: door.post("topic=a", b"x").status == 503, "a refusal")
    answer = door.post("topic=a", b"x")
    assert int(answer.fields["retry-after"]) >= 1 and "broker" in answer.body
    stack.broker()
    wait_for(lambda: door.post("topic=a", b"x").status == 200, "service again")


def test_a_broker_that_stands_still(stack):
    """No answer is no 200: the client isn't told that it was published, nor that it wasn't."""
    broker = stack.broker()
    door = Door(stack, "direct")
    broker.pause()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(door.post("topic=a&key=k", b"x"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    broker.resume()
    assert [answer.status for answer in answers] == [503] * 3
    assert wait_for(lambda: door.post("topic=a&key=k", b"x").status == 200, "an answer")
    assert stack.stats()["published"] == 1


# -- a batch

NDJSON = {"Content_Type": "application/x-ndjson"}


def lines(*objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_a_batch(door):
    sub = door.stack.sub("a", "b")
    batch = lines({"topic": "a", "data": "1", "event": "e", "ttl": 5}, {"data": "2"}) + "\n" + lines({"base64": base64.b64encode(b"\0\xff").decode()})
    answers = door.post("topic=b&retry=7", batch, **NDJSON)
    assert answers.status == 200 and answers.fields["content-type"] == "application/x-ndjson"
    found = answers.lines()
    assert [line["line"] for line in found] == [1, 2, 4]
    messages = heard(sub, 3)
    assert [(topic, payload) for topic, payload, _ in messages] == [("a", b"1"), ("b", b"2"), ("b", b"\0\xff")]
    assert [meta["id"] for _, _, meta in messages] == [line["id"] for line in found]
    assert messages[0][2]["event"] == "e" and messages[0][2]["ttl"] == "5" and all(meta["retry"] == "7" for _, _, meta in messages)


def test_each_line_has_its_own_answer(door):
    batch = lines({"data": "1"}) + "nonsense\n" + lines({"data": 5}, {"topic": "", "data": "x"}, {"data": "5", "event": "zcast.x"}) + '{"data":"6"}'
    answer = door.post("topic=a", batch, **NDJSON)
    found = answer.lines()
    assert answer.status == 200
    assert [line["line"] for line in found] == [1, 2, 3, 4, 5, 6]
    assert ["id" in line for line in found] == [True, False, False, False, False, True]
    assert [line.get("code") for line in found] == [None, "json", "payload", "topic", "headers", None]
    assert door.stack.stats()["published"] == 2


def test_a_batch_of_which_nothing_is_published_is_no_success(direct):
    answer = direct.post("topic=a", "nonsense\n", **NDJSON)
    assert answer.status == 400 and answer.lines()[0]["code"] == "json"
    assert direct.post("topic=a", "\n \n", **NDJSON).status == 400
    assert direct.post("topic=a&id=x", lines({"data": "1"}), **NDJSON).status == 400


def test_a_batch_under_a_key(door):
    """The whole can be sent again: each line has a key of its own."""
    batch = lines(*[{"topic": f"t{n % 3}", "data": str(n)} for n in range(500)])
    first, second = (door.post("", batch, Idempotency_Key="batch-1", **NDJSON) for _ in range(2))
    assert first.status == second.status == 200 and first.lines() == second.lines()
    assert door.stack.stats()["published"] == 500
    ids = [position(line["id"]) for line in first.lines()]
    assert ids == sorted(set(ids)), "in the order of the lines"
    other = door.post("", lines({"topic": "t0", "data": "other"}), Idempotency_Key="batch-1", **NDJSON)
    assert other.status == 409 and other.lines()[0]["code"] == "conflict"


def test_too_many_lines(direct):
    answer = direct.post("topic=a", lines({"data": ""}) * 10001, **NDJSON)
    assert answer.status == 413 and "lines" in answer.body
    answer = direct.post("topic=a", lines({"data": ""}) * 10000, **NDJSON)
    assert answer.status == 200 and len(answer.lines()) == 10000


# -- bodies on the wire


def test_chunks(direct):
    sub = direct.stack.sub("a")
    with Http(direct.stack.ws_port) as client:
        for parts in ([b"hello"], [b"h", b"e", b"llo"], [b"x" * 70000, b"y" * 70000]):
            client.send(request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + chunks(*parts))
            assert client.answer()[0] == 200
            assert heard(sub, 1)[0][1] == b"".join(parts)


def test_a_body_a_byte_at_a_time(direct):
    sub = direct.stack.sub("a")
    with Http(direct.stack.ws_port) as client:
        sent = request("/publish?topic=a", "POST", body=b"slowly") + request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + chunks(b"slo", b"wly")
        for byte in sent:
            client.send(bytes([byte]))
        assert [client.answer()[0] for _ in range(2)] == [200, 200]
        assert [payload for _, payload, _ in heard(sub, 2)] == [b"slowly"] * 2


def test_pipelined_publishes(direct):
    """Answered in their order, published in it, whatever else comes behind."""
    sub = direct.stack.sub("a")
    with Http(direct.stack.ws_port) as client:
        client.send(b"".join(request("/publish?topic=a", "POST", body=b"%d" % n) + request("/nothing") for n in range(100)))
        answers = [client.answer() for _ in range(200)]
        assert [status for status, _, _ in answers] == [200, 404] * 100
        assert [payload for _, payload, _ in heard(sub, 100)] == [b"%d" % n for n in range(100)]
        client.stream("/events?topic=a")


def test_expect_100_continue(direct):
    with Http(direct.stack.ws_port) as client:
        client.send(request("/publish?topic=a", "POST", Content_Length="5", Expect="100-continue"))
        assert client.response()[0] == 100
        client.send(b"hello")
        assert client.answer()[0] == 200
        client.send(request("/publish?topic=a", "POST", Content_Length="5", Expect="100-continue") + b"hello")
        assert client.response()[0] == 200  # it has come already
        client.take(len("1795478400123-0\n"))
        client.send(request("/publish", "POST", Content_Length="5", Expect="100-continue", Zcast_Ttl="5", Origin="https://evil.example"))
        assert client.answer()[0] == 403 and client.at_end()  # whether the body comes can't be known


def test_bodies_that_lie(direct):
    bad = [
        request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + b"5\r\nhelloX",
        request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + b"zz\r\n",
        request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + b"5\nhello\n0\n\n",
        request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + b"1;" + b"x" * 5000,
        request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + b"0\r\n" + b"X: y\r\n" * 2000,
    ]
    for sent in bad:
        with Http(direct.stack.ws_port) as client:
            client.send(sent)
            assert client.answer()[0] == 400 and client.at_end()
    for sent in (request("/publish?topic=a", "POST", Transfer_Encoding="chunked") + b"5\r\nhel", request("/publish?topic=a", "POST", Content_Length="9") + b"hel"):
        with Http(direct.stack.ws_port) as client:
            client.send(sent)  # and leaves
    assert direct.post("topic=a", b"after").id
    assert direct.stack.stats()["published"] == 1


def test_an_endless_body(direct):
    worker = direct.worker
    before = worker.pss()
    for head in (request("/publish?topic=a", "POST", Transfer_Encoding="chunked"), request("/publish?topic=a", "POST", Content_Length=str(1 << 40))):
        with Http(direct.stack.ws_port) as client:
            client.send(head)
            for _ in range(2000):
                client.send(chunks(b"x" * 60000, last=False))
                if client.bytes:
                    break
            assert client.answer()[0] == 413 and client.at_end()
    assert worker.pss() - before < 64 << 20


def test_a_slow_body(stack):
    stack.broker()
    door = Door(stack, "direct", "--head-timeout=500ms")
    with Http(stack.ws_port) as client:
        client.send(request("/publish?topic=a", "POST", Content_Length="100") + b"x")
        assert client.answer()[0] == 408 and client.at_end()
    assert door.post("topic=a", b"x").id


@pytest.mark.parametrize("sent, says", [(b"xx", "shorter"), (b"x" * 9, "longer")])
def test_a_length_of_fastcgi_that_lies(stack, sent, says):
    stack.broker()
    Door(stack, "fcgi")
    pairs = {"REQUEST_URI": "/publish", "QUERY_STRING": "topic=a", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "5"}
    with Peer(stack.fcgi_socket, begin(1) + params(1, pairs) + record(fastcgi.STDIN, 1, sent) + record(fastcgi.STDIN, 1)) as peer:
        text = peer.finish()
        assert text.startswith("Status: 400") and says in text
    assert stack.stats()["published"] == 0


def test_fastcgi_bodies_without_a_length_and_kept_connections(stack):
    stack.broker()
    Door(stack, "fcgi")
    sub = stack.sub("a")
    pairs = {"SCRIPT_NAME": "/publish", "QUERY_STRING": "topic=a", "REQUEST_METHOD": "POST"}
    with Peer(stack.fcgi_socket) as peer:
        for n in range(3):
            sent = begin(2, flags=KEEP_CONN) + params(2, pairs, cut=3) + record(fastcgi.STDIN, 2, b"part ", 3) + record(fastcgi.STDIN, 2, b"%d" % n)
            for byte in sent:
                peer.send(bytes([byte]))
            peer.send(record(fastcgi.STDIN, 2, b""))
            assert peer.finish(2).startswith("Status: 200")
            peer.text = b""
            assert heard(sub, 1)[0][1] == b"part %d" % n
        peer.send(begin(2, flags=KEEP_CONN) + params(2, pairs) + record(fastcgi.STDIN, 2, b"given up") + record(fastcgi.ABORT, 2))
        peer.finish(2)
        peer.send(fastcgi.request("topic=a", id=4))
        peer.wait_open()


# -- limits, and the end


def test_an_address_that_publishes_too_much(stack):
    stack.broker()
    door = Door(stack, "direct", "--address-rate=1", "--address-burst=3")
    forwarded = {"X_Forwarded_For": "192.0.2.1"}
    found = [door.post("topic=a", b"x", **forwarded) for _ in range(6)]
    assert [answer.status for answer in found[:3]] == [200] * 3 and 429 in {answer.status for answer in found}
    assert int(next(answer for answer in found if answer.status == 429).fields["retry-after"]) >= 1
    assert door.post("topic=a", b"x", X_Forwarded_For="192.0.2.2").id
    batch = door.post("topic=a", lines(*[{"data": str(n)} for n in range(9)]), X_Forwarded_For="192.0.2.3", **NDJSON)
    assert {line.get("code") for line in batch.lines()} == {None, "limit"}


def test_bodies_held_at_once_are_bounded(stack):
    stack.broker()
    door = Door(stack, "direct", "--max-bodies=300K", "--head-timeout=30s")
    held = [Http(stack.ws_port) for _ in range(3)]
    for client in held:
        stack.closers.append(client.close)
        client.send(request("/publish?topic=a", "POST", Content_Length="100000") + b"x" * 99999)
    wait_for(lambda: report(stack).get("bodies", 0) >= 299997, "bodies")
    answer = door.post("topic=a", b"y" * 10000)
    assert answer.status == 503 and int(answer.fields["retry-after"]) >= 1
    for client in held:
        client.send(b"x")
        assert client.answer()[0] == 200
    assert door.post("topic=a", b"y" * 10000).id


def report(stack):
    workers = stack.stats()["workers"]
    return next((worker["http"] for name, worker in workers.items() if "ws.0" in name), {})


def test_counters(stack):
    stack.broker()
    door = Door(stack, "direct")
    for n in range(3):
        door.post("topic=a", b"%d" % n, Idempotency_Key="k")
    door.post("", b"x")
    wait_for(lambda: report(stack).get("requests") == 4, lambda: f"a report: {report(stack)}")
    found = report(stack)
    assert (found["published"], found["conflicts"], found["errors"]) == (1, 2, 3)


def test_a_publish_under_way_is_answered_when_the_daemon_stops(stack):
    broker = stack.broker()
    door = Door(stack, "direct")
    broker.pause()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(door.post("topic=a", b"last")))
    thread.start()
    wait_for(lambda: door.worker.fds() > 0 and thread.is_alive(), "a request")
    time.sleep(0.3)  # so that the daemon has it; if not, it's refused, which is fine, too
    door.worker.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    broker.resume()
    thread.join(LIMIT)
    assert answers and answers[0].status in (200, 503)
    assert stack.stats()["published"] == (answers[0].status == 200)
    assert door.worker.wait() == 0
