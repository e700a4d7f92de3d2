"""The behaviour that all daemons share: mistakes in the configuration, reloads, restarts, descriptors that their parent had closed."""

import contextlib
import os
import re
import shutil
import signal
import socket
import threading
from pathlib import Path

import pytest

from fastcgi import Peer, request
from stack import BUILD, PROGRAMS, SOURCE, can_connect, free_port, run, wait_for
from wsraw import Raw, head

DAEMONS = {"zcast-broker": "broker", "zcast-fcgi": "fcgi", "zcast-ws": "ws", "zcast-redis": "bridge"}


def argv(stack, name, *options):
    """The command line of any of them, in this stack."""
    own = {
        "zcast-broker": stack.endpoints(),
        "zcast-fcgi": [*stack.endpoints(), f"--socket={stack.fcgi_socket}"],
        "zcast-ws": [*stack.endpoints(), f"--listen=127.0.0.1:{stack.ws_port}"],
        "zcast-redis": [*stack.endpoints(), f"--redis=redis://127.0.0.1:{free_port()}"],
    }
    return [name, *own[name], *options]


# -- configuration


@pytest.mark.parametrize(
    "name, key, value, expected",
    [
        ("zcast-broker", "history", "disk", "lmdb:PATH"),
        ("zcast-broker", "history", "lmdb:", "lmdb:PATH"),
        ("zcast-broker", "publish", "tcp://0.0.0.0:9", "insecure"),
        ("zcast-fcgi", "socket", "sse.sock", "HOST:PORT"),
        ("zcast-fcgi", "socket", ":99999", "HOST:PORT"),
        ("zcast-fcgi", "socket", "/" + 110 * "x", "107 bytes"),
        ("zcast-fcgi", "socket-mode", "rw-", "octal"),
        ("zcast-ws", "listen", "8081", "HOST:PORT"),
        ("zcast-ws", "socket-mode", "66x", "octal"),
        ("zcast-ws", "path", "ws", "begins with /"),
        ("zcast-redis", "redis", "localhost", "redis://"),
    ],
)
def test_a_bad_value_is_told_with_its_place(stack, name, key, value, expected):
    """By -t as by the start, from the file as from the command line."""
    config = stack.folder / "bad.conf"
    config.write_text(f"{DAEMONS[name]}\n    {key} = {value}\n")
    for words, place in (([f"--config={config}"], f"{config}:2: {key}: "), ([f"--{key}={value}"], f"--{key}: ")):
        for check in (["-t"], []):
            done = run(name, *words, *check, check=False, timeout=30)
            assert done.returncode == 2, (words, check)
            assert done.stderr.startswith(f"{name}: {place}"), done.stderr
            assert expected in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("name", [*DAEMONS, "zmq"])
def test_slips_that_are_in_nobodys_section(stack, name):
    """A key of `common` that no program has, a section of no program: whoever reads the file says so."""
    sample = (SOURCE / "etc/zcast.conf").read_text()
    # with their defaults; where there is none, the line has the argument's name
    keys = dict(re.findall(r"^    #([\w-]+) = ([^A-Z\n]*)$", sample, re.MULTILINE))
    help = run(name, *(["ping"] if name == "zmq" else []), "--help").stdout
    others = [key for key in keys if not re.search(rf"--(no-)?{key}\b", help)]
    assert len(others) > 5
    config = stack.folder / "common.conf"
    check = ["ping", *stack.endpoints(), "--timeout=10ms"] if name == "zmq" else ["-t"]
    config.write_text("common\n" + "".join(f"    {key} = {keys[key]}\n" for key in others))
    assert run(name, *check, f"--config={config}", check=False).returncode != 2, others
    for text, said in (("common\n    publsh = x\n", ":2: publsh: unknown key; did you mean publish?"), ("brokr\n    publish = x\n", ":1: brokr: unknown section")):
        config.write_text(text)
        done = run(name, *check, f"--config={config}", check=False)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("name", DAEMONS)
