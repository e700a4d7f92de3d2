"""A new binary takes the place of a running one, and no client notices (doc/upgrade.md)."""

import fcntl
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import termios
import threading
import time
import zlib

import pytest

from fastcgi import ABORT, KEEP_CONN, STDIN, STDOUT, Peer, begin, params, record
from fastcgi import request as fastcgi_request
from http11 import Http, request
from stack import BUILD, LIMIT, PROGRAMS, can_connect, run, wait_for
from wsraw import FIN, TEXT, CONTINUATION, Closed, Raw, encode

RSV1 = 0x40


class Publisher(threading.Thread):
    """Publishes numbers on a topic until it is told to stop."""

    def __init__(self, stack, topic, pad="", pause=0.002):
        super().__init__(daemon=True)
        self.socket, self.topic, self.pad, self.pause = stack.pub(), topic, pad, pause
        self.sent = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            self.socket.send_multipart([self.topic.encode(), f"{self.sent}{self.pad}".encode()])
            self.sent += 1
            time.sleep(self.pause)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def workers(daemon):
    """The processes that serve clients: its children, or itself."""
    return [pid for pid in daemon.pids() if pid != daemon.pid] or [daemon.pid]


def upgrade(daemon, number=signal.SIGUSR2):
    """Replaces the binary; returns when the new one is alone."""
    before, complete = set(workers(daemon)), daemon.log().count("upgrade: complete")
    daemon.send_signal(number)
    wait_for(lambda: daemon.log().count("upgrade: complete") > complete, lambda: f"an upgrade of {before}:\n{daemon.log()[-3000:]}")
    now = set(workers(daemon))
    assert daemon.running() and len(now) == len(before) and not before & now and daemon.pid not in now, (before, now)


def unread(peer):
    """Bytes that the other end hasn't acknowledged."""
    return struct.unpack("i", fcntl.ioctl(peer, termios.TIOCOUTQ, b"\0" * 4))[0]


def of(stack, daemon):
    """The path of `stack.sse` and the like is zcast-ws itself."""
    stack.web_port = stack.ws_port
    return daemon


def numbers(client):
    return [int(event.data) for event in client.messages()]


@pytest.mark.parametrize("processes", [1, 2])
def test_clients_stay(stack, processes):
    """Streams and WebSockets of every kind, under load, over several upgrades: nothing is lost or comes twice, no connection ends."""
    stack.broker()
    daemon = of(stack, stack.ws(f"--processes={processes}"))
    streams = [stack.sse("t") for _ in range(30)] + [stack.sse("t", "other") for _ in range(10)]
    streams += [stack.sse(match="t/#") for _ in range(5)] + [stack.sse("t", pattern="{t}+") for _ in range(5)]
    json_streams = [stack.sse("t", format="zcast.v1") for _ in range(10)]
    sockets = [stack.websocket("t", subprotocols=["zcast.v1"]) for _ in range(20)]
    sockets += [stack.websocket("t", compression="deflate") for _ in range(10)]
    idle = [stack.websocket(subprotocols=["zcast.v1"]), stack.sse("quiet")]
    for client in streams + json_streams + sockets + idle:
        client.wait_open()
    stack.publish("t", "-1")
    for client in streams + json_streams:
        client.wait(1)
    with Publisher(stack, "t") as publisher:
        for _ in range(4):
            upgrade(daemon)
    expected = [-1, *range(publisher.sent)]
    for client in streams:
        client.wait(len(expected))
        assert numbers(client) == expected
    for client in json_streams:
        client.wait(len(expected))
        assert [int(event.json()["data"]) for event in client.messages()] == expected
    for client in sockets[:20]:
        client.wait_message(lambda text: f'"data":"{publisher.sent - 1}"' in text)
        found = [json.loads(text) for text in client.messages]
        assert [int(one["data"]) for one in found if "data" in one] == expected
    for client in sockets[20:]:
        client.wait_message(lambda text: text == str(publisher.sent - 1))
        assert [int(text) for text in client.messages] == expected
    idle[0].send_json({"type": "subscribe", "topics": ["late"], "ref": "1"})
    idle[0].wait_message(lambda text: '"subscribed"' in text)
    stack.publish("late", "there")
    stack.publish("quiet", "there")
    idle[0].wait_message(lambda text: '"there"' in text)
    assert idle[1].wait(1)[0].data == "there"
    for client in streams + json_streams + sockets + idle:
        assert not client.closed
    for client in streams + json_streams:
        assert client.connections == 1 and not [event for event in client.events if event.event == "zcast.continuity"]


