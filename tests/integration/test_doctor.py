"""`zmq doctor` and `zmq ping --through`: samples that are right, samples with one line that is wrong, and servers that are
hostile. Cases run beside one another, in threads: most of their time is waiting."""

import base64
import concurrent.futures
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import zlib

import pytest

from stack import BUILD, LIMIT, PROGRAMS, SOURCE, Stack, environment, free_port, is_sanitized, run

ORIGIN = "https://pages.example"
DIRECT = {"no_proxy": "*"}  # whatever this runs in has a proxy for the world outside
TOPIC = "zmq-doctor"
HTTP2 = "listen 443 ssl http2;  (from nginx 1.25.1 on: listen 443 ssl; http2 on;)"


def doctor(url, *options, check=None):
    """The report, and the exit status."""
    done = run("zmq", "doctor", url, "--json", *options, env=DIRECT, check=False)
    assert done.returncode in (0, 1, 3), done
    report = json.loads(done.stdout)
    assert {"ok": 0, "fail": 1, "warn": 3}[report["verdict"]] == done.returncode
    return report


def finding(report, id):
    return next(each for each in report["checks"] if each["id"] == id)


class Case:
    """A web server on a sample in which `old` is replaced by `new`. `id`: the finding that is expected, `verdict`: its verdict,
    `line`: a part of the line that is told for this server (or for zcast.conf)."""

    def __init__(self, web, id, line, *changes, verdict="fail", options=(), worker="open", server=None, others=()):
        self.web, self.id, self.line, self.changes, self.verdict = web, id, line, changes, verdict
        self.options, self.worker, self.others = options, worker, others
        self.server = server or ("nginx" if web.startswith("nginx") else web.removesuffix("_fcgi"))

    def __repr__(self):
        return f"{self.web}: {self.id}: {self.changes}"

    def edit(self, text):
        for old, new in self.changes:
            self.found |= old in text
            text = text.replace(old, new)
        return text

    def start(self, stack):
        self.found = not self.changes
        getattr(stack, self.web)(edit=self.edit)
        assert self.found, f"{self}: the sample hasn't that line any more"

    def wrong(self, workers):
        """What is wrong with the diagnosis; "" if nothing."""
        stack = Stack()
        try:
            workers.lend(stack, self.worker)
            self.start(stack)
            report = doctor(f"http://127.0.0.1:{stack.web_port}", "--timeout=3", "--seconds=2.5", f"--server={self.server}", *self.options)
            return self.compare(report)
        except AssertionError as error:
            return f"{self}: {error}\n{stack.logs()}"
        finally:
            stack.close()
            stack.remove()

    def compare(self, report):
        found = finding(report, self.id)
        told = " ".join([*found.get("lines", {}).values(), found.get("hint", "")])
        others = {each["id"]: each for each in report["checks"] if each["verdict"] in ("warn", "fail") and each["id"] != self.id}
        if found["verdict"] != self.verdict or self.line not in told or set(others) - set(self.others):
            return f"{self}: {found}; beside it {others}"
        return ""


class Workers:
    """A broker with workers of two kinds: open, and with tokens."""

    def __init__(self, stack):
        self.stacks = {"open": stack, "none": None}
        (stack.folder / "key").write_text("k" * 48)
        (stack.folder / "key").chmod(0o600)
        guarded = Stack()
        guarded.control_endpoint, guarded.publish_endpoint, guarded.subscribe_endpoint = (
            stack.control_endpoint,
            stack.publish_endpoint,
            stack.subscribe_endpoint,
        )
        stack.closers.append(lambda: self.close(guarded))
        self.stacks["tokens"] = guarded
        make = ["zmq", "token", "make", "--key", stack.folder / "key", "--subject", "ann", "--for", "1h"]
        self.token = stack.folder / "ann"
        self.token.write_text(run(*make, "--subscribe", TOPIC, "--publish", TOPIC).stdout)
        stack.broker()
        common = ["--heartbeat=2s", f"--cors-origin={ORIGIN}"]
        tokens = ["--tokens=all", f"--token-keys={stack.folder}/key"]
        started = [stack.ws("--allow-publish", *common), stack.fcgi("--allow-publish", "--socket-mode=0666", *common)]
        started += [guarded.ws("--name=guarded", "--allow-origin=*", *common, *tokens), guarded.fcgi("--name=guarded", "--socket-mode=0666", *common, *tokens)]
        for each in started:
            each.wait_log("broker: connected")

    @staticmethod
    def close(stack):
        assert not stack.close()
        stack.remove()

    def lend(self, stack, kind):
        """The addresses of these workers, for a web server of its own."""
        if self.stacks[kind]:
            stack.ws_port, stack.fcgi_socket = self.stacks[kind].ws_port, self.stacks[kind].fcgi_socket


