"""`zmq pub --http` and `zmq sub --http`: through the public door, as a browser would."""

import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import threading

import pytest

from stack import BUILD, LIMIT, PROGRAMS, free_port, run, wait_for

ZMQ = str(BUILD / PROGRAMS["zmq"])
DIRECT = {"no_proxy": "*"}  # whatever this runs in has a proxy for the world outside
ID = "1795478400123-0"


def zmq(stack, command, *arguments, port=None, check=True, **how):
    environment = {**DIRECT, **how.pop("env", {})}
    return run("zmq", command, "--http", f"http://127.0.0.1:{port or stack.ws_port}", *arguments, check=check, env=environment, **how)


@pytest.fixture
def served(stack):
    stack.broker()
    stack.worker = stack.ws("--allow-publish", "--retry=200ms")
    stack.worker.wait_log("broker: connected")
    return stack


class Command:
    """One that goes on: its lines as they come, on both outputs."""

    def __init__(self, stack, command, *arguments, env=None, port=None):
        words = [ZMQ, command, "--http", f"http://127.0.0.1:{port or stack.ws_port}", *map(str, arguments)]
        self.path = stack.folder / f"{command}-{len(stack.closers)}"
        self.file = self.path.open("w+")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ZCAST_")}
        self.process = subprocess.Popen(words, stdout=self.file, stderr=self.file, stdin=subprocess.DEVNULL, env={**environment, **DIRECT, **(env or {})})
        stack.closers.append(self.close)

    def text(self):
        return self.path.read_text()

    def wait(self, pattern):
        wait_for(lambda: re.search(pattern, self.text(), re.M), lambda: f"{pattern!r} in {self.text()!r}")
        return self

    def end(self, number=None):
        if number:
            self.process.send_signal(number)
        return self.process.wait(LIMIT)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.file.close()


def wait_stream(stack, count=1):
    stack.wait_report("ws.0", lambda report: report["clients"] >= count, f"{count} streams")


# -- what comes and goes


def test_there_and_back(served):
    id = zmq(served, "pub", "news/a b", "Grüße").stdout
    lines = zmq(served, "pub", "news/a b", "--lines", "--event", "count", input="1\n2\n").stdout.split()
    assert re.fullmatch(r"\d+-\d+\n", id) and len(lines) == 2
    came = zmq(served, "sub", "news/a b", "--since", "earliest", "--count", "3", "--json").stdout
    objects = [json.loads(line) for line in came.splitlines()]
    assert [each["id"] for each in objects] == [id.strip(), *lines]
    assert [each["data"] for each in objects] == ["Grüße", "1", "2"] and objects[0]["topic"] == "news/a b"
    assert "event" not in objects[0] and objects[1]["event"] == "count" and objects[0]["time"].endswith("Z")
    assert zmq(served, "sub", "news/a b", "other", "--since", id.strip(), "--count", "1").stdout == "news/a b\t1\n"


def test_bytes_and_what_goes_with_them(served):
    sub = served.sub("a")
    payload = bytes(range(256)) * 20
    (served.folder / "payload").write_bytes(payload)
    options = ["--id", "own/1", "--header", "ttl=60", "--header", "retry=9", "--header", "content-type=image/png", "--event", "ü+&= x"]
    id = zmq(served, "pub", "a", "--file", served.folder / "payload", *options).stdout.strip()
    _, came, meta = sub.recv_multipart()
    assert came == payload
    for line in (f"id: {id}", "event-id: own/1", "event: ü+&= x", "ttl: 60", "retry: 9", "content-type: image/png"):
        assert f"{line}\n".encode() in meta, meta
    assert run("zmq", "sub", "--http", f"http://127.0.0.1:{served.ws_port}", "a", "--since=earliest", "--count=1", env=DIRECT, input=b"").stdout == payload + b"\n"
    # the same again is the same; another under its id isn't
    assert zmq(served, "pub", "a", "--file", served.folder / "payload", *options).stdout.strip() == id
    done = zmq(served, "pub", "a", "another", "--id", "own/1", check=False)
    assert done.returncode == 1 and "refused: conflict: " in done.stderr


def test_it_comes_back_complete(served):
    sub = Command(served, "sub", "a", "--count", 4)
    wait_stream(served)
    zmq(served, "pub", "a", "0")
    sub.wait("^0$")
    served.worker.kill()
    sub.wait("lost the server; waiting for it")
    served.publish("a", "1")
    worker = served.ws("--allow-publish", "--retry=200ms")
    sub.wait("^1$").wait("the server is back")
    assert worker.stop() == 0
    served.publish("a", "2")
    served.ws("--allow-publish", "--retry=200ms")
    sub.wait("^2$")
    served.publish("a", "3")
    assert sub.end() == 0
    assert re.findall(r"^\d$", sub.text(), re.M) == ["0", "1", "2", "3"] and "gap" not in sub.text()