def test_what_is_half_received(stack):
    """A frame, a message in fragments and one that is deflated, whose first halves the old process has read."""
    stack.broker()
    daemon = of(stack, stack.ws())
    ask = json.dumps({"type": "subscribe", "topics": ["b"], "ref": "half"}).encode()
    packer = zlib.compressobj(wbits=-15)
    packed = (packer.compress(ask) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    deflate = {"Sec_WebSocket_Extensions": "permessage-deflate"}
    halves = []
    for whole, fields in (
        (encode(FIN | TEXT, ask), {}),
        (encode(TEXT, ask[:10]) + encode(CONTINUATION, ask[10:20]) + encode(FIN | CONTINUATION, ask[20:]), {}),
        (encode(RSV1 | TEXT, packed[:9]) + encode(FIN | CONTINUATION, packed[9:]), deflate),
    ):
        for cut in (1, 5, 8, 18, len(whole) - 1):
            client = Raw(stack.ws_port)
            stack.closers.append(client.close)
            client.open("/ws?topic=a", Sec_WebSocket_Protocol="zcast.v1", **fields)
            client.send(whole[:cut])
            halves.append((client, whole[cut:]))
    marks = [stack.websocket("a", subprotocols=["zcast.v1"]).wait_open() for _ in range(3)]
    for mark in marks:
        mark.ping()  # what was sent before has been read
    upgrade(daemon)
    for client, rest in halves:
        client.send(rest)
        while True:
            first, payload = client.read_frame()
            text = zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff") if first & RSV1 else payload
            if b'"subscribed"' in text:
                break
        assert json.loads(text)["ref"] == "half" and json.loads(text)["topics"] == ["a", "b"]


def test_a_client_that_is_too_large_stays_behind(stack):
    """Its record is beyond what a frame of the handover takes: it is told to come back, and the others go."""
    stack.broker()
    daemon = of(stack, stack.ws("--max-message=16M", "--drain-timeout=60s"))
    large = Raw(stack.ws_port)
    stack.closers.append(large.close)
    large.open("/ws?topic=a", Sec_WebSocket_Protocol="zcast.v1")
    whole = encode(FIN | TEXT, b"x" * (6 << 20))
    large.send(whole[: 5 << 20])
    other = stack.websocket("a", subprotocols=["zcast.v1"]).wait_open()
    wait_for(lambda: unread(large.socket) == 0, "half of the message is there")
    other.ping()
    upgrade(daemon)
    stack.publish("a", "after")
    other.wait_message(lambda text: '"after"' in text)
    assert not other.closed
    with pytest.raises(Closed):
        while True:
            large.read_frame()


def test_what_is_half_sent(stack):
    """Clients that don't read: the rest of the message that they are in goes first, and what follows is complete."""
    stack.broker()
    daemon = of(stack, stack.ws("--max-lag=64M", "--pong-timeout=10m"))
    slow = []
    for path in ("/events?topic=t", "/ws?topic=t"):
        client = Http(stack.ws_port, receive_buffer=4096)
        stack.closers.append(client.close)
        if path.startswith("/ws"):
            client.open(path)
        else:
            client.send(request(path))
        slow.append(client)
    stack.wait_report("ws.0", lambda report: report["clients"] == 2)
    with Publisher(stack, "t", pad=" " + "x" * 30000, pause=0.02) as publisher:
        stack.wait_report("ws.0", lambda report: len(report["slow"]) == 2 and report["slow"][0]["lag"] > 1 << 20)
        for _ in range(2):
            upgrade(daemon)
    stack.publish("t", "end")
    count = publisher.sent
    for client in slow:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    data = bytearray()
    while b"data: end" not in data[-2000:]:
        more = slow[0].socket.recv(1 << 20)
        assert more, "the stream ended"
        data += more
    found = [int(line.split()[1]) for line in data.split(b"\n") if line.startswith(b"data: ") and b"xxx" in line]
    assert found == list(range(count)) and b"zcast.continuity" not in data
    found = []
    while (payload := slow[1].read_frame()[1]) != b"end":
        assert len(payload) > 30000
        found.append(int(payload.split()[0]))
    assert found == list(range(count))


def test_requests_are_answered(stack):
    """What clients publish meanwhile, by WebSocket and by half a POST, is answered once, and published once."""
    stack.broker()
    daemon = of(stack, stack.ws("--allow-publish", "--rate=0", "--drain-timeout=60s", "--address-rate=0"))
    reader = stack.websocket("t", subprotocols=["zcast.v1"]).wait_open()
    writers = [stack.websocket(subprotocols=["zcast.v1"]).wait_open() for _ in range(4)]
    over, asked = threading.Event(), [0] * len(writers)

    def write(index):
        for number in itertools.count():
            if over.is_set():
                return
            writers[index].send_json({"type": "publish", "topic": "t", "data": f"{index}.{number}", "ref": f"{number}"})
            asked[index] = number + 1
            writers[index].wait(number + 1)

    threads = [threading.Thread(target=write, args=(index,), daemon=True) for index in range(len(writers))]
    for thread in threads:
        thread.start()
    for _ in range(3):
        post = Http(stack.ws_port)
        stack.closers.append(post.close)
        post.send(request("/publish?topic=t", "POST", Content_Length="5") + b"ha")
        stack.websocket("t").wait_open().ping()  # that half has been read
        handed = daemon.log().count("handed over")
        daemon.send_signal(signal.SIGUSR2)
        wait_for(lambda: daemon.log().count("handed over") > handed, "the clients are another's")
        post.send(b"lf!")
        assert post.answer()[0] == 200
        complete = daemon.log().count("upgrade: starting")
        wait_for(lambda: daemon.log().count("upgrade: complete") == complete, "the upgrade")
    over.set()
    for thread in threads:
        thread.join(LIMIT)
    expected = {f"{index}.{number}" for index, count in enumerate(asked) for number in range(count)}
    for writer, count in zip(writers, asked):
        refs = [json.loads(text) for text in writer.wait(count)]
        assert [one["ref"] for one in refs] == [str(number) for number in range(count)]
        assert [one for one in refs if one["type"] != "published"] == [] and not writer.closed
    stack.publish("t", "end")
    reader.wait_message(lambda text: '"end"' in text)
    found = [one["data"] for one in map(json.loads, reader.messages) if "data" in one]
    assert sorted(found) == sorted([*expected, *["half!"] * 3, "end"])


def test_rights_travel(stack, tmp_path):
    """The identity of a token: what it may, whose connection it counts for, and when it ends."""
    secret = tmp_path / "token.key"
    secret.write_text("0123456789abcdef" * 3 + "\n")
    secret.chmod(0o640)

    def token(*words):
        return run("zmq", "token", "make", "--key", secret, "--subject", "ann", *words).stdout.strip()

    stack.broker()
    daemon = of(stack, stack.ws("--tokens=all", f"--token-keys={secret}", "--max-connections-per-subject=3", "--allow-publish"))
    lasting, short = token("-r", "a", "-p", "b/*", "--for", "10m"), token("-r", "a", "--for", "5s")
    client = stack.websocket("a", subprotocols=["zcast.v1", f"zcast.token.{lasting}"]).wait_open()
    ending = stack.sse("a", headers={"Authorization": f"Bearer {short}"}).wait_open()
    closing = stack.websocket("a", subprotocols=["zcast.v1", f"zcast.token.{short}"]).wait_open()
    upgrade(daemon)
    upgrade(daemon)
    for topic, answer in (("b/1", "published"), ("c", "error")):
        client.send_json({"type": "publish", "topic": topic, "data": "x", "ref": topic})
        client.wait_message(lambda text, topic=topic: json.loads(text).get("ref") == topic)
        assert json.loads(client.messages[-1])["type"] == answer
    client.send_json({"type": "subscribe", "topics": ["z"], "ref": "z"})
    client.wait_message(lambda text: '"forbidden"' in text and '"z"' in text)
    fourth = stack.sse("a", headers={"Authorization": f"Bearer {lasting}"})
    wait_for(lambda: fourth.status is not None, "an answer")
    wait_for(lambda: daemon.log().count("refused") or fourth.closed, "a refusal")
    ending.wait_event(lambda event: event.event == "zcast.end")
    closing.wait_closed()
    assert closing.close_code == 4401 and not client.closed


FAKE = """#!/usr/bin/env python3
import array, os, signal, socket, struct, sys, time
mode = {mode!r}
if mode == "exits":
    sys.exit(1)
if mode == "hangs":
    time.sleep(1000)
_, index, listener, fd = os.environ["ZCAST_SUCCESSION"].split()[:4]
link = socket.socket(fileno=int(fd))
def frame(kind, *fields):
    body = bytes([kind]) + b"".join(bytes([tag]) + struct.pack(">I", len(value)) + value for tag, value in fields)
    link.sendall(struct.pack(">I", len(body)) + body)
def take():
    size = struct.unpack(">I", exactly(4))[0]
    return exactly(size)
def exactly(size):
    data = b""
    while len(data) < size:
        more, ancillary, flags, _ = link.recvmsg(size - len(data), 64)
        if not more:
            sys.exit(1)
        data += more
    return data
if mode == "nonsense":
    link.sendall(b"HTTP/1.1 400 Bad Request")
    time.sleep(1000)
frame(1, (1, struct.pack(">Q", 2 if mode == "version" else 1)))
while take()[0] != 4:
    pass
if mode == "refuses":
    frame(10, (2, b"not with me"))
    time.sleep(1000)
frame(5)
if mode == "killed":
    take()  # the first client
    os.kill(os.getpid(), signal.SIGKILL)
clients = 0
while take()[0] != 7:
    clients += 1
if mode == "miscounts":
    frame(8, (1, struct.pack(">Q", clients + 1)))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_the_old_one_goes_on(stack, processes):
    """Whatever the new binary does instead of taking over: clients get all messages from the old one, and a good one can follow."""
    stack.broker()
    path = stack.folder / "bin" / "zcast-ws"
    path.parent.mkdir()
    shutil.copy(BUILD / PROGRAMS["zcast-ws"], path)
    listen = f"127.0.0.1:{stack.ws_port}"
    argv = [str(path), *stack.endpoints(), f"--listen={listen}", f"--processes={processes}", "--upgrade-timeout=3s"]
    daemon = of(stack, stack.start("zcast-ws", argv, ready=lambda: can_connect(("127.0.0.1", stack.ws_port))))
    clients = [stack.sse("t").wait_open() for _ in range(10)] + [stack.websocket("t").wait_open() for _ in range(10)]
    published = 0
    before = workers(daemon)
    descriptors = None
    for mode in ("missing", "exits", "hangs", "nonsense", "version", "refuses", "killed", "miscounts", "late"):
        aside = path.with_name("aside")
        path.rename(aside)
        if mode != "missing":
            path.write_text(FAKE.format(mode=mode))
            path.chmod(0o755)
        gone_on = daemon.log().count("goes on")
        with Publisher(stack, "t", pause=0.01) as publisher:
            daemon.send_signal(signal.SIGUSR2)
            wait_for(lambda: daemon.log().count("goes on") == gone_on + processes, lambda: f"{mode}: {daemon.log()[-2000:]}")
        published += publisher.sent
        if processes > 1:
            wait_for(lambda: daemon.log().count("not every process") > gone_on // processes, f"{mode}: the master says so")
        aside.rename(path)
        wait_for(lambda: sorted(workers(daemon)) == sorted(before), f"{mode}: the old workers, alone")
        for client in clients[:10]:
            client.wait(published)
        for client in clients[10:]:
            client.wait(published)
        descriptors = descriptors or daemon.fds()
        assert daemon.fds() <= descriptors + 2 * processes, mode
    upgrade(daemon)
    with Publisher(stack, "t") as publisher:
        wait_for(lambda: publisher.sent > 10, "some messages")
    published += publisher.sent
    for client in clients:
        client.wait(published)
        assert len(client.messages() if client in clients[:10] else client.messages) == published and not client.closed


def test_reload_finds_a_new_binary(stack):
    """SIGHUP, which systemctl reload sends: it reads the configuration again; and where another file is there now, it runs that."""
    stack.broker()
    path = stack.folder / "bin" / "zcast-ws"
    path.parent.mkdir()
    shutil.copy(BUILD / PROGRAMS["zcast-ws"], path)
    argv = [str(path), *stack.endpoints(), f"--listen=127.0.0.1:{stack.ws_port}"]
    daemon = of(stack, stack.start("zcast-ws", argv, ready=lambda: can_connect(("127.0.0.1", stack.ws_port))))
    client = stack.sse("t").wait_open()
    for _ in range(2):
        read = daemon.log().count("configuration read again")
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.log().count("configuration read again") > read, "a reload")
        shutil.copy(path, path.with_name("new"))
        path.with_name("new").rename(path)
        upgrade(daemon, signal.SIGHUP)
    stack.publish("t", "there")
    assert client.wait(1)[0].data == "there" and client.connections == 1


def wrapped(stack, *options):
    """zcast-ws, started by a path at which another file can be put."""
    path = stack.folder / "bin" / "zcast-ws"
    path.parent.mkdir()
    shutil.copy(BUILD / PROGRAMS["zcast-ws"], path)
    argv = [str(path), *stack.endpoints(), f"--listen=127.0.0.1:{stack.ws_port}", *options]
    return path, of(stack, stack.start("zcast-ws", argv, ready=lambda: can_connect(("127.0.0.1", stack.ws_port))))


def replace(path, text):
    path.rename(path.with_name("aside"))
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_configuration_that_breaks_at_the_end(stack, processes):
    """The new workers have taken over, and then the master can't read the configuration: it goes on, and starts a worker that dies again."""
    stack.broker()
    path, daemon = wrapped(stack, f"--processes={processes}")
    client = stack.sse("t").wait_open()
    before = set(workers(daemon))
    replace(path, f"#!/bin/sh\n[ \"$1\" = -t ] && exit 2\nexec {path.with_name('aside')} \"$@\"\n")
    daemon.send_signal(signal.SIGUSR2)
    wait_for(lambda: "it does not start with this configuration; it goes on as it is" in daemon.log(), daemon.log)
    assert daemon.running() and not before & set(workers(daemon))
    stack.publish("t", "there")
    assert client.wait(1)[0].data == "there" and client.connections == 1
    successors = set(workers(daemon))
    for pid in successors:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(workers(daemon)) == processes and not successors & {*workers(daemon), daemon.pid}, daemon.log)
    fresh = stack.sse("t").wait_open()
    stack.publish("t", "again")
    assert fresh.wait(1)[0].data == "again"
    path.with_name("aside").rename(path)
    upgrade(daemon)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_reload_whose_upgrade_fails_is_a_reload(stack, processes):
    """SIGHUP finds a new binary, which doesn't start: the running one reads the configuration again."""
    stack.broker()
    path, daemon = wrapped(stack, f"--processes={processes}")
    client = stack.sse("t").wait_open()
    replace(path, "#!/bin/sh\nexit 2\n")
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.log().count("configuration read again") == processes, daemon.log)
    assert daemon.log().count("goes on") == processes
    path.with_name("aside").rename(path)
    upgrade(daemon)
    stack.publish("t", "there")
    assert client.wait(1)[0].data == "there" and client.connections == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_upgrades_asked_for_at_once(stack, processes):
    """Those that are asked for during one are one, which follows when clients have had time to catch up."""
    stack.broker()
    daemon = of(stack, stack.ws(f"--processes={processes}"))
    clients = [stack.sse("t").wait_open() for _ in range(20)] + [stack.websocket("t").wait_open() for _ in range(20)]
    with Publisher(stack, "t") as publisher:
        for _ in range(20):
            daemon.send_signal(signal.SIGUSR2)
            time.sleep(0.005)
        wait_for(lambda: daemon.log().count("upgrade: complete") == 2, daemon.log)
    for client in clients:
        client.wait(publisher.sent)
        assert not client.closed
    for client in clients[:20]:
        assert numbers(client) == list(range(publisher.sent)) and client.connections == 1
    for client in clients[20:]:
        assert [int(text) for text in client.messages] == list(range(publisher.sent))