@pytest.fixture
def workers(stack):
    return Workers(stack)


def together(function, cases):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(function, cases))


def check(workers, cases):
    wrong = [text for text in together(lambda case: case.wrong(workers), cases) if text]
    assert not wrong, "\n\n".join(wrong)


# -- what is right


SAMPLES = ["nginx", "nginx_proxy", "lighttpd", "apache", "caddy", "caddy_fcgi", "haproxy", "haproxy_fcgi"]


def test_nothing_is_wrong_with_our_samples(workers):
    """Each with the whole of the checks: test events, a page of another site, a token; and until two heartbeats have come."""

    def look(way):
        stack = Stack()
        try:
            workers.lend(stack, "tokens")
            getattr(stack, way)()
            url = f"http://127.0.0.1:{stack.web_port}"
            report = doctor(url, f"--token-file={workers.token}", f"--origin={ORIGIN}", "--send=http")
            skipped = {each["id"] for each in report["checks"] if each["verdict"] == "skipped"}
            wrong = [each for each in report["checks"] if each["verdict"] not in ("ok", "skipped")]
            if wrong or skipped != {"tls", "error-page", "connections"}:
                return f"{way}: {wrong}, skipped {skipped}"
            done = run("zmq", "ping", "--through", url, "--token-file", workers.token, "--topic", TOPIC, env=DIRECT, check=False)
            return "" if done.returncode == 0 and done.stdout.startswith("ZCAST OK - ") else f"{way}: {done}"
        except AssertionError as error:
            return f"{way}: {error}\n{stack.logs()}"
        finally:
            stack.close()
            stack.remove()

    wrong = [text for text in together(look, SAMPLES) if text]
    assert not wrong, "\n\n".join(wrong)


def test_nothing_is_wrong_without_a_web_server(workers):
    report = doctor(f"http://127.0.0.1:{workers.stacks['open'].ws_port}", "--seconds=1", "--send=broker", *workers.stacks["open"].endpoints())
    assert report["verdict"] == "ok" and "5 events took" in finding(report, "buffering")["fact"]


# -- one line that is wrong


IN_EVENTS = "location = /events {\n"
TOKEN = ["--token-file=TOKEN"]
CROSS = [f"--origin={ORIGIN}"]

