"""`zmq doctor` and `zmq ping --through`: samples that are right, samples with one line that is wrong, and servers that are
hostile. Cases run beside one another, in threads: most of their time is waiting."""

import concurrent.futures
import json
import os
import re
import socket
import ssl
import threading
import time

import pytest

from stack import BUILD, LIMIT, PROGRAMS, SOURCE, Stack, free_port, run

ORIGIN = "https://pages.example"
DIRECT = {"no_proxy": "*"}  # whatever this runs in has a proxy for the world outside
TOPIC = "zmq-doctor"


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
        started += [guarded.ws("--allow-origin=*", *common, *tokens), guarded.fcgi("--socket-mode=0666", *common, *tokens)]
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
