"""A thousand clients on each transport, through nginx and directly."""

import time

from crowd import Crowd, SseCrowdClient, WsCrowdClient
from stack import Path, wait_for

CLIENTS = 1000
RATE = 20
SECONDS = 10


def sanitized(daemon):
    return any("libasan" in Path(f"/proc/{pid}/maps").read_text() for pid in daemon.pids())


def crowds(stack):
    sse = [SseCrowdClient("/events?topic=a") for _ in range(CLIENTS)]
    ws = [WsCrowdClient("/ws?topic=a") for _ in range(CLIENTS)]
    return Crowd(("127.0.0.1", stack.web_port), sse), Crowd(("127.0.0.1", stack.ws_port), ws)


def publish_to(stack, sse, ws):
    """Publishes at a steady rate while all clients read; returns the messages."""
    publisher = stack.pub()
    texts = [f"message {number:04d} " + "x" * 80 for number in range(RATE * SECONDS)]
    begin = time.monotonic()
    sent = 0

    def tick():
        nonlocal sent
        while sent < len(texts) and time.monotonic() >= begin + sent / RATE:
            publisher.send_multipart([b"a", texts[sent].encode()])
            sent += 1
        ws.pump(lambda: True, "", pause=0)

    sse.receive(texts[-1].encode(), limit=120, tick=tick)
    ws.receive(texts[-1].encode(), limit=120)
    return texts


def test_a_thousand_on_each_transport(stack):
    """Every message at every client, in order; and after they left, memory and descriptors are back where they were."""
    stack.broker()
    daemons = [stack.fcgi(processes=2), stack.ws(), stack.nginx()]

    def round():
        sse, ws = crowds(stack)
        with sse, ws:
            sse.open()
            ws.open()
            texts = publish_to(stack, sse, ws)
            for client in (*sse.clients, *ws.clients):
                assert client.messages() == texts

    # What each opens with its first client, it keeps.
    with stack.sse("a") as sse, stack.websocket("a") as ws:
        sse.wait_open()
        ws.wait_open()
        stack.publish("a", "first")
        sse.wait(1)
        ws.wait(1)
    wait_for(lambda: stack.stats()["subscriptions"] == 0, "nobody subscribed")
    idle = [daemon.fds() for daemon in daemons]
    round()
    for daemon, fds in zip(daemons, idle):
        wait_for(lambda: daemon.fds() <= fds, lambda: f"{fds} descriptors in {daemon.name}, not {daemon.fds()}")
    memory = [daemon.pss() for daemon in daemons]
    round()
    for daemon, fds, size in zip(daemons, idle, memory):
        wait_for(lambda: daemon.fds() <= fds, lambda: f"{fds} descriptors in {daemon.name}, not {daemon.fds()}")
        if not sanitized(daemon):  # AddressSanitizer keeps what was freed
            allowed = size * 1.1 + 1000000
            wait_for(lambda: daemon.pss() <= allowed, lambda: f"{allowed:.0f} bytes in {daemon.name}, not {daemon.pss()}")
