"""The whole path: one publish reaches all clients, through real web servers, Redis, and clients written by others."""

import json
import os
import signal
import subprocess
import threading

import pytest
import zmq

from stack import LIMIT, SOURCE, program, run, wait_for

WEB = ["nginx", "lighttpd", "apache"]


class Lines:
    """A program whose lines are kept as they come."""

    def __init__(self, *argv):
        self.lines = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen([program(argv[0]), *map(str, argv[1:])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait_line(self, condition):
        with self._changed:
            found = self._changed.wait_for(lambda: any(condition(line) for line in self.lines), LIMIT)
        assert found, f"{self.process.args}: {self.lines[-10:]}"

    def json(self, name):
        """The values of one name in lines of JSON."""
        values = [json.loads(line) for line in list(self.lines)]
        return [value[name] for value in values if name in value]

    def close(self):
        self.process.kill()
        self.process.wait()
        self._thread.join()


@pytest.fixture
def lines():
    """Starts a program that is ended with the test."""
    started = []

    def start(*argv):
        started.append(Lines(*argv))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def node_eventsource(lines):
    def start(url):
        return lines("node", SOURCE / "tests/integration/eventsource.js", url)

    return start


def start_all(stack, web, **fcgi):
    stack.broker()
    stack.fcgi(**fcgi)
    stack.fcgi_socket.chmod(0o666)  # Apache's workers aren't root
    stack.ws()
    getattr(stack, web)()


@pytest.mark.parametrize("web", WEB)
def test_one_publish_reaches_everyone(stack, lines, node_eventsource, web):
    start_all(stack, web, processes=2)
    stack.redis()
    stack.bridge("--subscribe-pattern=news/*")

    url = stack.url("/events", ["news/a"])
    curl = lines("curl", "-sN", url)
    node = node_eventsource(url)
    browsers = [stack.sse("news/a") for _ in range(4)]
    sockets = [stack.websocket("news/a"), stack.websocket("news/a", port=stack.web_port)]
    spoken = stack.websocket("news/a", port=stack.web_port, subprotocols=["zcast.v1"])
    subscriber = stack.sub("news/a")
    for client in [*browsers, *sockets, spoken]:
        client.wait_open()
    curl.wait_line(lambda line: line.startswith(":"))
    node.wait_line(lambda line: "open" in line)

    # one after the other, from each side
    stack.publish("news/a", "by control")
    browsers[0].wait(1)
    stack.pub().send_multipart([b"news/a", b"by pyzmq"])
    browsers[0].wait(2)
    stack.zmq("pub", "news/a", "by zmq pub")
    stack.zmq("pub", "--fast", "news/a", "by zmq pub --fast")
    browsers[0].wait(4)
    stack.redis_cli("publish", "news/a", "by redis-cli")
    # a single frame is split at its first space
    browsers[0].wait(5)
    stack.pub().send(b"news/a by one frame")
    stack.publish("news/ab", "for another topic, of which this one is a prefix")
    stack.publish("news/a", "last")

    texts = ["by control", "by pyzmq", "by zmq pub", "by zmq pub --fast", "by redis-cli", "by one frame", "last"]
    for browser in browsers:
        assert [event.data for event in browser.wait(7)] == texts
    ids = [event.id for event in browsers[0].messages()]
    assert len(set(ids)) == 7 and all(event.id for event in browsers[1].messages())
    assert ids == [event.id for event in browsers[1].messages()]
    for client in sockets:
        assert client.wait(7) == texts
    spoken.wait_message(lambda message: "last" in message)
    told = [json.loads(message) for message in spoken.messages]
    told = [message for message in told if "topic" in message]  # and not what zcast itself says
    assert [(message["id"], message["topic"], message["data"]) for message in told] == [(id, "news/a", text) for id, text in zip(ids, texts)]
    node.wait_line(lambda line: '"last"' in line)
    assert node.json("data") == texts
    curl.wait_line(lambda line: line == "data: last")
    assert [line[6:] for line in curl.lines if line.startswith("data: ")] == texts
    got = []
    while not got or got[-1] != b"last":
        assert subscriber.poll(LIMIT * 1000)
        topic, payload, *_ = subscriber.recv_multipart()
        if topic == b"news/a":
            got.append(payload)
    assert got == [text.encode() for text in texts]


@pytest.mark.parametrize("web", WEB)
def test_a_payload_of_any_bytes(stack, web):
    """Binary payloads and large ones, on both transports."""
    start_all(stack, web)
    sse, ws = stack.sse("a").wait_open(), stack.websocket("a", port=stack.web_port).wait_open()
    binary, large, lines = bytes(range(256)), "x" * 1000000, "one\ntwo\r\nthree\rfour"
    for payload in (binary, large, lines, ""):
        stack.publish("a", payload)
    stack.publish("a", "end")
    assert ws.wait(5) == [binary, large, lines, "", "end"]
    wait_for(lambda: sse.messages() and sse.messages()[-1].data == "end", "the last event")
    data = [event.data for event in sse.messages()]
    import base64

    assert data[0] == "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    assert data[1:3] == [large, "one\ntwo\nthree\nfour"]


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_is_stranded_by_a_restart_of_the_worker(stack, node_eventsource, web, end):
    """Clients that act as browsers do come back and have everything, once."""
    stack.broker()
    worker = stack.fcgi(processes=2)
    getattr(stack, web)()
    browsers = [stack.sse("a", reconnect=True) for _ in range(30)]
    node = node_eventsource(stack.url("/events", ["a"]))
    for browser in browsers:
        browser.wait_open()
    node.wait_line(lambda line: "open" in line)
    stack.publish("a", "0")
    for browser in browsers:
        browser.wait(1)
    node.wait_line(lambda line: '"0"' in line)

    if end == signal.SIGKILL:
        worker.kill()
    else:
        assert worker.stop() == 0
    stack.publish("a", "1")
    # some find nobody there, and are told to come back
    wait_for(lambda: stack.sse("a").wait_closed().given_up is None, "an answer that is a stream")
    stack.fcgi(processes=2)
    stack.publish("a", "2")
    for browser in browsers:
        assert [event.data for event in browser.wait(3)] == ["0", "1", "2"]
        assert browser.given_up is None
        assert [event.json()["status"] for event in browser.events if event.event == "zcast.continuity"][-1] == "continued"
    node.wait_line(lambda line: '"2"' in line)
    assert node.json("data") == ["0", "1", "2"]


def test_ids_resume_across_transports(stack):
    start_all(stack, "nginx")
    with stack.sse("a") as sse:
        sse.wait_open()
        stack.publish("a", "0")
        stack.publish("a", "1")
        first, _ = sse.wait(2)
    stack.publish("a", "2")
    with stack.websocket("a", query={"last-event-id": first.id}, subprotocols=["zcast.v1"]) as ws:
        said = [json.loads(message) for message in ws.wait(3)]
    assert said[0]["event"] == "zcast.continuity" and "continued" in str(said[0])
    assert [message["data"] for message in said[1:]] == ["1", "2"]
    with stack.sse("a", headers={"Last-Event-ID": said[1]["id"]}) as sse:
        assert [event.data for event in sse.wait(1)] == ["2"]
        assert sse.events[0].event == "zcast.continuity" and sse.events[0].json()["status"] == "continued"


def test_a_worker_out_of_descriptors_recovers(stack):
    """More clients than descriptors: no spin, no crash; the others wait or are told to come back; service returns by itself."""
    stack.broker()
    worker = stack.fcgi(limit_fds=64)
    stack.nginx()
    browsers = [stack.sse("a", reconnect=True) for _ in range(120)]
    wait_for(lambda: sum(browser._open and browser.parser.comments > 0 for browser in browsers) >= 20, "the first clients")
    before = worker.cpu()
    threading.Event().wait(2)
    assert worker.cpu() - before < 1.0  # of 2 seconds: it does not spin
    assert worker.running()
    for browser in browsers:
        browser.close()
    assert not [browser.given_up for browser in browsers if browser.given_up]
    with stack.sse("a", reconnect=True) as late:
        late.wait_open()
        stack.publish("a", "back")
        assert late.wait(1)[0].data == "back"


def test_started_by_spawn_fcgi(stack):
    """A listening socket handed over on descriptor 0, as systemd does it too."""
    stack.broker()
    spawned = ["spawn-fcgi", "-n", "-s", stack.fcgi_socket, "--", program("zcast-fcgi"), *stack.endpoints()[1:]]
    stack.start("spawn-fcgi", spawned, ready=stack.fcgi_socket.exists)
    stack.nginx()
    with stack.sse("a") as sse:
        sse.wait_open()
        stack.publish("a", "hello")
        assert sse.wait(1)[0].data == "hello"


def test_started_by_lighttpd(stack):
    """lighttpd's bin-path: it starts the worker, and again when it ends."""
    stack.broker()
    web = stack.lighttpd("events-spawn.conf")
    with stack.sse("a", reconnect=True) as sse:
        sse.wait_open()
        stack.publish("a", "0")
        sse.wait(1)
        worker = next(pid for pid in web.pids() if os.readlink(f"/proc/{pid}/exe").endswith("zcast-fcgi"))
        os.kill(worker, signal.SIGKILL)
        stack.publish("a", "1")
        assert [event.data for event in sse.wait(2)] == ["0", "1"]


def test_as_a_plain_cgi_program(stack):
    """One process for each client."""
    stack.broker()
    web = stack.lighttpd("events-cgi.conf")
    clients = [stack.sse("a") for _ in range(3)]
    for client in clients:
        client.wait_open()
    stack.publish("a", "hello")
    for client in clients:
        assert client.wait(1)[0].data == "hello"
    assert len(web.pids()) == 4
    for client in clients:
        client.close()
    wait_for(lambda: len(web.pids()) == 1 or stack.publish("a", "again") and False, "the processes gone with their clients")


def test_an_answer_of_the_worker_passes_unchanged(stack):
    """400 and 405 are the worker's own: the samples replace only what the web server says."""
    stack.broker()
    stack.fcgi()
    stack.nginx()
    assert stack.get("/events")[0] == 400
    assert stack.get("/events?topic=a", method="DELETE")[0] == 405
    assert stack.get("/events?topic=" + "x" * 1025)[0] == 400


@pytest.mark.parametrize("web", WEB)
def test_who_may_publish_behind_a_web_server(stack, web):
    """A page that the web server itself serves may, one of another site may not, though both ask the same proxy."""
    stack.broker()
    stack.ws("--allow-publish").wait_log("broker: connected")
    getattr(stack, web)()
    ours = f"http://127.0.0.1:{stack.web_port}"
    with stack.websocket("a", port=stack.web_port, subprotocols=["zcast.v1"], origin=ours) as client:
        client.wait_open()
        client.send_json({"type": "publish", "topic": "a", "data": "hello", "ref": 1})
        client.wait_message(lambda text: json.loads(text).get("data") == "hello")
    for other in ("http://127.0.0.1:1", "https://evil.example", "null"):
        with stack.websocket("a", port=stack.web_port, subprotocols=["zcast.v1"], origin=other) as client:
            assert "403" in str(client.wait_closed().error), other
    assert stack.stats()["published"] == 1
