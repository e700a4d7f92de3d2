"""A new broker takes the place of a running one: clients see a pause, and nothing is lost or comes twice (doc/upgrade.md)."""

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
import zmq

from stack import LIMIT, WsClient, can_connect, program, wait_for
from test_curve import secured  # noqa: F401, a fixture
from test_upgrade import Publisher, numbers, upgrade, workers


class Acknowledged:
    """`zmq pub`, which publishes numbers, each of them until it is acknowledged."""

    def __init__(self, stack, topic):
        self.process = subprocess.Popen(
            [program("zmq"), "pub", *stack.endpoints(), "--lines", "--quiet", "--timeout", str(int(LIMIT)), topic],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        stack.closers.append(self.process.kill)
        self.over = threading.Event()
        self.sent = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.is_set():
            self.process.stdin.write(f"{self.sent}\n".encode())
            self.process.stdin.flush()
            self.sent += 1
            time.sleep(0.002)
        self.process.stdin.close()

    def finish(self):
        self.over.set()
        self.thread.join(LIMIT)
        assert self.process.wait(LIMIT) == 0, self.process.stderr.read()
        return self.sent


def history(stack, tmp_path, kind):
    return [f"--history=lmdb:{tmp_path / 'history'}"] if kind == "lmdb" else [f"--position-file={tmp_path / 'position'}"] if kind == "file" else []


@pytest.mark.parametrize("kind", ["memory", "file", "lmdb"])
def test_under_load(stack, tmp_path, kind):
    """Publishers of both kinds, workers, clients of both transports, and `zmq sub`, over several upgrades of the broker."""
    broker = stack.broker(*history(stack, tmp_path, kind))
    ws = stack.ws()
    stack.web_port = stack.ws_port
    clients = {topic: [stack.sse(topic) for _ in range(5)] + [stack.websocket(topic) for _ in range(5)] for topic in ("plain", "acked")}
    for group in clients.values():
        for client in group:
            client.wait_open()
    reader = stack.start("sub", ["zmq", "sub", *stack.endpoints(), "--prefix", "--since=earliest", "-f", r"%t %p\n", ""], clean=False)
    stack.publish("acked", "-1")
    reader.wait_log("acked -1")
    line = stack.stats()["line"]
    acked = Acknowledged(stack, "acked")
    with Publisher(stack, "plain") as plain:
        for _ in range(6 if kind == "memory" else 3):
            upgrade(broker)
    expected = {"plain": list(range(plain.sent)), "acked": [-1, *range(acked.finish())]}
    for topic, group in clients.items():
        for client in group[:5]:
            client.wait(len(expected[topic]))
            assert numbers(client) == expected[topic]
            assert client.connections == 1 and not [event for event in client.events if event.event == "zcast.continuity"]
        for client in group[5:]:
            client.wait(len(expected[topic]))
            assert [int(text) for text in client.messages] == expected[topic]
            assert not client.closed
    for topic, whole in expected.items():
        got = lambda: [int(words[1]) for words in map(str.split, reader.log().splitlines()) if words[0] == topic]
        wait_for(lambda: len(got()) >= len(whole), f"{topic} by zmq sub")
        assert got() == whole
    stats = stack.stats()
    assert stats["line"] == line and stats["history"]["messages"] == sum(map(len, expected.values()))
    late = stack.sse("acked", headers={"Last-Event-ID": "0-0"})
    late.wait(len(expected["acked"]))
    assert numbers(late) == expected["acked"]
    assert ws.running() and "gap" not in ws.log()


def test_dedup_history_and_figures_go_over(stack, tmp_path):
    """A repeat is known, another message under its id is a conflict, and history's messages with their keys and what expires are all there."""
    broker = stack.broker("--topic-messages=3")
    first = stack.publish("a", "one", {"id": "x"})
    stack.publish("gone", "soon", {"ttl": "1"})
    large = "l" * 100000
    ids = [stack.publish("a", text, {"key": f"k{number}"}) for number, text in enumerate(("two", "three", large, "five", ""))]
    before = stack.requests("REPLAY", "a", "0-0")
    upgrade(broker)
    assert stack.publish("a", "one", {"id": "x"}) == first
    assert stack.request("PUBLISH", "a", "other", "id: x\n")[:2] == [b"ERR", b"conflict"]
    assert stack.requests("REPLAY", "a", "0-0") == before and b"one" not in before[0]
    wait_for(lambda: stack.stats()["history"]["messages"] == 3, "what expires is gone")
    assert stack.publish("a", "six") > ids[-1]
    upgrade(broker)
    assert stack.publish("a", "", {"key": "k4"}) == ids[-1]


@pytest.mark.parametrize("over", ["ipc", "tcp", "name"])
def test_endpoints(stack, over):
    """Each listening socket goes over, also those of a host name with several addresses; afterwards the broker lets go of them."""
    if over != "ipc":
        stack.use_tcp("localhost" if over == "name" else "127.0.0.1")
    broker = stack.broker()
    for count in range(3):
        upgrade(broker)
        assert stack.publish("a", str(count))
    if over == "name":
        port = int(stack.control_endpoint.rsplit(":", 1)[1])
        assert can_connect(("127.0.0.1", port))
    assert broker.stop() == 0
    other = stack.broker()
    assert stack.publish("a", "again") and other.running()


def broken(folder, what):
    """A binary in the place of zcast-broker, by a link."""
    path = folder / "zcast-broker"
    path.unlink(missing_ok=True)
    if what == "good":
        path.symlink_to(program("zcast-broker"))
    else:
        path.write_text(f"#!/bin/sh\n{what}\n")
        path.chmod(0o755)
    return path


@pytest.mark.parametrize("kind", ["memory", "lmdb"])
@pytest.mark.parametrize("what", ["exit 1", "exec sleep 1000"])
def test_a_binary_that_fails(stack, tmp_path, kind, what):
    """The old one goes on, and the next attempt succeeds."""
    broker = stack.start("zcast-broker", [broken(tmp_path, "good"), *stack.endpoints(), "--upgrade-timeout=1", *history(stack, tmp_path, kind)], ready=stack.broker_answers)
    client = stack.sub("a")
    first = stack.publish("a", "1")
    for attempt in range(2):
        broken(tmp_path, what)
        broker.send_signal(signal.SIGUSR2)
        wait_for(lambda: broker.log().count("this one goes on") > attempt, broker.log)
        assert stack.publish("a", str(attempt + 2)) > first
        assert [client.recv_multipart()[1] for _ in range(2 if attempt == 0 else 1)][-1] == str(attempt + 2).encode()
    broken(tmp_path, "good")
    upgrade(broker)
    assert stack.stats()["history"]["messages"] == 3


def test_with_a_log(stack):
    """The positions are Redis's: the successor joins the log before it serves, and knows all that was read from it."""
    stack.redis()
    broker = stack.broker(f"--log={stack.redis_url}")
    stack.ws()
    stack.web_port = stack.ws_port
    clients = [stack.sse("acked"), stack.websocket("acked")]
    for client in clients:
        client.wait_open()
    first = stack.publish("acked", "-1", {"id": "x"})
    acked = Acknowledged(stack, "acked")
    for _ in range(3):
        upgrade(broker)
    expected = [-1, *range(acked.finish())]
    clients[0].wait(len(expected))
    clients[1].wait(len(expected))
    assert numbers(clients[0]) == expected and [int(text) for text in clients[1].messages] == expected
    assert clients[0].connections == 1 and not [event for event in clients[0].events if event.event == "zcast.continuity"]
    assert stack.publish("acked", "-1", {"id": "x"}) == first
    *kept, end = stack.requests("REPLAY", "0-0", "acked")
    assert [int(message[2]) for message in kept] == expected


def test_with_a_log_that_is_away(stack):
    """Redis is gone, and publishes wait for it: the old one goes on, and they are answered once Redis is back."""
    stack.redis()
    broker = stack.broker(f"--log={stack.redis_url}", "--log-timeout=10m")
    stack.publish("a", "1")
    (redis,) = [daemon for daemon in stack.daemons if daemon.name == "redis-server"]
    redis.pause()
    waiting = stack.socket(zmq.DEALER, stack.control_endpoint)
    waiting.send_multipart([b"", b"PUBLISH", b"a", b"2"])
    stack.wait_stats(lambda stats: stats["requests"]["PUBLISH"] == 2, "the publish is there")
    broker.send_signal(signal.SIGUSR2)
    broker.wait_log("this one goes on")
    redis.resume()
    assert waiting.poll(LIMIT * 1000) and waiting.recv_multipart()[1] == b"OK"
    upgrade(broker)
    *kept, end = stack.requests("REPLAY", "0-0", "a")
    assert [message[2] for message in kept] == [b"1", b"2"]


def test_with_curve(secured):
    """Keys and certificates are the successor's own; a certificate that is removed later still ends connections."""
    stack = secured.stack
    stack.ws(secured.key("workers")).wait_log("broker: connected")
    client = WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws?topic=a")
    stack.closers.append(client.close)
    client.wait_open()
    for count in range(2):
        upgrade(secured.broker)
        assert secured.zmq("workers", "pub", "a", str(count)).returncode == 0
        client.wait(count + 1)
    secured.certify("other", "--worker")
    wait_for(lambda: secured.ping("other"), "the certificate is known")
    (secured.clients / "other").unlink()
    secured.broker.wait_log("a certificate was removed or changed")
    assert secured.zmq("workers", "pub", "a", "2").returncode == 0
    client.wait(3)
    assert client.messages == ["0", "1", "2"]


def test_a_stop_during_an_upgrade(stack, tmp_path):
    """Both processes end."""
    broker = stack.start("zcast-broker", [broken(tmp_path, "good"), *stack.endpoints()], ready=stack.broker_answers)
    broken(tmp_path, "exec sleep 1000")
    broker.send_signal(signal.SIGUSR2)
    wait_for(lambda: len(broker.pids()) == 2, "a successor starts")
    (successor,) = set(broker.pids()) - {broker.pid}
    assert broker.stop() == 0
    wait_for(lambda: not os.path.exists(f"/proc/{successor}"), "the successor is gone")


def test_reload_runs_a_file_that_was_replaced(stack, tmp_path):
    """SIGHUP reads the configuration, or, where another file lies in the binary's place, starts that."""
    path = broken(tmp_path, "good")
    broker = stack.start("zcast-broker", [path, *stack.endpoints()], ready=stack.broker_answers)
    broker.send_signal(signal.SIGHUP)
    broker.wait_log("reloaded")
    stack.publish("a", "1")
    path.unlink()
    shutil.copy(program("zcast-broker"), path)
    upgrade(broker, signal.SIGHUP)
    assert stack.stats()["history"]["messages"] == 1
    broken(tmp_path, "exit 1")
    broker.send_signal(signal.SIGHUP)
    wait_for(lambda: broker.log().count("reloaded") == 2, broker.log)
    assert stack.publish("a", "2")


def test_another_history_takes_a_restart(stack, tmp_path):
    """The configuration names another history: the old one goes on with its own, and says why."""
    config = tmp_path / "zcast.conf"
    config.write_text("broker\n    history = memory\n")
    broker = stack.broker("--config", config)
    stack.publish("a", "1")
    config.write_text(f"broker\n    history = lmdb:{tmp_path / 'history'}\n")
    broker.send_signal(signal.SIGUSR2)
    broker.wait_log("takes a restart; this one goes on")
    assert stack.stats()["history"]["kind"] == "memory" and not (tmp_path / "history").exists()
    config.write_text("broker\n    history = memory\n    topic-messages = 1\n")
    upgrade(broker)
    assert stack.publish("a", "2")
    wait_for(lambda: stack.stats()["history"]["messages"] == 1, "the limit of the new configuration")


def test_a_process_that_dies_is_started_again(stack, tmp_path):
    """After an upgrade there is a master: it starts a broker that is killed, and a reload and a stop reach it."""
    broker = stack.broker(f"--history=lmdb:{tmp_path / 'history'}")
    first = stack.publish("a", "1")
    upgrade(broker)
    (served,) = workers(broker)
    os.kill(served, signal.SIGKILL)
    broker.wait_log("was ended by signal 9")
    wait_for(stack.broker_answers, "another process")
    assert stack.publish("a", "2") > first and stack.stats()["history"]["messages"] == 2
    broker.send_signal(signal.SIGHUP)
    broker.wait_log("reloaded")
    upgrade(broker)
    assert stack.stats()["history"]["messages"] == 2
    assert broker.stop() == 0