def test_it_can_be_stopped_meanwhile(stack):
    """SIGTERM at any moment of an upgrade ends all processes, and the address is free."""
    stack.broker()
    for pause in (0, 0.02, 0.05, 0.1, 0.2):
        daemon = of(stack, stack.ws())
        clients = [stack.sse("t").wait_open() for _ in range(20)]
        daemon.send_signal(signal.SIGUSR2)
        time.sleep(pause)
        assert daemon.stop() == 0
        for client in clients:
            client.wait_closed()
        wait_for(lambda: not can_connect(("127.0.0.1", stack.ws_port)), "nobody listens")


def test_clients_take_no_place_of_those_that_ask(stack):
    """Whoever came along is a client, and isn't counted as a connection that asks for nothing."""
    stack.broker()
    daemon = stack.ws("--trust-proxy=192.0.2.0/24", "--max-connections-per-address=3")
    for _ in range(2):
        raw = Raw(stack.ws_port)
        stack.closers.append(raw.close)
        raw.open()
    upgrade(daemon)
    silent = [Raw(stack.ws_port) for _ in range(2)]
    with Http(stack.ws_port) as client:
        assert client.ask("/live")[0] == 200
    for raw in silent:
        raw.close()


def test_nothing_grows(stack):
    """Descriptors and memory over 10 upgrades."""
    stack.broker()
    daemon = of(stack, stack.ws())
    clients = [stack.sse("t").wait_open() for _ in range(100)]
    upgrade(daemon)
    descriptors, memory = daemon.fds(), daemon.pss()
    for _ in range(10):
        upgrade(daemon)
    stack.publish("t", "there")
    for client in clients:
        assert client.wait(1)[0].data == "there" and client.connections == 1
    assert daemon.fds() == descriptors
    assert daemon.pss() < 1.3 * memory + (4 << 20)


