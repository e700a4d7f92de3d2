"""A private zcast stack for the tests: daemons, web servers and Redis on free ports and in a temporary
folder, and the clients that look at them.

    def test_x(stack):                  # fixture of conftest.py
        stack.broker()
        stack.fcgi(processes=2)
        stack.nginx()
        with stack.sse("topic") as client:
            client.wait_open()
            stack.publish("topic", "hello")
            assert client.wait(1)[0].data == "hello"

Every wait is for a condition, with LIMIT seconds to come true. A daemon that ends with a sanitizer's report or
with a status other than 0 where nobody killed it fails the test, and so does a missing program.
"""

import asyncio
import collections
import contextlib
import http.client
import inspect
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import zmq

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ZCAST_BUILD") or SOURCE).resolve()
LIMIT = 90.0  # seconds; a busy machine must not fail a test

PROGRAMS = {
    "zcast-broker": "broker/zcast-broker",
    "zcast-fcgi": "fcgi/zcast-fcgi",
    "zcast-ws": "ws/zcast-ws",
    "zcast-redis": "bridge/zcast-redis",
    "zmq": "tools/zmq",
}
SANITIZER = re.compile(
    r"ERROR: (Address|Leak|Undefined|Memory|Thread)\w*Sanitizer|: runtime error: |Sanitizer:DEADLYSIGNAL"
)


class Missing(AssertionError):
    """A program or package that the tests need isn't there."""


def program(name):
    """The path of one of our programs, or of one from a package."""
    if name in PROGRAMS:
        path = BUILD / PROGRAMS[name]
        if not os.access(path, os.X_OK):
            raise Missing(f"{name} is not built: no {path}")
        return str(path)
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise Missing(f"{name} is not installed: tools/quickstart check installs it")
    return found


def position(text):
    """An id as two numbers, which compare."""
    first, second = (text.decode() if isinstance(text, bytes) else text).split("-")
    return int(first), int(second)


NOT_YET = (LookupError, TypeError, AttributeError)  # "not there yet" is "not yet": a worker's report, a match, an element


def wait_for(condition, what, limit=LIMIT):
    """Calls `condition` until it returns something true, and returns that. What it looks into may not be there yet. `what` says what
    was waited for; it may be a function."""
    end = time.monotonic() + limit
    pause = 0.002
    while True:
        why = ""
        try:
            value = condition()
        except NOT_YET as missing:
            value, why = None, f" ({missing!r})"
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit:.0f} s: {what() if callable(what) else what}{why}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


# What says that a port is somebody's before a program listens there: the names end with the process that has them.
reserved = collections.deque(maxlen=100)


def free_port():
    """A TCP port of the loopback that nobody has, no other test either; below the range that outgoing connections take theirs
    from."""
    while True:
        port = random.randint(20000, 31999)
        name = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                name.bind(f"\0zcast-tests-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                name.close()
                continue
        reserved.append(name)
        return port


def can_connect(address):
    """Whether someone accepts at a (host, port) or at a path."""
    family = socket.AF_UNIX if isinstance(address, (str, Path)) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(address) if family == socket.AF_UNIX else address)
            return True
        except OSError:
            return False


