"""A stream that is broken off looks so to its client, whatever stands between: a clean end is for good to those that read with
fetch, and a worker that restarts would strand them."""

import json
import signal
import subprocess

import pytest

from http11 import Http
from stack import BUILD, Missing, program, wait_for

WEB = ["nginx", "lighttpd", "apache"]
WAYS = [*WEB, "tcp", "direct"]

# The loop that its manual shows, with nothing added: an end in order ends it.
FETCH = """
globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
const { createRequire } = await import('node:module');
const { fetchEventSource } = createRequire(process.argv[1] + '/')('@microsoft/fetch-event-source');
const say = (words) => console.log(JSON.stringify(words));
await fetchEventSource(process.argv[2], {
  openWhenHidden: true,
  onopen: async (response) => say({ open: response.status }),
  onmessage: (event) => say({ data: event.data, event: event.event }),
  onerror: () => 300,
});
say({ finished: true });
"""


def serve(stack, way):
    """Starts a worker behind `way`, and returns it and the port that clients ask."""
    if way == "direct":
        worker = stack.ws()
        stack.web_port = stack.ws_port
    else:
        worker = stack.fcgi("--socket-mode=0666")
    worker.wait_log("broker: connected")
    if way == "tcp":  # nginx reaches the worker over TCP
        port = 29000 + worker.pid % 1000
        worker.stop()
        worker = stack.start("zcast-fcgi", ["zcast-fcgi", *stack.endpoints(), f"--socket=:{port}"])
        worker.wait_log("broker: connected")
        stack.nginx(edit=lambda text: text.replace(f"unix:{stack.fcgi_socket}", f"127.0.0.1:{port}"))
    elif way in WEB:
        getattr(stack, way)()
    return worker


def looks_cut(client):
    """Reads to the end of an answer or of its connection; whether it came before the last chunk."""
    client.socket.settimeout(30)
    try:
        return client.is_cut()
    except TimeoutError:
        raise AssertionError(f"neither: {client.bytes!r}") from None


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("way", WAYS)
def test_a_stream_looks_cut(stack, way, how):
    stack.broker()
    worker = serve(stack, way)
    clients = [Http(stack.web_port) for _ in range(3)]
    for client in clients:
        stack.closers.append(client.close)
        client.stream()
        client.events_until(b"retry: ")
    stack.publish("a", "one")
    for client in clients:
        client.events_until(b"data: one\n")
    if how == "stop":
        worker.send_signal(signal.SIGTERM)
        assert worker.wait() == 0
    else:
        worker.kill()
    for client in clients:
        assert looks_cut(client)


@pytest.mark.parametrize("way", ["nginx", "lighttpd", "direct"])
def test_a_client_that_takes_a_clean_end_for_the_end_comes_back(stack, way):
    packages = BUILD / "tests/clients"
    if not (packages / ".installed").exists():
        raise Missing("the clients aren't installed: tools/quickstart check, or make check-clients")
    stack.broker()
    worker = serve(stack, way)
    with (stack.folder / "fetch").open("w+") as said:
        node = subprocess.Popen(
            [program("node"), "--input-type=module", "-e", FETCH, packages, stack.url("/events", ["a"])], stdout=said, stderr=said
        )
        stack.closers.append(node.kill)

        def lines():
            return [json.loads(line) for line in (stack.folder / "fetch").read_text().splitlines() if line.startswith("{")]

        def wait(data):
            wait_for(lambda: any(line.get("data") == data for line in lines()) or node.poll(), lambda: f"{data}: {lines()}")
            assert node.poll() is None and {"finished": True} not in lines(), lines()

        wait_for(lambda: any("data" in line for line in lines()), "an open stream")
        for number, how in enumerate(("stop", "kill", None)):
            stack.publish("a", f"number {number}")
            wait(f"number {number}")
            if how:
                getattr(worker, how)()
                worker = stack.ws() if way == "direct" else stack.fcgi("--socket-mode=0666")


def test_a_web_server_that_leaves_is_noticed(stack):
    """Though bytes of its request stay unread."""
    stack.broker()
    worker = serve(stack, "nginx")
    fds = worker.fds()
    clients = [Http(stack.web_port) for _ in range(10)]
    for client in clients:
        client.stream()
        client.events_until(b"retry: ")
    assert worker.fds() == fds + 10
    before = worker.cpu()
    for client in clients:
        client.close()
    wait_for(lambda: worker.fds() == fds, lambda: f"descriptors as before: {worker.fds()}, not {fds}")
    assert worker.cpu() - before < 2, "it spins"
