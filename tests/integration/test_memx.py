"""What a daemon holds for others has a bound in all, whatever they do: clients that stall in the middle of a replay, each
with topics of its own, and one message that is to go to many of them."""

import json
import pytest

from fastcgi import Peer, request
from stack import wait_for
from wsraw import Raw, head

MIB = 1 << 20
STALLED = 150


def worker_of(stack, transport, *options):
    """A daemon with little room, and its name in STATS."""
    if transport == "sse":
        return stack.fcgi(*options), "fcgi.0"
    return stack.ws(*options, "--pong-timeout=3600s", "--max-connections-per-address=0"), "ws.0"


def stall(stack, transport, number):
    """A client that asks for all there is of two topics, one of them its own, and reads nothing."""
    query = f"topic=shared&topic=own/{number}&last-event-id=earliest"
    if transport == "sse":
        peer = Peer(stack.fcgi_socket, request(query))
        return peer.socket
    raw = Raw(stack.ws_port, receive_buffer=4096)
    raw.socket.sendall(head(f"/ws?{query}"))
    return raw.socket


def figures(stack, name):
    return stack.stats()["workers"].get(name, {})


@pytest.mark.parametrize("transport", ["ws", "sse"])
def test_stalled_replays(stack, transport):
    stack.broker("--topic-bytes=256M")
    worker, name = worker_of(stack, transport, "--max-held=16M", "--max-lag=256M")
    worker.wait_log("broker: connected")
    payload = b"x" * 100_000
    stack.publish("shared", payload)
    reader = stack.websocket("shared") if transport == "ws" else None
    before = worker.pss()
    for _ in range(40):
        stack.publish("shared", payload)
    sockets = [stall(stack, transport, number) for number in range(STALLED)]
    stack.closers += [socket.close for socket in sockets]
    wait_for(lambda: figures(stack, name).get("clients", 0) + figures(stack, name).get("held_dropped", 0) >= STALLED, "they are there")
    peak = 0
    for _ in range(40):
        stack.publish("shared", payload)
        peak = max(peak, worker.pss())
    wait_for(lambda: figures(stack, name).get("held_dropped", 0) > 0, lambda: f"some are dropped: {figures(stack, name)}")
    assert figures(stack, name)["held_bytes"] <= 16 * MIB
    assert peak - before < 64 * MIB, f"{(peak - before) / MIB:.0f} MiB"
    if reader:
        try:
            reader.wait(80, 15)
        except Exception:
            print(json.dumps(stack.stats()["workers"], indent=1)); print(worker.log()[-1500:]); import subprocess; print(subprocess.run(["gdb","-batch","-p",str(worker.pid),"-ex","bt"],capture_output=True,text=True).stdout[-3000:]); import os; os.system("gcore -o /tmp/wscore %d > /dev/null 2>&1" % worker.pid); raise
    if transport == "ws":
        worker.wait_log("max-held was reached, and it lagged most")
