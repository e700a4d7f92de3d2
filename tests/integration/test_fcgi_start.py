"""The ways in which zcast-fcgi is started: by itself, by spawn-fcgi, by lighttpd, as a CGI program; and behind nginx and lighttpd."""

import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest


from fastcgi import Peer, request
from stack import BUILD, PROGRAMS, can_connect, program, run, sanitizer_env, wait_for
from test_access import make_token

FCGI = str(BUILD / PROGRAMS["zcast-fcgi"])


def serves(stack, topic="a"):
    """A publish arrives at a new client."""
    with Peer(stack.fcgi_socket, request(f"topic={topic}")) as peer:
        peer.wait_open()
        stack.publish(topic, "hello")
        peer.wait("data: hello\n")


# -- by itself


def test_processes_share_the_socket(stack):
    stack.broker()
    worker = stack.fcgi(processes=3)
    wait_for(lambda: len(worker.pids()) == 4, "three processes and their parent")
    with contextlib.ExitStack() as open_peers:
        peers = [open_peers.enter_context(Peer(stack.fcgi_socket, request())) for _ in range(60)]
        for peer in peers:
            peer.wait_open()
        stack.publish("a", "to all")
        for peer in peers:
            peer.wait("data: to all\n")
    assert worker.stop() == 0
    assert not stack.fcgi_socket.exists()


def test_a_process_that_dies_is_replaced(stack):
    stack.broker()
    worker = stack.fcgi(processes=2)
    wait_for(lambda: len(worker.pids()) == 3, "two processes and their parent")
    before = set(worker.pids())
    os.kill(max(before - {worker.pid}), signal.SIGKILL)
    wait_for(lambda: len(worker.pids()) == 3 and set(worker.pids()) != before, "another process")
    for _ in range(8):
        serves(stack)
    assert worker.stop() == 0


def test_options(stack):
    assert "--socket" in run("zcast-fcgi", "--help").stdout
    assert re.search(r"\d+\.\d+\.\d+", run("zcast-fcgi", "--version").stdout)
    assert run("zcast-fcgi", "-t").returncode == 0
    for words, says in (
        (["--no-such"], "no-such"),
        (["--processes=0"], "processes"),
        (["--socket-mode=rw"], "socket-mode"),
        (["word"], "word"),
        (["--max-delay=soon"], "max-delay"),
    ):
        done = run("zcast-fcgi", *words, check=False)
        assert done.returncode == 2, words
        assert says in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_socket_in_use(stack):
    stack.broker()
    stack.fcgi()
    done = run("zcast-fcgi", *stack.endpoints(), f"--socket={stack.fcgi_socket}", check=False)
    assert done.returncode == 1
    assert str(stack.fcgi_socket) in done.stderr and done.stderr.count("\n") == 1
    serves(stack)


def test_a_stale_socket_is_replaced(stack):
    stack.broker()
    stack.fcgi().kill()
    assert stack.fcgi_socket.exists()
    stack.fcgi()
    serves(stack)


def test_no_right_to_a_socket(stack):
    done = run("zcast-fcgi", *stack.endpoints(), "--socket=/proc/nothing/sse.sock", check=False)
    assert done.returncode == 1
    assert "/proc/nothing/sse.sock" in done.stderr and done.stderr.count("\n") == 1


# -- with a socket on descriptor 0


def test_spawn_fcgi(stack):
    stack.broker()
    program("zcast-fcgi")
    daemon = stack.start(
        "spawn-fcgi",
        ["spawn-fcgi", "-n", "-s", stack.fcgi_socket, "--", FCGI, *stack.endpoints()],
        ready=lambda: can_connect(stack.fcgi_socket),
    )
    serves(stack)
    assert daemon.stop() == 0
    assert stack.fcgi_socket.exists(), "the socket's file belongs to who made it"


def test_spawn_fcgi_with_processes(stack):
    stack.broker()
    program("zcast-fcgi")
    daemon = stack.start(
        "spawn-fcgi",
        ["spawn-fcgi", "-n", "-s", stack.fcgi_socket, "--", FCGI, "--processes=2", *stack.endpoints()],
        ready=lambda: can_connect(stack.fcgi_socket),
    )
    wait_for(lambda: len(daemon.pids()) == 3, "two processes and their parent")
    serves(stack)
    assert daemon.stop() == 0


