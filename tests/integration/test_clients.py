"""SSE clients of others, the real packages (tests/clients), each as its manual shows it. A publisher of JSON, applications that
parse it and know nothing of zcast: they lose nothing, whatever happens to the worker, and are never given anything that is no
JSON."""

import contextlib
import json
import os
import socket
import subprocess
import threading

import pytest

from stack import BUILD, LIMIT, SOURCE, Missing, program, wait_for

PACKAGES = BUILD / "tests/clients"
NPM = [
    "eventsource",
    "eventsource3",
    "eventsource2",
    "eventsource1",
    "launchdarkly-eventsource",
    "event-source-polyfill",
    "reconnecting-eventsource",
    "reconnecting-eventsource2",
    "eventsource-client",
    "fetch-event-source",
]
CLIENTS = [*NPM, "httpx-sse"]


class Client:
    """An application in a process of its own; `events` has the events that it got."""

    def __init__(self, stack, name, *topics, **query):
        if not (PACKAGES / ".installed").exists():
            raise Missing("the clients aren't installed: tools/quickstart check, or make check-clients")
        url = stack.url("/events", topics, **query)
        folder = SOURCE / "tests/clients"
        argv = ["/usr/bin/python3", folder / "client.py", url]
        if name in NPM:
            argv = [program("node"), folder / "client.mjs", PACKAGES, name, url]
        env = {**os.environ, "PYTHONPATH": str(PACKAGES / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
        self.name = name
        self.lines = []
        self.errors = (stack.folder / f"{name}.err").open("w+")
        self.process = subprocess.Popen([str(word) for word in argv], env=env, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        stack.closers.append(self.close)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def opened(self):
        return sum("open" in line for line in self.lines)

    def events(self):
        return [line for line in self.lines if "data" in line]

    def given(self):
        """The events that the application got, without those that belong to the relay."""
        return [json.loads(event["data"]) for event in self.events() if not event["event"].startswith("zcast.")]

    def wait(self, condition, what):
        wait_for(lambda: self.check() or condition(), lambda: f"{what}: {self!r}")

    def check(self):
        assert self.process.poll() is None, f"{self!r} ended"
        assert not any("closed" in line for line in self.lines), f"{self!r} has given up"

    def close(self):
        self.process.kill()
        self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        self.errors.close()

    def __repr__(self):
        self.errors.seek(0)
        return f"{self.name}: {self.lines[-12:]} {self.errors.read()[-2000:]}"


def publish(stack, *numbers, topic="a"):
    for number in numbers:
        stack.publish(topic, json.dumps({"number": number}))


def start(stack, *options):
    stack.broker()
    worker = stack.fcgi("--retry=200ms", *options)
    worker.wait_log("broker: connected")
    stack.nginx()
    return worker


class Cutter:
    """A proxy that cuts its first connections, one for each of `marks`, where what came through ends with that."""

    def __init__(self, stack, marks):
        self.marks = list(marks)
        self.target = stack.web_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        stack.closers.append(self.listener.close)

    def _accept(self):
        while True:
            try:
                browser, _ = self.listener.accept()
            except OSError:
                return
            site = socket.create_connection(("127.0.0.1", self.target))
            mark = self.marks.pop(0) if self.marks else None
            threading.Thread(target=self._pass, args=(browser, site, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(site, browser, mark), daemon=True).start()

    def _pass(self, source, sink, mark):
        passed = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += data
                at = passed.find(mark) if mark else -1
                if at >= 0:
                    sink.sendall(data[: max(0, at + len(mark) - (len(passed) - len(data)))])
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Crowd:
    """One of each. `cuts`: where the connections of each are cut, one after the other."""

    def __init__(self, stack, *topics, cuts=(), **query):
        self.clients = []
        site = stack.web_port
        for name in CLIENTS:
            stack.web_port = Cutter(stack, cuts).port if cuts else site
            self.clients.append(Client(stack, name, *topics, **query))
            stack.web_port = site

    def wait_open(self, times=1):
        for client in self.clients:
            client.wait(lambda: client.opened() >= times, f"open {times} times")
        return self

    def wait_given(self, *values):
        """Waits until each has got these numbers, and no others, nor anything that isn't JSON."""
        for client in self.clients:
            client.wait(lambda: len(client.given()) >= len(values), f"{len(values)} messages")
        for client in self.clients:
            assert client.given() == [{"number": value} for value in values], client
        return self

    def check_ids(self):
        """An event without an id takes the last one away from a client that keeps what the last event had."""
        for client in self.clients:
            assert all(event.get("id") for event in client.events()), client


def test_who_had_no_event_yet_resumes(stack):
    worker = start(stack)
    crowd = Crowd(stack, "a").wait_open()
    worker.kill()
    publish(stack, 1, 2, 3)
    stack.fcgi("--retry=200ms")
    crowd.wait_given(1, 2, 3)
    publish(stack, 4)
    crowd.wait_given(1, 2, 3, 4).check_ids()


def test_with_nothing_in_front(stack):
    """zcast-ws serves the same streams by itself. While it is away, nobody answers."""
    stack.broker()
    worker = stack.ws("--retry=200ms")
    worker.wait_log("broker: connected")
    stack.web_port = stack.ws_port
    crowd = Crowd(stack, "a").wait_open()
    worker.kill()
    publish(stack, 1, 2, 3)
    worker = stack.ws("--retry=200ms")
    crowd.wait_given(1, 2, 3)
    assert worker.stop() == 0
    publish(stack, 4)
    stack.ws("--retry=200ms")
    crowd.wait_given(1, 2, 3, 4).check_ids()


def test_who_meets_the_web_server_s_own_answer_comes_back(stack):
    """The worker is away for so long that the web server answers in its place."""
    worker = start(stack)
    crowd = Crowd(stack, "a").wait_open()
    worker.kill()
    publish(stack, 1, 2, 3)
    crowd.wait_open(times=2)
    stack.fcgi("--retry=200ms")
    crowd.wait_given(1, 2, 3).check_ids()


def test_a_drain_and_a_kill(stack):
    worker = start(stack)
    crowd = Crowd(stack, "a").wait_open()
    publish(stack, 1)
    crowd.wait_given(1)
    assert worker.stop() == 0
    publish(stack, 2)
    worker = stack.fcgi("--retry=200ms")
    crowd.wait_given(1, 2)
    worker.kill()
    publish(stack, 3)
    stack.fcgi("--retry=200ms")
    crowd.wait_given(1, 2, 3).check_ids()


def test_who_is_cut_within_an_event_has_not_had_it(stack):
    """In its data, after its data, and in its id; and before the first event is complete."""
    start(stack)
    cuts = [b"event: zcast.heart", b'data: {"numb', b'data: {"number": 2}\n', b'data: {"number": 2}\nid: 1', b'data: {"number": 2}\n']
    crowd = Crowd(stack, "a", cuts=cuts).wait_open(times=2)
    publish(stack, 1, 2, 3)
    crowd.wait_given(1, 2, 3).check_ids()
    assert all(client.opened() >= 5 for client in crowd.clients)


@pytest.mark.parametrize("query", [{}, {"format": "zcast.v1"}], ids=["plain", "zcast.v1"])
def test_a_quiet_stream_says_nothing_but_json(stack, query):
    """Heartbeats that tell a position, and others; and a broker that is away."""
    start(stack, "--heartbeat=100ms")
    crowd = Crowd(stack, "a", **query).wait_open()

    def wait_for_heartbeats():
        with stack.sse("a", **query) as beside:
            wait_for(lambda: beside.parser.comments + len(beside.events) > 10, "heartbeats")

    for _ in range(2):
        publish(stack, 0, topic="elsewhere")
        wait_for_heartbeats()
    next(daemon for daemon in stack.daemons if daemon.name == "zcast-broker").kill()
    wait_for_heartbeats()
    crowd.wait_given().check_ids()


def test_who_comes_while_there_is_no_room_or_no_broker(stack):
    stack.fcgi("--retry=200ms", "--max-clients=1")
    stack.nginx()
    with stack.sse("other") as other:
        other.wait_open()
        crowd = Crowd(stack, "a").wait_open(times=2)
        assert not any(client.events() for client in crowd.clients)
        stack.daemons[0].stop()
        stack.fcgi("--retry=200ms")
    crowd.wait_open(times=3)
    stack.broker()

    def all_have_some():
        publish(stack, 0)
        return all(client.given() for client in crowd.clients)

    wait_for(all_have_some, lambda: f"a message for each: {[client for client in crowd.clients if not client.given()]}")
    for client in crowd.clients:
        ids = [event.get("id") for event in client.events()]
        assert all(ids[1:]), f"{client}: only who has no id yet may be given an event without"
