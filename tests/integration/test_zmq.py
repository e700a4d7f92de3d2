"""The command line `zmq`, against a real broker."""

import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import zmq

import wsraw
from stack import LIMIT, connections, environment, is_sanitized, position, program, run, wait_for

ID = re.compile(r"\d+-\d+")


class Running:
    """A `zmq` that runs beside the test: lines come and go as they are flushed."""

    def __init__(self, stack, *words):
        self.process = subprocess.Popen(
            [program("zmq"), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.out, self.err = [], []
        self.threads = []
        for pipe, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            thread = threading.Thread(target=self._read, args=(pipe, lines), daemon=True)
            thread.start()
            self.threads.append(thread)
        stack.closers.append(self.close)

    @staticmethod
    def _read(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip(b"\n").decode(errors="backslashreplace"))

    def write(self, text):
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pytest.fail(f"it ended by itself, {self.process.wait(LIMIT)}: {self.err}; it had said {self.out[-5:]}")

    def wait_lines(self, count, limit=LIMIT):
        wait_for(lambda: len(self.out) >= count, lambda: f"{count} lines, came {len(self.out)}: {[line[:60] for line in self.out[-5:]]} {self.err[-5:]}", limit)
        return self.out

    def wait_handlers(self):
        """Until signals no longer just end it."""
        path = Path(f"/proc/{self.process.pid}/status")
        wait_for(lambda: int(re.search(r"SigCgt:\s*(\w+)", path.read_text())[1], 16) >> signal.SIGTERM - 1 & 1, "signals are caught")

    def end(self, number=None, limit=LIMIT):
        """Its exit status, once it ends by itself, or by a signal."""
        if number:
            self.process.send_signal(number)
        else:
            self.process.stdin.close()
        status = self.process.wait(limit)
        for thread in self.threads:
            thread.join(LIMIT)
        assert not [line for line in self.err if "Sanitizer" in line or "runtime error" in line], self.err
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)


def start(stack, command, *words):
    return Running(stack, command, *stack.endpoints(), *words)


def live_sub(stack, *words):
    """A `zmq sub` that is known to be live."""
    before = stack.stats()["requests"]["SYNC"]
    made = start(stack, "sub", *words)
    wait_for(lambda: stack.stats()["requests"]["SYNC"] > before, "zmq sub to ask SYNC")
    # its answer is on the way; one more topic of its own shows that it has been handled
    wait_for(lambda: stack.stats()["syncs"] == 0, "SYNC answered")
    return made


# -- pub


def test_a_message_on_the_command_line(stack):
    stack.broker()
    sub = stack.sub("news")
    done = stack.zmq("pub", "news", "hello, world")
    assert ID.fullmatch(done.stdout.strip())
    topic, payload, meta = sub.recv_multipart()
    assert (topic, payload) == (b"news", b"hello, world")
    lines = meta.decode().splitlines()
    assert f"id: {done.stdout.strip()}" in lines
    assert not [line for line in lines if line.startswith("event-id")]  # what makes a retry safe isn't shown as its id


def test_payloads_are_any_bytes(stack):
    stack.broker()
    sub = stack.sub("t")
    payload = bytes(range(256)) * 300 + b"\n\r\0"
    stack.zmq("pub", "t", input=payload)
    assert sub.recv_multipart()[1] == payload
    path = stack.folder / "payload"
    path.write_bytes(payload[::-1])
    stack.zmq("pub", "t", "--file", path)
    assert sub.recv_multipart()[1] == payload[::-1]
    stack.zmq("pub", "t", input=b"")
    assert sub.recv_multipart()[1] == b""
    stack.zmq("pub", "t", "")
    assert sub.recv_multipart()[1] == b""


def test_headers(stack):
    stack.broker()
    sub = stack.sub("t")
    words = ["--event", "greeting", "--id", "my-1", "-H", "ttl=60", "--header", "x-y: a=b: c", "-H", "private="]
    done = stack.zmq("pub", "t", "x", *words)
    meta = sub.recv_multipart()[2].decode().splitlines()
    for line in ("event: greeting", "event-id: my-1", "ttl: 60", "x-y: a=b: c", "private: "):
        assert line in meta
    again = stack.zmq("pub", "t", "x", *words)
    assert again.stdout == done.stdout  # the same id is the same event
    stack.zmq("pub", "t", "end")
    assert sub.recv_multipart()[1] == b"end"


def test_lines_are_published_as_they_come(stack):
    stack.broker()
    sub = stack.sub("log")
    pub = start(stack, "pub", "log", "--lines")
    for i in range(3):
        pub.write(f"line {i}\n")
        pub.wait_lines(i + 1)
        assert sub.recv_multipart()[1] == b"line %d" % i
    pub.write("no line feed")
    assert pub.end() == 0
    assert sub.recv_multipart()[1] == b"no line feed"
    assert all(ID.fullmatch(line) for line in pub.out) and len(pub.out) == 4


def test_many_lines_in_order(stack):
    stack.broker()
    sub = stack.sub("n")
    count = 20000
    done = stack.zmq("pub", "n", "--lines", input="".join(f"{i}\n" for i in range(count)))
    ids = [tuple(map(int, line.split("-"))) for line in done.stdout.split()]
    assert len(ids) == count and ids == sorted(set(ids))
    assert [int(sub.recv_multipart()[1]) for _ in range(count)] == list(range(count))
    assert stack.zmq("pub", "n", "--lines", "--quiet", input="a\n\nb\n").stdout == ""
    assert [sub.recv_multipart()[1] for _ in range(3)] == [b"a", b"", b"b"]


def test_lines_of_a_file(stack):
    stack.broker()
    path = stack.folder / "lines"
    path.write_text("1\n2\n3\n")
    assert len(stack.zmq("pub", "t", "--lines", "--file", path).stdout.split()) == 3
    missing = stack.zmq("pub", "t", "--file", stack.folder / "missing", check=False)
    assert missing.returncode == 1 and "missing: No such file" in missing.stderr
    folder = stack.zmq("pub", "t", "--file", stack.folder, check=False)
    assert folder.returncode == 1 and "Is a directory" in folder.stderr


def test_what_the_broker_refuses(stack):
    stack.broker("--max-payload=1000")
    sub = stack.sub("t")
    done = stack.zmq("pub", "t", input=b"x" * 1001, check=False)
    assert done.returncode == 1 and done.stdout == b"" and b"refused: payload" in done.stderr
    done = stack.zmq("pub", "t", "--lines", input="good\n" + "x" * 1001 + "\nbetter\n", check=False)
    assert done.returncode == 1 and "line 2 refused" in done.stderr and len(done.stdout.split()) == 2
    assert [sub.recv_multipart()[1] for _ in range(2)] == [b"good", b"better"]


@pytest.mark.parametrize("how", [[], ["--fast"]], ids=["acknowledged", "fast"])
@pytest.mark.parametrize("limit", ["--max-payload=1M", "--max-payload=11M", "--max-payload=10K"])
def test_what_the_broker_would_hang_up_on(stack, how, limit):
    """It says what is wrong, and what is behind it goes out."""
    stack.broker(limit)
    path = stack.folder / "large"
    path.write_bytes(b"x" * 12_000_000)
    expected = re.compile(r"zmq pub: (line 2 )?refused: payload: 12000000 bytes are more than the broker's max-payload, \d+\n")
    for source in (["--file", path], []):
        done = stack.zmq("pub", "t", *how, *source, input=path.read_bytes(), check=False)
        assert done.returncode == 1 and done.stdout == b"" and expected.fullmatch(done.stderr.decode())
    sub = stack.sub("t")
    lines = b"first\n" + path.read_bytes() + b"\nlast\n"
    done = stack.zmq("pub", "t", *how, "--lines", input=lines, check=False)
    assert done.returncode == 1 and expected.fullmatch(done.stderr.decode())
    assert [sub.recv_multipart()[1] for _ in range(2)] == [b"first", b"last"]
    assert stack.stats()["max_payload"] == int(stack.request("LIMITS")[1])


def test_as_large_as_the_broker_takes(stack):
    stack.broker("--max-payload=12M", "--topic-bytes=64M")
    sub = stack.sub("t")
    payload = b"x" * (12 << 20)
    for how in ([], ["--fast"]):
        stack.zmq("pub", "t", *how, input=payload)
        assert sub.recv_multipart()[1] == payload


def test_fast_without_control(stack):
    """Then nobody can tell how large a message may be: that is said once, and it goes out."""
    stack.broker()
    sub = stack.sub("t")
    lines = "".join(f"{i} {'x' * 9000}\n" for i in range(3))
    done = run("zmq", "pub", f"--publish={stack.publish_endpoint}", f"--control=ipc://{stack.folder}/nobody", "--fast", "-l", "t", input=lines)
    assert done.stderr.count("how large a message may be") == 1 == len(done.stderr.splitlines())
    assert [sub.recv_multipart()[1][:1] for _ in range(3)] == [b"0", b"1", b"2"]


def test_fast(stack):
    stack.broker()
    sub = stack.sub("t")
    count = 5000  # fewer than any queue on the way holds: a bare SUB repairs nothing
    done = stack.zmq("pub", "t", "--fast", "--lines", input="".join(f"{i}\n" for i in range(count)))
    assert done.stdout == ""
    assert [int(sub.recv_multipart()[1]) for _ in range(count)] == list(range(count))
    for i in range(20):  # each a process: none leaves before its message has
        stack.zmq("pub", "t", str(i), "--fast", "--event", "e")
    got = [sub.recv_multipart() for _ in range(20)]
    assert [int(message[1]) for message in got] == list(range(20)) and b"event: e" in got[0][2]


def test_fast_waits_for_the_broker(stack):
    pub = start(stack, "pub", "t", "early", "--fast", "--timeout", 60)
    stack.broker()
    assert pub.end() == 0
    assert stack.requests("REPLAY", "earliest", "t")[0][2] == b"early"


@pytest.mark.parametrize("words", [["pub", "t", "x"], ["pub", "t", "x", "--fast"], ["stat"], ["ping"], ["sub", "t"]])
@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_no_broker(stack, words, transport):
    if transport == "tcp":
        stack.use_tcp()
    begun = time.monotonic()
    done = stack.zmq(words[0], *words[1:], "--timeout", "500ms", check=False)
    assert time.monotonic() - begun >= 0.5
    assert done.returncode == 1 and done.stdout == ""
    endpoint = stack.subscribe_endpoint if words[0] == "sub" else stack.publish_endpoint if "--fast" in words else stack.control_endpoint
    assert f"no broker answers at {endpoint}" in done.stderr and "-c FILE" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["subscribe", "control"])