@pytest.mark.parametrize("processes", [1, 2])
def test_fastcgi_streams_stay(stack, processes):
    """Behind nginx: streams go on over several upgrades, and look cut when the last process is stopped, so that clients come back."""
    stack.broker()
    daemon = stack.fcgi(processes=processes)
    stack.nginx()
    streams = [stack.sse("t") for _ in range(30)] + [stack.sse("t", "other") for _ in range(10)]
    json_streams = [stack.sse("t", format="zcast.v1") for _ in range(10)]
    for client in streams + json_streams:
        client.wait_open()
    stack.publish("t", "-1")
    for client in streams + json_streams:
        client.wait(1)
    with Publisher(stack, "t") as publisher:
        for _ in range(4):
            upgrade(daemon)
    expected = [-1, *range(publisher.sent)]
    for client in streams + json_streams:
        client.wait(len(expected))
    for client in streams:
        assert numbers(client) == expected
    for client in json_streams:
        assert [int(event.json()["data"]) for event in client.messages()] == expected
    for client in streams + json_streams:
        assert client.connections == 1 and not client.closed
        assert not [event for event in client.events if event.event == "zcast.continuity"]
    fresh = stack.sse("t").wait_open()
    assert daemon.stop() == 0
    for client in [*streams, fresh]:
        client.wait_closed()