@pytest.mark.parametrize("options, why", [([], "tokens = all"), (["--insecure"], "allow-peer")])
def test_a_socket_of_others_is_looked_at(stack, options, why):
    """No option says where it is: it has to be asked. In a network of its own, where nobody is."""
    program("zcast-fcgi")
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    words = [*alone, "spawn-fcgi", "-n", "-a", "0.0.0.0", "-p", "9000", "--", FCGI, *stack.endpoints(), *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "handed over" in done.stderr and why in done.stderr


def test_cgi_fcgi(stack):
    """The FastCGI project's own bridge, as the web server's side."""
    stack.broker()
    stack.fcgi()
    for name in ("zcast-fcgi", "cgi-fcgi"):
        program(name)
    env = {"REQUEST_METHOD": "GET", "QUERY_STRING": "topic=a", "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [program("cgi-fcgi"), "-bind", "-connect", str(stack.fcgi_socket)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as bridge:
        try:
            read_until(bridge.stdout, b"retry: ")
            stack.publish("a", "through the bridge")
            read_until(bridge.stdout, b"data: through the bridge\n")
        finally:
            bridge.kill()


def read_until(pipe, part):
    text = b""
    while part not in text:
        byte = os.read(pipe.fileno(), 4096)
        assert byte, f"no {part!r} in {text!r}"
        text += byte
    return text


# -- as a CGI program


class Cgi:
    """A CGI process, as a web server starts it."""

    def __init__(self, stack, *words, query="topic=a", method="GET", stdout=subprocess.PIPE, **more):
        env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "QUERY_STRING": query, **more, **sanitizer_env()}
        program("zcast-fcgi")
        self.process = subprocess.Popen(
            [FCGI, *(words or stack.endpoints())], env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
        )
        stack.closers.append(self.close)

    def wait(self, part):
        return read_until(self.process.stdout, part)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


def test_cgi(stack):
    stack.broker()
    first = stack.publish("a", "zero")
    cgi = Cgi(stack, HTTP_LAST_EVENT_ID="earliest")
    text = cgi.wait(f"data: zero\nid: {first}\n\n".encode())
    assert text.startswith(b"Status: 200 OK\r\n") and b"Content-Type: text/event-stream\r\n" in text
    assert b"zcast.continuity" in text
    stack.publish("a", "one")
    cgi.wait(b"data: one\n")
    cgi.process.stdout.close()
    cgi.process.stdout = None
    cgi.process.wait(20)
    assert cgi.process.returncode == 0


def test_cgi_ends_when_told_to(stack):
    stack.broker()
    cgi = Cgi(stack)
    cgi.wait(b"retry: ")
    cgi.process.send_signal(signal.SIGTERM)
    assert b"retry: " in cgi.process.stdout.read()
    assert cgi.process.wait(20) == 0


def test_cgi_asks_for_tokens(stack, key):
    """As the other carriers do: for streams and for publishing, from the header or a cookie."""
    stack.broker()
    asks = [*stack.endpoints(), "--tokens=all", f"--token-keys={key}", "--access=wall/=public"]
    reader = make_token("make", "--key", key, "--subscribe", "a")
    writer = make_token("make", "--key", key, "--publish", "a")

    def answer(**how):
        return Cgi(stack, *asks, **how).process.stdout.read()

    assert answer().startswith(b"Status: 401 ")
    assert b"WWW-Authenticate: Bearer error" in answer(query="topic=wall/1", HTTP_AUTHORIZATION="Bearer x")
    assert answer(HTTP_AUTHORIZATION=f"Bearer {writer}").startswith(b"Status: 403 ")
    assert answer(HTTP_COOKIE=f"zcast_token={reader}", HTTP_ORIGIN="https://evil.example", HTTP_HOST="localhost").startswith(b"Status: 403 ")
    for how in ({"query": "topic=wall/1"}, {"HTTP_AUTHORIZATION": f"Bearer {reader}"}, {"HTTP_COOKIE": f"zcast_token={reader}"}):
        cgi = Cgi(stack, *asks, **how)
        assert cgi.wait(b"retry: ").startswith(b"Status: 200 ")
        cgi.close()
    post = {"method": "POST", "CONTENT_LENGTH": "0", "SCRIPT_NAME": "/publish", "REQUEST_URI": "/publish?topic=a"}
    assert answer(**post).startswith(b"Status: 401 ")
    assert answer(**post, HTTP_AUTHORIZATION=f"Bearer {reader}").startswith(b"Status: 403 ")
    assert stack.stats()["published"] == 0
    assert answer(**post, HTTP_AUTHORIZATION=f"Bearer {writer}").startswith(b"Status: 200 ")
    assert stack.stats()["published"] == 1
    short = make_token("make", "--key", key, "--subscribe", "a", "--for", "3s")
    cgi = Cgi(stack, *asks, "--token-leeway=0s", HTTP_AUTHORIZATION=f"Bearer {short}")
    cgi.wait(b"event: zcast.end\n")
    assert cgi.process.wait(60) == 0


def test_cgi_over_a_socket(stack):
    """stdout may be a socket as well as a pipe."""
    stack.broker()
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(30)
        cgi = Cgi(stack, stdout=theirs)
        theirs.close()
        text = b""
        while b"retry: " not in text:
            text += ours.recv(4096)
    cgi.process.wait(20)
    assert cgi.process.returncode == 0


def test_cgi_into_a_file(stack):
    stack.broker()
    path = stack.folder / "out"
    with path.open("wb") as file:
        cgi = Cgi(stack, stdout=file)
    wait_for(lambda: b"retry: " in path.read_bytes(), "the head")
    stack.publish("a", "into the file")
    wait_for(lambda: b"data: into the file\n" in path.read_bytes(), "the message")
    cgi.process.send_signal(signal.SIGTERM)
    assert cgi.process.wait(20) == 0


@pytest.mark.parametrize("query, method, status", [("topic=", "GET", b"400"), ("", "GET", b"400"), ("topic=a", "PUT", b"405")])
def test_cgi_bad_requests(stack, query, method, status):
    cgi = Cgi(stack, query=query, method=method)
    text = cgi.process.stdout.read()
    assert text.startswith(b"Status: " + status) and text.count(b"\n") >= 4
    assert cgi.process.wait(20) == 0


def test_cgi_words_from_the_query_are_no_options(stack):
    """A query without `=` may become words of the command line (RFC 3875 §4.4)."""
    cgi = Cgi(stack, "--version", query="--version")
    assert cgi.process.stdout.read().startswith(b"Status: 400")


# -- behind web servers


@pytest.mark.parametrize("web", ["nginx", "lighttpd", "apache"])
def test_behind_a_web_server(stack, web):
    stack.broker()
    worker = stack.fcgi("--heartbeat=1s", "--socket-mode=0666")  # lighttpd and Apache learn by writing that a browser has left
    getattr(stack, web)()
    worker.wait_log("broker: connected")
    before = worker.fds()
    with stack.sse("a", "b") as client:
        client.wait_open()
        assert client.reply_headers["Content-Type"].startswith("text/event-stream")
        ids = [stack.publish("a", "one"), stack.publish("b", "two", {"event": "tick"})]
        got = client.wait(2)
        assert [(event.data, event.event, event.id) for event in got] == [("one", "message", ids[0]), ("two", "tick", ids[1])]
        status, headers, body = stack.get("/events")
        assert status == 400 and b"no topic" in body
        status, headers, body = stack.get("/events?topic=a", method="POST", body=b"x" * 10000)
        assert status == 405 and "GET" in headers["Allow"]
    wait_for(lambda: worker.fds() == before, "the client's descriptor is released")


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_restart_behind_a_web_server(stack, web):
    """Clients are told to come back, do, and miss nothing."""
    stack.broker()
    worker = stack.fcgi("--retry=100ms")
    getattr(stack, web)()
    with stack.sse("a", reconnect=True) as client:
        client.wait_open()
        stack.publish("a", "one")
        client.wait(1)
        assert worker.stop() == 0
        stack.publish("a", "two")
        stack.fcgi("--retry=100ms")
        stack.publish("a", "three")
        assert [event.data for event in client.wait(3)] == ["one", "two", "three"]
        assert client.connections >= 2 and not client.given_up


def test_nginx_keeps_connections(stack):
    """fastcgi_keep_conn: short answers share a connection, and a stream after them works."""
    stack.broker()
    worker = stack.fcgi()

    def keep(text):
        text = text.replace("fastcgi_pass zcast_sse;", "fastcgi_pass zcast_sse;\n    fastcgi_keep_conn on;")
        return re.sub(r"(upstream zcast_sse \{[^}]*)\}", r"\1    keepalive 4;\n}", text)

    stack.nginx(edit=keep)
    worker.wait_log("broker: connected")
    fds = worker.fds()
    for _ in range(20):
        assert stack.get("/events")[0] == 400
    assert worker.fds() == fds + 1
    with stack.sse("a") as client:
        client.wait_open()
        stack.publish("a", "one")
        client.wait(1)
    wait_for(lambda: worker.fds() <= fds + 1, "the stream's connection is closed")


def test_lighttpd_bin_path(stack):
    """lighttpd starts the worker."""
    stack.broker()
    program("zcast-fcgi")
    web = stack.lighttpd("events-spawn.conf", clean=False)  # its status is 1 where a worker of its own ended
    with stack.sse("a") as first, stack.sse("a") as second:
        first.wait_open()
        second.wait_open()
        stack.publish("a", "spawned")
        assert first.wait(1)[0].data == second.wait(1)[0].data == "spawned"
    pids = [pid for pid in web.pids() if pid != web.pid]
    assert pids
    web.stop()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "lighttpd's workers have ended")


def test_lighttpd_cgi(stack):
    """One process for each client, under mod_cgi."""
    stack.broker()
    program("zcast-fcgi")
    with stack.config_file().open("a") as config:
        config.write("fcgi\n    heartbeat = 1s\n")
    web = stack.lighttpd("events-cgi.conf")
    assert stack.get("/events")[0] == 400
    with stack.sse("a") as first, stack.sse("b") as second:
        first.wait_open()
        second.wait_open()
        stack.publish("a", "by CGI")
        stack.publish("b", "and by another")
        assert first.wait(1)[0].data == "by CGI"
        assert second.wait(1)[0].data == "and by another"
        assert len(web.pids()) == 3
    wait_for(lambda: len(web.pids()) == 1, "a process ends with its client")
