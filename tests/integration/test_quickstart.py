"""tools/quickstart, as a user runs it."""

import contextlib
import fcntl
import html
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
    """Without the variables that a make leaves for makes below it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "ZCAST_"))}
    return {**clean, "ZCAST_BUILD": str(BUILD)}


class Quickstart:
    """Runs in a process group of its own, as from a shell, so that Ctrl-C reaches the group."""

    def __init__(self, folder, *options, port=None, under=()):
        self.port = port or free_port()
        self.folder = folder
        self.log_path = folder / "quickstart.out"
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [*under, QUICKSTART, "--port", str(self.port), *options],
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

    def shell(self, *words, input=None, cwd="/", check=True):
        """A command in the shell of this stack, or one that reads `input`."""
        return run(QUICKSTART, "shell", "--port", self.port, *words, input=input, cwd=cwd, check=check, env=environment())

    def hint(self):
        """The command that the page shows."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=LIMIT) as page:
            code = re.search(r"<code>(.*?)</code>", page.read().decode())[1]
        return html.unescape(re.sub(r"</?span[^>]*>", "", code))

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

    def start(*options, **how):
        # not pytest's tmp_path: a Unix socket's path has at most 107 bytes
        started.append(Quickstart(Path(tempfile.mkdtemp(prefix="zcast-")), *options, **how))
        return started[-1]

    yield start
    for each in started:
        each.close()
        shutil.rmtree(each.folder)


@pytest.mark.parametrize("options", [["--web", "nginx", "--redis"], ["--web", "lighttpd"], ["--web", "caddy", "--no-redis"]])
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


def test_quickstart_without_a_web_server(quickstart):
    """zcast-ws answers at the port: streams, WebSocket, and what is published there, as it says."""
    one = quickstart("--web", "none", "--no-redis").wait_ready()
    events, publish, websocket = re.search(r"Served +(\S+)…  (\S+)…  (\S+)…", one.output()).groups()
    with SseClient(f"{events}demo/hello") as sse, WsClient(f"{websocket}demo/hello") as ws:
        sse.wait_open()
        ws.wait_open()
        (line,) = re.findall(r"^ +(curl -d .*)$", one.output(), re.MULTILINE)
        run("bash", "-ec", line, env=environment())
        run("curl", "-sf", "-d", "and this", f"{publish}demo/hello")
        one.shell("zmq", "pub", "demo/hello", "by zmq")
        said = ["Hello over HTTP", "and this", "by zmq"]
        assert [event.data for event in sse.wait(3)] == said and ws.wait(3) == said
    with SseClient(f"{events}host/metrics") as metrics:
        metrics.wait(1)
    programs = {Path(words.split(b"\0")[0].decode()).name for _, words in one.descendants()}
    assert {"zcast-broker", "zcast-ws"} <= programs and not programs & {"nginx", "lighttpd", "caddy", "zcast-fcgi"}
    assert one.interrupt() == 130 and one.descendants() == []


def test_what_a_run_leaves_in_the_checkout_is_ignored():
    """Where that was configured in place, it is the build folder."""
    if not (SOURCE / ".git").exists():
        pytest.skip("no checkout")
    for name in ("quickstart-8080.env", "quickstart-make.log", ".quickstart.lock"):
        run("git", "-C", SOURCE, "check-ignore", name)


def blocks(name, language):
    """What a document has to be run."""
    return re.findall(rf"^```{language} run\n(.*?)^```$", (SOURCE / name).read_text(), re.MULTILINE | re.DOTALL)


def test_the_first_commands_work(quickstart):
    """All that README shows to publish, in `tools/quickstart shell` and after the export that is printed, on another port than the usual."""
    one = quickstart("--redis").wait_ready()
    with SseClient(f"http://127.0.0.1:{one.port}/events?topic=news/local&format=zcast.v1") as client:
        client.wait_open()
        came = 0
        exported = re.search(r"^ +(export PATH=.*)$", one.output(), re.MULTILINE)[1]
        for text in blocks("README.md", "sh"):
            one.shell(input=f"set -e\n{text}")
            client.wait(came + 1)
            run("bash", "-ec", f"{exported}\n{text}", env=environment())
            came += 2
            client.wait(came)
        (python,) = blocks("README.md", "python")
        assert "b'OK'" in one.shell("/usr/bin/python3", "-c", python).stdout
        assert all(event.json()["data"] == "Water is back" for event in client.wait(came + 1))
    assert one.shell("zmq", "sub", "news/local", "--since", "5m", "--count", "1").stdout == "Water is back\n"
    for name in ("zcast-broker", "zcast-ws", "zcast-fcgi", "zcast-redis"):
        assert name in one.shell(name, "--version").stdout
    assert one.shell("sh", "-c", "exit 7", check=False).returncode == 7
    other = run(QUICKSTART, "shell", "--port", free_port(), check=False, env=environment())
    assert other.returncode == 1 and str(one.port) in other.stderr