def connections(endpoint):
    """The local ports of all that have a connection to a TCP endpoint of this machine, whether the far side has accepted it or not."""
    port = int(endpoint.rsplit(":", 1)[1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if int(row[2].rsplit(":", 1)[1], 16) == port and row[3] == "01"}


# ---------------------------------------------------------------------------------------------------------
# processes


class Daemon:
    """A process that a test started, with its log."""

    def __init__(self, name, argv, folder, env=None, clean=None, stdin=subprocess.DEVNULL, pass_fds=(), limit_fds=None, abrupt=False):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log_path = folder / f"{name}.log"
        # whether it must end with status 0 when told to stop: ours must
        self.clean = Path(self.argv[0]).name in PROGRAMS if clean is None else clean
        self.abrupt = abrupt  # it is killed in the end: Apache waits 10 s for streams whose browser has left
        self.killed = False
        self._log = open(self.log_path, "ab")
        command = self.argv
        if limit_fds:  # the hard limit too: daemons raise the soft one
            command = [program("prlimit"), f"--nofile={limit_fds}:{limit_fds}", "--", *command]
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment(**(env or {})),
            pass_fds=pass_fds,
            start_new_session=True,
        )

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, limit=LIMIT):
        """Waits until the log has a match of a regular expression, and returns it."""
        return wait_for(lambda: re.search(pattern, self.log()), f"{pattern!r} in the log of {self.name}", limit)

    def wait_ready(self, condition, what="ready"):
        def check():
            if not self.running():
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            return condition()

        wait_for(check, f"{self.name} {what}")
        return self

    def send_signal(self, number):
        os.kill(self.pid, number)

    def pause(self):
        """SIGSTOP to it and to its children."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def kill(self):
        """kill -9 of it and of its children; returns when they are gone."""
        self.killed = True
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(LIMIT)

    def stop(self, number=signal.SIGTERM, limit=LIMIT):
        """Asks it to end, waits, and returns its exit status. One that doesn't end in time is killed and fails the test."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)
                os.kill(self.pid, number)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} had not ended {limit:.0f} s after signal {number}") from None
        return self.process.returncode

    def wait(self, limit=LIMIT):
        """Waits until it ends by itself; returns its exit status."""
        return self.process.wait(limit)

    def pids(self):
        """It and its descendants."""
        found = [self.pid] if self.running() else []
        for pid in found:
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    found += [int(word) for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
        return found

    def fds(self):
        """Open descriptors of it and its descendants."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def threads(self):
        return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in self.pids())

    def pss(self):
        """User memory in bytes, what is shared counted by its share, of it and its descendants."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def cpu(self):
        """Seconds of CPU that it and its descendants have used."""
        total = 0
        for pid in self.pids():
            words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(words[11]) + int(words[12])
        return total / os.sysconf("SC_CLK_TCK")

    def complaints(self):
        """What is wrong with how it ended or with what it printed; None if nothing."""
        report = SANITIZER.search(self.log())
        if report:
            return f"{self.name}: {report.group(0)}"
        if self.clean and not self.killed and not self.running() and self.process.returncode != 0:
            return f"{self.name} ended with status {self.process.returncode}"
        return None

    def close(self):
        self._log.close()


def is_sanitized(name="zcast-broker"):
    """Whether a program was built with AddressSanitizer, which keeps what is freed."""
    return b"__asan_init" in Path(program(name)).read_bytes()


def sanitizer_env():
    return {
        # little of what is freed is kept back, so that tests may look at memory
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:quarantine_size_mb=8"),
        "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", "print_stacktrace=1"),
    }