NGINX = [
    Case("nginx", "first-byte", "fastcgi_buffering off;", ("fastcgi_buffering off;", "fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;"), others=["clock"]),
    Case("nginx_proxy", "first-byte", "proxy_buffering off;", ("proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"), ("location = /events {\n    proxy_pass http://zcast_ws;\n    proxy_http_version 1.1;", "location = /events {\n    proxy_pass http://zcast_ws;\n    proxy_http_version 1.0;")),
    Case("nginx", "compression", "gzip off;", ("gzip off;", "gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;"), verdict="warn"),
    Case("nginx", "idle", "fastcgi_read_timeout 75s;", ("fastcgi_read_timeout 75s;", "fastcgi_read_timeout 1s;")),
    Case("nginx_proxy", "idle", "proxy_read_timeout 75s;", (f"    gzip off;\n", "    gzip off; proxy_read_timeout 1s;\n"), ("silence for much longer is a dead one.\n    proxy_read_timeout 75s;", "\n")),
    Case("nginx", "websocket-idle", "proxy_read_timeout 75s;", ("silence for much longer is a dead peer.\n    proxy_read_timeout 75s;", "\n    proxy_read_timeout 1s;")),
    Case("nginx", "websocket", "proxy_set_header Upgrade $http_upgrade;", ("proxy_set_header Upgrade $http_upgrade;", "")),
    Case("nginx", "websocket", "proxy_set_header Connection $zcast_connection;", ("proxy_set_header Connection $zcast_connection;", "")),
    Case("nginx", "websocket", "proxy_http_version 1.1;", ("proxy_http_version 1.1;", "proxy_http_version 1.0;")),
    Case("nginx", "websocket", "location = /ws", ("location = /ws {", "location = /socket {"), verdict="warn"),
    Case("nginx", "websocket", "proxy_set_header Host $http_host;", ("proxy_set_header Host $http_host;", "proxy_set_header Host backend.internal;")),
    Case("nginx", "resume", "fastcgi_param HTTP_LAST_EVENT_ID", (IN_EVENTS, IN_EVENTS + 'fastcgi_param HTTP_LAST_EVENT_ID "";')),
    Case("nginx_proxy", "resume", "proxy_set_header Last-Event-ID", (IN_EVENTS, IN_EVENTS + 'proxy_set_header Last-Event-ID "";')),
    Case("nginx", "token", "HTTP_AUTHORIZATION", (IN_EVENTS, IN_EVENTS + 'fastcgi_param HTTP_AUTHORIZATION "";'), worker="tokens", options=TOKEN),
    Case("nginx", "token", "HTTP_AUTHORIZATION", (IN_EVENTS, IN_EVENTS + 'fastcgi_param HTTP_AUTHORIZATION "";'), worker="tokens", others=["websocket"]),
    Case("nginx", "cache", "expires off;", (IN_EVENTS, IN_EVENTS + "expires 1h;")),
    Case("nginx", "cors", "no add_header Access-Control-Allow-Origin", (IN_EVENTS, IN_EVENTS + "add_header Access-Control-Allow-Origin *;"), options=CROSS, others=["websocket"]),
    Case("nginx", "cors", "$request_method = OPTIONS", (IN_EVENTS, IN_EVENTS + "if ($request_method = OPTIONS) { return 204; }"), options=CROSS, others=["websocket"]),
    Case("nginx", "cors", 'cors-origin = "https://other.example"', options=["--origin=https://other.example"], others=["websocket"]),
    Case("nginx", "accel", "fastcgi_pass_header X-Accel-Buffering;", ("fastcgi_pass_header X-Accel-Buffering;", ""), verdict="warn"),
    Case("nginx", "error-page", "error_page 429 500 502 503 504 =200 @zcast_retry;", ("error_page 429 500 502 503 504 =200 @zcast_retry;", ""), worker="none", others=["stream", "websocket"]),
    Case("nginx", "stream", "upstream zcast_sse", worker="none", others=["websocket"]),
    Case("nginx", "stream", "include snippets/zcast.conf;", (IN_EVENTS, "location = /event {\n")),
    Case("nginx", "stream", "look at https://www.example.org instead", (IN_EVENTS, IN_EVENTS + "return 301 https://www.example.org$request_uri;")),
    Case("nginx", "stream", "Content-Type", (IN_EVENTS, IN_EVENTS + 'fastcgi_hide_header Content-Type; add_header Content-Type "text/plain";')),
]
HEALTHY_LIGHTTPD = 'server.stream-response-body = 2\n    # A browser'
OTHERS = [
    Case("lighttpd", "first-byte", "server.stream-response-body = 2", (HEALTHY_LIGHTTPD, "server.stream-response-body = 0\n    # A browser")),
    Case("lighttpd", "websocket", '"upgrade" => "enable"', ('"upgrade" => "enable"', '"upgrade" => "disable"')),
    Case("lighttpd", "stream", 'include "zcast/zcast.conf"', ('^/(events|publish)$', '^/(event|publish)$')),
    Case("lighttpd", "error-page", "server.error-handler", ('server.error-handler = "/zcast-retry"', ""), worker="none", others=["stream", "websocket"]),
    Case("lighttpd", "resume", "Last-Event-ID", ('server.stream-response-body = 2\n    # A browser', 'setenv.set-request-header = ("Last-Event-ID" => "")\n' + HEALTHY_LIGHTTPD)),
    Case("apache", "token", "CGIPassAuth On", ("CGIPassAuth On", ""), worker="tokens", options=TOKEN),
    Case("apache", "first-byte", "flushpackets=on", ("flushpackets=on", "flushpackets=off")),
    Case("apache", "idle", "timeout=75", ("flushpackets=on timeout=75", "flushpackets=on timeout=1"), options=["--seconds=7.5"]),
    Case("apache", "websocket", "upgrade=websocket", ("upgrade=websocket ", "")),
    Case("apache", "websocket-idle", "timeout=75", ("upgrade=websocket timeout=75", "upgrade=websocket timeout=1"), ("ServerName", "Timeout 1\nServerName")),
    Case("apache", "resume", "RequestHeader unset Last-Event-ID", ("SetEnv no-gzip 1", "SetEnv no-gzip 1\nRequestHeader unset Last-Event-ID")),
    Case("apache", "cors", "Header add Access-Control-Allow-Origin", ("SetEnv no-gzip 1", "SetEnv no-gzip 1\nHeader always add Access-Control-Allow-Origin *"), options=CROSS, others=["websocket"]),
    Case("apache", "error-page", "ErrorDocument 503 /zcast-retry", ("ErrorDocument 503 /zcast-retry", ""), worker="none", others=["stream", "websocket"]),
    Case("caddy", "websocket", "handle /ws", ("handle /ws {", "handle /socket {"), verdict="warn"),
    Case("caddy", "resume", "header_up -Last-Event-ID", ("handle /ws {", "request_header -Last-Event-ID\nhandle /ws {")),
    Case("caddy", "token", "header_up -Authorization", ("handle /ws {", "request_header -Authorization\nhandle /ws {"), worker="tokens", options=TOKEN),
    Case("caddy", "error-page", "handle_errors", ("@zcast_events path /events", "@zcast_events path /nowhere"), worker="none", others=["stream", "websocket"]),
    Case("haproxy", "idle", "timeout server 75s", ("timeout server 75s", "timeout server 1s")),
    Case("haproxy", "websocket-idle", "timeout tunnel 75s", ("timeout tunnel 75s", "timeout tunnel 1s")),
    Case("haproxy", "resume", "http-request del-header Last-Event-ID", ("backend zcast_events\n", "backend zcast_events\n    http-request del-header Last-Event-ID\n")),
    Case("haproxy", "cache", "set-header Cache-Control", ("backend zcast_events\n", "backend zcast_events\n    http-response set-header Cache-Control no-cache\n"), verdict="warn"),
    Case("haproxy", "stream", "use_backend zcast_events if { path /events }", ("{ path /events }", "{ path /event }"), others=["error-page"]),
    Case("haproxy", "error-page", "http-error status 503", ("    http-error status 503", "    #http-error status 503"), ("if !answered", "if !answered FALSE"), worker="none", others=["stream", "websocket"]),
]  # fmt: skip