def test_it_says_what_is_missing(stack):
    stack.broker("--topic-messages=2")
    stack.ws("--allow-publish")
    ids = [stack.publish("a", str(number)) for number in range(5)]
    done = zmq(stack, "sub", "a", "--since", ids[0], "--count", "2")
    assert done.stdout == "3\n4\n" and f"after {ids[0]}, up to {ids[2]}, are gone" in done.stderr


def test_an_id_that_history_doesn_t_know(served):
    """An error, as it is on ZeroMQ: a slip would replay all of history."""
    id = served.publish("a", "1", {"id": "own"})
    served.publish("a", "2")
    assert zmq(served, "sub", "a", "--since", "own", "--count", "1").stdout == "2\n"
    for words, where in (["a"], "this topic ("), (["a", "b"], "these topics, or not all"):
        for since in ("typo", "id:typo"):
            done = zmq(served, "sub", *words, "--since", since, "--count", "1", check=False)
            assert done.returncode == 1 and f"knows no message with the id 'typo' on {where}" in done.stderr and not done.stdout
    assert "gap" not in done.stderr and zmq(served, "sub", "a", "--since", id, "--count", "1").stdout == "2\n"


def test_a_broker_that_is_away_is_told(stack):
    broker = stack.broker()
    stack.ws("--stale-after=1s", "--heartbeat=1s").wait_log("broker: connected")
    sub = Command(stack, "sub", "a")
    wait_stream(stack)
    broker.kill()
    sub.wait("the server has lost its broker")
    stack.broker()
    sub.wait("the broker is back")


def test_through_a_web_server(stack):
    stack.broker()
    stack.fcgi("--allow-publish", "--socket-mode=0666").wait_log("broker: connected")
    stack.nginx()
    id = zmq(stack, "pub", "a", "hello", port=stack.web_port).stdout.strip()
    assert zmq(stack, "sub", "a", "--since=earliest", "--count=1", "--json", port=stack.web_port).stdout.startswith(f'{{"id":"{id}"')


# -- trying again


def test_what_was_published_while_nobody_took_it(stack):
    """Is published once, when somebody does."""
    broker = stack.broker()
    worker = stack.ws("--allow-publish", "--retry=500ms")
    worker.wait_log("broker: connected")
    broker.kill()
    pub = Command(stack, "pub", "a", "x", "--timeout", "60")
    worker.wait_log("refused 503")
    stack.broker()
    pub.wait(r"^\d+-\d+$")
    assert pub.end() == 0 and stack.stats()["published"] == 1


class Door:
    """Answers as it is told, one answer a request, and keeps the requests. An answer: a status, headers and a body; None: none."""

    def __init__(self, stack, *answers, tls=None):
        door, self.seen, left = self, [], list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                door.seen.append((self.path, dict(self.headers), body))
                told = left.pop(0) if len(left) > 1 else left[0]
                self.close_connection = True
                if told is None:
                    return
                status, headers, text = told
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.port = self.server.server_address[1]
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        stack.closers.append(self.server.shutdown)


TAKEN = (200, {"Content-Type": "text/plain"}, f"{ID}\n")
STREAM = {"Content-Type": "text/event-stream"}


def event(number):
    return f'data: {{"id":"{number}-0","topic":"a","event":"message","data":"{number}"}}\nid: {number}-0\n\n'


@pytest.mark.parametrize("first", [None, (429, {"Retry-After": "1"}, "limit: too fast\n"), (503, {"Retry-After": "1"}, "broker: away\n"), (502, {}, "<html>")])
def test_another_attempt_has_the_same_key(stack, first):
    door = Door(stack, first, TAKEN)
    assert zmq(stack, "pub", "a", "x", port=door.port).stdout == f"{ID}\n"
    keys = [headers["Idempotency-Key"] for _, headers, _ in door.seen]
    assert len(keys) == 2 and keys[0] == keys[1] and len(keys[0]) == 32
    assert [(path, body) for path, _, body in door.seen] == [("/publish?topic=a", b"x")] * 2
    zmq(stack, "pub", "a", "x", port=door.port)
    assert door.seen[2][1]["Idempotency-Key"] != keys[0]