def environment(**more):
    """What programs are started with. Whatever this runs in, such as the shell of a running stack, its ZCAST_ variables are none of
    theirs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZCAST_")}
    return {**inherited, **sanitizer_env(), **more}


def run(*argv, input=None, timeout=LIMIT * 2, check=True, env=None, cwd=None):
    """Runs a program to its end. Returns subprocess.CompletedProcess with text; `check` expects status 0."""
    words = [program(argv[0]) if "/" not in str(argv[0]) else str(argv[0]), *map(str, argv[1:])]
    done = subprocess.run(
        words,
        input=input,
        capture_output=True,
        text=not isinstance(input, bytes),
        timeout=timeout,
        env=environment(**(env or {})),
        cwd=cwd,
        check=False,
    )
    report = SANITIZER.search(done.stderr if isinstance(done.stderr, str) else done.stderr.decode(errors="replace"))
    if report or (check and done.returncode != 0):
        raise AssertionError(f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


# ---------------------------------------------------------------------------------------------------------
# the stack


def frame(value):
    return value if isinstance(value, bytes) else str(value).encode()


class Reply(AssertionError):
    """The broker answered ERR."""


class Stack:
    """Daemons that belong together: they share endpoints and a folder. Stops them in the reverse order."""

    def __init__(self):
        # not pytest's tmp_path: a Unix socket's path has at most 107 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="zcast-"))
        self.folder.chmod(0o755)
        self.daemons = []
        self.closers = []
        self.context = zmq.Context()
        self.publish_endpoint = f"ipc://{self.folder}/publish"
        self.subscribe_endpoint = f"ipc://{self.folder}/subscribe"
        self.control_endpoint = f"ipc://{self.folder}/control"
        self.fcgi_socket = self.folder / "sse.sock"
        self.ws_port = free_port()
        self.web_port = None
        self.redis_port = None

    # -- configuration

    def endpoints(self):
        """The options by which a program finds this broker."""
        return [
            f"--publish={self.publish_endpoint}",
            f"--subscribe={self.subscribe_endpoint}",
            f"--control={self.control_endpoint}",
        ]

    def use_tcp(self, host="127.0.0.1"):
        """ZeroMQ over TCP on free ports, instead of over ipc."""
        self.context.ipv6 = "[" in host
        self.publish_endpoint, self.subscribe_endpoint, self.control_endpoint = (
            f"tcp://{host}:{free_port()}" for _ in range(3)
        )
        return self

    def over(self, link):
        """The options by which a program reaches this broker, which is at TCP ports, over a link of relay.py."""
        self.closers.append(link.close)
        options = []
        for option in self.endpoints():
            name, port = re.fullmatch(r"(--\w+)=tcp://127\.0\.0\.1:(\d+)", option).groups()
            near = free_port()
            link.listen(near, ("127.0.0.1", int(port)))
            options.append(f"{name}=tcp://127.0.0.1:{near}")
        return options

    # -- our programs

    def start(self, name, argv, ready=None, **how):
        """Any program. `ready`: a condition to wait for."""
        daemon = Daemon(self._free_name(name), [program(argv[0]), *argv[1:]], self.folder, **how)
        self.daemons.append(daemon)
        if ready:
            daemon.wait_ready(ready)
        return daemon

    def _free_name(self, name):
        taken = sum(1 for daemon in self.daemons if daemon.name.split("#")[0] == name)
        return f"{name}#{taken + 1}" if taken else name

    def broker(self, *options, **how):
        return self.start("zcast-broker", ["zcast-broker", *self.endpoints(), *options], ready=self.broker_answers, **how)

    def broker_answers(self):
        try:
            return self.request("PING", limit=1)[0] == b"OK"
        except TimeoutError:
            return False

    def fcgi(self, *options, processes=1, socket_path=None, **how):
        path = socket_path or self.fcgi_socket
        argv = ["zcast-fcgi", *self.endpoints()[1:], f"--socket={path}", f"--processes={processes}", *options]
        return self.start("zcast-fcgi", argv, ready=lambda: can_connect(path), **how)

    def ws(self, *options, listen=None, **how):
        listen = listen or f"127.0.0.1:{self.ws_port}"
        path = listen.removeprefix("unix:")
        address = path if path.startswith("/") else (path.rsplit(":", 1)[0].strip("[]"), int(path.rsplit(":", 1)[1]))
        argv = ["zcast-ws", *self.endpoints(), f"--listen={listen}", *options]
        return self.start("zcast-ws", argv, ready=lambda: can_connect(address), **how)

    def bridge(self, *options, **how):
        """Ready once it has subscribed to a channel or a pattern (of the Redis that was started before)."""
        argv = ["zcast-redis", *self.endpoints(), f"--redis={self.redis_url}", *options]
        return self.start("zcast-redis", argv, ready=self._redis_has_subscribers, **how)

    def _redis_has_subscribers(self):
        return self.redis_cli("pubsub", "numpat") != "0" or self.redis_cli("pubsub", "channels") != ""

    def zmq(self, command, *arguments, **how):
        """`zmq COMMAND …` against this broker, to its end."""
        return run("zmq", command, *self.endpoints(), *arguments, **how)

    # -- what the others made

    def redis(self, *options):
        self.redis_port = self.redis_port or free_port()
        argv = ["redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
        return self.start("redis-server", [*argv, *options], ready=self._redis_answers)

    @property
    def redis_url(self):
        return f"redis://127.0.0.1:{self.redis_port}"

    def _redis_answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.redis_port), 5) as link:
                link.sendall(b"PING\r\n")
                return link.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def redis_cli(self, *words):
        return run("redis-cli", "-p", self.redis_port, *words).stdout.strip()

    def rendered(self, sample, others=None):
        """The text of a sample file below etc/ with this stack's addresses in the place of the default ones: those
        strings are all that is replaced. `others`: some of them with another replacement."""
        text = (SOURCE / "etc" / sample).read_text()
        for default, ours in {
            "/run/zcast/sse.sock": str(self.fcgi_socket),
            "/run/zcast": f"{self.folder}/run-zcast",
            "8081": str(self.ws_port),
            "8080": str(self.web_port),
            "/usr/share/zcast/www": str(SOURCE / "www"),
            "/etc/lighttpd": str(self.folder),
            "/etc/apache2": str(SOURCE / "etc/apache"),
            "/usr/sbin/zcast-fcgi": str(BUILD / PROGRAMS["zcast-fcgi"]),
            "/etc/zcast/zcast.conf": str(self.config_file()),
            **(others or {}),
        }.items():
            text = text.replace(default, ours)
        return text

    def render(self, sample, name=None, edit=lambda text: text):
        path = self.folder / (name or Path(sample).name)
        path.write_text(edit(self.rendered(sample)))
        return path

    def config_file(self):
        """A zcast.conf with this stack's endpoints."""
        path = self.folder / "zcast.conf"
        if not path.exists():
            path.write_text(
                "common\n"
                f'    publish = "{self.publish_endpoint}"\n'
                f'    subscribe = "{self.subscribe_endpoint}"\n'
                f'    control = "{self.control_endpoint}"\n'
            )
        return path

    def nginx(self, edit=lambda text: text, **how):
        """nginx on the samples of etc/nginx; `edit` changes their text (all files)."""
        self.web_port = self.web_port or free_port()
        for sample in ("zcast-http.conf", "zcast.conf", "private.conf"):
            self.render(f"nginx/{sample}", f"nginx-{sample}", lambda text: edit(text.replace("include zcast", "include nginx-zcast")))
        argv = ["nginx", "-p", f"{self.folder}/", "-e", "stderr", "-c", "nginx-private.conf"]
        if os.getuid() == 0:  # its workers have to reach this folder and the checkout
            argv += ["-g", "user root;"]
        return self.start("nginx", argv, ready=lambda: can_connect(("127.0.0.1", self.web_port)), **how)

    def lighttpd(self, events="events.conf", edit=lambda text: text, **how):
        """lighttpd on the samples of etc/lighttpd; `events`: which of its ways /events goes."""
        self.web_port = self.web_port or free_port()
        (self.folder / "zcast").mkdir(exist_ok=True)
        for path in (SOURCE / "etc/lighttpd").iterdir():
            made = self.render(f"lighttpd/{path.name}", f"zcast/{path.name}", edit)
            made.chmod(path.stat().st_mode)
        main = (self.folder / "zcast/private.conf").rename(self.folder / "lighttpd.conf")
        zcast = self.folder / "zcast/zcast.conf"
        zcast.write_text(zcast.read_text().replace('include "zcast/events.conf"', f'include "zcast/{events}"'))
        argv = ["lighttpd", "-D", "-f", main]
        return self.start("lighttpd", argv, ready=lambda: can_connect(("127.0.0.1", self.web_port)), **how)

    def apache(self, edit=lambda text: text, **how):
        """Apache on the samples of etc/apache."""
        self.web_port = self.web_port or free_port()
        # its workers are not root's, and may not reach the checkout
        ours = {"Include zcast.conf": "Include zcast.conf.apache"}
        for folder in (SOURCE / "www", SOURCE / "etc/apache"):
            ours[str(folder)] = str(shutil.copytree(folder, self.folder / folder.name, dirs_exist_ok=True))

        def change(text):
            for old, new in ours.items():
                text = text.replace(old, new)
            return edit(text)

        main = self.render("apache/private.conf", "apache.conf", change)
        self.render("apache/zcast.conf", "zcast.conf.apache", change)
        argv = ["apache2", "-DFOREGROUND", "-d", self.folder, "-f", main]
        return self.start("apache2", argv, ready=lambda: can_connect(("127.0.0.1", self.web_port)), abrupt=True, **how)

    def nginx_proxy(self, edit=lambda text: text, **how):
        """nginx on the samples that reach zcast-ws over HTTP."""
        self.web_port = self.web_port or free_port()
        self.render("nginx/zcast-proxy.conf", "nginx-zcast-proxy.conf", edit)

        def change(text):
            return edit(text.replace("include nginx-zcast.conf;", "include nginx-zcast-proxy.conf;"))

        return self.nginx(edit=change, **how)

    def caddy(self, events="events.caddy", edit=lambda text: text, **how):
        """Caddy on the samples of etc/caddy; `events`: which of its ways /events goes; `edit`: of zcast.caddy."""
        self.web_port = self.web_port or free_port()
        (self.folder / "zcast").mkdir(exist_ok=True)
        for name in ("zcast.caddy", "events.caddy", "events-fcgi.caddy"):
            self.render(f"caddy/{name}", f"zcast/{name}", lambda text: text.replace("import events.caddy", f"import {events}"))
        path = self.folder / "zcast/zcast.caddy"
        path.write_text(edit(path.read_text()))
        argv = ["caddy", "run", "--config", self.render("caddy/Caddyfile"), "--adapter", "caddyfile"]
        env = {"XDG_CONFIG_HOME": str(self.folder), "HOME": str(self.folder)}
        return self.start("caddy", argv, ready=lambda: can_connect(("127.0.0.1", self.web_port)), env=env, abrupt=True, **how)

    def caddy_fcgi(self, **how):
        return self.caddy("events-fcgi.caddy", **how)

    def haproxy(self, edit=lambda text: text, **how):
        """HAProxy on the sample of etc/haproxy."""
        self.web_port = self.web_port or free_port()
        argv = ["haproxy", "-db", "-f", self.render("haproxy/zcast.cfg", "haproxy.cfg", edit)]
        return self.start("haproxy", argv, ready=lambda: can_connect(("127.0.0.1", self.web_port)), abrupt=True, **how)

    def haproxy_fcgi(self, **how):
        """With the lines about FastCGI that are commented out in place of those before them."""

        def edit(text):
            lines = text.splitlines(keepends=True)
            backend = ""
            for number, line in enumerate(lines):
                backend = line.split()[1] if line.startswith("backend ") else backend
                if backend in ("zcast_events", "zcast_publish"):
                    lines[number] = "" if line.startswith("    server ") else line.replace("    #use-", "    use-").replace("    #server", "    server")
            return "".join(lines)

        return self.haproxy(edit=edit, **how)

    # -- ZeroMQ

    def socket(self, kind, endpoint, **options):
        """A ZeroMQ socket that is closed with the stack."""
        made = self.context.socket(kind)
        made.linger = 0
        for name, value in options.items():
            made.setsockopt(getattr(zmq, name.upper()), value)
        made.connect(endpoint)
        self.closers.append(lambda: made.close(0))
        return made

    def request(self, *frames, limit=LIMIT):
        """One request on control; the frames of the last reply. TimeoutError where there is none."""
        return self.requests(*frames, limit=limit)[-1]

    def requests(self, *frames, limit=LIMIT):
        """One request on control; all its replies (MSG… END of REPLAY and FETCH)."""
        with self.context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.connect(self.control_endpoint)
            dealer.send_multipart([b"", *map(frame, frames)])
            replies = []
            while True:
                if not dealer.poll(limit * 1000):
                    raise TimeoutError(f"no answer to {frames[0]} on {self.control_endpoint}")
                replies.append(dealer.recv_multipart()[1:])
                if replies[-1][0] != b"MSG":
                    return replies

    def publish(self, topic, payload, headers=None, limit=LIMIT):
        """Publishes with acknowledgement; returns the id. `headers`: a dict."""
        lines = "".join(f"{name}: {value}\n" for name, value in (headers or {}).items())
        reply = self.request("PUBLISH", topic, payload, *([lines] if lines else []), limit=limit)
        if reply[0] != b"OK":
            raise Reply(b" ".join(reply).decode(errors="replace"))
        return reply[1].decode()

    def stats(self):
        """What the broker says of itself now. Of workers it knows what they last reported, a few seconds ago, or nothing yet: what
        depends on them is waited for, with wait_stats or wait_report."""
        return json.loads(self.request("STATS")[1])

    def wait_stats(self, condition, what, limit=LIMIT):
        """Until the broker's figures fulfil a condition; returns the figures."""
        seen = {}

        def look():
            seen.update(now=self.stats())
            return condition(seen["now"]) and seen["now"]

        return wait_for(look, lambda: f"{what}: {seen.get('now')}", limit)

    def wait_report(self, name, condition=lambda report: True, what="its report", limit=LIMIT):
        """Until what a worker or bridge reports under `name` fulfils a condition; returns the report."""
        stats = self.wait_stats(lambda stats: condition(stats["workers"][name]), f"{name}: {what}", limit)
        return stats["workers"][name]

    def pub(self):
        """A PUB socket of pyzmq on the publish endpoint, known to be connected and subscribed to."""
        # A PUB cannot see subscriptions; an XPUB is the same socket to the peer, and can.
        made = self.socket(zmq.XPUB, self.publish_endpoint)
        if not made.poll(LIMIT * 1000):
            raise AssertionError(f"the broker does not subscribe at {self.publish_endpoint}")
        made.recv()
        return made

    def sub(self, *topics):
        """A SUB socket of pyzmq on the subscribe endpoint, known to be live (SYNC)."""
        made = self.socket(zmq.SUB, self.subscribe_endpoint, rcvhwm=0, rcvtimeo=int(LIMIT * 1000))
        for topic in topics:
            made.subscribe(frame(topic))
        nonce = os.urandom(8).hex().encode()
        made.subscribe(b"\x01" + nonce)
        reply = self.request("SYNC", nonce, "\n".join(map(str, topics)))
        if reply[0] != b"OK":
            raise Reply(b" ".join(reply).decode(errors="replace"))
        made.unsubscribe(b"\x01" + nonce)
        return made

    # -- clients

    def url(self, path, topics=(), **query):
        words = [("topic", topic) for topic in topics]
        words += [(name.replace("_", "-"), value) for name, value in query.items()]
        text = urllib.parse.urlencode(words)
        return f"http://127.0.0.1:{self.web_port}{path}" + (f"?{text}" if text else "")

    def sse(self, *topics, path="/events", headers=None, reconnect=False, **query):
        client = SseClient(self.url(path, topics, **query), headers=headers, reconnect=reconnect)
        self.closers.append(client.close)
        return client

    def websocket(self, *topics, port=None, path="/ws", **how):
        """A client of python3-websockets, at the daemon itself, or at `port` (the web server's: stack.web_port)."""
        query = how.pop("query", {})
        url = self.url(path, topics, **query).replace("http://", "ws://", 1)
        url = url.replace(f":{self.web_port}/", f":{port or self.ws_port}/", 1)
        client = WsClient(url, **how)
        self.closers.append(client.close)
        return client

    def get(self, path, method="GET", headers=None, body=None):
        """One request at the web server, read to its end: (status, headers, body)."""
        link = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=LIMIT)
        try:
            link.request(method, path, body=body, headers=headers or {})
            reply = link.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            link.close()

    # -- the end

    def close(self):
        """Stops everything; returns what was wrong, as text."""
        wrong = []
        for closer in reversed(self.closers):
            closer()
        for daemon in reversed(self.daemons):
            try:
                if daemon.abrupt and daemon.running():
                    daemon.kill()
                daemon.stop()
            except AssertionError as late:
                wrong.append(str(late))
            daemon.close()
        wrong += [text for text in (daemon.complaints() for daemon in self.daemons) if text]
        self.context.destroy(0)
        return wrong

    def logs(self, tail=6000):
        return "".join(f"--- {daemon.name}: {' '.join(daemon.argv)}\n{daemon.log()[-tail:]}\n" for daemon in self.daemons)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------------