def with_token(workers, cases):
    for case in cases:
        case.options = [option.replace("TOKEN", str(workers.token)) for option in case.options]
    return cases


def test_one_line_is_wrong_in_nginx(workers):
    check(workers, with_token(workers, NGINX))


def test_one_line_is_wrong_in_another_server(workers):
    check(workers, with_token(workers, OTHERS))


# -- stubs: what no configuration of a proxy makes of it


class Stub:
    """A server on a socket: each connection goes to `serve (link, head)` in a thread of its own."""

    def __init__(self, stack, serve, tls=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve, self.tls = serve, tls
        stack.closers.append(self.listener.close)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(link,), daemon=True).start()

    def _run(self, link):
        try:
            link.settimeout(LIMIT)
            with self.tls.wrap_socket(link, server_side=True) if self.tls else link as link:
                head = b""
                while b"\r\n\r\n" not in head and (more := link.recv(4096)):
                    head += more
                if head:
                    self.serve(link, head.decode(errors="replace"))
        except OSError:
            pass  # the client has seen enough


def head(status="200 OK", type="text/event-stream", **more):
    fields = {"Content-Type": type, "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Connection": "close", **more}
    return f"HTTP/1.1 {status}\r\n{''.join(f'{name}: {value}' + chr(13) + chr(10) for name, value in fields.items())}\r\n".encode()


HEARTBEAT = b"event: zcast.heartbeat\ndata:{}\nid: 1795478400123-0\n\n"


def answer(*parts, pause=0, hold=True, **more):
    """A stream's head, then the parts; the connection is held then."""

    def serve(link, asked):
        link.sendall(head(**more))
        for part in parts:
            link.sendall(part)
            time.sleep(pause)
        if hold:
            while link.recv(4096):
                pass

    return serve


def date(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))


@pytest.mark.parametrize("off, verdict", [(0, "ok"), (-30, "warn"), (3600, "fail")])
def test_a_clock_that_is_off(stack, off, verdict):
    stub = Stub(stack, answer(HEARTBEAT, Date=date(off)))
    found = finding(doctor(stub.url, "--timeout=2", "--seconds=1"), "clock")
    assert found["verdict"] == verdict
    assert off == 0 or ("timedatectl" in found["hint"] and "token-leeway" in found["lines"]["zcast.conf"])