def test_the_shell_needs_a_stack(quickstart):
    done = run(QUICKSTART, "shell", "--port", free_port(), "true", check=False, env=environment())
    assert done.returncode == 1 and "nothing is running" in done.stderr
    one = quickstart("--no-redis").wait_ready()
    assert "redis-cli" not in re.sub("for zmq.*", "", one.output())
    one.process.kill()  # leaves its file behind
    one.process.wait(LIMIT)
    wait_for(lambda: one.descendants() == [], "all to end")
    stale = one.shell("true", check=False)
    assert stale.returncode == 1 and "nothing is running" in stale.stderr


def test_the_hint_of_the_page_reaches_its_stack(quickstart):
    """And no other, whatever the ports of both."""
    first, second = quickstart().wait_ready(), quickstart().wait_ready()
    hints = [each.hint() for each in (first, second)]
    assert hints[0] != hints[1]
    for one, hint, other in ((first, hints[0], second), (second, hints[1], first)):
        with SseClient(f"http://127.0.0.1:{one.port}/events?topic=demo/hello") as here:
            with SseClient(f"http://127.0.0.1:{other.port}/events?topic=demo/hello") as there:
                here.wait_open()
                there.wait_open()
                before = len(there.messages())
                run("bash", "-ec", hint, cwd="/", env=environment())
                assert here.wait(1)[-1].data == "Hello, browsers"
                other.shell("zmq", "pub", "demo/hello", "for the other")
                assert [event.data for event in there.wait(before + 1)[before:]] == ["for the other"]


def test_quickstart_says_that_its_port_is_taken():
    """Before it installs or builds anything."""
    with socket.socket() as other, tempfile.TemporaryDirectory() as folder:
        one_port = free_port()
        other.bind(("127.0.0.1", one_port))
        other.listen()
        build = Path(folder) / "build"
        done = run(QUICKSTART, "--port", one_port, check=False, env={**environment(), "ZCAST_BUILD": str(build)}, timeout=LIMIT * 4)
        assert not build.exists() and done.stdout == ""
    assert done.returncode == 1
    assert f"port {one_port} is in use" in done.stderr


# Does not look after orphans, as process 1 of many containers: what ends without a parent of its own stays a zombie.
CARELESS = """
import ctypes, signal, subprocess, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
process = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: process.terminate())
sys.exit(process.wait() % 256)
"""


def zombies(parent):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, owner = path.read_text().rsplit(")", 1)[1].split()[:2]
            found += [path.parent.name] if state == "Z" and int(owner) == parent else []
    return found


def test_quickstart_stops_where_nobody_looks_after_orphans(quickstart):
    one = quickstart("--no-redis", under=["/usr/bin/python3", "-c", CARELESS]).wait_ready()
    wait_for(lambda: sum(b"--quiet" in words and b"bash" not in words for _, words in one.descendants()) == 2, "what feeds")
    init = one.process.pid
    seen = []
    one.process.terminate()
    wait_for(lambda: seen.extend(zombies(init)) or one.process.poll() is not None, lambda: f"its end: {one.output()}")
    assert seen  # else this is no test
    assert one.process.returncode == 143 and "killed" not in one.output()
    assert [path.name for path in one.folder.iterdir()] == ["quickstart.out"]


