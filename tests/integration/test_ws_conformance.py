"""zcast-ws against RFC 6455, by frames made by hand at /echo: the classes of the Autobahn test suite (framing, pings,
reserved bits and opcodes, fragmentation, UTF-8, close handling, limits), and python3-websockets as a real client."""

import asyncio
import socket
import time

import pytest
import websockets

from stack import LIMIT
from wsraw import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, Raw, close_body, encode


@pytest.fixture(scope="module")
def server():
    from stack import Stack

    made = Stack()
    made.ws("--test-echo", "--max-message=1000")
    yield made
    wrong = made.close()
    made.remove()
    assert not wrong, wrong


@pytest.fixture
def raw(server):
    with Raw(server.ws_port) as made:
        made.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.open("/echo")
        yield made


def send_in_pieces(raw, data, size):
    for at in range(0, len(data), size):
        raw.send(data[at : at + size])


# 1, 9: framing and sizes


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1 << 20])
def test_sizes(raw, opcode, size):
    payload = (b"*" if opcode == TEXT else b"\xfe") * size
    raw.frame(FIN | opcode, payload)
    assert raw.read_frame() == (FIN | opcode, payload)


def test_the_largest(raw):
    payload = b"x" * (16 << 20)
    raw.frame(FIN | BINARY, payload)
    assert raw.read_frame() == (FIN | BINARY, payload)
    raw.frame(FIN | BINARY, payload + b"x")
    assert raw.read_close() == (1009, "message too large")


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 126, 997])
def test_in_pieces(raw, piece):
    data = b"".join(encode(FIN | TEXT, b"%d" % n * 50) for n in range(5))
    data += encode(TEXT, b"ab") + encode(FIN | PING, b"p") + encode(FIN | CONTINUATION, b"cd")
    send_in_pieces(raw, data, piece)
    for n in range(5):
        assert raw.read_frame() == (FIN | TEXT, b"%d" % n * 50)
    assert raw.read_frame() == (FIN | PONG, b"p")
    assert raw.read_frame() == (FIN | TEXT, b"abcd")


def test_many_messages_at_once(raw):
    raw.send(b"".join(encode(FIN | TEXT, b"%d" % n) for n in range(1000)))
    for n in range(1000):
        assert raw.read_frame() == (FIN | TEXT, b"%d" % n)


@pytest.mark.parametrize("size, form", [(5, 16), (125, 16), (5, 64), (126, 64), (65535, 64)])
def test_length_in_a_longer_form(raw, size, form):
    raw.frame(FIN | TEXT, b"x" * size, form=form)
    assert raw.read_close()[0] == 1002
    assert raw.at_end()


def test_highest_bit_of_a_length(raw):
    raw.send(b"\x82\xff\x80" + b"\0" * 7 + b"mask" + b"x")
    assert raw.read_close()[0] == 1002


# 2: pings and pongs


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x00\xff\xfe", b"x" * 125])
def test_ping(raw, payload):
    raw.frame(FIN | PING, payload)
    assert raw.read_frame() == (FIN | PONG, payload)


def test_long_ping(raw):
    raw.frame(FIN | PING, b"x" * 126)
    assert raw.read_close()[0] == 1002


def test_pongs_are_passed_over(raw):
    for payload in (b"", b"unasked", b"x" * 125):
        raw.frame(FIN | PONG, payload)
    raw.frame(FIN | PING, b"now")
    assert raw.read_frame() == (FIN | PONG, b"now")


def test_many_pings(raw):
    raw.send(b"".join(encode(FIN | PING, b"%d" % n) for n in range(50)))
    for n in range(50):
        assert raw.read_frame() == (FIN | PONG, b"%d" % n)


# 3, 4: reserved bits and opcodes, masks


@pytest.mark.parametrize("bits", [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_reserved_bits(raw, bits, opcode):
    raw.frame(FIN | TEXT, b"before")
    raw.frame(FIN | bits | opcode, b"")
    raw.frame(FIN | TEXT, b"after")
    assert raw.read_frame() == (FIN | TEXT, b"before")
    assert raw.read_close()[0] == 1002
    assert raw.at_end()


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"x"])
def test_reserved_opcodes(raw, opcode, payload):
    raw.frame(FIN | opcode, payload)
    assert raw.read_close()[0] == 1002
    assert raw.at_end()


@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_masks_are_required(raw, opcode):
    raw.frame(FIN | opcode, b"", mask=False)
    assert raw.read_close()[0] == 1002
    assert raw.at_end()


# 5: fragmentation


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments(raw, opcode):
    raw.frame(opcode, b"one ")
    raw.frame(CONTINUATION, b"")
    raw.frame(CONTINUATION, b"two ")
    raw.frame(FIN | CONTINUATION, b"three")
    assert raw.read_frame() == (FIN | opcode, b"one two three")


def test_control_frames_between_fragments(raw):
    raw.frame(TEXT, b"a")
    raw.frame(FIN | PING, b"1")
    raw.frame(CONTINUATION, b"b")
    raw.frame(FIN | PONG, b"2")
    raw.frame(FIN | PING, b"3")
    raw.frame(FIN | CONTINUATION, b"c")
    assert raw.read_frame() == (FIN | PONG, b"1")
    assert raw.read_frame() == (FIN | PONG, b"3")
    assert raw.read_frame() == (FIN | TEXT, b"abc")


def test_close_between_fragments(raw):
    raw.frame(TEXT, b"a")
    raw.frame(FIN | CLOSE, close_body(1000, b"enough"))
    assert raw.read_close()[0] == 1000
    assert raw.at_end()


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_are_not_fragmented(raw, opcode):
    raw.frame(opcode, b"")
    assert raw.read_close()[0] == 1002