def test_sub_names_the_endpoint_that_is_wrong(stack, wrong):
    stack.broker()
    nobody = f"ipc://{stack.folder}/nobody"
    done = run("zmq", "sub", *stack.endpoints(), f"--{wrong}={nobody}", "t", "--timeout", 5, check=False)
    assert done.returncode == 1
    assert f"no broker answers at {nobody} " in done.stderr and f"--{wrong} ENDPOINT" in done.stderr


def test_a_broker_that_hangs(stack):
    broker = stack.broker()
    broker.pause()
    for words in (["pub", "t", "x"], ["pub", "t", "--lines"], ["stat"], ["ping"], ["sub", "t"]):
        done = stack.zmq(words[0], *words[1:], "--timeout", "1", check=False, input="1\n2\n")
        assert done.returncode == 1 and "broker" in done.stderr
    assert "2 of 2 messages are not acknowledged" in stack.zmq("pub", "t", "--lines", "--timeout", "1", check=False, input="1\n2\n").stderr
    broker.resume()


def test_lines_that_wait_are_bounded_in_bytes(stack):
    broker = stack.broker()
    path = stack.folder / "lines"
    path.write_text(("x" * 65535 + "\n") * 390)
    broker.pause()
    done = stack.zmq("pub", "t", "--lines", "--file", path, "--timeout", 2, check=False)
    assert int(re.search(r"of (\d+) messages are not acknowledged", done.stderr)[1]) * 65536 < 6_000_000
    broker.resume()


WRONG = [
    ([], "Usage"),
    (["nonsense"], "not a command: pub, sub, "),
    (["pubb"], "'pubb' is not a command; did you mean pub?"),
    (["publish"], "did you mean pub?"),
    (["Stat"], "did you mean stat?"),
    (["status"], "did you mean stat?"),
    (["versoin"], "did you mean version?"),
    (["help", "pign"], "did you mean ping?"),
    (["sub", "t", "--sinec", "5m"], "did you mean --since?"),
    (["sub", "t", "--since-", "5m"], "did you mean --since?"),
    (["pub", "t", "--line"], "did you mean --lines?"),
    (["pub"], "which topic"),
    (["sub"], "which topic"),
    (["pub", "t", "a", "b"], "unexpected"),
    (["stat", "x"], "unexpected"),
    (["ping", "x"], "unexpected"),
    (["pub", "t", "--nonsense"], "nonsense"),
    (["pub", "a\nb", "x"], "topic"),
    (["pub", "", "x"], "topic"),
    (["pub", "x" * 1025, "x"], "topic"),
    (["sub", "good", "b\x01d"], "topic 2"),
    (["pub", "t", "x", "-H", "novalue"], "NAME=VALUE"),
    (["pub", "t", "x", "-H", "=x"], "NAME=VALUE"),
    (["pub", "t", "x", "-H", "ttl=soon"], "ttl"),
    (["pub", "t", "x", "--event", "a\nb"], "event"),
    (["pub", "t", "x", "--lines"], "not both"),
    (["pub", "t", "x", "--file", "y"], "not both"),
    (["pub", "t", "--lines", "--id", "x"], "one message"),
    (["pub", "t", "--lines", "-H", "id=x"], "one message"),
    (["pub", "t", "--lines", "-H", "key=x"], "one message"),
    (["pub", "t", "x", "--timeout", "soon"], "--timeout"),
    (["pub", "t", "x", "--control", "nonsense"], "--control"),
    (["sub", "t", "--count", "-1"], "--count"),
    (["sub", "--prefix", "t", "--since", "own id"], "--since"),
    (["ping", "--timeout", "0.2x"], "--timeout"),
    (["ping", "--timeout", "0"], "--timeout"),
    (["sub", ""], "topic 1"),
]


