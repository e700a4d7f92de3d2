"""The browser's own EventSource, from a page of another origin, through each web server: whatever happens to the worker, it comes
back by itself and misses nothing."""

import contextlib
import http.server
import json
import threading

import pytest

from browsers import BOTH
from stack import SOURCE, wait_for


EACH = pytest.mark.parametrize(
    "browser, web",
    [("chromium", "nginx"), ("chromium", "lighttpd"), ("chromium", "apache"), ("firefox", "nginx")],
    indirect=["browser"],
)

PASS_THROUGH = b"""self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)));"""
# A dedicated or a shared worker, which subscribes, and passes on what it hears.
LISTENER = b"""import { subscribe } from '/zcast.js';
const options = Object.fromEntries(new URL(location.href).searchParams);
const serve = (port) => subscribe('a', ({ data }) => port.postMessage(JSON.parse(data).number), {
  ...options, backoff: 100, onState: ({ state }) => port.postMessage(state), onContinuity: ({ status }) => port.postMessage(status) });
if ('SharedWorkerGlobalScope' in globalThis) globalThis.onconnect = ({ ports: [port] }) => serve(port);
else serve(globalThis);"""
SCRIPTS = {"/worker.js": PASS_THROUGH, "/listener.js": LISTENER, "/zcast.js": (SOURCE / "www/zcast.js").read_bytes()}


@contextlib.contextmanager
def another_origin():
    """Pages of a server of their own; gives their origin."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            script = SCRIPTS.get(self.path.split("?")[0])
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(script or b"<!doctype html><title>a page</title>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


LISTEN = """window.sources = [false, true].map((withCredentials) => {
  const source = new EventSource(arguments[0], {withCredentials});
  const here = {source, got: [], opened: 0, closed: false};
  source.onopen = () => here.opened++;
  source.onmessage = (event) => here.got.push(JSON.parse(event.data).number);
  source.onerror = () => { here.closed ||= source.readyState === EventSource.CLOSED; };
  return here;
});"""


def publish(stack, *numbers):
    for number in numbers:
        stack.publish("a", json.dumps({"number": number}))


def wait(browser, condition):
    """Until both streams, with credentials and without, fulfil it; neither may be given up."""
    browser.wait_js(f"return sources.some(({{closed}}) => closed) || sources.every(({{got, opened}}) => {condition})")
    assert browser.js("return sources.map(({closed}) => closed)") == [False, False]


def check(browser, *numbers):
    wait(browser, f"got.length >= {len(numbers)}")
    assert browser.js("return sources.map(({got}) => got)") == [[*numbers]] * 2


@EACH
def test_a_page_of_another_origin_over_a_worker_that_is_away(stack, browser, web):
    with another_origin() as origin:
        options = [f"--cors-origin={origin}", "--retry=200ms", "--socket-mode=0666"]
        stack.broker()
        worker = stack.fcgi(*options)
        worker.wait_log("broker: connected")
        getattr(stack, web)()
        browser.open(origin)
        browser.js(LISTEN, stack.url("/events", ["a"]))
        wait(browser, "opened === 1")
        worker.kill()
        publish(stack, 1, 2, 3)
        wait(browser, "opened >= 2")  # by the web server, in the worker's place
        worker = stack.fcgi(*options)
        check(browser, 1, 2, 3)
        assert worker.stop() == 0
        publish(stack, 4)
        stack.fcgi(*options)
        check(browser, 1, 2, 3, 4)


@EACH
def test_a_page_of_another_origin_that_comes_before_the_worker(stack, browser, web):
    with another_origin() as origin:
        stack.broker()
        getattr(stack, web)()
        browser.open(origin)
        browser.js(LISTEN, stack.url("/events", ["a"]))
        wait(browser, "opened >= 1")
        stack.fcgi(f"--cors-origin={origin}", "--socket-mode=0666")

        def arrives():
            publish(stack, 1)
            return browser.js("return sources.every(({closed, got}) => closed || got.length)")

        wait_for(arrives, "a message")
        wait(browser, "got.length > 0")


@BOTH
def test_zcast_js_under_a_service_worker(stack, browser):
    """Chromium's EventSource comes back without the last id where a service worker passes its requests on."""
    with another_origin() as origin:
        options = [f"--cors-origin={origin}", "--retry=200ms", "--socket-mode=0666"]
        stack.broker()
        worker = stack.fcgi(*options)
        worker.wait_log("broker: connected")
        stack.nginx()
        browser.open(origin)
        browser.js(
            """navigator.serviceWorker.register('/worker.js');
            navigator.serviceWorker.ready.then(() => (window.ready = true));"""
        )
        browser.wait_js("return window.ready && navigator.serviceWorker.controller !== null")
        browser.js(
            """window.got = []; window.verdicts = [];
            import('/zcast.js').then(({ subscribe }) => {
              window.sub = subscribe('a', ({ data }) => got.push(JSON.parse(data).number), {
                transport: 'sse', backoff: 100, sse: arguments[0], onContinuity: ({ status }) => verdicts.push(status) });
            });""",
            stack.url("/events"),
        )
        browser.wait_js("return window.sub?.state === 'open'")
        publish(stack, 1)
        browser.wait_js("return got.length === 1")
        for number in (2, 4, 6):
            worker.kill()
            publish(stack, number)
            worker = stack.fcgi(*options)
            worker.wait_log("broker: connected")
            browser.wait_js("return sub.state === 'open' && verdicts.length >= arguments[0]", number // 2)
            publish(stack, number + 1)
            browser.wait_js("return got.includes(arguments[0])", number + 1)
        assert browser.js("return got") == [1, 2, 3, 4, 5, 6, 7]
        assert browser.js("return verdicts") == ["continued"] * 3


@BOTH
def test_zcast_js_in_workers(stack, browser):
    with another_origin() as origin:
        options = [f"--cors-origin={origin}", f"--allow-origin={origin}"]
        stack.broker()
        worker = stack.ws(*options)
        browser.open(origin)
        browser.js(
            """window.heard = {};
            for (const kind of ['Worker', 'SharedWorker'])
              for (const transport of ['sse', 'ws']) {
                const [name, told] = [`${kind} ${transport}`, { got: [], said: [] }];
                const where = new URLSearchParams({ transport, sse: arguments[0], ws: arguments[1] });
                const made = new globalThis[kind](`/listener.js?${where}`, { type: 'module', name });
                (made.port ?? made).onmessage = ({ data }) => (typeof data === 'number' ? told.got : told.said).push(data);
                heard[name] = told;
              }""",
            f"http://127.0.0.1:{stack.ws_port}/events",
            f"ws://127.0.0.1:{stack.ws_port}/ws",
        )
        every = "return Object.values(heard).every(({ got, said }) => %s)"
        browser.wait_js(every % "said.includes('open')")
        publish(stack, 1)
        browser.wait_js(every % "got.length === 1")
        worker.kill()
        publish(stack, 2)
        stack.ws(*options)
        browser.wait_js(every % "said.includes('continued') && got.length === 2")
        publish(stack, 3)
        browser.wait_js(every % "got.length === 3")
        assert browser.js("return Object.values(heard).map(({ got }) => got)") == [[1, 2, 3]] * 4