@pytest.mark.parametrize("way", ["http", "fcgi"])
def test_half_a_request_that_is_old(stack, way):
    """It has its second from when the process drains, however long ago it began."""
    stack.broker()
    daemon = stack.ws("--allow-publish") if way == "http" else stack.fcgi("--allow-publish")
    daemon.wait_log("broker: connected")
    pairs = {"QUERY_STRING": "topic=t", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "5", "REQUEST_URI": "/publish"}

    def halves():
        if way == "http":
            return Http(stack.ws_port), request("/publish?topic=t", "POST", Content_Length="5") + b"ha", b"lf!"
        return Peer(stack.fcgi_socket), begin(1) + params(1, pairs) + record(STDIN, 1, b"ha"), record(STDIN, 1, b"lf!") + record(STDIN, 1)

    for _ in range(10):
        peer, first, second = halves()
        stack.closers.append(peer.close)
        peer.send(first)
        time.sleep(1.5)  # longer than a request that has begun is given
        drained, complete = daemon.log().count("are told to come back"), daemon.log().count("upgrade: complete")
        daemon.send_signal(signal.SIGUSR2)
        looks = []
        wait_for(lambda: looks.append(time.monotonic()) or daemon.log().count("are told to come back") > drained, "the process drains")
        began = looks[-2] if len(looks) > 1 else looks[-1]  # the drain, or a moment before
        time.sleep(0.4)  # it looks four times a second at what is over
        peer.send(second)
        answer = b"HTTP/1.1 %d" % peer.answer()[0] if way == "http" else peer.finish().encode()
        taken = time.monotonic() - began
        wait_for(lambda: daemon.log().count("upgrade: complete") > complete, "the upgrade")
        if taken < 1:  # or its second was rightly over
            assert answer.startswith((b"HTTP/1.1 200", b"Status: 200"))
            return
    pytest.fail("this machine never was fast enough to tell")