def test_the_whole_file_is_checked(stack, name):
    """By -t of each program, what the file says to the others too; a start looks at its own part."""
    config = stack.folder / "whole.conf"
    sample = (SOURCE / "etc/zcast.conf").read_text()
    for section in ("broker", "fcgi", "ws", "bridge", "zmq"):
        for line, said in (("    contrl = x\n", "contrl: unknown key; did you mean control?"), ("    control = x\n", "control: expected tcp://")):
            config.write_text(f"{sample}{section}\n{line}")
            place = f"{config}:{sample.count(chr(10)) + 2}: "
            done = run(name, "-t", f"--config={config}", check=False)
            assert done.returncode == 2 and f"{name}: {place}{said}" in done.stderr and done.stderr.count("\n") == 1, (section, done)
    other = next(section for section in DAEMONS.values() if section != DAEMONS[name])
    config.write_text(f"{other}\n    contrl = x\n")
    if name == "zcast-broker":
        stack.start(name, argv(stack, name, f"--config={config}"), ready=stack.broker_answers)


@pytest.mark.parametrize(
    "text, said",
    [
        ("\ufeffcommon\n", ":1: the file begins with a byte order mark"),
        ("[broker]\npublish = x\n", ":1: a section is its bare name in the first column, without brackets"),
        ("broker {\n    publish = x;\n}\n", ":1: a section has no braces"),
        ("brokr\n    publish = x\n", ":1: brokr: unknown section; did you mean broker?"),
        ("common\n    publsh = x\n", ":2: publsh: unknown key; did you mean publish?"),
        ("publish = x\n", ":1: publish: a key is indented by 4 spaces"),
    ],
)
@pytest.mark.parametrize("name", [*DAEMONS, "zmq"])
def test_what_other_formats_have_is_told_with_a_sentence(stack, name, text, said):
    config = stack.folder / "other.conf"
    config.write_text(text)
    done = run(name, *(["ping"] if name == "zmq" else []), f"--config={config}", check=False)
    assert done.returncode == 2 and f"{config}{said}" in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("name", DAEMONS)
def test_options_from_the_environment(stack, name):
    """Every program takes them: one for all that have the option, one for itself, and the file's name."""
    own = f"ZCAST_{DAEMONS[name].upper()}_LOG_LEVEL"
    config = stack.folder / "environment.conf"
    config.write_text("common\n    log-level = nonsense\n")
    for variables, said in (
        ({"ZCAST_LOG_LEVEL": "loud"}, "ZCAST_LOG_LEVEL: expected one of"),
        ({own: "loud", "ZCAST_LOG_LEVEL": "info"}, f"{own}: expected one of"),
        ({"ZCAST_CONFIG": str(config)}, f"{config}:2: log-level: expected one of"),
        ({"ZCAST_CONTROL": "nowhere"}, "ZCAST_CONTROL: expected tcp://"),
    ):
        done = run(name, "-t", env=variables, check=False)
        assert done.returncode == 2 and done.stderr.startswith(f"{name}: {said}"), done.stderr
    assert run(name, "-t", "--log-level=info", env={own: "debug", "ZCAST_LOG_LEVL": "x"}).stderr.endswith("did you mean ZCAST_LOG_LEVEL?\n")
    assert "ZCAST_CONTROL" in run(name, "--help").stdout


def test_a_stack_from_the_environment(stack):
    """With nothing on the command line but what isn't ours."""
    variables = {
        "ZCAST_PUBLISH": stack.publish_endpoint,
        "ZCAST_SUBSCRIBE": stack.subscribe_endpoint,
        "ZCAST_CONTROL": stack.control_endpoint,
        "ZCAST_SOCKET": str(stack.fcgi_socket),
        "ZCAST_LISTEN": f"127.0.0.1:{stack.ws_port}",
        "ZCAST_MAX_PAYLOAD": "1.5K",
    }
    stack.start("zcast-broker", ["zcast-broker"], ready=stack.broker_answers, env=variables)
    stack.start("zcast-fcgi", ["zcast-fcgi"], ready=lambda: can_connect(stack.fcgi_socket), env=variables)
    stack.start("zcast-ws", ["zcast-ws"], ready=lambda: can_connect(("127.0.0.1", stack.ws_port)), env=variables)
    assert run("zmq", "pub", "a", "x", env=variables).stdout.strip() == stack.requests("REPLAY", "earliest", "a")[0][3].decode().split()[1]
    assert "payload" in run("zmq", "pub", "a", "x" * 1537, env=variables, check=False).stderr