def test_nothing_listens():
    report = doctor(f"http://127.0.0.1:{free_port()}", "--timeout=2")
    found = finding(report, "connection")
    assert found["verdict"] == "fail" and "refused" in found["fact"].lower() + "refused" and "ss -ltn" in found["hint"]
    assert {each["verdict"] for each in report["checks"]} == {"fail", "skipped"}


def test_no_such_host():
    found = finding(doctor("http://no-such-host.invalid", "--timeout=5"), "connection")
    assert found["verdict"] == "fail" and "no-such-host.invalid" in found["fact"]


def test_events_are_gathered(workers):
    """By what stands between: it hands on what has come once a second and a half only, and with it what came since."""
    port = workers.stacks["open"].ws_port

    def gather(link, asked):
        with socket.create_connection(("127.0.0.1", port)) as worker:
            worker.sendall(asked.encode())
            threading.Thread(target=shovel, args=(link, worker, 0), daemon=True).start()
            shovel(worker, link, 0.7 if "GET /events" in asked else 0)

    def shovel(source, to, pause):
        try:
            while more := source.recv(65536):
                time.sleep(pause)
                to.sendall(more)
        except OSError:
            pass

    stub = Stub(workers.stacks["open"], gather)
    found = finding(doctor(stub.url, "--send=http", "--seconds=1", "--server=haproxy"), "buffering")
    assert found["verdict"] == "warn" and "option http-no-delay" in found["lines"]["haproxy"]


def test_events_stay_away(stack):
    """The first one comes, and of those that are published none."""

    def serve(link, asked):
        if asked.startswith("POST"):
            link.sendall(head(type="text/plain") + b"1795478400124-0\n")
        else:
            answer(HEARTBEAT)(link, asked)

    found = finding(doctor(Stub(stack, serve).url, "--send=http", "--timeout=1", "--seconds=1", "--server=nginx"), "buffering")
    assert found["verdict"] == "fail" and "fastcgi_buffering off;" in found["lines"]["nginx"]


def test_publishing_is_refused(stack):
    stack.broker()
    stack.ws("--heartbeat=1s").wait_log("broker: connected")
    found = finding(doctor(f"http://127.0.0.1:{stack.ws_port}", "--send=http", "--seconds=1"), "publish")
    assert found["verdict"] == "fail" and "allow-publish = yes" in found["lines"]["zcast.conf"]


def test_a_page_in_place_of_a_stream(stack):
    """As single-page applications answer all paths."""
    stub = Stub(stack, answer(b"<html>app</html>", hold=False, type="text/html"))
    found = finding(doctor(stub.url, "--timeout=2", "--server=lighttpd"), "stream")
    assert found["verdict"] == "fail" and 'include "zcast/zcast.conf"' in found["lines"]["lighttpd"]


def test_another_s_stream(stack):
    stub = Stub(stack, answer(b"data: x\nid: 1\n\n"))
    assert "not one of zcast's" in finding(doctor(stub.url, "--timeout=2", "--seconds=1"), "stream")["fact"]


def test_a_gap_at_once(stack):
    """Of two brokers without a common history, for example."""

    def serve(link, asked):
        gap = b'event: zcast.continuity\ndata: {"status":"gap","since":"1795478400123-0","from":"1795478400125-0"}\nid: 1795478400125-0\n\n'
        answer(gap if "Last-Event-ID" in asked else HEARTBEAT)(link, asked)

    found = finding(doctor(Stub(stack, serve).url, "--timeout=2", "--seconds=1"), "resume")
    assert found["verdict"] == "fail" and "history = lmdb:/var/lib/zcast" in found["lines"]["zcast.conf"]


def test_a_cache_has_answered(stack):
    stub = Stub(stack, answer(HEARTBEAT, Age="7"))
    found = finding(doctor(stub.url, "--timeout=2", "--seconds=1"), "cache")
    assert found["verdict"] == "fail" and "Age" in found["fact"]


def test_heartbeats_in_bursts(stack):
    stub = Stub(stack, answer(HEARTBEAT, HEARTBEAT * 3, HEARTBEAT * 3, pause=0.3))
    found = finding(doctor(stub.url, "--timeout=2", "--seconds=2"), "buffering")
    assert found["verdict"] == "fail" and "heartbeats came in one burst" in found["fact"]


# -- hostile servers


def endless(*begin, piece):
    def serve(link, asked):
        for part in begin:
            link.sendall(part)
        while True:
            link.sendall(piece)

    return serve