def test_it_waits_as_long_as_it_is_told(stack):
    """And ends when its own time is up."""
    door = Door(stack, (503, {"Retry-After": "3600"}, "broker: away\n"))
    done = zmq(stack, "pub", "a", "x", "--timeout", "1", port=door.port, check=False)
    assert done.returncode == 1 and "doesn't take it (tried for 1 s): 503: broker: away" in done.stderr and len(door.seen) == 1
    done = zmq(stack, "sub", "a", "--timeout", "1", port=door.port, check=False)
    assert done.returncode == 1 and "no stream comes" in done.stderr and "503: broker: away" in done.stderr and len(door.seen) == 2


def test_a_line_that_is_refused_doesn_t_stop_the_others(stack):
    door = Door(stack, TAKEN, (413, {}, "payload: too large\n"), TAKEN)
    done = zmq(stack, "pub", "a", "--lines", input="1\n2\n3\n", port=door.port, check=False)
    assert done.returncode == 1 and done.stdout == f"{ID}\n" * 2 and "line 2 refused: payload: too large" in done.stderr


def test_a_stream_is_gone_on_with(stack):
    """With the last whole event's id, after the time that the stream said; what was cut off is none."""
    door = Door(stack, (200, STREAM, f"retry: 10\n{event(1)}{event(2)[:-1]}"), (200, STREAM, event(2) + event(3)), (503, {}, ""))
    assert zmq(stack, "sub", "a", "--count", "3", "--since", "5-0", port=door.port).stdout == "1\n2\n3\n"
    assert [headers.get("Last-Event-ID") for _, headers, _ in door.seen] == ["5-0", "1-0"]
    assert door.seen[0][0] == "/events?format=zcast.v1&topic=a"


@pytest.mark.parametrize("answer", [(200, {"Content-Type": "text/html"}, "<html>Log in</html>"), (200, STREAM, "data: {}\n\n"), (200, STREAM, "data: x\n\n")])
def test_what_is_no_zcast(stack, answer):
    door = Door(stack, answer)
    for command, words in (("sub", ["a"]), ("pub", ["a", "x"])):
        done = zmq(stack, command, *words, port=door.port, check=False)
        assert done.returncode == 1 and "is not zcast" in done.stderr and not done.stdout


@pytest.mark.parametrize("topic", ["\\u001b]0;title\\u0007", "", "t" * 1025])
def test_a_topic_that_can_t_be(stack, topic):
    """A terminal would obey it."""
    door = Door(stack, (200, STREAM, event(1).replace('"a"', f'"{topic}"')))
    done = zmq(stack, "sub", "a", "b", port=door.port, check=False)
    assert done.returncode == 1 and "is not zcast" in done.stderr and not done.stdout


@pytest.mark.parametrize("status", [301, 307])
def test_a_token_is_taken_nowhere_else(stack, status):
    other = Door(stack, TAKEN)
    door = Door(stack, (status, {"Location": f"http://127.0.0.1:{other.port}/"}, ""))
    for command, words in (("sub", ["a"]), ("pub", ["a", "x"])):
        done = zmq(stack, command, *words, port=door.port, env={"ZCAST_TOKEN": "secret"}, check=False)
        assert done.returncode == 1 and str(status) in done.stderr
    assert other.seen == [] and door.seen[0][1]["Authorization"] == "Bearer secret"


# -- who may


@pytest.fixture
def guarded(stack):
    (stack.folder / "key").write_text("k" * 48)
    (stack.folder / "key").chmod(0o600)
    key = run("zmq", "token", "api-key", "shop", "--publish", "a", "--file", stack.folder / "api-keys").stdout
    (stack.folder / "shop.key").write_text(key)
    make = ["zmq", "token", "make", "--key", stack.folder / "key", "--subject", "ann", "--for", "1h"]
    (stack.folder / "ann").write_text(run(*make, "--subscribe", "a").stdout)
    stack.broker()
    stack.ws("--tokens=all", f"--token-keys={stack.folder}/key", f"--api-keys={stack.folder}/api-keys").wait_log("broker: connected")
    return stack


