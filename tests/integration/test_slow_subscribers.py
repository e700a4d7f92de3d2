"""Messages that the broker holds for subscribers that don't take them: bounded in bytes and in time, and freed."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from relay import Link
from stack import is_sanitized, wait_for

SUBSCRIBER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.rcvhwm = 10
socket.connect(sys.argv[1])
socket.subscribe(b"")
print("connected", flush=True)
while True:
    topic, payload, _ = socket.recv_multipart()
    print(topic.decode(), len(payload), flush=True)
"""
LIMITS = ("--history-bytes=1M", "--topic-bytes=1M")
MEGABYTE = 1_000_000


@pytest.fixture
def subscriber(stack):
    """Starts a subscriber of everything, which nothing tells of what it missed."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", SUBSCRIBER, stack.subscribe_endpoint], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "connected\n"
        before = stack.stats()["subscriptions"]
        wait_for(lambda: stack.stats()["subscriptions"] >= max(before, 1), "its subscription")
        stack.publish("first", "x")
        assert process.stdout.readline() == "first 1\n"
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def memory(daemon):
    """Of its own, in bytes."""
    with open(f"/proc/{daemon.pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read()).group(1)) * 1024


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_subscriber_that_stands_still_is_bounded_in_bytes(stack, subscriber, transport):
    """Of 400 MB in messages of a megabyte no more than 32 MB wait for it; all others get all."""
    if transport == "tcp":
        stack.use_tcp()
    broker = stack.broker(*LIMITS, "--subscribe-bytes=32M")
    stopped, healthy = subscriber(), stack.sub("t")
    before = memory(broker)
    stopped.send_signal(signal.SIGSTOP)
    payload = os.urandom(MEGABYTE)
    most = 0
    for _ in range(400):
        stack.publish("t", payload)
        assert len(healthy.recv_multipart()[1]) == MEGABYTE
        most = max(most, memory(broker) - before)
        time.sleep(0.002)  # over a Unix socket it is watched for a tenth of a second
    assert most < 120 * MEGABYTE
    wait_for(lambda: stack.stats()["subscribers"]["disconnected"] == 1, "its end")
    name = r"127\.0\.0\.1:\d+" if transport == "tcp" else f"process {stopped.pid}"
    broker.wait_log(f"subscriber {name}: disconnected.*subscribe-bytes")
    if not is_sanitized():
        wait_for(lambda: memory(broker) - before < 8 * MEGABYTE, lambda: f"the memory: {memory(broker) - before}")
    # it comes back by itself
    stopped.send_signal(signal.SIGCONT)
    wait_for(lambda: stack.stats()["subscribers"]["connections"] == 2, "it again")
    stack.publish("last", "here")
    while True:
        line = stopped.stdout.readline()
        if line == "last 4\n":
            break
        assert line.startswith("t ")


def test_its_end_comes_with_time(stack, subscriber):
    """However little waits: TCP gives it up, and ZeroMQ what it held."""
    broker = stack.use_tcp().broker(*LIMITS)
    stopped = subscriber()
    before = memory(broker)
    stopped.send_signal(signal.SIGSTOP)
    for _ in range(100):
        stack.publish("t", os.urandom(MEGABYTE))
    assert memory(broker) - before > 30 * MEGABYTE
    wait_for(lambda: stack.stats()["subscribers"]["behind"] == 1, "a look")
    assert 30 * MEGABYTE < stack.stats()["subscribers"]["bytes"] < 110 * MEGABYTE
    wait_for(lambda: stack.stats()["subscribers"]["connections"] == 0, "its end")
    assert stack.stats()["subscribers"]["disconnected"] == 0
    if not is_sanitized():
        wait_for(lambda: memory(broker) - before < 8 * MEGABYTE, lambda: f"the memory: {memory(broker) - before}")


def test_who_does_not_keep_up_is_named(stack, subscriber):
    broker = stack.use_tcp().broker("--subscribe-hwm=100")
    stopped = subscriber()
    stopped.send_signal(signal.SIGSTOP)
    pub = stack.pub()
    wait_for(lambda: pub.send_multipart([b"t", bytes(100_000)]) or stack.stats()["dropped"]["count"], "a full queue")
    broker.wait_log(r"a subscriber's queue is full: it misses messages; .*: 127\.0\.0\.1:\d+")


def test_a_worker_that_is_cut_off_comes_back_complete(stack):
    """Its clients get the messages of that time from history, once, and in order."""
    broker = stack.use_tcp().broker("--subscribe-bytes=4M", "--history-bytes=500M", "--topic-bytes=500M")
    link = Link()
    stack.ws(*stack.over(link), "--max-lag=100M").wait_log("broker: connected")
    client = stack.websocket("t").wait_open()
    stack.publish("t", "0")
    client.wait(1)
    link.cut()
    for number in range(1, 30):
        stack.publish("t", f"{number} " + "x" * MEGABYTE)
    broker.wait_log("subscriber .*: disconnected")
    time.sleep(1)
    link.mend()
    wait_for(lambda: len(client.messages) == 30, lambda: f"all, not {len(client.messages)}")
    assert [message.split()[0] for message in client.messages] == [str(number) for number in range(30)]


def test_replays_that_nobody_reads(stack):
    """200 answers may wait in ZeroMQ for a peer: not 200 MB."""
    broker = stack.broker(f"--history=lmdb:{stack.folder}/history", "--sync=never", "--topic-bytes=1G", "--history-bytes=1G")
    for _ in range(150):
        stack.publish("t", os.urandom(MEGABYTE))
    before = memory(broker)
    import zmq

    for _ in range(4):
        stack.socket(zmq.DEALER, stack.control_endpoint, rcvhwm=1).send_multipart([b"REPLAY", b"earliest", b"t"])
    wait_for(lambda: stack.stats()["jobs"] == 4, "the replays")
    wait_for(lambda: len(stack.requests("REPLAY", "earliest", "t")) == 151, "one that is read")
    assert stack.stats()["jobs"] == 4
    assert memory(broker) - before < 120 * MEGABYTE