def slowly(link, asked):
    for byte in head() + HEARTBEAT * 100:
        link.sendall(bytes([byte]))
        time.sleep(0.05)


def websocket(link, asked):
    """Frames without an end, right after a good handshake; a stream else."""
    if "Upgrade: websocket" in asked:
        key = re.search(r"Sec-WebSocket-Key: (\S+)", asked)[1]
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        link.sendall(f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        while True:
            link.sendall(b"\x89\x7d" + b"p" * 125)
    answer(HEARTBEAT)(link, asked)


HOSTILE = {
    "an endless head": endless(b"HTTP/1.1 200 OK\r\n", piece=b"X-Field: " + b"x" * 1000 + b"\r\n"),
    "an endless line of it": endless(b"HTTP/1.1 200 OK\r\nX: ", piece=b"x" * 65536),
    "an endless event": endless(head() + b"data: ", piece=b"x" * 65536),
    "endless events": endless(head(), piece=HEARTBEAT * 1000),
    "an endless page": endless(head("404 Not Found", "text/html"), piece=b"<p>" * 20000),
    "a byte at a time": slowly,
    "nothing": lambda link, asked: link.recv(1),
    "the end": lambda link, asked: None,
    "no HTTP": lambda link, asked: link.sendall(b"SSH-2.0-OpenSSH\r\n" * 100),
    "endless pings": websocket,
    "deflated zeros": answer(zlib.compress(b"data: " + b"\0" * 200_000_000, 9), **{"Content-Encoding": "deflate"}),
}


def bounded(*words):
    """A run with little memory and little time; its outputs."""
    limits = ["prlimit", "--as=1000000000", "--", str(BUILD / PROGRAMS["zmq"])] if not is_sanitized("zmq") else [str(BUILD / PROGRAMS["zmq"])]
    return run(limits[0], *limits[1:], *words, env=DIRECT, check=False, timeout=LIMIT)


def test_hostile_servers(stack):
    """They neither crash it, nor stall it, nor fill its memory."""

    def look(kind):
        stub = Stub(stack, HOSTILE[kind])
        done = bounded("doctor", stub.url, "--timeout=1", "--seconds=1", "--origin=https://a.example", "--send=http", "--json")
        ping = bounded("ping", "--through", stub.url, "--timeout=1")
        good = done.returncode in (0, 1, 3) and bool(json.loads(done.stdout)["checks"])
        good &= ping.returncode in (0, 1, 2) and ping.stdout.startswith("ZCAST ") and ping.stdout.count("\n") == 1
        return "" if good else f"{kind}: {done} {ping}"

    wrong = [text for text in together(look, HOSTILE) if text]
    assert not wrong, "\n\n".join(wrong)


SECRET = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXNlY3JldA.c2lnbmF0dXJl"


def test_a_token_that_is_said_back(stack):
    """Wherever a server says it; and characters that a terminal would obey."""
    escape = f"\x1b]0;{SECRET}\x07 | {SECRET}"

    def serve(link, asked):
        assert "Bearer" not in asked or SECRET in asked or "zmq-doctor" in asked
        status = "404 " + SECRET if "/events" in asked else "403 no"
        more = {"Server": escape, "Location": escape, "Set-Cookie": SECRET, "Access-Control-Allow-Origin": escape}
        link.sendall(head(status, "text/plain", **more) + escape.encode() * 50)

    stub = Stub(stack, serve)
    for words in (["doctor", stub.url], ["doctor", stub.url, "--json"], ["ping", "--through", stub.url]):
        done = run("zmq", *words, "--timeout=2", env={**DIRECT, "ZCAST_TOKEN": SECRET}, check=False)
        assert done.stdout and "404" in done.stdout
        assert SECRET not in done.stdout + done.stderr and SECRET[:20] not in done.stdout + done.stderr
        assert "\x1b" not in done.stdout and "\x07" not in done.stdout


def test_a_token_that_is_said_back_on_a_websocket(stack):
    """As the sub-protocol, in a frame that closes, and cut within a long field."""
    long = SECRET + "x" * 3000

    def serve(link, asked):
        if "Upgrade: websocket" in asked:
            key = re.search(r"Sec-WebSocket-Key: (\S+)", asked)[1]
            accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
            said = f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: zcast.token.{long}\r\n\r\n"
            reason = b"\x0f\xa1" + SECRET.encode()
            link.sendall(said.encode() + b"\x88" + bytes([len(reason)]) + reason)
        else:
            link.sendall(head("301 Moved", "text/plain", Location=f"/{long}"))

    stub = Stub(stack, serve)
    for words in ([], ["--json"]):
        done = run("zmq", "doctor", stub.url, "--timeout=2", *words, env={**DIRECT, "ZCAST_TOKEN": long}, check=False)
        assert "301" in done.stdout and "****" in done.stdout and SECRET[:20] not in done.stdout + done.stderr


def test_what_speaks_no_tls(stack):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: listener.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True).start()
    stack.closers.append(listener.close)
    report = doctor(f"https://127.0.0.1:{listener.getsockname()[1]}", "--timeout=5")
    found = finding(report, "connection")
    assert found["verdict"] == "fail" and "there is no connection: " in found["fact"] and finding(report, "first-byte")["verdict"] == "skipped"