@pytest.mark.parametrize("first", [CONTINUATION, FIN | CONTINUATION])
def test_nothing_to_continue(raw, first):
    raw.frame(FIN | TEXT, b"whole")
    raw.frame(first, b"x")
    assert raw.read_frame() == (FIN | TEXT, b"whole")
    assert raw.read_close()[0] == 1002


@pytest.mark.parametrize("first", [TEXT, FIN | TEXT, BINARY, FIN | BINARY])
def test_a_message_begins_inside_another(raw, first):
    raw.frame(TEXT, b"a")
    raw.frame(first, b"b")
    assert raw.read_close()[0] == 1002


def test_many_fragments(raw):
    raw.frame(BINARY, b"")
    raw.send(b"".join(encode(CONTINUATION, b"%04d" % n) for n in range(2000)))
    raw.frame(FIN | CONTINUATION)
    assert raw.read_frame() == (FIN | BINARY, b"".join(b"%04d" % n for n in range(2000)))


# 6: UTF-8

GOOD_TEXT = [
    "κόσμε",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffd\ufffe\uffff\U00010000\U0010ffff",
    "\U0001f600" * 100,
    "",
]
BAD_TEXT = [
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3\x28", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe2\x82",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xef\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x92", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD_TEXT)
def test_utf8(raw, text):
    data = text.encode("utf-8", "surrogatepass")
    raw.frame(FIN | TEXT, data)
    assert raw.read_frame() == (FIN | TEXT, data)
    for n, byte in enumerate(data):  # a frame for each byte
        raw.frame(CONTINUATION if n else TEXT, bytes([byte]))
    if data:
        raw.frame(FIN | CONTINUATION)
        assert raw.read_frame() == (FIN | TEXT, data)


@pytest.mark.parametrize("data", BAD_TEXT)
def test_bad_utf8(raw, data):
    raw.frame(FIN | TEXT, b"ok" + data)
    assert raw.read_close()[0] == 1007
    assert raw.at_end()


@pytest.mark.parametrize("data", BAD_TEXT)
def test_bad_utf8_byte_by_byte(raw, data):
    for n, byte in enumerate(data):
        raw.frame(TEXT if n == 0 else CONTINUATION, bytes([byte]))
    raw.frame(FIN | CONTINUATION)
    assert raw.read_close()[0] == 1007


def test_bad_utf8_is_seen_before_the_message_ends(raw):
    """1007 comes while the frame is still incomplete."""
    whole = encode(FIN | TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" + b"\xf4\x90" + b"x" * 100)
    raw.send(whole[: 2 + 4 + 13])
    assert raw.read_close()[0] == 1007


def test_binary_may_be_anything(raw):
    payload = bytes(range(256))
    raw.frame(FIN | BINARY, payload)
    assert raw.read_frame() == (FIN | BINARY, payload)


# 7: close


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_codes(raw, code):
    raw.frame(FIN | CLOSE, close_body(code, "bye ✓".encode()))
    assert raw.read_close()[0] == code
    assert raw.at_end()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_bad_close_codes(raw, code):
    raw.frame(FIN | CLOSE, close_body(code))
    assert raw.read_close()[0] == 1002
    assert raw.at_end()


@pytest.mark.parametrize("body, code", [(b"", None), (b"\x03", 1002), (close_body(1000, b"\xe2\x82"), 1007)])
def test_close_bodies(raw, body, code):
    raw.frame(FIN | CLOSE, body)
    assert raw.read_close()[0] == code
    assert raw.at_end()


def test_longest_close(raw):
    raw.frame(FIN | CLOSE, close_body(1000, b"x" * 123))
    assert raw.read_close()[0] == 1000


def test_close_that_is_too_long(raw):
    raw.frame(FIN | CLOSE, close_body(1000, b"x" * 124))
    assert raw.read_close()[0] == 1002


def test_nothing_after_close(raw):
    raw.send(encode(FIN | TEXT, b"last") + encode(FIN | CLOSE, close_body(1000)) + encode(FIN | TEXT, b"after") + encode(FIN | PING))
    assert raw.read_frame() == (FIN | TEXT, b"last")
    assert raw.read_close()[0] == 1000
    assert raw.at_end()


def test_a_failed_connection_does_not_wait_for_ever(raw):
    """After a protocol error the server closes by itself, though the client neither closes nor stops to send."""
    raw.frame(FIN | 3, b"")
    assert raw.read_close()[0] == 1002
    end = time.monotonic() + LIMIT
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while time.monotonic() < end:
            raw.socket.sendall(b"x" * 1000)
            time.sleep(0.01)


# real clients


def test_python_websockets(server):
    async def run():
        url = f"ws://127.0.0.1:{server.ws_port}/echo"
        async with websockets.connect(url, max_size=None) as link:  # offers permessage-deflate
            for message in ("", "hello", "κόσμε", b"", b"\x00\xff", "x" * 70000, b"y" * (1 << 20)):
                await link.send(message)
                assert await link.recv() == message
            await link.send(["frag", "ment", "ed"])
            assert await link.recv() == "fragmented"
            await (await link.ping(b"there?"))
            await link.close(4321, "done")
        assert link.close_code == 4321

    asyncio.run(asyncio.wait_for(run(), LIMIT))


def test_a_client_that_only_writes_is_held_back(server):
    """Echoes that nobody reads are bounded: the server stops to read, and everything arrives in the end."""
    with Raw(server.ws_port) as raw:
        raw.open("/echo")
        raw.socket.settimeout(2)
        frame = encode(FIN | BINARY, b"z" * 100_000)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 2000:
                raw.socket.sendall(frame)
                sent += 1
        raw.socket.settimeout(LIMIT)
        for _ in range(sent):
            assert raw.read_message() == (FIN | BINARY, b"z" * 100_000)