# clients


class Event:
    """One event of a stream."""

    def __init__(self, event, data, id, at):
        self.event, self.data, self.id, self.at = event, data, id, at

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"Event({self.event!r}, {self.data!r}, id={self.id!r})"


class SseParser:
    """Text of a stream in, events out: WHATWG HTML §9.2.6."""

    def __init__(self):
        self.last_id = ""
        self.retry = None
        self.comments = 0
        self._reset()

    def _reset(self):
        self._event, self._data, self._id = "", [], None

    def line(self, line):
        """Takes a line without its end; returns an Event where the line completes one."""
        if line == "":
            return self._dispatch()
        if line.startswith(":"):
            self.comments += 1
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry = int(value)
        return None

    def _dispatch(self):
        if self._id is not None:
            self.last_id = self._id
        made = None
        if self._data:
            made = Event(self._event or "message", "\n".join(self._data), self.last_id, time.monotonic())
        self._reset()
        return made


class SseClient:
    """An EventSource in a thread: keeps what came in `events`. With `reconnect` it comes back after the stream's retry time with
    Last-Event-ID, and gives up for good on a status other than 200, as browsers do."""

    def __init__(self, url, headers=None, reconnect=False):
        self.url = urllib.parse.urlsplit(url)
        self.headers = dict(headers or {})
        self.reconnect = reconnect
        self.parser = SseParser()
        self.events = []
        self.connections = 0
        self.status = None
        self.reply_headers = None
        self.body = b""  # of a reply that isn't a stream
        self.given_up = None
        self.closed = False
        self._open = False
        self._changed = threading.Condition()
        self._socket = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def last_id(self):
        return self.parser.last_id

    def _run(self):
        while not self.closed:
            try:
                self._read_stream()
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                pass  # a cut connection; AttributeError: http.client when close() takes its file away
            with self._changed:
                self._open = False
                self._changed.notify_all()
                if self.given_up or not self.reconnect or self.closed:
                    self.closed = True
                    self._changed.notify_all()
                    return
                pause = (self.parser.retry if self.parser.retry is not None else 500) / 1000
                self._changed.wait_for(lambda: self.closed, pause)

    def _read_stream(self):
        link = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=LIMIT)
        try:
            link.connect()
            self._socket = link.sock
            headers = {"Accept": "text/event-stream", **self.headers}
            if self.parser.last_id:
                headers["Last-Event-ID"] = self.parser.last_id
            link.request("GET", f"{self.url.path}?{self.url.query}", headers=headers)
            reply = link.getresponse()
            stream = reply.status == 200 and (reply.headers.get("Content-Type") or "").startswith("text/event-stream")
            with self._changed:
                self.connections += 1
                self.status = reply.status
                self.reply_headers = reply.headers
                self._open = stream
                self._changed.notify_all()
            if not stream:
                self.body = reply.read()
                self.given_up = f"status {reply.status}, {reply.headers.get('Content-Type')}"
                return
            self._socket.settimeout(None)
            while not self.closed:
                line = reply.readline()
                if not line.endswith(b"\n"):
                    return
                self._take(line)
        finally:
            link.close()

    def _take(self, line):
        with self._changed:
            made = self.parser.line(line.decode("utf-8").rstrip("\r\n"))
            if made:
                self.events.append(made)
            self._changed.notify_all()

    def _wait(self, condition, what, limit):
        with self._changed:
            if not self._changed.wait_for(condition, limit):
                raise AssertionError(f"not within {limit:.0f} s: {what}; {self!r}")

    def wait_open(self, limit=LIMIT):
        """Until the stream is open and the worker has said its first line."""
        self._wait(
            lambda: self.given_up or (self._open and (self.parser.comments or self.events or self.parser.retry)),
            "an open stream",
            limit,
        )
        assert not self.given_up, f"{self.given_up}: {self.body!r}"
        return self

    def wait_closed(self, limit=LIMIT):
        self._wait(lambda: self.closed, "the end of the stream", limit)
        return self

    def messages(self):
        """Events without zcast's own."""
        return [event for event in self.events if not event.event.startswith("zcast.")]

    def wait(self, count, limit=LIMIT):
        """Until there are `count` messages; returns them."""
        self._wait(lambda: len(self.messages()) >= count, f"{count} messages", limit)
        return self.messages()

    def wait_event(self, condition, limit=LIMIT):
        """Until some event (zcast's own too) fulfils the condition; returns it."""
        self._wait(lambda: any(condition(event) for event in self.events), "an event", limit)
        return next(event for event in self.events if condition(event))

    def close(self):
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not threading.current_thread():
            self._thread.join(LIMIT)

    def __repr__(self):
        return f"SseClient({self.url.query}, status {self.status}, {len(self.events)} events, last {self.events[-3:]})"