# -- certificates


def certificate(folder, days):
    """A context with a certificate that ends in `days`."""
    name = folder / f"cert{days}"
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400 + 3600))
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = x\n[x]\ndatabase = {folder}/index\nserial = {folder}/serial\nnew_certs_dir = {folder}\ndefault_md = sha256\n"
        "policy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n[e]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = CA:true\n"
    )
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost"]
    run("openssl", *new)
    sign = ["ca", "-batch", "-notext", "-selfsign", "-config", folder / "ca.cnf", "-keyfile", f"{name}.key", "-in", f"{name}.csr", "-out", f"{name}.pem"]
    run("openssl", *sign, "-startdate", "20200101000000Z", "-enddate", end)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{name}.pem", f"{name}.key")
    return tls, f"{name}.pem"


def test_certificates(stack):
    """One that lasts, one that ends soon, one that has ended, one that nobody trusts; and HTTP/1.1 over TLS."""
    for days, verdict, status, said in ((60, "ok", 0, "in 60 days"), (5, "warn", 1, "in 5 days"), (-5, "fail", 2, "expired 4 days ago")):
        tls, path = certificate(stack.folder, days)
        stub = Stub(stack, answer(HEARTBEAT), tls=tls)
        report = doctor(stub.url, f"--ca={path}", "--timeout=3", "--seconds=1", "--server=nginx")
        found = finding(report, "tls")
        assert found["verdict"] == verdict and said in found["fact"]
        assert verdict == "ok" or "ssl_certificate" in found["lines"]["nginx"]
        if verdict != "fail":
            assert HTTP2 in finding(report, "connections")["lines"]["nginx"]
        done = run("zmq", "ping", "--through", stub.url, f"--ca={path}", env=DIRECT, check=False)
        assert done.returncode == max(status, 1) and (verdict == "ok" or said in done.stdout)  # HTTP/1.1 is a warning
    found = finding(doctor(stub.url, "--timeout=3"), "tls")
    tls, path = certificate(stack.folder, 60)
    found = finding(doctor(Stub(stack, answer(HEARTBEAT), tls=tls).url, "--timeout=3"), "tls")
    assert found["verdict"] == "fail" and "self-signed" in found["fact"].replace("self signed", "self-signed")


def test_http_2(workers):
    """What browsers speak over TLS: nothing is wrong then."""
    stack = Stack()
    workers.lend(stack, "open")
    try:
        _, path = certificate(stack.folder, 60)
        port = free_port()
        key = path.replace(".pem", ".key")
        tls = f"server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {path}; ssl_certificate_key {key}; include nginx-zcast.conf; }}\n    server {{\n        listen 127"
        stack.nginx(edit=lambda text: text.replace("server {\n        listen 127", tls))
        report = doctor(f"https://127.0.0.1:{port}", f"--ca={path}", "--send=http")
        assert report["verdict"] == "ok" and "HTTP/2" in finding(report, "connections")["fact"]
    finally:
        wrong = stack.close()
        print(stack.logs())
        stack.remove()
    assert not wrong


# -- a monitoring system, and wrong use