def test_tokens_and_api_keys(guarded):
    """In a file, or in the environment."""
    id = zmq(guarded, "pub", "a", "x", "--token-file", guarded.folder / "shop.key").stdout
    zmq(guarded, "pub", "a", "y", env={"ZCAST_TOKEN": (guarded.folder / "shop.key").read_text().strip()})
    assert zmq(guarded, "sub", "a", "--since=earliest", "--count=2", "--token-file", guarded.folder / "ann").stdout == "x\ny\n"
    assert id
    for command, words, said in (
        ("pub", ["a", "x"], "refused: "),
        ("sub", ["a"], "refuses: 401: "),
        ("pub", ["b", "x", "--token-file", guarded.folder / "shop.key"], "refused: "),
        ("sub", ["b", "--token-file", guarded.folder / "ann"], "refuses: 403: "),
        ("sub", ["a", "--token-file", guarded.folder / "none"], "No such file"),
        ("sub", ["a", "--token-file", "/dev/null"], "there is no token in it"),
    ):
        done = zmq(guarded, command, *words, check=False)
        assert done.returncode == 1 and said in done.stderr and not done.stdout, (command, words, done)


def test_a_token_shows_nowhere(guarded):
    token = (guarded.folder / "ann").read_text().strip()
    sub = Command(guarded, "sub", "a", "--token", token)
    wait_stream(guarded)
    assert token.encode() not in open(f"/proc/{sub.process.pid}/cmdline", "rb").read()
    sub.end(signal.SIGTERM)
    assert token not in sub.text()


def test_https(stack):
    """The system's certificates don't know this one: --ca does."""
    folder = stack.folder
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    door = Door(stack, TAKEN, (200, STREAM, event(7)), tls=tls)
    url = f"https://127.0.0.1:{door.port}/there/"
    assert run("zmq", "pub", "a", "x", "--http", url, "--ca", folder / "cert.pem", env=DIRECT).stdout == f"{ID}\n"
    assert run("zmq", "sub", "a", "--count=1", "--http", url, "--ca", folder / "cert.pem", env=DIRECT).stdout == "7\n"
    assert [path.split("?")[0] for path, _, _ in door.seen] == ["/there/publish", "/there/events"]
    for words in (["pub", "a", "x"], ["sub", "a"]):  # and no attempt is made again
        done = run("zmq", *words, "--http", url, "--timeout=0", env=DIRECT, check=False)
        assert done.returncode == 1 and "certificate" in done.stderr and len(door.seen) == 2


# -- the end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(served, number):
    sub = Command(served, "sub", "a")
    wait_stream(served)
    assert sub.end(number) == 0
    served.worker.stop()
    pub = Command(served, "pub", "a", "x", "--timeout", 0)
    wait_for(lambda: int(re.search(r"SigCgt:\s*(\w+)", open(f"/proc/{pub.process.pid}/status").read())[1], 16) & 1 << (number - 1), "its handler")
    assert pub.end(number) == 1
    assert "stopped" in pub.text()


def test_it_ends_when_nobody_reads(served):
    """Also while nothing comes."""
    process = subprocess.Popen([ZMQ, "sub", "a", "--http", f"http://127.0.0.1:{served.ws_port}"], stdout=subprocess.PIPE, env={**os.environ, **DIRECT})
    wait_stream(served)
    process.stdout.close()
    assert process.wait(LIMIT) == -signal.SIGPIPE


def test_time_is_up(served):
    done = zmq(served, "sub", "a", "--timeout", "0.5", check=False)
    assert done.returncode == 1 and "no message came" in done.stderr
    served.publish("a", "x")
    done = zmq(served, "sub", "a", "--since=earliest", "--timeout", "0.5", "--count=2", check=False)
    assert done.returncode == 1 and done.stdout == "x\n" and "1 of 2" in done.stderr
    assert zmq(served, "sub", "a", "--since=5m", "--timeout", "0.5").stdout == "x\n"


@pytest.mark.parametrize(
    "words, said",
    [
        (["sub", "a", "--http", "ftp://example.org"], "expected http://"),
        (["sub", "a", "--http", "http://ann:secret@example.org"], "expected http://"),
        (["pub", "a", "x", "--http", "http://example.org/?a=b"], "expected http://"),
        (["pub", "a", "x", "--http", "http://example.org", "--fast"], "not both"),
        (["pub", "a", "x", "--http", "http://example.org", "--header", "mine=x"], "carries no header 'mine'"),
        (["pub", "a", "x", "--http", "http://example.org", "--header", "content-type=application/x-ndjson"], "can't be of the type"),
        (["sub", "a", "--prefix", "--http", "http://example.org"], "one by one"),
        (["sub", "a", "--since", "last:3", "--http", "http://example.org"], "only the broker"),
    ],
)
def test_wrong_use(words, said):
    done = run("zmq", *words, check=False)
    assert done.returncode == 2 and said in done.stderr and "secret" not in done.stderr