# -- reloads


@pytest.mark.parametrize("name", DAEMONS)
def test_the_level_of_the_log_is_read_again(stack, name):
    """And a file with a mistake changes nothing."""
    if name != "zcast-broker":
        stack.broker()
    config = stack.folder / "level.conf"
    config.write_text("common\n    log-level = error\n")
    daemon = stack.start(name, argv(stack, name, f"--config={config}"))
    ready = {"zcast-broker": stack.broker_answers, "zcast-fcgi": lambda: can_connect(stack.fcgi_socket)}
    if name == "zcast-redis":
        wait_for(lambda: int(re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{daemon.pid}/status").read_text()).group(1), 16) & 1, "signals held")
    else:
        daemon.wait_ready(ready.get(name, lambda: can_connect(("127.0.0.1", stack.ws_port))))
    assert " info " not in daemon.log()
    config.write_text("common\n    log-level = info\n")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log(r" info .*(reloaded|read again)")
    config.write_text("common\n    log-level = loud\n")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log(r" error .*log-level")


@pytest.mark.parametrize("name", ["zcast-redis"])
def test_a_new_binary_needs_a_restart(stack, name):
    """What can't hand over says so: when SIGUSR2 asks for it, and at a reload after the file was replaced. It goes on."""
    stack.broker()
    path = stack.folder / name
    shutil.copy(BUILD / PROGRAMS[name], path)
    daemon = stack.start(name, [str(path), *argv(stack, name)[1:]])
    wait_for(lambda: "from redis" in daemon.log(), daemon.log)
    told = "a new binary runs after a restart only"
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log("reloaded")
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_log(told)
    shutil.copy(path, path.with_name("new"))
    path.with_name("new").rename(path)
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.log().count(told) == 2, daemon.log)
    assert daemon.log().count("reloaded") == 2 and daemon.stop() == 0


def test_a_process_that_starts_after_a_reload_knows_it(stack):
    stack.broker()
    config = stack.folder / "fcgi.conf"
    config.write_text("fcgi\n    cors-origin = http://old\n")
    master = stack.fcgi(f"--config={config}", processes=2)
    ask = request("", HTTP_ORIGIN="http://new")

    def answers():
        texts = []
        for _ in range(8):
            with Peer(stack.fcgi_socket, ask) as peer:
                texts.append("http://new" in peer.finish())
        return texts

    assert not any(answers())
    config.write_text("fcgi\n    cors-origin = http://new\n")
    master.send_signal(signal.SIGHUP)
    wait_for(lambda: all(answers()), "the new configuration")
    before = set(master.pids()) - {master.pid}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(master.pids()) - {master.pid} - before) == 2, "two other processes")
    assert all(answers())


def test_a_mistake_in_a_reload_is_said_once(stack):
    stack.broker()
    config = stack.folder / "ws.conf"
    config.write_text("ws\n    rate = 5\n")
    daemon = stack.ws(f"--config={config}", "--processes=3")
    config.write_text("ws\n    rate = fast\n")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log("rate: expected")
    assert daemon.stop() == 0
    assert daemon.log().count("rate: expected") == 1


@pytest.mark.parametrize("name", [*DAEMONS, "zmq ping"])
def test_an_answer_that_cannot_be_written(name):
    words = name.split()
    for asked in ("--help", "--help=conf", "--version", *(["-t"] if name in DAEMONS else [])):
        done = run("sh", "-c", '"$@" >/dev/full', "sh", BUILD / PROGRAMS[words[0]], *words[1:], asked, check=False)
        assert done.returncode == 1 and done.stderr.startswith(f"{name}: cannot write: "), done


# -- restarts