def test_ping_through(workers):
    stack = workers.stacks["open"]
    url = f"http://127.0.0.1:{stack.ws_port}"
    done = run("zmq", "ping", "--through", url, env=DIRECT)
    assert re.fullmatch(rf"ZCAST OK - {url} gives the first event after \d+ ms \| connect=[\d.]+s;;;0 first_event=[\d.]+s;1.000;5.000;0\n", done.stdout)
    done = run("zmq", "ping", "--through", url, "--warning=0.001", env=DIRECT, check=False)
    assert done.returncode in (0, 1)
    done = run("zmq", "ping", "--through", f"http://127.0.0.1:{free_port()}", env=DIRECT, check=False)
    assert done.returncode == 2 and done.stdout.startswith("ZCAST CRITICAL - connection: ") and done.stdout.endswith("|\n")
    done = run("zmq", "ping", "--through", "ftp://example.org", env=DIRECT, check=False)
    assert done.returncode == 3 and done.stdout == "ZCAST UNKNOWN - nothing was measured\n" and "expected http://" in done.stderr
    done = run("zmq", "ping", "--through", url, "--token-file=/nowhere", env=DIRECT, check=False)
    assert done.returncode == 3 and "/nowhere" in done.stderr


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "which URL?"),
        (["ftp://example.org"], "expected http://"),
        (["http://ann:secret@example.org"], "expected http://"),
        (["http://example.org/?a=b"], "expected http://"),
        (["http://example.org", "--skip=nonsense"], "'nonsense' is no check"),
        (["http://example.org", "--server=iis"], "--server"),
        (["http://example.org", "--send=always"], "--send"),
        (["http://example.org", "--topic=a\nb"], "topic"),
        (["http://example.org", "--origin=https://a\r\nX: y"], "origin"),
    ],
)
def test_wrong_use(words, said):
    done = run("zmq", "doctor", *words, check=False, env=DIRECT)
    assert done.returncode == 2 and said in done.stderr and "secret" not in done.stderr and not done.stdout


def test_what_is_skipped_is_left_out(workers):
    report = doctor(f"http://127.0.0.1:{workers.stacks['open'].ws_port}", "--seconds=1", "--skip=idle", "--skip=clock")
    assert not {"idle", "clock"} & {each["id"] for each in report["checks"]}


def test_a_signal_ends_it(stack):
    asked = threading.Event()

    def serve(link, head):
        asked.set()
        answer(HEARTBEAT)(link, head)

    stub = Stub(stack, serve)
    process = subprocess.Popen([BUILD / PROGRAMS["zmq"], "doctor", stub.url, "--seconds=60"], stdout=subprocess.PIPE, env=environment(**DIRECT))
    assert asked.wait(LIMIT)
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 1 and not process.stdout.read()
    process.stdout.close()


def test_the_commands_of_the_troubleshooting_page(workers):
    """Each of them finds nothing wrong here; and every finding that the page names is one."""
    stack = workers.stacks["open"]
    text = (SOURCE / "doc/troubleshooting.md").read_text()
    url = f"http://127.0.0.1:{stack.ws_port}"
    (stack.folder / "ann.token").write_text(workers.token.read_text())
    lines = [line.split(" #")[0].strip() for block in re.findall(r"^```sh run\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    assert len(lines) == 8

    def look(line):
        line = line.replace("https://www.example.org", url).replace("https://app.example.org", ORIGIN).replace("--seconds 60", "--seconds 1")
        words = [str(BUILD / PROGRAMS["zmq"]), *line.split()[1:], "--control", stack.control_endpoint]
        # without token-keys, a token makes no difference, and without allow-origin no other page opens a WebSocket
        words += ["--skip=token"] if "--token-file" in line else ["--skip=websocket"] if "--origin" in line else []
        done = run(*words, env=DIRECT, cwd=stack.folder, check=False)
        return "" if done.returncode == 0 and done.stdout else f"{line}: {done}"

    wrong = [text for text in together(look, lines) if text]
    assert not wrong, "\n".join(wrong)
    known = {each["id"] for each in doctor(url, "--seconds=1")["checks"]}
    rows = re.findall(r"^\| ([^|]*) \| ([^|]*) \|", text.split("## Nothing arrives")[0], re.M)
    named = {id for row in rows for id in re.findall(r"`([a-z-]+)`", row[1])}
    assert len(named) > 10 and named <= known


def test_the_lines_that_the_page_names_are_those_of_the_samples():
    """So that a line which is copied from it is right."""
    text = (SOURCE / "doc/troubleshooting.md").read_text()
    samples = "".join(path.read_text() for path in (SOURCE / "etc").rglob("*") if path.is_file())
    for line in re.findall(r"`([a-z_]+ [^`]*;)`", text):
        assert line in samples or line in HTTP2 or line in ("ssl_certificate …/fullchain.pem;", "include snippets/zcast.conf;", "proxy_buffering off;"), line