@pytest.mark.parametrize("words, say", WRONG, ids=[" ".join(words)[:30] or "nothing" for words, _ in WRONG])
def test_wrong_use(words, say):
    done = run("zmq", *words, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert say in done.stderr


@pytest.mark.parametrize("command", ["pub", "sub", "topics", "history", "purge", "revoke", "top", "stat", "ping", "latency", "bench", "context"])
def test_help(command):
    text = run("zmq", command, "--help").stdout
    assert f"Usage: zmq {command}" in text and "Examples:" in text and "--control" in text
    assert run("zmq", command, "--version").stdout == run("zmq", "pub", "-V").stdout.replace("zmq pub", f"zmq {command}")
    for word in ("--help", "help", "-h"):
        assert command in run("zmq", word).stdout
    assert re.match(r"zmq \(zcast\) \d", run("zmq", "--version").stdout)
    assert run("zmq", "help", command).stdout == text
    for word in ("version", "-V"):
        assert run("zmq", word).stdout == run("zmq", "--version").stdout


def test_configuration_file(stack):
    stack.broker()
    path = stack.folder / "z.conf"
    path.write_text(f'common\n    control = "{stack.control_endpoint}"\nbroker\n    history = memory\nzmq\n')
    assert ID.fullmatch(run("zmq", "pub", "t", "x", "-c", path).stdout.strip())
    path.write_text(f'zmq\n    control = "{stack.control_endpoint}"\n')
    assert run("zmq", "ping", "-c", path).returncode == 0
    for command in (["pub", "t", "x"], ["sub", "t"], ["ping"], ["stat"]):
        path.write_text("zmq\n    json = yes\n")
        done = run("zmq", *command, "-c", path, check=False)
        assert done.returncode == 2 and f"{path}:2: json" in done.stderr


def test_a_key_of_another_command_is_none_of_this_ones(stack):
    """The section is for all commands; a key that none of them has is a mistake."""
    stack.broker()
    path = stack.folder / "z.conf"
    path.write_text(f'zmq\n    control = "{stack.control_endpoint}"\n    token-leeway = 1m\n')
    assert run("zmq", "ping", "-c", path).returncode == 0
    path.write_text("zmq\n    token-leway = 1m\n")
    assert "did you mean" in run("zmq", "token", "show", "-c", path, check=False).stderr


def test_options_from_the_environment(stack):
    """Endpoints and whatever else: the command line wins."""
    stack.broker()
    endpoints = {"ZCAST_SUBSCRIBE": stack.subscribe_endpoint, "ZCAST_CONTROL": stack.control_endpoint, "ZCAST_PUBLISH": stack.publish_endpoint}
    assert ID.fullmatch(run("zmq", "pub", "t", "x", env=endpoints).stdout.strip())
    assert run("zmq", "pub", "t", "y", env={**endpoints, "ZCAST_QUIET": "yes", "ZCAST_EVENT": "greeting"}).stdout == ""
    done = run("zmq", "sub", "t", env={**endpoints, "ZCAST_SINCE": "earliest", "ZCAST_COUNT": "2", "ZCAST_JSON": "yes"})
    assert [json.loads(line).get("event") for line in done.stdout.splitlines()] == [None, "greeting"]
    assert run("zmq", "sub", "t", "--count", 1, "--no-json", env={**endpoints, "ZCAST_SINCE": "earliest", "ZCAST_JSON": "yes"}).stdout == "x\n"
    assert run("zmq", "stat", env={**endpoints, "ZCAST_SLOW": "latest"}).stdout.startswith("zcast-broker")  # the workers' key
    assert "No client" in run("zmq", "stat", env={**endpoints, "ZCAST_ZMQ_SLOW": "yes"}).stdout
    wrong = run("zmq", "ping", env={"ZCAST_TIMEOUT": "soon"}, check=False)
    assert wrong.returncode == 2 and wrong.stderr.startswith("zmq ping: ZCAST_TIMEOUT: expected a time")
    assert "ZCAST_CONTRL is no option's variable; did you mean ZCAST_CONTROL?" in run("zmq", "ping", env={**endpoints, "ZCAST_CONTRL": "x"}).stderr


def test_the_input_may_be_a_dash(stack):
    stack.broker()
    assert len(stack.zmq("pub", "t", "--lines", "--file", "-", input="1\n2\n").stdout.split()) == 2
    assert ID.fullmatch(stack.zmq("pub", "t", "-f", "-", input="3").stdout.strip())
    assert [reply[2] for reply in stack.requests("REPLAY", "earliest", "t")[:-1]] == [b"1", b"2", b"3"]


# -- pub: again, and never twice


def test_a_retry_is_published_once(stack):
    """The broker stands still for longer than its answers are waited for: everything is sent once more, over another
    connection, while the first one's requests still lie in the broker's socket."""
    broker = stack.use_tcp().broker()
    sub = stack.sub("n")
    pub = start(stack, "pub", "n", "--lines", "--timeout", 60)
    pub.write("".join(f"{i}\n" for i in range(100)))
    pub.wait_lines(100)
    before = connections(stack.control_endpoint)
    broker.pause()
    pub.write("".join(f"{i}\n" for i in range(100, 400)))
    wait_for(lambda: connections(stack.control_endpoint) - before, "another connection")
    broker.resume()
    pub.write("".join(f"{i}\n" for i in range(400, 500)))
    assert pub.end(limit=90) == 0
    assert len(pub.out) == 500
    assert [int(sub.recv_multipart()[1]) for _ in range(500)] == list(range(500))
    stack.publish("n", "end")
    assert sub.recv_multipart()[1] == b"end"
    assert stack.stats()["duplicates"] > 0  # else this was no test


def test_a_broker_that_dies_and_comes_back(stack):
    """kill -9 under load, three times: every line is acknowledged, and what the last broker has is in order and whole.
    (That a repeat is known after a restart needs history that lasts: another test.)"""
    broker = stack.broker()
    pub = start(stack, "pub", "n", "--lines", "--timeout", 60)
    total = 0
    for _ in range(3):
        for _ in range(20):
            pub.write("".join(f"{total + i}\n" for i in range(50)))
            total += 50
        pub.wait_lines(total - 900)
        broker.kill()
        broker = stack.broker()
    pub.write("".join(f"{total + i}\n" for i in range(50)))
    total += 50
    assert pub.end() == 0
    assert len(pub.out) == total
    kept = [int(reply[2]) for reply in stack.requests("REPLAY", "earliest", "n")[:-1]]
    assert kept == list(range(kept[0], total))  # since the last restart: in order, each once


def test_kills_with_history_on_disk(stack):
    """kill -9 of the broker at any moment: every line once, in order, under the id that was printed for it."""
    options = [f"--history=lmdb:{stack.folder}/history", "--topic-messages=100000"]
    broker = stack.broker(*options)
    pub = start(stack, "pub", "n", "--lines", "--timeout", 60)
    total = 0
    for _ in range(6):
        for _ in range(40):
            pub.write("".join(f"{total + i}\n" for i in range(25)))
            total += 25
            time.sleep(0.002)
        broker.kill()
        broker = stack.broker(*options)
    assert pub.end() == 0
    replies = stack.requests("REPLAY", "earliest", "n")[:-1]
    assert [int(reply[2]) for reply in replies] == list(range(total))
    assert [reply[3].decode().split("\n")[0] for reply in replies] == [f"id: {line}" for line in pub.out]


def test_patience(stack):
    """A broker that comes within the timeout is waited for."""
    pub = start(stack, "pub", "t", "x", "--timeout", 60)
    stack.broker()
    assert pub.end() == 0 and ID.fullmatch(pub.out[0])


# -- sub


def test_sub_prints_payloads(stack):
    stack.broker()
    sub = live_sub(stack, "a", "--count", 3)
    for payload in ("one", "two words", "ünï"):
        stack.publish("a", payload)
    stack.publish("a", "not this one")
    assert sub.end() == 0
    assert sub.out == ["one", "two words", "ünï"] and sub.err == []


def test_sub_compares_whole_topics(stack):
    stack.broker()
    sub = live_sub(stack, "room1", "other", "--count", 2)
    for topic in ("room10", "room", "room1", "room1x", "other"):
        stack.publish(topic, topic)
    assert sub.end() == 0
    assert sub.out == ["room1\troom1", "other\tother"]


def test_sub_prefix(stack):
    stack.broker()
    sub = live_sub(stack, "--prefix", "room", "--count", 3)
    for topic in ("roo", "room", "lobby", "room10", "room/x"):
        stack.publish(topic, "x")
    assert sub.end() == 0
    assert sub.out == ["room\tx", "room10\tx", "room/x\tx"]


def test_sub_prefix_since(stack):
    """Topics that nothing more comes on are found all the same."""
    stack.broker()
    ids = [stack.publish(topic, topic) for topic in ("a/1", "b", "a/2", "a/1", "c")]
    assert stack.zmq("sub", "--prefix", "a/", "--since", "earliest", "--count", 3).stdout == "a/1\ta/1\na/2\ta/2\na/1\ta/1\n"
    assert stack.zmq("sub", "--prefix", "a/", "c", "--since", ids[2], "--count", 2).stdout == "a/1\ta/1\nc\tc\n"
    assert stack.zmq("sub", "--prefix", "", "--since", "earliest", "--count", 5).stdout.splitlines()[-1] == "c\tc"
    done = run("zmq", "sub", *stack.endpoints(), "--prefix", "x", "--since", ids[0], "--timeout", 1, check=False)
    assert (done.returncode, done.stdout) == (1, "") and "gap" not in done.stderr


def test_sub_prefix_over_a_restart(stack):
    """What came while the connection was lost, on a topic that nothing comes on later."""
    history = f"--history=lmdb:{stack.folder}/history"
    broker = stack.broker(history)
    sub = live_sub(stack, "--prefix", "a/")
    stack.publish("a/1", "1")
    wait_for(lambda: sub.out == ["a/1\t1"], "the first")
    sub.process.send_signal(signal.SIGSTOP)
    broker.kill()
    stack.broker(history)
    stack.publish("a/2", "2")
    sub.process.send_signal(signal.SIGCONT)
    wait_for(lambda: sub.out == ["a/1\t1", "a/2\t2"], "the second")


def test_sub_prefix_of_topics_that_the_broker_has_forgotten(stack):
    broker = stack.broker()
    sub = live_sub(stack, "--prefix", "a/")
    stack.publish("a/1", "1")
    wait_for(lambda: sub.out == ["a/1\t1"], "the first")
    broker.kill()
    stack.broker()
    wait_for(lambda: any("on topics that begin with 'a/' after" in line for line in sub.err), lambda: f"a gap: {sub.err}")


def test_sub_json(stack):
    stack.broker()
    sub = live_sub(stack, "a", "--json", "--count", 4)
    first = stack.publish("a", 'quotes " and \\ and\nlines', {"event": "e", "id": "mine"})
    stack.publish("a", b"\xff\x00\x01")
    stack.publish("a", "null: \x00")
    stack.publish("a", "")
    assert sub.end() == 0
    objects = [json.loads(line) for line in sub.out]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", objects[0]["time"])
    assert abs(datetime.fromisoformat(objects[0].pop("time")).timestamp() * 1000 - position(first)[0]) < 0.01
    assert objects[0] == {"id": first, "event-id": "mine", "topic": "a", "event": "e", "data": 'quotes " and \\ and\nlines'}
    assert objects[1]["base64"] == "/wAB" and "data" not in objects[1]
    assert objects[2]["data"] == "null: \x00" and objects[3]["data"] == ""


def test_sub_json_shows_headers(stack):
    stack.broker()
    lines = "event: e\nid: mine\nttl: 60\nprivate: \nx-y: a: b\nx-y: c\nx-y: d\ncontent-type: text/plain\n"
    assert stack.request("PUBLISH", "a", "1", lines)[0] == b"OK"
    stack.publish("a", "2")
    done = stack.zmq("sub", "a", "--json", "--since", "earliest", "--count", 2)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["headers"] == {"ttl": "60", "private": "", "x-y": ["a: b", "c", "d"], "content-type": "text/plain"}
    assert first["event"] == "e" and first["event-id"] == "mine" and "headers" not in second


def test_sub_timeout(stack):
    stack.broker()
    done = stack.zmq("sub", "t", "--timeout", "300ms", check=False)
    assert done.returncode == 1 and "no message came" in done.stderr
    stack.publish("t", "x")
    done = stack.zmq("sub", "t", "--timeout", "300ms", "--count", "2", "--since", "earliest", check=False)
    assert done.returncode == 1 and "1 of 2 messages" in done.stderr and done.stdout == "x\n"
    done = stack.zmq("sub", "t", "--timeout", "300ms", "--since", "earliest")
    assert done.stdout == "x\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sub_ends_by_a_signal(stack, number):
    stack.broker()
    sub = live_sub(stack, "t")
    assert sub.end(number) == 0 and sub.err == []


def test_output_that_nobody_reads(stack):
    stack.broker()
    for i in range(1000):
        stack.publish("t", "x" * 1000)
    command = " ".join([program("zmq"), "sub", *stack.endpoints(), "t", "--since", "earliest"])
    for shell in (f"{command} | head -n 1", f"trap '' PIPE; {command} | head -n 1"):
        done = run("/bin/bash", "-c", shell)
        assert done.stdout == "x" * 1000 + "\n" and done.stderr == ""
    full = run("/bin/bash", "-c", f"{command} --count 10 > /dev/full", check=False)
    assert full.returncode == 1 and "cannot write" in full.stderr


def test_since(stack):
    stack.broker()
    ids = [stack.publish("a", str(i), {"id": f"own-{i}"}) for i in range(10)]
    stack.publish("b", "b")
    since = lambda what, *more: stack.zmq("sub", "a", "--since", what, "--count", *more)  # noqa: E731
    assert since("earliest", 10).stdout.split() == [str(i) for i in range(10)]
    assert since(ids[6], 3).stdout.split() == ["7", "8", "9"]
    done = since("own-7", 2)
    assert done.stdout.split() == ["8", "9"] and done.stderr == ""
    assert stack.zmq("sub", "a", "b", "--since", ids[8], "--count", 2).stdout == "a\t9\nb\tb\n"


def test_since_what_is_gone(stack):
    stack.broker("--topic-messages=3")
    ids = [stack.publish("a", str(i)) for i in range(10)]
    done = stack.zmq("sub", "a", "--since", ids[0], "--count", 3)
    assert done.stdout.split() == ["7", "8", "9"]
    assert f"gap: messages on 'a' after {ids[0]}, up to {ids[6]}, are gone" in done.stderr
    assert stack.zmq("sub", "a", "--since", "earliest", "--count", 3).stderr == ""
    both = [program("zmq"), "sub", *stack.endpoints(), "a", "--since", ids[0], "--count", "3"]
    lines = subprocess.run(both, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT).stdout.splitlines()
    assert lines[0].startswith("zmq sub: gap: ") and lines[1:] == ["7", "8", "9"], "said where it is"
    refused = stack.zmq("sub", "a", "--since", "control\x01character", check=False)
    assert refused.returncode == 2 and "--since" in refused.stderr


# each with what is said; the first ones the command knows by itself, the others are asked of history
NO_SINCE = [
    ("2026-11-27", 2, "a time is written as"),
    ("2026-02-30T10:00:00Z", 2, "a time is written as"),
    ("last:0", 2, "last:N"),
    ("last:five", 2, "last:N"),
    ("id:", 2, "own id is 1 to 256"),
    ("5x", 1, "history knows no message with the id '5x' on this topic"),
    ("300", 1, "history knows no message"),
    ("earlist", 1, "history knows no message"),
    ("1795478400123", 1, "history knows no message"),
    ("never-heard-of", 1, "5m, 2026-11-27T10:00:00Z"),
    ("id:never-heard-of", 1, "history knows no message with the id 'never-heard-of'"),
    ("trimmed", 1, "history knows no message"),
    ("on-b", 1, "history knows no message"),
]


def test_since_what_history_does_not_know(stack):
    """A slip of the pen replays nothing."""
    stack.broker("--topic-messages=3")
    stack.publish("b", "b", {"id": "on-b"})
    for number in range(5):
        stack.publish("a", str(number), {"id": "trimmed" if number == 0 else f"own-{number}"})
    for since, status, said in NO_SINCE:
        done = stack.zmq("sub", "a", "--since", since, "--count", 1, "--timeout", 20, check=False)
        assert done.returncode == status and done.stdout == "" and said in done.stderr, (since, done)
        assert done.stderr.startswith("zmq sub: --since"), done.stderr
    assert stack.zmq("sub", "a", "b", "--since", "own-3", "--count", 1).stdout == "a\t4\n"
    assert stack.zmq("sub", "a", "--since", "id:own-3", "--count", 1).stdout == "4\n"
    prefix = stack.zmq("sub", "--prefix", "a", "--since", "own-3", check=False)
    assert prefix.returncode == 2 and "belongs to one topic" in prefix.stderr
    nobody = run("zmq", "sub", "a", "--since", "own-3", "--timeout", "0.3", f"--control=ipc://{stack.folder}/nobody", check=False)
    assert nobody.returncode == 1 and "no broker answers" in nobody.stderr


def test_since_a_time(stack):
    """So long ago, and since a point in time, whatever its offset: by the milliseconds of positions."""
    stack.broker()
    ids = []
    for number in range(4):
        ids.append(stack.publish("a", str(number)))
        wait_for(lambda: time.time() * 1000 > position(ids[-1])[0] + 20, "the clock to go on")
    first, third = position(ids[0])[0], position(ids[2])[0]
    text = lambda ms, zone: datetime.fromtimestamp(ms / 1000, zone).isoformat(timespec="milliseconds")  # noqa: E731
    for zone in (timezone.utc, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))):
        assert stack.zmq("sub", "a", "--since", text(third, zone), "--count", 2).stdout == "2\n3\n"
        assert stack.zmq("sub", "a", "--since", text(third + 1, zone), "--count", 1).stdout == "3\n"
    assert stack.zmq("sub", "a", "--since", text(first, timezone.utc).replace("+00:00", "Z"), "--count", 4).stdout == "0\n1\n2\n3\n"
    for ago in ("1h", "0.5h", "90m", "3600s", "2d"):
        assert stack.zmq("sub", "a", "--since", ago, "--count", 4).stdout == "0\n1\n2\n3\n", ago
    late = stack.zmq("sub", "a", "--since", "1ms", "--timeout", "300ms", check=False)
    assert late.stdout == "" and "no message came" in late.stderr
    assert stack.zmq("sub", "--prefix", "a", "--since", text(third, timezone.utc), "--count", 2).stdout == "a\t2\na\t3\n"