def websockets_connect(url, headers=None, **options):
    """websockets.connect, of the older versions of python3-websockets and of those from 14 on."""
    try:
        import websockets
    except ImportError:
        raise Missing("python3-websockets is not installed: tools/quickstart check installs it") from None
    newer = "additional_headers" in inspect.signature(websockets.connect.__init__).parameters
    if headers:
        options["additional_headers" if newer else "extra_headers"] = headers
    if newer:
        options["proxy"] = None  # whatever this runs in has one for the world outside
    return websockets.connect(url, **options)


def websocket_answer(link):
    """The headers of the answer that opened a connection of python3-websockets."""
    return link.response.headers if hasattr(link, "response") else link.response_headers


class WsClient:
    """A WebSocket client (python3-websockets) in a thread: keeps what came in `messages`. `headers`: more than it sends by itself."""

    def __init__(self, url, subprotocols=None, **options):
        self.url = url
        self.messages = []
        self.error = None  # why it could not connect
        self.close_code = None
        self.close_reason = None
        self.closed = False
        self._options = {"subprotocols": subprotocols, "compression": None, "max_size": None, "open_timeout": LIMIT, **options}
        self._socket = None
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self):
        try:
            self._loop.run_until_complete(self._read())
        except Exception as wrong:  # refused, cut, closed: the test asks
            self.error = wrong
        with self._changed:
            if self._socket is not None:
                self.close_code, self.close_reason = self._socket.close_code, self._socket.close_reason
            self.closed = True
            self._changed.notify_all()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _read(self):
        async with websockets_connect(self.url, **self._options) as link:
            with self._changed:
                self._socket = link
                self._changed.notify_all()
            async for message in link:
                with self._changed:
                    self.messages.append(message)
                    self._changed.notify_all()

    def _wait(self, condition, what, limit):
        with self._changed:
            if not self._changed.wait_for(condition, limit):
                raise AssertionError(f"not within {limit:.0f} s: {what}; {self!r}")

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT)

    @property
    def subprotocol(self):
        return self._socket.subprotocol

    def wait_open(self, limit=LIMIT):
        self._wait(lambda: self._socket or self.closed, "an open WebSocket", limit)
        assert self._socket, f"could not connect: {self.error!r}"
        return self

    def wait_closed(self, limit=LIMIT):
        self._wait(lambda: self.closed, "the end of the WebSocket", limit)
        return self

    def wait(self, count, limit=LIMIT):
        self._wait(lambda: len(self.messages) >= count, f"{count} messages", limit)
        return list(self.messages)

    def wait_message(self, condition, limit=LIMIT):
        self._wait(lambda: any(condition(message) for message in self.messages), "a message", limit)
        return next(message for message in self.messages if condition(message))

    def send(self, message):
        self._call(self._socket.send(message))

    def send_json(self, value):
        self.send(json.dumps(value))

    def ping(self):
        async def there_and_back():
            await (await self._socket.ping())

        self._call(there_and_back())

    def close(self):
        if self._socket is not None and not self.closed:
            with contextlib.suppress(Exception):
                self._call(self._socket.close())
        self._thread.join(LIMIT)

    def __repr__(self):
        return f"WsClient({self.url}, closed {self.closed} {self.close_code}, error {self.error!r}, {len(self.messages)} messages)"