def test_quickstarts_look_for_ports_one_at_a_time(quickstart):
    """Also where they are of different checkouts, which have build folders of their own."""
    Path("/tmp/zcast-quickstart.lock").touch()
    with open("/tmp/zcast-quickstart.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one = quickstart("--no-redis")
        wait_for(lambda: "another quickstart is starting: waiting" in one.output(), lambda: one.output(), LIMIT * 4)
        assert not one.is_ready()
    one.wait_ready()


def checkout(place):
    """A copy of what belongs to the project."""
    git = run("git", "-C", SOURCE, "ls-files", "-z", "--cached", "--others", "--exclude-standard", check=False) if (SOURCE / ".git").exists() else None
    if git and git.returncode == 0:
        for name in filter(None, git.stdout.split("\0")):
            if (SOURCE / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(SOURCE / name, place / name)
    else:
        shutil.copytree(SOURCE, place, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns("build", "*.o", "*.a", "node_modules", "config.status", "Makefile"))


# in the place of make: building is slow, and works as it does elsewhere once it is configured
MAKE = """#!/bin/sh
case $1 in -j*) echo "made in $PWD"; exit 7 ;; esac
exec /usr/bin/make "$@"
"""


@pytest.mark.parametrize("how", ["blank", "read-only"])
def test_checkouts_that_configure_would_refuse(how):
    """Whose path has a blank in it; and which can't be written to, with a build folder elsewhere."""
    with tempfile.TemporaryDirectory(prefix="zcast-") as folder:
        place = Path(folder) / "my checkout"
        checkout(place)
        tools = Path(folder) / "bin"
        tools.mkdir()
        (tools / "make").write_text(MAKE)
        (tools / "make").chmod(0o755)
        env = {**environment(), "PATH": f"{tools}:{os.environ['PATH']}"}
        build = place / "build"
        words = [str(place / "tools/quickstart"), "--port", str(free_port()), "--no-redis"]
        before = sorted(path.relative_to(place) for path in place.rglob("*"))
        if how == "read-only":
            build = Path(folder) / "my build"
            env["ZCAST_BUILD"] = str(build)
            if os.getuid() == 0:  # to whom permissions mean nothing
                script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
                words = ["unshare", "--mount", "sh", "-c", script, "sh", str(place), *words]
            else:
                run("chmod", "-R", "a-w", place)
        else:
            env.pop("ZCAST_BUILD")
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=LIMIT * 4)
        if how == "read-only" and os.getuid() != 0:
            run("chmod", "-R", "u+w", place)
        assert done.returncode == 1 and f"made in {build}" in done.stdout, done
        assert f"failed: make -j" in done.stderr
        assert (build / "Makefile").exists() and (build / "config.status").exists()
        if how == "read-only":
            assert sorted(path.relative_to(place) for path in place.rglob("*")) == before
            env.pop("ZCAST_BUILD")
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=LIMIT) if os.getuid() == 0 else None
            assert done is None or (done.returncode == 1 and "say with ZCAST_BUILD" in done.stderr), done


def test_what_is_logged_commands_no_terminal():
    """The end of a log, as it is shown where something failed."""
    function = re.search(r"^show_log \(\)\n\{.*?^\}$", Path(QUICKSTART).read_text(), re.MULTILINE | re.DOTALL)[0]
    with tempfile.NamedTemporaryFile() as log:
        log.write(b"k\xc3\xa4se\t\x1b[2J\x07\x7f\xc2\x9b31m\r\n")
        log.flush()
        assert run("bash", "-c", f'{function}\nshow_log 5 "$1"', "bash", log.name).stdout == "käse\t?[2J???31m?\n"


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
        (["--web", "apache"], "expected nginx, lighttpd, caddy or none"),
        (["--nonsense"], "unknown option '--nonsense'"),
        (["shell", "--nonsense"], "unknown option '--nonsense'"),
        (["--", "zmq"], "unexpected 'zmq'"),
    ],
)
def test_quickstart_refuses(options, message):
    done = run(QUICKSTART, *options, check=False)
    assert done.returncode == 2 and message in done.stderr


def test_quickstart_help():
    assert "check" in run(QUICKSTART, "--help").stdout


def test_other_release_says_what_it_needs():
    other = str(SOURCE / "tests/other-release")
    assert "mmdebstrap" in run(other, "--help").stdout
    # it names no host: the mirror is this machine's
    assert not re.search(r"https?://", (SOURCE / "tests/other-release").read_text())
    with tempfile.TemporaryDirectory() as place:  # the checkout may be where only root comes in
        os.chmod(place, 0o755)
        (Path(place) / "tests").mkdir()
        other = shutil.copy(other, f"{place}/tests")
        somebody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.getuid() == 0 else []
        done = run(*somebody, "bash", other, check=False)
    assert done.returncode == 1 and "as root" in done.stderr


def test_scripts_are_clean():
    """shellcheck, over every shell script of the project."""
    scripts = [SOURCE / name for name in ("tools/quickstart", "tests/other-release", ".ci/run", "autogen.sh", "tests/packages/run", "tests/packages/inside")]
    scripts += SOURCE.glob("debian/*.post*")
    run("shellcheck", *[path for path in scripts if path.exists()])