def test_one_starts_while_the_other_drains(stack):
    """The old one leaves the new one's socket alone when it ends."""
    stack.broker()
    old = stack.fcgi("--drain-timeout=3s")
    with Peer(stack.fcgi_socket) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.send(request("topic=big"))
        peer.wait_open()
        stack.publish("big", "x" * 900000)
        wait_for(lambda: stack.stats()["published"], "the message")
        old.send_signal(signal.SIGTERM)
        old.wait_log("stopping")
        new = stack.fcgi()
        assert old.wait() == 0
    assert stack.fcgi_socket.exists()
    with Peer(stack.fcgi_socket, request()) as peer:
        peer.wait_open()
    assert new.stop() == 0
    assert not stack.fcgi_socket.exists()


# -- no broker


@pytest.mark.parametrize("name", ["zcast-fcgi", "zcast-ws"])
def test_a_worker_that_starts_without_a_broker_says_so_once(stack, name):
    worker = stack.start(name, argv(stack, name))
    worker.wait_log(rf"warn .*{stack.subscribe_endpoint}.*clients are kept, retrying")
    stack.broker()
    worker.wait_log("broker: connected")
    assert worker.log().count("retrying") == 1
    assert worker.stop() == 0


# -- descriptors


@pytest.mark.parametrize("name", DAEMONS)
def test_closed_standard_descriptors(stack, name):
    """As FastCGI 1.0 §2.2 lets a web server start it, with no stdout and no stderr: what is logged gets into no connection."""
    if name != "zcast-broker":
        stack.broker()
    words = argv(stack, name, "--log-level=debug")
    words[0] = str(BUILD / PROGRAMS[name])
    daemon = stack.start("sh", ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words])
    if name == "zcast-broker":
        daemon.wait_ready(stack.broker_answers)
        assert stack.request("NIX")[0] == b"ERR"  # is logged
    elif name == "zcast-fcgi":
        daemon.wait_ready(lambda: can_connect(stack.fcgi_socket))
        with Peer(stack.fcgi_socket, b"rubbish" + bytes(20)) as peer:
            peer.wait_closed()
    elif name == "zcast-ws":
        daemon.wait_ready(lambda: can_connect(("127.0.0.1", stack.ws_port)))
        with socket.create_connection(("127.0.0.1", stack.ws_port)) as peer:
            peer.sendall(b"rubbish\r\n\r\n")
            assert peer.recv(1000).startswith(b"HTTP/1.1 400 ")
    else:
        wait_for(lambda: stack.stats()["requests"]["REPORT"], "its report")

    def held(fd):
        try:
            return os.readlink(f"/proc/{daemon.pid}/fd/{fd}") == "/dev/null"
        except FileNotFoundError:  # a program that has just started has its libraries there for a moment
            return False

    wait_for(lambda: all(map(held, range(3))), "nothing else in their place")
    assert daemon.running()
    assert daemon.stop() == 0


def test_zmq_without_standard_descriptors(stack):
    stack.broker()
    command = f"{BUILD / PROGRAMS['zmq']} %s {' '.join(stack.endpoints())} a %s"
    done = run("sh", "-c", command % ("pub", "<&-"), check=False)
    assert done.returncode == 1 and "cannot read: Bad file descriptor" in done.stderr
    done = run("sh", "-c", command % ("pub", "x >&-"), check=False)
    assert done.returncode == 1 and "cannot write: Bad file descriptor" in done.stderr
    done = run("sh", "-c", command % ("pub", "y 2>&-"))
    assert re.fullmatch(r"\d+-\d+\n", done.stdout)


# -- the way to the broker


