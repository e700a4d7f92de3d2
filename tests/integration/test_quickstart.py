"""tools/quickstart, as a user runs it."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest

from stack import BUILD, LIMIT, PROGRAMS, SOURCE, SseClient, WsClient, free_port, run, wait_for

QUICKSTART = str(SOURCE / "tools/quickstart")


def environment():
    """Without what a make above has left for makes below it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "ZCAST_"))}
    return {**clean, "ZCAST_BUILD": str(BUILD)}


class Quickstart:
    """Runs in a process group of its own, as from a shell, so that Ctrl-C reaches the group."""

    def __init__(self, folder, *options, port=None):
        self.port = port or free_port()
        self.folder = folder
        self.log_path = folder / "quickstart.out"
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [QUICKSTART, "--port", str(self.port), *options],
            stdin=subprocess.DEVNULL,
            stdout=self.log_file,
            stderr=subprocess.STDOUT,
            cwd="/",  # from anywhere
            env={**environment(), "TMPDIR": str(folder)},
            start_new_session=True,
        )

    def output(self):
        return self.log_path.read_text(errors="replace")

    def is_ready(self):
        return "Ctrl-C stops it" in self.output()

    def wait_ready(self):
        wait_for(lambda: self.is_ready() or self.process.poll() is not None, lambda: f"quickstart ready:\n{self.output()}", LIMIT * 4)
        assert self.is_ready(), self.output()
        return self

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(LIMIT)

    def descendants(self):
        """Processes whose folder or command line is in its temporary folder."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = open(f"/proc/{pid}/cmdline", "rb").read() + os.readlink(f"/proc/{pid}/cwd").encode()
            except OSError:
                continue
            if str(self.folder).encode() in words and int(pid) != os.getpid():
                found.append((int(pid), words))
        return found

    def close(self):
        if self.process.poll() is None:
            self.interrupt()
        self.log_file.close()


@pytest.fixture
def quickstart():
    started = []

    def start(*options, port=None):
        # not pytest's tmp_path: a Unix socket's path has at most 107 bytes
        started.append(Quickstart(Path(tempfile.mkdtemp(prefix="zcast-")), *options, port=port))
        return started[-1]

    yield start
    for each in started:
        each.close()
        shutil.rmtree(each.folder)


@pytest.mark.parametrize("options", [["--web", "nginx", "--redis"], ["--web", "lighttpd"]])
def test_quickstart_serves_and_stops(quickstart, options):
    one = quickstart(*options).wait_ready()
    url = f"http://127.0.0.1:{one.port}"
    with urllib.request.urlopen(f"{url}/", timeout=LIMIT) as page:
        assert page.status == 200 and b"zcast" in page.read()
    with SseClient(f"{url}/events?topic=host/metrics") as sse:
        with WsClient(f"ws://127.0.0.1:{one.port}/ws?topic=host/access") as ws:
            sse.wait_open()
            ws.wait_open()
            # the machine's figures, once a second, and the request for the page
            assert len(sse.wait(3)) >= 3
            urllib.request.urlopen(f"{url}/?seen", timeout=LIMIT).close()
            assert ws.wait_message(lambda message: "/?seen" in message)
    # what it says to type works
    for line in re.findall(r"^ +(?:Type +)?(\S*(?:zmq pub|redis-cli).*|.*tools/zmq pub.*)$", one.output(), re.MULTILINE):
        subprocess.run(["bash", "-c", line.strip().removeprefix("Type").strip()], check=True, timeout=LIMIT, cwd=SOURCE, stdout=subprocess.DEVNULL)
    pids = one.descendants()
    assert any(b"zcast-broker" in words for _, words in pids)
    assert one.interrupt() == 130
    assert one.descendants() == []
    assert [path.name for path in one.folder.iterdir()] == ["quickstart.out"]


def test_quickstart_says_that_its_port_is_taken(quickstart):
    with socket.socket() as other:
        one_port = free_port()
        other.bind(("127.0.0.1", one_port))
        other.listen()
        done = run(QUICKSTART, "--port", one_port, check=False, env=environment(), timeout=LIMIT * 4)
    assert done.returncode == 1
    assert f"port {one_port} is in use" in done.stderr


def test_two_quickstarts_at_once(quickstart):
    """On different ports both run: the second finds other ports for ZeroMQ and WebSocket."""
    first, second = quickstart().wait_ready(), quickstart().wait_ready()
    for each in (first, second):
        with SseClient(f"http://127.0.0.1:{each.port}/events?topic=host/metrics") as client:
            client.wait(1)
    assert first.interrupt() == 130
    with SseClient(f"http://127.0.0.1:{second.port}/events?topic=host/metrics") as client:
        client.wait(2)


def test_quickstart_on_a_port_that_another_program_would_take(quickstart):
    """The web server starts last: nothing else may have its port by then."""
    for port in itertools.count(8081, 10):  # where the WebSocket daemon looks
        one = quickstart(port=port)
        wait_for(lambda: one.is_ready() or one.process.poll() is not None, lambda: one.output(), LIMIT * 4)
        if f"port {port} is in use" not in one.output():  # by another program
            break
    one.wait_ready()
    with WsClient(f"ws://127.0.0.1:{port}/ws?topic=host/metrics") as client:
        client.wait(1)


def test_quickstart_notices_that_something_ended(quickstart):
    one = quickstart().wait_ready()
    broker = next(pid for pid, words in one.descendants() if words.startswith(str(BUILD / PROGRAMS["zcast-broker"]).encode()))
    os.kill(broker, signal.SIGKILL)
    assert one.process.wait(LIMIT * 2) == 1
    assert "zcast-broker ended" in one.output()
    assert one.descendants() == []


def test_quickstart_killed_leaves_nothing(quickstart):
    """What feeds the dashboard is two programs and a shell: all of them end."""
    one = quickstart().wait_ready()
    wait_for(lambda: sum(b"--quiet" in words and b"bash" not in words for _, words in one.descendants()) == 2, "what feeds")
    one.process.kill()
    one.process.wait(LIMIT)
    wait_for(lambda: one.descendants() == [], lambda: f"all to end: {one.descendants()}")


def test_quickstart_stops_once(quickstart):
    """Further signals while it stops don't keep it from that."""
    one = quickstart().wait_ready()
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "Stopping" in one.output(), "stopping")
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        one.process.send_signal(number)
    assert one.process.wait(LIMIT) == 143
    assert one.descendants() == []
    assert [path.name for path in one.folder.iterdir()] == ["quickstart.out"]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--port"], "--port needs a value"),
        (["--port", "0"], "expected a number from 1 to 65535"),
        (["--port=65536"], "expected a number from 1 to 65535"),
        (["--web", "caddy"], "expected nginx or lighttpd"),
        (["--nonsense"], "unknown option '--nonsense'"),
    ],
)
def test_quickstart_refuses(options, message):
    done = run(QUICKSTART, *options, check=False)
    assert done.returncode == 2 and message in done.stderr


def test_quickstart_help():
    assert "check" in run(QUICKSTART, "--help").stdout


def test_scripts_are_clean():
    """shellcheck, over every shell script of the project."""
    scripts = [SOURCE / name for name in ("tools/quickstart", ".ci/run", "autogen.sh")]
    run("shellcheck", *[path for path in scripts if path.exists()])