def test_since_the_last(stack):
    stack.broker("--topic-messages=500")
    for number in range(600):
        stack.publish("ab"[number % 3 == 0], str(number), limit=LIMIT)
    a, b = ([number for number in range(600) if (number % 3 == 0) == which] for which in (False, True))
    last = lambda count, *words: stack.zmq("sub", *words, "--since", f"last:{count}", "--count", count)  # noqa: E731
    for count in (1, 2, 7, 100, 399):
        assert list(map(int, last(count, "a").stdout.split())) == a[-count:], count
        assert [int(line.split()[1]) for line in last(count, "a", "b").stdout.splitlines()] == list(range(600))[-count:], count
        assert [int(line.split()[1]) for line in last(count, "--prefix", "").stdout.splitlines()] == list(range(600))[-count:], count
    assert len(last(len(b), "b").stdout.split()) == len(b) and last(3, "b").stderr == ""
    # more than there are: all there are
    more = stack.zmq("sub", "b", "--since", "last:1000000", "--count", len(b))
    assert list(map(int, more.stdout.split())) == b and more.stderr == ""
    # a topic that has none yet: what comes
    for words in (["new"], ["--prefix", "new"]):
        sub = live_sub(stack, *words, "--since", "last:5", "--count", 1)
        stack.publish("new", "comes")
        assert sub.end() == 0 and sub.out[0].endswith("comes")
        stack.request("NIX")
        break