class Rude:
    """Something else on a port: whoever connects gets bytes that are no ZeroMQ."""

    def __init__(self, endpoint, said):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for(lambda: self._bind(int(endpoint.rsplit(":", 1)[1])), "the port")
        self.said = said
        self.visits = 0
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _bind(self, port):
        try:
            self.socket.bind(("127.0.0.1", port))
            self.socket.listen(50)
            return True
        except OSError:
            return False

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                with peer, contextlib.suppress(OSError):
                    peer.sendall(self.said)
                    self.visits += 1
                    peer.settimeout(1)
                    while peer.recv(1000):
                        pass

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("said", [b"\xff" * 300, b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["malformed", "http"])
def test_another_program_had_the_brokers_ports(stack, said):
    """ZeroMQ gives up for good on who breaks its protocol; the programs don't."""
    stack.use_tcp()
    broker = stack.broker()
    stack.fcgi()
    listener = stack.start("zmq", ["zmq", "sub", *stack.endpoints(), "a"])
    with Peer(stack.fcgi_socket, request("topic=a")) as peer:
        peer.wait_open()
        wait_for(lambda: stack.publish("a", "before") and "before\n" in listener.log(), "the listener")
        peer.wait("data: before\n")
        broker.kill()
        others = [Rude(endpoint, said) for endpoint in (stack.subscribe_endpoint, stack.control_endpoint)]
        for other in others:
            wait_for(lambda: other.visits >= 2, "both came by")
        for other in others:
            other.stop()
        stack.broker()
        stack.publish("a", "after")
        peer.wait("data: after\n")
        listener.wait_log("(?m)^after$")
    assert listener.stop() == 0


def test_a_message_larger_than_a_workers_own_limit(stack):
    """The broker alone says how large a message may be: a worker that is configured otherwise serves it all the same."""
    stack.broker("--max-payload=4M")
    stack.fcgi("--max-lag=8M")
    with Peer(stack.fcgi_socket, request("topic=a")) as peer:
        peer.wait_open()
        wait_for(lambda: stack.stats()["subscriptions"], "subscribed")
        stack.publish("a", "x" * 2500000)
        stack.publish("a", "after")
        peer.wait("data: after\n")
    assert b"x" * 2500000 in peer.text


# -- the start after a kill


def kill_the_master(daemon):
    """kill -9 of the one that was started; its workers see for themselves that it is gone."""
    daemon.killed = True
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait()


@pytest.mark.parametrize("form", ["port", "path"])
@pytest.mark.parametrize("name", ["ws", "fcgi"])
def test_a_start_right_after_a_kill(stack, name, form):
    """The killed master's workers hold the listening socket until they have noticed, and drain: one of their clients reads
    nothing, so that they have to."""
    stack.broker()
    path = stack.folder / "other.sock"
    address = str(path) if form == "path" else f"127.0.0.1:{stack.ws_port}"
    for _ in range(3):
        if name == "ws":
            daemon = stack.ws("--processes=4", listen=address)
        else:
            daemon = stack.start(
                "zcast-fcgi",
                ["zcast-fcgi", *stack.endpoints()[1:], f"--socket={address}", "--processes=4"],
                ready=lambda: can_connect(path if form == "path" else ("127.0.0.1", stack.ws_port)),
            )
        daemon.wait_log("broker: connected")
        kill_the_master(daemon)
    assert "in use" not in daemon.log()


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_a_broker_starts_right_after_a_kill(stack, transport):
    """Its history is still being locked, and its endpoints held, while the kernel takes a large process apart."""
    if transport == "tcp":
        stack.use_tcp()
    broker = stack.broker(f"--history=lmdb:{stack.folder}/history")
    for _ in range(5):
        stack.publish("a", b"x" * 500_000)
        kill_the_master(broker)
        broker = stack.broker(f"--history=lmdb:{stack.folder}/history")
    replies = stack.requests("REPLAY", "0-0", "a")
    assert [reply[0] for reply in replies] == 5 * [b"MSG"] + [b"END"]


def test_an_address_is_free_while_its_workers_drain(stack):
    """A server that was told to stop waits for clients that don't read; another can take its address meanwhile."""
    stack.broker()
    first = stack.ws("--processes=2", "--drain-timeout=60s", "--max-lag=64M")
    first.wait_log("broker: connected")
    with Raw(stack.ws_port, receive_buffer=4096) as lazy:
        lazy.socket.sendall(head())
        wait_for(lambda: b"101" in lazy.socket.recv(65536), "it is open")
        wait_for(lambda: stack.publish("a", b"x" * 1_000_000) and backlog(stack) > 2_000_000, "it lags")
        first.send_signal(signal.SIGTERM)
        second = stack.ws()
        second.wait_log("broker: connected")
        assert first.running()
    assert first.wait() == 0
    assert can_connect(("127.0.0.1", stack.ws_port)), "the first hasn't taken the second's address away"


def backlog(stack):
    return max([slow["lag"] for worker in stack.stats()["workers"].values() for slow in worker.get("slow", [])], default=0)
