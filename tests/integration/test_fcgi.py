"""zcast-fcgi as a FastCGI responder: raw records on its socket, good and bad."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import time

import pytest

import fastcgi
from fastcgi import KEEP_CONN, Peer, record, request
from stack import free_port, wait_for


def head(text):
    """Header fields and body of a CGI response."""
    lines, _, body = text.partition("\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in lines.split("\r\n"))
    return fields, body


def ask(stack, *parts):
    """One request to its end: its header fields and body."""
    with Peer(stack.fcgi_socket, b"".join(parts)) as peer:
        text = peer.finish()
        peer.wait_closed()
        return head(text)


def one_fcgi(stack, *options, **how):
    """A broker and a worker that is connected to it: its descriptors can be counted."""
    stack.broker()
    worker = stack.fcgi(*options, **how)
    worker.wait_log("broker: connected")
    return worker


# -- streams


def test_a_stream(stack):
    one_fcgi(stack, "--retry=3s")
    with Peer(stack.fcgi_socket, request("topic=news&topic=other")) as peer:
        peer.wait_open()
        fields, body = head(peer.text.decode())
        assert fields["Status"] == "200 OK"
        assert fields["Content-Type"] == "text/event-stream"
        assert fields["Cache-Control"] == "no-cache, no-transform"
        assert fields["X-Accel-Buffering"] == "no"
        assert body.startswith(":")
        assert 1500 <= int(re.search(r"^retry: (\d+)$", body, re.M).group(1)) <= 4500
        first = stack.publish("news", "one\ntwo", {"event": "tick"})
        at = peer.wait(f"event: tick\ndata: one\ndata: two\nid: {first}\n\n")
        stack.publish("elsewhere", "not this")
        second = stack.publish("other", "three")
        peer.wait(f"data: three\nid: {second}\n\n", at)
        assert b"not this" not in peer.text


def test_json_format(stack):
    one_fcgi(stack)
    with Peer(stack.fcgi_socket, request("topic=news&format=zcast.v1")) as peer:
        peer.wait_open()
        id = stack.publish("news", "one")
        end = peer.wait(f"id: {id}\n\n")
        data = re.findall(rb"^data: (\{.*\})$", peer.text[:end], re.M)[-1]  # there may be heartbeats before
        assert json.loads(data) == {"id": id, "topic": "news", "event": "message", "data": "one"}


@pytest.mark.parametrize("cut", [1, 7, None])
@pytest.mark.parametrize("padding", [0, 1, 255])
def test_a_request_cut_anywhere(stack, cut, padding):
    one_fcgi(stack, "--request-timeout=5m")
    with Peer(stack.fcgi_socket) as peer:
        for byte in request("topic=a", id=513, padding=padding, cut=cut, HTTP_COOKIE="c" * 300):
            peer.send(bytes([byte]))
        peer.wait_open()
        stack.publish("a", "hello")
        peer.wait("data: hello\n")


def test_heartbeats(stack):
    one_fcgi(stack, "--heartbeat=200ms")
    with Peer(stack.fcgi_socket, request()) as peer:
        at = len(peer.wait_open().text)
        for _ in range(3):
            peer.wait("\n\n", at)
            at = len(peer.text)


def test_resume(stack):
    one_fcgi(stack)
    ids = [stack.publish("a", f"number {i}") for i in range(5)]
    for query, header in (("topic=a", ids[2]), (f"topic=a&lastEventId={ids[2]}", ""), (f"topic=a&last-event-id={ids[0]}", ids[2])):
        with Peer(stack.fcgi_socket, request(query, HTTP_LAST_EVENT_ID=header)) as peer:
            peer.wait(f"id: {ids[4]}\n\n")
            _, body = head(peer.text.decode())
            assert re.findall(r"^data: (number .*)$", body, re.M) == ["number 3", "number 4"]
            assert body.index("event: zcast.continuity") < body.index("number 3")
            verdict = json.loads(re.search(r"^data: (\{.*\})$", body, re.M).group(1))
            assert verdict["status"] == "continued" and verdict["replayed"] == 2


def test_large_messages_through_a_slow_reader(stack):
    """Records cut by a full socket, again and again, hold the same stream."""
    one_fcgi(stack, "--max-lag=32M")
    payloads = [os.urandom(random.randint(1, 150000)).hex() for _ in range(30)]
    with Peer(stack.fcgi_socket) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send(request())
        peer.wait_open()
        for payload in payloads:
            stack.publish("a", payload)
        peer.wait(payloads[-1])
        assert peer.payloads() == payloads
        assert peer.records > 30


def test_what_gathers_shares_a_record(stack):
    one_fcgi(stack, "--max-lag=32M")
    with Peer(stack.fcgi_socket, request()) as peer:
        peer.wait_open()
        before = peer.records
        for i in range(400):
            stack.publish("a", f"{i:04}" * 1000)
        peer.wait(f"{399:04}" * 1000)
        # The socket holds some; the rest waited, and went out in records of up to 64 KiB.
        assert peer.records - before < 200


@pytest.mark.parametrize("option", ["yes", "no"])
def test_many_clients_in_one_system_call(stack, option):
    """With io_uring, where the system has it, and without: everyone gets everything, also slow readers and those who leave."""
    worker = one_fcgi(stack, f"--io-uring={option}", "--max-lag=32M")
    forbidden = option == "yes" and "io_uring: " in worker.log()
    with contextlib.ExitStack() as all:
        peers = [all.enter_context(Peer(stack.fcgi_socket)) for _ in range(50)]
        for peer in peers:
            peer.send(request())
            peer.wait_open()
        stack.publish("a", "first")
        for peer in peers:
            peer.wait("data: first\n")
        payloads = ["first"] + [f"{number:03}" * random.choice([1, 10, 10000, 30000]) for number in range(50)]
        for number, payload in enumerate(payloads[1:]):
            stack.publish("a", payload)
            if number % 10 == 9:
                peers.pop().close()
        for peer in peers:  # none of them has read meanwhile: their sockets are full
            peer.wait(f"data: {payloads[-1]}\n")
            assert peer.payloads() == payloads
        report = stack.wait_report("fcgi.0", lambda report: report["delivered"] >= 45 * 51, "all delivered")
    assert report["blocked"] > 0
    assert (report["batches"] > 0) == (option == "yes" and not forbidden)


# -- what FastCGI asks of a responder


def test_get_values(stack):
    one_fcgi(stack)
    names = [fastcgi.pair(name) for name in ("FCGI_MAX_CONNS", "FCGI_MPXS_CONNS", "FCGI_NOTHING", "FCGI_MPXS_CONNS")]
    with Peer(stack.fcgi_socket, record(fastcgi.GET_VALUES, 0, b"".join(names))) as peer:
        kind, id, content = peer.read()
        assert (kind, id) == (fastcgi.GET_VALUES_RESULT, 0)
        assert fastcgi.pair("FCGI_MPXS_CONNS", "0") in content and b"FCGI_MAX_CONNS" in content
        peer.send(request())
        peer.wait_open()
        peer.send(record(fastcgi.GET_VALUES, 0, names[1]))
        peer.expect(fastcgi.GET_VALUES_RESULT, 0, fastcgi.pair("FCGI_MPXS_CONNS", "0"))
        stack.publish("a", "still here")
        peer.wait("data: still here\n")


def test_unknown_records_and_roles(stack):
    one_fcgi(stack)
    with Peer(stack.fcgi_socket, record(99, 0, b"what?", 3)) as peer:
        peer.expect(fastcgi.UNKNOWN_TYPE, 0, struct.pack(">B7x", 99))
        for role in (2, 3, 999):
            peer.send(fastcgi.begin(7, role, KEEP_CONN))
            peer.expect(fastcgi.END, 7, struct.pack(">IB3x", 0, fastcgi.UNKNOWN_ROLE))
        peer.send(fastcgi.begin(7, 2))
        peer.expect(fastcgi.END, 7, struct.pack(">IB3x", 0, fastcgi.UNKNOWN_ROLE))
        peer.wait_closed()


def test_one_request_at_a_time(stack):
    one_fcgi(stack)
    with Peer(stack.fcgi_socket, request("topic=a", id=1)) as peer:
        peer.wait_open()
        peer.send(request("topic=b", id=2))
        peer.expect(fastcgi.END, 2, struct.pack(">IB3x", 0, fastcgi.CANT_MPX_CONN))
        stack.publish("a", "the first goes on")
        peer.wait("data: the first goes on\n")


def test_abort_and_the_next_request(stack):
    one_fcgi(stack)
    with Peer(stack.fcgi_socket) as peer:
        for round in range(3):
            peer.send(request(f"topic=t{round}", id=5, flags=KEEP_CONN))
            peer.wait_open()
            stack.publish(f"t{round}", f"in round {round}")
            peer.wait(f"data: in round {round}\n")
            peer.send(record(fastcgi.ABORT, 5))
            peer.finish(5)
            peer.text = b""
        peer.send(request("", id=6, flags=KEEP_CONN))
        assert "no topic" in peer.finish(6)
        peer.send(request("topic=a", id=7))
        peer.wait("retry: ")
        peer.send(record(fastcgi.ABORT, 7))
        peer.finish(7)
        peer.wait_closed()


# -- requests that are not streams


@pytest.mark.parametrize(
    "query, method, status, text",
    [
        ("", "GET", "400", "no topic"),
        ("topic=", "GET", "400", "a topic is"),
        ("topic=%01", "GET", "400", "a topic is"),
        ("&".join(f"topic={i}" for i in range(6)), "GET", "400", "too many topics: at most 5"),
        ("topic=a", "POST", "405", "use GET"),
        ("topic=a", "BREW", "405", "use GET"),
    ],
)
def test_bad_requests(stack, query, method, status, text):
    stack.fcgi("--max-topics=5")
    fields, body = ask(stack, request(query, method=method))
    assert fields["Status"].split()[0] == status
    assert fields["Content-Type"].startswith("text/plain")
    assert ("Allow" in fields) == (status == "405")
    assert text in body and body.count("\n") == 1 and body.endswith("\n")


def test_head_and_options(stack):
    stack.fcgi("--cors-origin=https://a.example", "--cors-origin=https://b.example")
    fields, body = ask(stack, request(method="HEAD"))
    assert fields["Status"] == "200 OK" and fields["Content-Type"] == "text/event-stream" and not body
    fields, body = ask(stack, request("", method="OPTIONS", HTTP_ORIGIN="https://b.example"))
    assert fields["Status"].startswith("204") and not body
    assert fields["Access-Control-Allow-Origin"] == "https://b.example"
    assert "Last-Event-ID" in fields["Access-Control-Allow-Headers"]
    fields, _ = ask(stack, request("", method="OPTIONS", HTTP_ORIGIN="https://c.example"))
    assert fields["Status"].startswith("204") and "Access-Control-Allow-Origin" not in fields


def test_cors(stack):
    stack.fcgi("--cors-origin=*")
    with Peer(stack.fcgi_socket, request(HTTP_ORIGIN="https://any.example")) as peer:
        peer.wait_open()
        assert head(peer.text.decode())[0]["Access-Control-Allow-Origin"] == "*"


# -- bad peers


MALFORMED = [
    b"GET /events?topic=a HTTP/1.1\r\n\r\n",
    b"\0" * 100,
    b"\x02" + request()[1:],
    record(fastcgi.BEGIN, 1, b"\0\1\0"),
    record(fastcgi.BEGIN, 1, b"\0" * 9),
    fastcgi.begin() + fastcgi.begin(),
    fastcgi.begin() + record(fastcgi.PARAMS, 1, b"\x0c\x40QUERY_STRING") + record(fastcgi.PARAMS, 1),
    fastcgi.begin() + record(fastcgi.PARAMS, 1, b"\xff\xff\xff\xfe\xff\xff\xff\xfe"),
    fastcgi.begin() + record(fastcgi.PARAMS, 1, b"\x80\x7f\xff\xff\x80\x7f\xff\xff"),
    fastcgi.begin() + b"".join(record(fastcgi.PARAMS, 1, fastcgi.pair("X", "y" * 60000)) for _ in range(5)),
    record(fastcgi.GET_VALUES, 0, b"\xff\xff\xff\xfe\xff\xff\xff\xfe"),
    request() + record(fastcgi.PARAMS, 1, b"late"),
]


def test_malformed_records(stack):
    """That connection is closed; all others go on."""
    worker = one_fcgi(stack)
    with Peer(stack.fcgi_socket, request()) as witness:
        witness.wait_open()
        for number, bytes in enumerate(MALFORMED):
            with Peer(stack.fcgi_socket) as peer:
                try:
                    peer.send(bytes)
                except BrokenPipeError:
                    pass  # it closed before it had had all
                peer.wait_closed()
            stack.publish("a", f"after {number}")
            witness.wait(f"data: after {number}\n")
    worker.wait_log("a web server's connection is closed: .*parameters")
    stack.wait_report("fcgi.0", lambda report: report["malformed_requests"] == len(MALFORMED), "all of them are counted")


def test_random_bytes(stack):
    worker = one_fcgi(stack, "--request-timeout=500ms")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    good = request("topic=a", padding=3) + record(fastcgi.GET_VALUES, 0, fastcgi.pair("FCGI_MAX_CONNS"))
    with Peer(stack.fcgi_socket, request()) as witness:
        witness.wait_open()
        fds = worker.fds()
        for _ in range(200):
            noise = bytearray(good[: dice.randrange(1, len(good) + 1)])
            for _ in range(dice.randrange(8)):
                noise[dice.randrange(len(noise))] = dice.randrange(256)
            with Peer(stack.fcgi_socket) as peer:
                try:
                    peer.send(bytes(noise) + dice.randbytes(dice.randrange(40)))
                except (BrokenPipeError, ConnectionResetError):
                    pass
        stack.publish("a", "still here")
        witness.wait("data: still here\n")
        wait_for(lambda: worker.fds() == fds, lambda: f"descriptors as before: {worker.fds()}, not {fds}")


@pytest.mark.parametrize("sent", [b"", b"\1", request()[:-20], fastcgi.begin()])
def test_silent_and_half_sent_peers(stack, sent):
    worker = one_fcgi(stack, "--request-timeout=300ms")
    with Peer(stack.fcgi_socket, request()) as witness:
        witness.wait_open()
        with Peer(stack.fcgi_socket, sent) as peer:
            peer.wait_closed()
        worker.wait_log("stayed incomplete")
        stack.publish("a", "not me")
        witness.wait("data: not me\n")


def test_a_peer_that_reads_no_answers(stack):
    one_fcgi(stack)
    with Peer(stack.fcgi_socket) as peer:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                peer.send(record(99, 0) * 1000)


def test_a_client_that_never_reads(stack):
    worker = one_fcgi(stack, "--max-lag=64K")
    with Peer(stack.fcgi_socket, request()) as slow, Peer(stack.fcgi_socket, request()) as quick:
        slow.wait_open()
        quick.wait_open()
        fds = worker.fds()
        for i in range(60):
            stack.publish("a", f"{i:04}" * 4000)
            quick.wait(f"{i:04}\nid: ")
        wait_for(lambda: worker.fds() == fds - 1, lambda: f"the slow client is dropped: {worker.fds()} of {fds}")
        worker.wait_log("192.0.2.7:4711: closed: it fell too far behind")


# -- coming and going


def test_gone_clients_leave_nothing(stack):
    worker = one_fcgi(stack, "--linger=0s")
    with Peer(stack.fcgi_socket, request("topic=stays")) as witness:
        witness.wait_open()
        fds = worker.fds()
        for _ in range(3):
            peers = [Peer(stack.fcgi_socket, request(f"topic=t{i}")) for i in range(50)]
            for peer in peers:
                peer.wait_open()
            assert worker.fds() == fds + 50
            for peer in peers:
                peer.close()
            wait_for(lambda: worker.fds() == fds, lambda: f"descriptors as before: {worker.fds()}, not {fds}")


def test_max_clients(stack):
    one_fcgi(stack, "--max-clients=2")
    with Peer(stack.fcgi_socket, request()) as first, Peer(stack.fcgi_socket, request()) as second:
        first.wait_open()
        second.wait_open()
        fields, body = ask(stack, request())
        assert fields["Status"] == "200 OK" and fields["Content-Type"] == "text/event-stream"
        assert re.search(r"^retry: \d+$", body, re.M) and "data" not in body
        first.close()

        def room():
            with Peer(stack.fcgi_socket, request()) as third:
                third.wait_open()
                stack.publish("a", "hello")
                try:
                    third.wait("data: hello\n")
                    return True
                except (EOFError, AssertionError):
                    return False

        wait_for(room, "room for another")


def test_out_of_descriptors(stack):
    """No spin, no crash; who finds no room is told to come back or waits; service returns by itself."""
    stack.broker()
    worker = stack.fcgi(limit_fds=100)
    peers = [Peer(stack.fcgi_socket, request()) for _ in range(150)]
    # Every one that is answered has got a stream or a time to come back.
    streams = turned_away = 0
    for peer in peers[:100]:
        peer.wait_open()
        if b": busy" in peer.text:
            peer.finish()
            turned_away += 1
            peer.close()
        else:
            streams += 1
    assert streams >= 30 and turned_away >= 1
    before = worker.cpu()
    time.sleep(2)
    assert worker.cpu() - before < 1, "it spins"
    for peer in peers:
        peer.close()

    def served():
        with Peer(stack.fcgi_socket, request()) as peer:
            peer.wait_open()
            return b": busy" not in peer.text

    wait_for(served, "service again")


# -- stopping, and a broker that isn't there


def test_drain(stack):
    worker = one_fcgi(stack, "--retry=2s")
    peers = [Peer(stack.fcgi_socket, request()) for _ in range(20)]
    kept = Peer(stack.fcgi_socket, request("", flags=KEEP_CONN))
    kept.finish()
    for peer in peers:
        peer.wait_open()
    worker.send_signal(signal.SIGTERM)
    times = set()
    for peer in peers:
        body = head(peer.cut())[1]
        times.add(re.findall(r"^retry: (\d+)$", body, re.M)[-1])
        peer.close()
    assert len(times) > 1
    kept.wait_closed()
    assert worker.wait() == 0
    assert not stack.fcgi_socket.exists()


def test_drain_with_a_client_that_never_reads(stack):
    worker = one_fcgi(stack, "--drain-timeout=1s", "--max-lag=8M")
    with Peer(stack.fcgi_socket, request()) as peer:
        peer.wait_open()
        for _ in range(20):
            stack.publish("a", "x" * 100000)
        assert worker.stop(limit=20) == 0


def test_a_broker_that_comes_later(stack):
    worker = stack.fcgi()
    with Peer(stack.fcgi_socket, request()) as peer:
        peer.wait_open()
        stack.broker()
        wait_for(lambda: stack.publish("a", "at last") and b"data: at last" in poll(peer), "a message")
        assert worker.running()


def poll(peer):
    """What the peer has had so far, without waiting long."""
    peer.socket.settimeout(0.2)
    try:
        peer.read()
    except TimeoutError:
        pass
    return peer.text


def test_stop_without_a_broker(stack):
    worker = stack.fcgi()
    with Peer(stack.fcgi_socket, request("topic=a&lastEventId=5-0")) as peer:
        peer.wait_open()
        worker.send_signal(signal.SIGTERM)
        peer.cut()
    assert worker.wait() == 0


def test_reload(stack):
    config = stack.config_file()
    stack.broker()
    text = config.read_text()
    config.write_text(text + "fcgi\n    max-clients = 1\n")
    worker = stack.fcgi(f"--config={config}")
    with Peer(stack.fcgi_socket, request()) as first:
        first.wait_open()
        assert ": busy" in ask(stack, request())[1]
        config.write_text(text + "fcgi\n    max-clients = 5\n")
        worker.send_signal(signal.SIGHUP)

        def accepted():
            with Peer(stack.fcgi_socket, request()) as peer:
                return b": busy" not in peer.wait_open().text

        wait_for(accepted, "the new limit")
        stack.publish("a", "the stream goes on")
        first.wait("data: the stream goes on\n")


def test_tcp(stack):
    stack.broker()
    port = free_port()
    stack.start("zcast-fcgi", ["zcast-fcgi", *stack.endpoints(), f"--socket=:{port}"], ready=lambda: open_tcp(port))
    with Peer(("127.0.0.1", port), request()) as peer:
        peer.wait_open()
        stack.publish("a", "over TCP")
        peer.wait("data: over TCP\n")


@pytest.mark.parametrize("peers, good", [([], True), (["local"], True), (["127.0.0.0/8"], True), (["192.0.2.1", "local"], True), (["192.0.2.0/24"], False), (["never"], False)])
def test_peers_over_tcp(stack, peers, good):
    """Others are left before they have said a word, and counted."""
    stack.broker()
    port = free_port()
    options = [f"--allow-peer={peer}" for peer in peers]
    stack.start("zcast-fcgi", ["zcast-fcgi", *stack.endpoints(), f"--socket=:{port}", *options], ready=lambda: open_tcp(port))
    with Peer(("127.0.0.1", port), request()) as peer:
        if good:
            peer.wait_open()
        else:
            peer.wait_closed()
    strangers = lambda: stack.wait_report("fcgi.0")["strangers"]
    wait_for(lambda: (strangers() == 0) == good, "they are counted")


def open_tcp(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False