def test_since_the_last_while_messages_flow(stack):
    stack.broker()
    pub = start(stack, "pub", "n", "--lines", "--quiet")
    pub.write("".join(f"{number}\n" for number in range(2000)))
    wait_for(lambda: stack.stats()["published"] > 500, "messages")
    for _ in range(5):
        pub.write("".join(f"{number}\n" for number in range(2000)))
        got = list(map(int, stack.zmq("sub", "n", "--since", "last:50", "--count", 50).stdout.split()))
        assert all((one + 1) % 2000 == other for one, other in zip(got, got[1:]))
    assert pub.end() == 0


def test_sub_says_what_it_lost_while_it_stood_still(stack):
    """What neither its queue nor history holds is in a gap, though what history has is delivered."""
    stack.broker("--subscribe-hwm=10", "--topic-messages=3")
    sub = live_sub(stack, "a", "--json")
    ids = [stack.publish("a", "first")]
    sub.wait_lines(1)
    sub.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: ids.append(stack.publish("a", "x" * 5000)) or stack.stats()["dropped"]["count"] > 0, "its queue is full")
    ids += [stack.publish("a", str(number)) for number in range(5)]
    sub.process.send_signal(signal.SIGCONT)
    wait_for(lambda: sub.out and json.loads(sub.out[-1])["id"] == ids[-1], "the last message")
    missing = [position(each) for each in ids if each not in [json.loads(line)["id"] for line in sub.out]]

    def silent():
        gaps = [[position(each) for each in re.findall(r"\d+-\d+", line)] for line in sub.err]
        return [each for each in missing if not any(since < each <= upto for since, upto in gaps)]

    assert missing
    wait_for(lambda: silent() == [], lambda: f"a gap for each of {silent()}, there are {sub.err}")


