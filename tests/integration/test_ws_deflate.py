"""zcast-ws: permessage-deflate (RFC 7692), by frames made by hand and by python3-websockets: who gets it, that everybody gets
the same messages with it and without, and what a client can do wrong with it."""

import asyncio
import json
import os
import signal
import zlib

import pytest

from stack import LIMIT, wait_for, websocket_answer, websockets_connect
from wsraw import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, Raw, close_body, head

RSV1 = 0x40
OFFER = "permessage-deflate; client_max_window_bits"  # Chromium's, Firefox' and python3-websockets'
ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
DEFLATE = {"compression": "deflate"}
V1 = {"subprotocols": ["zcast.v1"]}


def deflate(data, final=False):
    """A message as a client compresses it."""
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    if final:
        return made.compress(data) + made.flush(zlib.Z_FINISH) + b"\0"
    return (made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflate(data):
    made = zlib.decompressobj(-15)
    text = made.decompress(data + b"\0\0\xff\xff")
    assert not made.unused_data and not made.unconsumed_tail
    return text


def text_of(size, n=0):
    """Text that compresses as events do."""
    rows = [{"n": n + k, "state": "running" if k % 3 else "idle", "value": k * k % 977} for k in range(size // 40 + 1)]
    return json.dumps(rows)[:size]


def read_plain(raw):
    """The next message, inflated: (opcode, payload)."""
    first, payload = raw.read_message()
    assert first & FIN
    return first & 0xF, inflate(payload) if first & RSV1 else payload


@pytest.fixture
def ws(stack):
    stack.broker()
    stack.ws()
    return stack


@pytest.fixture
def open_raw(stack):
    """Opens raw connections with permessage-deflate."""

    def open_(path="/ws?topic=a", port=None, offer=OFFER, **fields):
        raw = Raw(port or stack.ws_port)
        stack.closers.append(raw.close)
        assert raw.open(path, Sec_WebSocket_Extensions=offer, **fields)["sec-websocket-extensions"] == ANSWER
        return raw

    return open_


def follow(stack, *raws, topic="a"):
    """What comes before a client follows the feed comes to it alone, and plain: publishes until all of them follow it.
    Returns the last payload."""
    firsts = [FIN | TEXT]
    while not all(first & RSV1 for first in firsts):
        stack.publish(topic, text_of(4000))
        firsts, payloads = zip(*[raw.read_message() for raw in raws])
    return payloads[-1]


def figure(stack, name):
    return stack.wait_report("ws.0")["ws"].get(name)


# the handshake


@pytest.mark.parametrize(
    "offer, answer",
    [
        ("permessage-deflate", ANSWER),
        ("x-webkit-deflate-frame", None),
        ("permessage-deflate; server_max_window_bits=15", ANSWER + "; server_max_window_bits=15"),
        ("permessage-deflate; server_max_window_bits=10", None),  # all clients share what is compressed
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", ANSWER),
        ("permessage-deflate; server_max_window_bits=10\r\nSec-WebSocket-Extensions: permessage-deflate", ANSWER),
        ("permessage-deflate; mystery", None),
    ],
)
def test_offers(stack, offer, answer):
    stack.ws()
    with Raw(stack.ws_port) as raw:
        assert raw.open(Sec_WebSocket_Extensions=offer).get("sec-websocket-extensions") == answer


def test_a_malformed_offer_is_refused(stack):
    stack.ws()
    with Raw(stack.ws_port) as raw:
        raw.send(head(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits="))
        assert raw.response()[0] == 400


def test_switched_off(stack):
    stack.broker()
    stack.ws("--deflate-from=0")
    with stack.websocket("a", **DEFLATE) as client, Raw(stack.ws_port) as raw:
        client.wait_open()
        assert "sec-websocket-extensions" not in raw.open(Sec_WebSocket_Extensions=OFFER)
        stack.publish("a", text_of(5000))
        assert client.wait(1) == [text_of(5000)]
        raw.frame(FIN | RSV1 | PING)
        assert raw.read_message()[0] == FIN | TEXT
        assert raw.read_close()[0] == 1002


def test_switched_off_while_running(stack):
    """A reload changes what is sent, and what new clients are offered; who has it keeps it."""
    stack.broker()
    config = stack.config_file()
    daemon = stack.ws(f"--config={config}")
    with stack.websocket("a", **DEFLATE) as client:
        client.wait_open()
        stack.publish("a", text_of(5000))
        client.wait(1)
        config.write_text(config.read_text() + "\nws\n    deflate-from = 0\n")
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_log("read again")
        with Raw(stack.ws_port) as raw:
            assert "sec-websocket-extensions" not in raw.open(Sec_WebSocket_Extensions=OFFER)
        client.send(text_of(5000))  # which it compresses; publishing isn't allowed, but it is understood
        stack.publish("a", text_of(5000, 1))
        client.wait_closed()
        assert client.close_code == 1008


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_behind_a_web_server(ws, open_raw, web):
    getattr(ws, web)()
    raw = open_raw(port=ws.web_port)
    follow(ws, raw)
    ws.publish("a", text_of(20000))
    first, payload = raw.read_message()
    assert first == FIN | RSV1 | TEXT and inflate(payload).decode() == text_of(20000)


# messages


def test_what_is_compressed(ws, open_raw):
    """Text and binary from the limit on; not what is smaller, and not what would not get smaller."""
    raw = open_raw()
    follow(ws, raw)
    noise = os.urandom(5000)
    sent = [
        (text_of(1023).encode(), FIN | TEXT),
        (text_of(1024).encode(), FIN | RSV1 | TEXT),
        (b"", FIN | TEXT),
        (b"\xff" + text_of(5000).encode(), FIN | RSV1 | BINARY),
        (noise, FIN | BINARY),
        (text_of(200_000).encode(), FIN | RSV1 | TEXT),
    ]
    for payload, _ in sent:
        ws.publish("a", payload)
    for payload, expected in sent:
        first, got = raw.read_message()
        assert first == expected
        assert (inflate(got) if first & RSV1 else got) == payload
        assert len(got) < len(payload) / 3 or not first & RSV1


@pytest.mark.parametrize("protocol", [{}, {"Sec_WebSocket_Protocol": "zcast.v1"}])
def test_all_clients_get_the_same_bytes(ws, open_raw, protocol):
    clients = [open_raw(offer=offer, **protocol) for offer in (OFFER, "permessage-deflate") * 2]
    follow(ws, *clients)
    for n in range(50):
        ws.publish("a", text_of(500 * (n % 9), n))
    streams = [[raw.read_message() for _ in range(50)] for raw in clients]
    assert all(stream == streams[0] for stream in streams)
    assert any(first & RSV1 for first, _ in streams[0])


@pytest.mark.parametrize("options", [{}, V1])
def test_with_and_without(ws, options):
    """python3-websockets in both modes: the same messages, in order, whatever their size."""
    sent = [text_of(size, n) for n, size in enumerate((0, 100, 1023, 1024, 4000, 70_000, 500_000) * 3)]
    with_, without = [ws.websocket("a", **options, **how).wait_open() for how in (DEFLATE, {})]
    for payload in sent:
        ws.publish("a", payload)
    for client in (with_, without):
        client.wait_message(lambda text: (json.loads(text).get("data") if options and "data" in text else text) == sent[-1])
        got = [made for made in client.messages if not made.startswith('{"type":"heartbeat"')]
        assert ([json.loads(text)["data"] for text in got] if options else got) == sent


def test_large_and_binary(ws):
    with ws.websocket("a", **DEFLATE) as client:
        client.wait_open()
        sent = [b"\xff" + bytes(1_000_000), os.urandom(1 << 20), text_of(1 << 20), b"\x80" * 5000]
        for payload in sent:
            ws.publish("a", payload)
        assert client.wait(len(sent)) == sent


def test_resume_between_clients_with_and_without(ws, open_raw):
    """An id got with compression resumes without, and the other way round, from the feed and from history."""
    ids = [ws.publish("a", text_of(3000, n)) for n in range(10)]
    plain = Raw(ws.ws_port)
    ws.closers.append(plain.close)
    plain.open(f"/ws?topic=a&last-event-id={ids[3]}", Sec_WebSocket_Protocol="zcast.v1")
    deflated = open_raw(f"/ws?topic=a&last-event-id={ids[3]}", Sec_WebSocket_Protocol="zcast.v1")
    ids += [ws.publish("a", text_of(3000, n)) for n in range(10, 15)]
    for turn in range(2):
        got = [[json.loads(read_plain(raw)[1]) for _ in range(12 if turn == 0 else 8)] for raw in (plain, deflated)]
        # how much was replayed may differ: some of it may come live to one of them
        assert [json.loads(made[0]["data"])["status"] for made in got] == ["continued"] * 2
        assert got[0][1:] == got[1][1:]
        first = 4 if turn == 0 else 8
        assert [made["id"] for made in got[0][1:]] == ids[first:15]
        for raw in (plain, deflated):
            raw.close()
        # now the other way round, from the feeds that are there
        plain, deflated = Raw(ws.ws_port), open_raw(f"/ws?topic=a&last-event-id={got[0][4]['id']}", Sec_WebSocket_Protocol="zcast.v1")
        ws.closers.append(plain.close)
        plain.open(f"/ws?topic=a&last-event-id={got[1][4]['id']}", Sec_WebSocket_Protocol="zcast.v1")


def test_resume_over_a_restart(stack):
    """The daemon is killed; its clients come back with the last id, to a new one that has no feed yet."""
    stack.broker()
    daemon = stack.ws()
    sent = []

    def publish(count):
        for _ in range(count):
            sent.append(text_of(2000, len(sent)))
            stack.publish("a", sent[-1])

    with stack.websocket("a", **V1, **DEFLATE) as client:
        client.wait_open()
        publish(20)
        client.wait_message(lambda text: json.loads(text).get("data") == sent[-1])
        before = [made for made in map(json.loads, client.messages) if made.get("event") == "message"]
        daemon.kill()
        client.wait_closed()
    publish(20)
    stack.ws()
    with stack.websocket("a", query={"last-event-id": before[-1]["id"]}, **V1, **DEFLATE) as client:
        client.wait_open()
        client.wait_message(lambda text: json.loads(text).get("event") == "zcast.continuity")
        publish(20)
        client.wait_message(lambda text: json.loads(text).get("data") == sent[-1])
        after = [made for made in map(json.loads, client.messages) if made.get("event") == "message"]
    assert [made["data"] for made in before + after] == sent


def test_topics_that_change(ws, open_raw):
    """A connection without topics, and one that moves, keep what they have negotiated."""
    raw = open_raw("/ws", Sec_WebSocket_Protocol="zcast.v1")
    for topics in (["a"], ["b"]):
        raw.frame(FIN | RSV1 | TEXT, deflate(json.dumps({"type": "subscribe", "topics": topics}).encode()))
        assert json.loads(read_plain(raw)[1])["type"] == "subscribed"
        assert json.loads(inflate(follow(ws, raw, topic=topics[0])))["data"] == text_of(4000)


def test_clients_publish_compressed(stack, open_raw):
    stack.broker()
    stack.ws("--allow-publish").wait_log("broker: connected")
    raw = open_raw()
    for payload in (text_of(5000).encode(), b"\xff" + bytes(5000)):
        opcode = BINARY if payload[0] == 0xFF else TEXT
        raw.frame(FIN | RSV1 | opcode, deflate(payload))
        assert read_plain(raw) == (opcode, payload)


def test_echo(stack):
    """python3-websockets takes contexts over unless it is told not to; it is."""
    stack.ws("--test-echo")

    async def run():
        url = f"ws://127.0.0.1:{stack.ws_port}/echo"
        async with websockets_connect(url, max_size=None, compression="deflate") as link:
            assert websocket_answer(link)["Sec-WebSocket-Extensions"] == ANSWER
            for message in ("", "h", text_of(1024), text_of(1 << 20), b"", b"\xff" * 70000, os.urandom(1 << 20), text_of(5000)) * 2:
                await link.send(message)
                assert await link.recv() == message
            await link.send([text_of(3000), "", text_of(2000)])
            assert await link.recv() == text_of(3000) + text_of(2000)
            await link.close()

    asyncio.run(asyncio.wait_for(run(), LIMIT))


# clients that misbehave


@pytest.fixture
def echo(stack, open_raw):
    stack.ws("--test-echo")
    return open_raw("/echo")


def test_fragments(echo):
    data = deflate(text_of(3000).encode())
    for size in (1, 7, 100, len(data)):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        for n, piece in enumerate(pieces):
            echo.frame(CONTINUATION if n else RSV1 | TEXT, piece)
            if n % 50 == 0:
                echo.frame(FIN | PING, b"%d" % n)
                assert echo.read_frame() == (FIN | PONG, b"%d" % n)
        echo.frame(FIN | CONTINUATION)
        assert read_plain(echo) == (TEXT, text_of(3000).encode())
    echo.frame(FIN | RSV1 | TEXT, deflate(b"Hello", final=True))
    assert echo.read_frame() == (FIN | TEXT, b"Hello")
    echo.frame(FIN | TEXT, b"Hello")
    assert echo.read_frame() == (FIN | TEXT, b"Hello")


@pytest.mark.parametrize(
    "frames, code",
    [
        ([(FIN | RSV1 | PING, b"")], 1002),
        ([(FIN | RSV1 | CLOSE, close_body(1000))], 1002),
        ([(RSV1 | TEXT, b""), (FIN | RSV1 | CONTINUATION, deflate(b"x"))], 1002),
        ([(TEXT, b""), (FIN | RSV1 | CONTINUATION, b"")], 1002),
        ([(FIN | 0x20 | TEXT, b"")], 1002),
        ([(FIN | RSV1 | 0x20 | TEXT, deflate(b"x"))], 1002),
        ([(FIN | RSV1 | 3, b"")], 1002),
        ([(FIN | RSV1 | TEXT, b"")], 1007),
        ([(FIN | RSV1 | TEXT, b"not compressed")], 1007),
        ([(FIN | RSV1 | BINARY, deflate(text_of(500).encode())[:-5])], 1007),
        ([(RSV1 | BINARY, deflate(b"x")), (FIN | CONTINUATION, b"\xff\xff")], 1007),
        ([(FIN | RSV1 | TEXT, deflate(b"ok \xed\xa0\x80"))], 1007),
        ([(FIN | RSV1 | TEXT, deflate("é".encode()[:1]))], 1007),
    ],
)
def test_malformed(stack, echo, frames, code):
    for first, payload in frames:
        echo.frame(first, payload)
    assert echo.read_close()[0] == code
    assert echo.at_end()
    with Raw(stack.ws_port) as raw:  # and the next one is served
        raw.open("/echo", Sec_WebSocket_Extensions=OFFER)
        raw.frame(FIN | RSV1 | TEXT, deflate(b"Hello"))
        assert raw.read_frame() == (FIN | TEXT, b"Hello")


def test_a_context_that_is_taken_over(echo):
    """A client that refers to its last message, which it was told not to do."""
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    for n in range(2):
        data = (made.compress(text_of(900).encode()) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]
        echo.frame(FIN | RSV1 | TEXT, data)
        if n == 0:
            assert echo.read_frame() == (FIN | TEXT, text_of(900).encode())
    assert echo.read_close()[0] == 1007


def test_rsv1_without_negotiation(stack):
    stack.ws("--test-echo")
    with Raw(stack.ws_port) as raw:
        raw.open("/echo")
        raw.frame(FIN | RSV1 | TEXT, deflate(b"Hello"))
        assert raw.read_close()[0] == 1002


def test_bomb(ws, open_raw):
    """60 MB in 60 KB: it is stopped at the limit of a message, counted, and nobody else notices."""
    other = open_raw()
    bomb = deflate(bytes(60_000_000))
    assert len(bomb) < 65536
    for _ in range(5):
        raw = open_raw()
        raw.frame(FIN | RSV1 | BINARY, bomb)
        assert raw.read_close() == (1009, "message too large")
        assert raw.at_end()
    wait_for(lambda: figure(ws, "violations") == 5 and figure(ws, "deflate") == 6, lambda: f"figures; {ws.stats()}")
    ws.publish("a", text_of(2000))
    assert read_plain(other) == (TEXT, text_of(2000).encode())