def test_fastcgi_what_is_half_sent(stack):
    """A web server that doesn't read: the record that was begun is finished, and the text goes on without a hole."""
    stack.broker()
    daemon = stack.fcgi("--max-lag=64M")
    peer = Peer(stack.fcgi_socket)
    stack.closers.append(peer.socket.close)
    peer.send(fastcgi_request("topic=t", flags=KEEP_CONN))
    stack.wait_report("fcgi.0", lambda report: report["clients"] == 1)
    with Publisher(stack, "t", pad=" " + "x" * 30000, pause=0.02) as publisher:
        stack.wait_report("fcgi.0", lambda report: len(report["slow"]) == 1 and report["slow"][0]["lag"] > 1 << 20)
        for _ in range(3):
            upgrade(daemon)
    stack.publish("t", "end")
    while b"data: end\n" not in peer.text[-2000:]:
        kind, _, content = peer.read()
        assert kind == STDOUT and content
    found = [int(line.split()[1]) for line in peer.text.split(b"\n") if line.startswith(b"data: ") and b"xxx" in line]
    assert b"zcast.continuity" not in peer.text
    assert found == list(range(publisher.sent))
    peer.send(record(ABORT, 1))
    peer.finish()
    peer.text = b""
    peer.send(fastcgi_request("topic=t", id=2)).wait("zcast.heartbeat")  # the connection was kept