def test_sub_that_nobody_reads(stack):
    """Its queue is full for longer than any timeout of the connection; then it has everything."""
    stack.use_tcp().broker("--topic-messages=100000")
    sub = subprocess.Popen([program("zmq"), "sub", *stack.endpoints(), "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stack.closers.append(sub.kill)
    wait_for(lambda: stack.publish("a", "first") and select.select([sub.stdout], [], [], 0.1)[0], "it is live")
    lines = "".join(f"{number} {'x' * 100}\n" for number in range(30000))
    stack.zmq("pub", "a", "--lines", "--quiet", input=lines)
    time.sleep(10)
    got = []
    while not got or not got[-1].startswith("29999 "):
        got.append(sub.stdout.readline())
        assert got[-1], (sub.wait(LIMIT), sub.stderr.read())
    numbers = [int(line.split()[0]) for line in got if line != "first\n"]
    assert numbers == list(range(30000))


def test_sub_that_nobody_reads_over_a_restart(stack):
    """A connection that breaks while its queue is full looks whole until that is read."""
    history = [f"--history=lmdb:{stack.folder}/history", "--topic-messages=100000"]
    broker = stack.use_tcp().broker(*history)
    sub = subprocess.Popen([program("zmq"), "sub", *stack.endpoints(), "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stack.closers.append(sub.kill)
    wait_for(lambda: stack.publish("a", "first") and select.select([sub.stdout], [], [], 0.1)[0], "it is live")
    lines = [f"{number} {'x' * 100}" for number in range(20000)]
    stack.zmq("pub", "a", "--lines", "--quiet", input="\n".join(lines[:10000]))
    broker.kill()
    stack.broker(*history)
    stack.zmq("pub", "a", "--lines", "--quiet", input="\n".join(lines[10000:]))
    watchdog = threading.Timer(LIMIT, sub.kill)
    watchdog.start()
    got = []
    while not got or not got[-1].startswith("19999 "):
        got.append(sub.stdout.readline())
        assert got[-1], f"it ended after {len(got)} lines: {sub.stderr.read()}"
    watchdog.cancel()
    assert [line.strip() for line in got if line != "first\n"] == lines


def test_joining_while_messages_flow(stack):
    """History, then live: nothing missing where they meet, nothing twice."""
    stack.broker()
    first = stack.publish("n", "0")
    stop = threading.Event()
    sent = [0]

    def publish():
        pub = stack.pub()
        while not stop.is_set():
            for _ in range(20):
                sent[0] += 1
                pub.send_multipart([b"n", b"%d" % sent[0]])
            time.sleep(0.005)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        wait_for(lambda: sent[0] > 200, "messages to flow")
        subs = []
        for _ in range(5):
            subs.append(start(stack, "sub", "n", "--since", first, "--count", 5000))
            time.sleep(0.05)
        for sub in subs:
            assert sub.end(limit=60) == 0
            assert [int(line) for line in sub.out] == list(range(1, 5001)) and sub.err == []
    finally:
        stop.set()
        thread.join()


def test_what_zeromq_drops_is_fetched(stack):
    """A subscriber that stands still until its queue in the broker overflows."""
    stack.use_tcp().broker("--subscribe-hwm=100", "--topic-bytes=100M")
    sub = live_sub(stack, "n")
    sub.process.send_signal(signal.SIGSTOP)
    count = 6000
    stack.zmq("pub", "n", "--lines", "--quiet", input="".join(f"{i} {'x' * 4000}\n" for i in range(count)))
    assert stack.stats()["dropped"]["count"] > 0  # else this is no test
    sub.process.send_signal(signal.SIGCONT)
    sub.wait_lines(count, limit=60)
    assert sub.end(signal.SIGINT) == 0
    assert [int(line.split()[0]) for line in sub.out] == list(range(count)) and sub.err == []


def test_output_that_is_read_late(stack):
    """What waits for it does so in the broker, not in memory here."""
    stack.broker("--topic-bytes=500M", "--history-bytes=500M")
    before = stack.stats()["requests"]["SYNC"]
    command = [program("zmq"), "sub", *stack.endpoints(), "a", "--timeout", "300"]
    sub = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
    stack.closers.append(lambda: sub.poll() is None and (sub.kill(), sub.wait()))
    wait_for(lambda: stack.stats()["requests"]["SYNC"] > before and stack.stats()["syncs"] == 0, "live")
    count = 2000
    stack.zmq("pub", "a", "--lines", "--quiet", input="".join(f"{i} {'x' * 100_000}\n" for i in range(count)))
    for number in range(count):
        assert sub.stdout.readline().split()[0] == b"%d" % number
    if not is_sanitized("zmq"):
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{sub.pid}/status").read_text())
        assert int(peak[1]) < 100_000
    sub.terminate()
    assert sub.wait(LIMIT) == 0


def test_sub_over_a_restart_of_the_broker(stack):
    broker = stack.broker()
    sub = live_sub(stack, "t")
    stack.publish("t", "before")
    sub.wait_lines(1)
    broker.kill()
    wait_for(lambda: any("lost the broker" in line for line in sub.err), lambda: sub.err)
    stack.broker()
    wait_for(lambda: any("the broker is back" in line for line in sub.err), lambda: sub.err)
    # history in memory went with it: that is said
    assert any("gap" in line for line in sub.err)
    stack.publish("t", "after")
    assert sub.wait_lines(2) == ["before", "after"]
    assert sub.end(signal.SIGINT) == 0


# -- stat, ping


def test_ping(stack):
    stack.broker()
    assert re.fullmatch(re.escape(stack.control_endpoint) + r" zcast \S+, \d+\.\d ms\n", stack.zmq("ping").stdout)


def test_stat(stack):
    stack.broker()
    for i in range(1234):
        stack.publish("t", "x")
    text = stack.zmq("stat").stdout
    assert re.search(r"published +1,234 \(", text) and re.search(r"history +memory, ok: 1,234 messages", text)
    assert "WORKER" not in text and "BRIDGE" not in text
    raw = json.loads(stack.zmq("stat", "--json").stdout)
    assert raw["published"] == 1234
    assert stack.zmq("stat", "--slow").stdout == "No client lags behind.\n"


def test_stat_of_workers(stack):
    stack.broker()
    slow = [{"client": f"10.0.0.{i}:5", "transport": "sse", "lag": i * 1000, "topics": 2, "topic": "näws"} for i in range(25)]
    worker = {"clients": 1200, "topics": 7, "delivered": 99, "repaired": 12, "slow_dropped": 2, "slow_skipped": 1, "slow": slow}
    assert stack.request("REPORT", "fcgi.0", json.dumps(worker))[0] == b"OK"
    evil = {"client": "\x1b[2Jevil\n", "transport": "ws", "lag": 5000000, "topics": 1, "topic": "t"}
    assert stack.request("REPORT", "ws.0", json.dumps({"clients": 1, "slow": [evil]}))[0] == b"OK"
    assert stack.request("REPORT", "odd", json.dumps({"clients": "many", "slow": "none"}))[0] == b"OK"
    assert stack.request("REPORT", "redis", json.dumps({"redis": "connected", "received": 5}))[0] == b"OK"
    text = stack.zmq("stat").stdout
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["fcgi.0"][1:] == ["1,200", "7", "99", "0", "12", "0", "0", "3", "23.4", "KiB"]
    assert rows["redis"][1:4] == ["connected", "5", "0"]
    lines = stack.zmq("stat", "--slow").stdout.splitlines()
    assert len(lines) == 21 and lines[0].split()[:2] == ["LAG", "CLIENT"]
    assert "4.8 MiB" in lines[1] and "?[2Jevil?" in lines[1]  # worst first, and nothing of it runs on the terminal
    assert "23.4 KiB" in lines[2] and "näws" in lines[2]


def test_stat_of_a_client_that_does_not_read(stack):
    """The real thing: a WebSocket client that stands still, at the top of the list, under its address."""
    stack.broker()
    stack.ws("--max-lag=8M")
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", stack.ws_port))
        lazy.sendall(wsraw.head("/ws?topic=big"))
        address = "{}:{}".format(*lazy.getsockname())
        wait_for(lambda: stack.stats()["subscriptions"] > 0, "its topic to be subscribed")
        reader = live_sub(stack, "big", "--count", 60)
        stack.zmq("pub", "big", "--lines", "--quiet", input="".join("x" * 100_000 + "\n" for _ in range(60)))
        assert reader.end() == 0
        rows = wait_for(lambda: [row for row in stack.zmq("stat", "--slow").stdout.splitlines() if address in row], "the slow client")
        assert re.match(r" *\d+(\.\d)? [KM]iB +" + re.escape(address), rows[0]) and rows[0].endswith("big")
        assert re.search(r"^ws\S* .*[KM]iB$", stack.zmq("stat").stdout, re.M)


def test_stat_watch(stack):
    stack.broker()
    stat = start(stack, "stat", "--watch", "100ms")
    wait_for(lambda: sum("zcast-broker" in line for line in stat.out) >= 3, "three times")
    assert stat.end(signal.SIGINT) == 0


def test_stat_watch_ends_at_once(stack):
    """By a signal, or when its reader leaves, and not an hour later."""
    stack.broker()
    for words in (["--watch", 3600], ["--watch", 3600, "--json"]):
        stat = start(stack, "stat", *words)
        stat.wait_lines(1)
        assert stat.end(signal.SIGINT) == 0 and stat.err == []
    stat = start(stack, "stat", "--watch", 3600)
    stat.wait_handlers()
    assert stat.end(signal.SIGTERM) == 0  # perhaps before it has asked
    command = " ".join([program("zmq"), "stat", *stack.endpoints(), "--watch", "3600"])
    assert run("/bin/bash", "-c", f"{command} | head -n 1").stdout.startswith("zcast-broker")


def test_stat_watch_over_a_broker_that_is_away(stack):
    stat = start(stack, "stat", "--watch", "100ms", "--timeout", "0.2")
    wait_for(lambda: len(stat.err) >= 2, "it to say so")
    stack.broker()
    stat.wait_lines(3)
    assert stat.end(signal.SIGINT) == 0


# -- who reads leaves, and signals


def threads_sleep(pid):
    """All of its threads wait for something: what it had to do is done."""
    states = [path.read_text().rsplit(")", 1)[1].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return states and all(state == "S" for state in states)


def unread(pipe):
    """Bytes that its other end has not read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")


def test_sub_ends_when_its_reader_has_left(stack):
    """Also when no message comes any more; the reader may be a pipe, a socket or a terminal."""
    stack.broker()
    for number in range(2):
        stack.publish("t", str(number))
    command = " ".join([program("zmq"), "sub", *stack.endpoints(), "t", "--since", "earliest"])
    for shell in ("%s | head -n 2", "trap '' PIPE; %s | head -n 2", "%s --json | head -n 2 | wc -l", "%s > >(head -n 2)"):
        done = run("/bin/bash", "-c", shell % command, check=False)  # in the last one its own status is bash's
        assert len(done.stdout.split()) in (1, 2) and done.stderr == "", shell
    ours, theirs = socket.socketpair()
    sub = subprocess.Popen(command.split(), stdout=theirs, env=environment())
    theirs.close()
    assert ours.recv(2)
    ours.close()
    assert sub.wait(LIMIT) in (1, -signal.SIGPIPE)
    terminal = Terminal(stack, "sub", "t")
    wait_for(lambda: stack.stats()["subscriptions"], "its subscription")
    terminal.hang_up()
    assert terminal.process.wait(LIMIT) != 0


def test_pub_goes_on_when_nobody_reads_its_ids(stack):
    """What it is for is to publish."""
    stack.broker()
    done = run("/bin/bash", "-c", f"sleep 0.2 | {program('zmq')} pub {' '.join(stack.endpoints())} t | true")
    assert done.stderr == "" and [reply[2] for reply in stack.requests("REPLAY", "earliest", "t")[:-1]] == [b""]


@pytest.mark.parametrize("words, said", [(["--lines"], r"stopped: 3 of 3 messages are confirmed"), (["--lines", "--quiet"], r"stopped: 3 of 3"), (["--lines", "--fast"], r"stopped: 3 messages sent, unconfirmed"), ([], "stopped before anything was published")])
def test_pub_says_what_was_confirmed_when_it_is_stopped(stack, words, said):
    stack.broker()
    pub = start(stack, "pub", "t", *words)
    pub.wait_handlers()
    pub.write("1\n2\n3\n")
    if words:
        wait_for(lambda: stack.stats()["published"] == 3, "what was written")
        if words == ["--lines"]:
            pub.wait_lines(3)
        elif "--quiet" in words:  # its answers are on the way
            wait_for(lambda: threads_sleep(pub.process.pid), "its answers are taken")
    assert pub.end(signal.SIGINT) == 1
    assert len(pub.err) == 1 and re.search(said, pub.err[0]), pub.err


def test_pub_says_what_was_not_confirmed_when_it_is_stopped(stack):
    broker = stack.broker()
    pub = start(stack, "pub", "t", "--lines", "--timeout", 0)
    pub.write("1\n2\n3\n")
    pub.wait_lines(3)
    broker.pause()
    pub.write("4\n5\n")
    wait_for(lambda: unread(pub.process.stdin) == 0 and threads_sleep(pub.process.pid), "both are taken")
    assert pub.end(signal.SIGTERM) == 1
    broker.resume()
    assert pub.err == ["zmq pub: stopped: 3 of 5 messages are confirmed; 2 others may have been published or not"]


def test_pub_fast_that_lingers_ends_by_a_signal(stack):
    """With no limit of time, and a broker that stands still."""
    broker = stack.use_tcp().broker()
    pub = start(stack, "pub", "t", "--lines", "--fast", "--timeout", 0)
    pub.write("1\n")
    wait_for(lambda: stack.stats()["published"] == 1, "the first")
    broker.pause()
    pub.write("".join("x" * 60000 + "\n" for _ in range(200)))
    wait_for(lambda: unread(pub.process.stdin) == 0, "all is taken")
    pub.process.stdin.close()
    wait_for(lambda: threads_sleep(pub.process.pid), "it waits for the network")
    pub.process.send_signal(signal.SIGINT)
    assert pub.process.wait(LIMIT) == 1
    broker.resume()


# -- a terminal


class Terminal:
    """A `zmq` on a terminal of its own; `out` is what the terminal got."""

    def __init__(self, stack, command, *words, stderr_too=True, stdout=True, endpoints=True, typed=False, size=None, env=None):
        """`typed`: its input is the terminal too; `size`: lines and columns."""
        self.ours, theirs = os.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # line feeds as they are
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        if size:
            self.resize(*size)
        self.process = subprocess.Popen(
            [program("zmq"), command, *(stack.endpoints() if endpoints else []), *map(str, words)],
            stdin=theirs if typed else subprocess.PIPE,
            stdout=theirs if stdout else subprocess.DEVNULL,
            stderr=theirs if stderr_too else subprocess.PIPE,
            env=environment(**(env or {})),
            start_new_session=True,
        )
        os.close(theirs)
        self.out = b""
        self.open = True
        stack.closers.append(self.close)

    def read(self):
        while self.open and select.select([self.ours], [], [], 0)[0]:
            try:
                self.out += os.read(self.ours, 65536)
            except OSError:  # nobody has it open any more
                break
        return self.out

    def end(self):
        status = self.process.wait(LIMIT)
        self.read()
        return status

    def write(self, text):
        os.write(self.ours, text)

    def resize(self, lines, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hang_up(self):
        self.open = False
        os.close(self.ours)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)
        if self.process.stdin:
            self.process.stdin.close()
        if self.open:
            self.hang_up()


EVIL = b"\x1b]0;title\x07\x1b[2J a\rb\x08\x7f\xc2\x9b31m\xff\n\xe2\x80\xaek\xc3\xa4se"
SHOWN = r"\x1b]0;title\x07\x1b[2J a\rb\x08\x7f\x9b31m\xff\n\u202ekäse"


def obeys(text):
    """What in a terminal's input would be a command to it."""
    return re.findall(rb"[\x00-\x09\x0b-\x1f\x7f\xff]|\xc2[\x80-\x9f]|\xe2\x80\xae", text)


def test_sub_shows_a_terminal_what_it_must_not_obey(stack):
    stack.broker()
    stack.publish("evil", EVIL)
    terminal = Terminal(stack, "sub", "evil", "--since", "earliest", "--count", 1)
    assert terminal.end() == 0 and terminal.out.decode() == SHOWN + "\n"
    terminal = Terminal(stack, "sub", "evil", "t", "--since", "earliest", "--count", 1)
    assert terminal.end() == 0 and terminal.out.decode() == f"evil\t{SHOWN}\n"
    stack.publish("turned\u202e", "x")
    terminal = Terminal(stack, "sub", "turned\u202e", "t", "--since", "earliest", "--count", 1)
    assert terminal.end() == 0 and terminal.out == b"turned\\u202e\tx\n"
    raw = [program("zmq"), "sub", *stack.endpoints(), "evil", "--since", "earliest", "--count", "1"]
    assert subprocess.run(raw, stdout=subprocess.PIPE, timeout=LIMIT, env=environment()).stdout == EVIL + b"\n"


def test_json_on_a_terminal_stays_json(stack):
    stack.broker()
    text = EVIL.replace(b"\xff", b"").decode()
    stack.publish("evil", text, {"x-evil": "\u009b2J"})
    terminal = Terminal(stack, "sub", "evil", "--json", "--since", "earliest", "--count", 1)
    assert terminal.end() == 0 and obeys(terminal.out) == []
    object = json.loads(terminal.out)
    assert object["data"] == text and object["headers"]["x-evil"] == "\u009b2J"
    assert stack.request("REPORT", "ws.0", json.dumps({"clients": 1, "slow": [{"client": "\u007f\u009b", "lag": 5}]}, ensure_ascii=False))[0] == b"OK"
    terminal = Terminal(stack, "stat", "--json")
    assert terminal.end() == 0 and obeys(terminal.out) == []
    assert json.loads(terminal.out)["workers"]["ws.0"]["slow"][0]["client"] == "\u007f\u009b"
    for words in ([], ["--slow"]):
        terminal = Terminal(stack, "stat", *words)
        assert terminal.end() == 0 and obeys(terminal.out) == [] and (b"??" in terminal.out or not words)
        assert not re.search("[\u0080-\u009f]", stack.zmq("stat", *words).stdout)


class Impostor(threading.Thread):
    """Something that answers on control as no broker does."""

    def __init__(self, stack, *frames):
        super().__init__(daemon=True)
        self.endpoint = stack.control_endpoint
        self.frames = frames
        self.bound = threading.Event()
        self.ended = threading.Event()
        stack.closers.append(self.end)
        self.start()
        assert self.bound.wait(LIMIT)

    def run(self):
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.linger = 0
            socket.bind(self.endpoint)
            self.bound.set()
            while not self.ended.is_set():
                if socket.poll(100):
                    request = socket.recv_multipart()
                    tag = [frame for frame in request[1:3] if not frame or frame.startswith(b"#")]
                    socket.send_multipart([request[0], *tag, *self.frames])

    def end(self):
        self.ended.set()
        self.join(LIMIT)


EVIL_JSON = '{\r"a":"\u202e\u009b31m\x7f"}'.encode()


@pytest.mark.parametrize(
    "frames",
    [[b"OK", EVIL, EVIL, EVIL], [b"OK", EVIL_JSON], [b"ERR", b"evil", EVIL], [b"END", b"x", EVIL, EVIL, EVIL]],
    ids=["ok", "json", "err", "end"],
)
def test_answers_of_an_impostor_on_a_terminal(stack, frames):
    """Whatever the endpoint that one was told to ask is: its text goes to the terminal only as text."""
    Impostor(stack, *frames)
    for words in (["ping"], ["stat"], ["stat", "--json"], ["sub", "t", "--since", "own"], ["sub", "t", "--since", "last:3"], ["sub", "--prefix", "t", "--since", "last:3"], ["pub", "t", "x"]):
        terminal = Terminal(stack, *words, "--timeout", 1)
        terminal.end()
        assert obeys(terminal.out) == [], (words, terminal.out)


def test_grants_of_a_token_on_a_terminal(stack):
    """A topic may have what turns the direction of text."""
    key = stack.folder / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    token = run("zmq", "token", "make", "--key", key, "--subscribe", "a\u202eb").stdout.strip()
    terminal = Terminal(stack, "token", "check", "--token-keys", key, token, endpoints=False)
    assert terminal.end() == 0 and obeys(terminal.out) == [] and b"subscribe a\\u202eb\n" in terminal.out


def test_arguments_in_messages_on_a_terminal(stack):
    """A file's name, a topic, an option: what was typed may have been pasted."""
    stack.broker()
    for words in (["pub", "t", "--file", EVIL], ["pub", "t", "x", "-H", EVIL], ["sub", "t", "--since", EVIL.replace(b"\n", b"")], ["sub", b"--" + EVIL], ["ping", "--config", EVIL], ["stat", "--timeout", EVIL]):
        arguments = [word.decode("utf-8", "surrogateescape") if isinstance(word, bytes) else word for word in words]
        terminal = Terminal(stack, *arguments)
        assert terminal.end() != 0 and obeys(terminal.out) == [], (words, terminal.out)


def test_pub_shows_its_progress_on_a_terminal(stack):
    """Where nothing else shows it; and at the end the line is gone."""
    broker = stack.broker()
    terminal = Terminal(stack, "pub", "t", "--lines", "--quiet")
    terminal.process.stdin.write(b"1\n2\n3\n")
    terminal.process.stdin.flush()

    def shown():
        terminal.process.stdin.write(b"more\n")
        terminal.process.stdin.flush()
        return re.search(rb"\r(\d+) lines confirmed, \d+/s", terminal.read())

    assert int(wait_for(shown, "progress")[1]) >= 3
    terminal.process.stdin.close()
    assert terminal.end() == 0 and terminal.out.endswith(b"\r\x1b[K")
    path = stack.folder / "lines"
    path.write_text("x\n" * 100_000)
    broker.pause()
    terminal = Terminal(stack, "pub", "t", "--lines", "--file", path, "--timeout", 120, stdout=False)
    wait_for(lambda: re.search(rb"\r0 lines confirmed, \d+ % of the file", terminal.read()), "progress that waits")
    broker.resume()
    assert terminal.end() == 0, terminal.out
    # ids are progress enough, and where stderr is no terminal nobody sees it
    terminal = Terminal(stack, "pub", "t", "--lines", "--file", path)
    wait_for(lambda: len(terminal.read()) > 1_000_000 or terminal.process.poll() is not None, "ids")
    wait_for(lambda: terminal.read() and terminal.process.poll() is not None, "its end")
    assert b"confirmed" not in terminal.read()
