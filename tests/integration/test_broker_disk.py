"""zcast-broker with history on disk: acknowledged messages survive, ids go on, and the broker reports a disk that fails and goes on after it."""

import errno
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
import zmq

from stack import LIMIT, frame, position, program, run, wait_for
from test_broker import ask, control, fill, meta, receive, stop_subscriber, told


def on_disk(stack, *options, **how):
    return stack.broker(f"--history=lmdb:{stack.folder}/history", *options, **how)


def whole(stack, *topics):
    return told(stack.requests("REPLAY", "earliest", *topics))


@pytest.mark.parametrize("sync", ["always", "interval", "never"])
def test_what_was_acknowledged_survives_a_kill(stack, sync):
    broker = on_disk(stack, f"--sync={sync}")
    sent = fill(stack, 1000)
    broker.kill()
    on_disk(stack, f"--sync={sync}")
    assert whole(stack, "a", "b", "c") == sent
    sub = stack.sub("a")
    id = stack.publish("a", "next")
    assert position(id) > position(sent[-1][2])
    newest = [message for message in sent if message[0] == b"a"][-1]
    assert meta(receive(sub, 1)[0][2])["prev"] == newest[2], "the chain goes on over the restart"
    replies = stack.requests("REPLAY", sent[499][2], "a", "b", "c")
    assert told(replies)[:-1] == sent[500:]
    assert position(replies[-1][2]) <= position(sent[499][2]), "nothing is missing"


class Publisher(threading.Thread):
    """Publishes numbers on topics with acknowledgement, each again until it is, as `zmq pub` does: with a key."""

    def __init__(self, stack, topics, name):
        super().__init__(daemon=True)
        self.endpoint, self.topics, self.name_ = stack.control_endpoint, topics, name
        self.context = zmq.Context()
        self.acknowledged = []  # (topic, payload, id)
        self.stopping = False

    def run(self):
        number = 0
        while not self.stopping:
            topic, payload = self.topics[number % len(self.topics)], f"{self.name_}:{number}"
            id = None
            while id is None:
                id = self.attempt(topic, payload)
                if id is None and self.stopping:
                    return
            self.acknowledged.append((topic.encode(), payload.encode(), id))
            number += 1

    def attempt(self, topic, payload):
        with self.context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.connect(self.endpoint)
            dealer.send_multipart([b"PUBLISH", topic.encode(), payload.encode(), f"key: {payload}".encode()])
            if not dealer.poll(1000):
                return None
            reply = dealer.recv_multipart()
            return reply[1].decode() if reply[0] == b"OK" else None

    def stop(self):
        self.stopping = True
        self.join(LIMIT)
        self.context.destroy(linger=0)


@pytest.mark.parametrize("sync", ["always", "interval"])
def test_kills_at_random_moments(stack, sync):
    """No acknowledged message is lost, none is there twice, ids increase, and all messages that subscribers saw are in history."""
    topics = ["t%d" % i for i in range(5)]
    options = [f"--sync={sync}", "--topic-messages=1000000"]  # nothing is trimmed, however fast the publishers are
    broker = on_disk(stack, *options)
    publishers = [Publisher(stack, topics, "p%d" % i) for i in range(3)]
    sub = stack.sub("t")
    for publisher in publishers:
        publisher.start()
    generator = random.Random()
    seen = []
    for kill in range(8):
        until = time.monotonic() + generator.uniform(0.05, 0.6)
        while time.monotonic() < until:
            if sub.poll(10):
                seen.append(sub.recv_multipart())
        broker.kill()
        broker = on_disk(stack, *options)
    wait_for(lambda: all(len(publisher.acknowledged) > 20 for publisher in publishers), "all publish again")
    for publisher in publishers:
        publisher.stop()
    kept = whole(stack, *topics)
    payloads = [message[1] for message in kept]
    assert len(set(payloads)) == len(payloads), "none twice"
    ids = [position(message[2]) for message in kept]
    assert all(a < b for a, b in zip(ids, ids[1:]))
    acknowledged = [message for publisher in publishers for message in publisher.acknowledged]
    assert set(acknowledged) <= set(kept)
    delivered = {(topic, payload, meta(text)["id"]) for topic, payload, text in seen if topic != b"\x01"}
    assert delivered <= set(kept), "what was delivered survives too"


def test_a_repeat_is_known_after_a_restart(stack):
    broker = on_disk(stack)
    first = stack.publish("a", "x", {"id": "own"})
    keyed = stack.publish("a", "y", {"key": "k"})
    broker.kill()
    on_disk(stack)
    assert stack.publish("a", "x", {"id": "own"}) == first
    assert stack.publish("a", "y", {"key": "k"}) == keyed
    assert len(whole(stack, "a")) == 2
    assert [reply[2] for reply in stack.requests("REPLAY", "own", "a")[:-1]] == [b"y"]


FAKETIME = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime (clockid_t clock, struct timespec *now)
{
    int (*real) (clockid_t, struct timespec *) = dlsym (RTLD_NEXT, "clock_gettime");
    int rc = real (clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += atol (getenv ("CLOCK_OFFSET"));
    return rc;
}
"""


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_ids_increase_though_the_clock_steps_back(stack, how):
    broker = on_disk(stack)
    ids = fill(stack, 100)
    getattr(broker, how)()
    on_disk(stack, env={**preloaded(stack, FAKETIME), "CLOCK_OFFSET": "-86400"})
    more = fill(stack, 100)
    assert position(more[0][2]) > position(ids[-1][2])
    assert whole(stack, "a", "b", "c") == ids + more


def preloaded(stack, text):
    """The environment in which a program has these functions in the place of the system's."""
    source, library = stack.folder / "preload.c", stack.folder / "preload.so"
    source.write_text(text)
    run("gcc", "-shared", "-fPIC", "-o", library, source, "-ldl")
    return {"LD_PRELOAD": ":".join(filter(None, [os.environ.get("LD_PRELOAD"), asan_runtime(), str(library)]))}


def asan_runtime():
    """A sanitizer build wants its runtime before any other preloaded library."""
    for line in run("ldd", program("zcast-broker")).stdout.splitlines():
        if "libasan" in line:
            return line.split("=>")[1].split()[0]
    return None


def test_a_clean_stop_reserves_nothing(stack):
    broker = on_disk(stack)
    id = stack.publish("a", "x")
    assert broker.stop() == 0
    on_disk(stack)
    assert stack.request("SYNC", "", "a")[1].decode() == id
    assert stack.request("SYNC", "", "a")[3].decode() == id


def test_a_second_broker_on_the_same_history_is_refused(stack):
    on_disk(stack)
    done = run("zcast-broker", "--publish=tcp://127.0.0.1:*", "--subscribe=tcp://127.0.0.1:*", "--control=tcp://127.0.0.1:*",
               f"--history=lmdb:{stack.folder}/history", check=False)  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "another broker" in done.stderr and f"{stack.folder}/history" in done.stderr
    assert stack.publish("a", "x")


def test_a_damaged_history_is_refused_with_what_to_do(stack):
    broker = on_disk(stack)
    fill(stack, 1000)
    broker.stop()
    data = stack.folder / "history" / "data.mdb"
    good = data.read_bytes()
    for damage in (os.urandom(8192) + good[8192:], good[: len(good) // 2], b"not a database", b"\0" * len(good)):
        data.write_bytes(damage)
        done = run("zcast-broker", *stack.endpoints(), f"--history=lmdb:{stack.folder}/history", check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert str(data) in done.stderr and "damaged" in done.stderr and "move it away" in done.stderr
    data.write_bytes(good)
    on_disk(stack)
    assert len(whole(stack, "a", "b", "c")) == 1000


@pytest.mark.parametrize("call, error, says", [
    ("pid_t fork (void)", "EAGAIN", "can't check"),
    ("int flock (int fd, int operation)", "ENOLCK", "can't lock"),
])  # fmt: skip
def test_what_the_system_refuses_is_not_called_damage(stack, call, error, says):
    broker = on_disk(stack)
    stack.publish("a", "x")
    broker.stop()
    text = f"#include <errno.h>\n#include <unistd.h>\n{call} {{ errno = {error}; return -1; }}\n"
    done = run("zcast-broker", *stack.endpoints(), f"--history=lmdb:{stack.folder}/history", check=False,
               env=preloaded(stack, text))  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr and os.strerror(getattr(errno, error)) in done.stderr
    assert "damaged" not in done.stderr and "another broker" not in done.stderr


def test_a_history_that_was_moved_away_begins_anew_and_says_so(stack):
    broker = on_disk(stack)
    last = fill(stack, 10)[-1][2]
    broker.stop()
    (stack.folder / "history" / "data.mdb").unlink()
    on_disk(stack)
    replies = stack.requests("REPLAY", "1-0", "a")
    assert len(replies) == 1
    assert position(replies[0][2]) >= position(last), "complete after the new beginning only"
    assert position(stack.publish("a", "x")) > position(last)


def test_the_map_grows(stack):
    on_disk(stack, "--history-map=1M", "--topic-messages=100000", "--topic-bytes=1G", "--history-bytes=1G")
    dealer = control(stack)
    payload = os.urandom(50000)
    for i in range(200):
        dealer.send_multipart([b"PUBLISH", b"a", payload])
    assert all(reply[0] == b"OK" for reply in receive(dealer, 200))
    assert len(stack.requests("REPLAY", "earliest", "a")) == 201
    assert stack.stats()["history"]["state"] == "ok"


def test_a_drop_shows_in_all_that_is_delivered_after_it(stack):
    """Also in what was on its way to the disk when it happened."""
    on_disk(stack, "--subscribe-hwm=1000")
    stop_subscriber(stack, b"a")
    healthy = stack.sub("a")
    dealer = control(stack)
    told = []
    while len(told) < 1000 or not any("dropped" in each for each in told):
        for _ in range(500):
            dealer.send_multipart([b"PUBLISH", b"a", b"x" * 2000, b"x: y"])
        receive(dealer, 500)
        told += [meta(message[2]) for message in receive(healthy, 500)]
    first = min(position(each["dropped"]) for each in told if "dropped" in each)
    assert [each for each in told if position(each["id"]) > first and "dropped" not in each] == []
    assert all(each["x"] == "y" for each in told)


def limit_files(broker, size):
    """RLIMIT_FSIZE: a write that would enlarge a file fails, as on a full disk."""
    run("prlimit", f"--pid={broker.pid}", f"--fsize={size}:unlimited")


def test_a_full_disk_refuses_publishes_delivers_and_heals(stack):
    broker = on_disk(stack)
    before = fill(stack, 20, topics=("a", "b"))
    sub = stack.sub("a", "b", "c")
    pub = stack.pub()
    limit_files(broker, os.path.getsize(stack.folder / "history" / "data.mdb"))
    payload = os.urandom(30000)
    dealer = control(stack)
    answers = []

    def fails():
        answers.append(ask(dealer, "PUBLISH", "a", payload, "id: %d" % len(answers)))
        return answers[-1][:2] == [b"ERR", b"history"]

    wait_for(fails, "a publish is refused")
    accepted = [answer for answer in answers if answer[0] == b"OK"]
    receive(sub, len(accepted))
    stats = stack.stats()
    assert stats["history"]["state"] == "failed" and stats["history"]["error"]
    assert stats["failed"] == 1
    assert "history can't be written" in broker.log()
    (stack.folder / "payload").write_bytes(payload)
    refused = stack.zmq("pub", "a", "--file", stack.folder / "payload", "--timeout", "1", check=False)
    assert refused.returncode == 1 and "takes nothing" in refused.stderr and "history" in refused.stderr
    # Live messages go on; history doesn't have them, and says so.
    pub.send_multipart([b"b", payload])
    pub.send_multipart([b"c", b"new topic " + payload])
    lost = [meta(message[2])["id"] for message in receive(sub, 2)]
    assert not sub.poll(300), "what was refused isn't delivered"
    replies = stack.requests("REPLAY", before[-1][2], "b")
    assert replies[-1][2].decode() == lost[0], "complete only after what was lost"
    assert stack.requests("REPLAY", "1-0", "c")[-1][2].decode() == lost[1]
    assert position(stack.requests("REPLAY", before[-1][2], "a")[-1][2]) <= position(before[-1][2]), "a is whole"
    # Space is back: it heals without anybody's doing, and the refused publish was never published.
    limit_files(broker, "unlimited")
    wait_for(lambda: stack.stats()["history"]["state"] == "ok", "it heals by itself")
    again = ask(dealer, "PUBLISH", "a", payload, "id: %d" % (len(answers) - 1))
    assert again[0] == b"OK"
    assert receive(sub, 1)[0][1] == payload
    assert len(whole(stack, "a")) == 10 + len(accepted) + 1
    # And it is remembered that something was lost, also by the next broker.
    broker.kill()
    on_disk(stack)
    assert stack.requests("REPLAY", before[-1][2], "b")[-1][2].decode() == lost[0]
    sub = stack.sub("b")
    stack.publish("b", "x")
    assert meta(receive(sub, 1)[0][2])["prev"] == lost[0]


def test_what_was_lost_is_not_forgotten_by_a_kill_while_the_disk_is_full(stack):
    broker = on_disk(stack)
    before = fill(stack, 20, topics=("a", "b"))
    sub = stack.sub("a", "b")
    pub = stack.pub()
    limit_files(broker, 4096)
    lost = []

    def loses():
        pub.send_multipart([b"a", os.urandom(30000)])
        lost.append(meta(receive(sub, 1)[0][2])["id"])
        return stack.stats()["history"]["lost"] > 0

    wait_for(loses, "a message isn't kept")
    broker.kill()
    on_disk(stack)
    floor = stack.requests("REPLAY", before[-1][2], "a")[-1][2]
    assert position(floor) >= position(lost[-1])
    assert position(stack.publish("a", "x")) > position(lost[-1])


def test_trimming_never_stalls_the_broker(stack):
    """While a history of 60,000 messages is let go of, requests are answered as before."""
    config = stack.config_file()
    config.write_text(config.read_text() + "broker\n    topic-messages = 1000000\n")
    broker = on_disk(stack, f"--config={config}")
    for page in range(12):
        fill(stack, 5000)
    config.write_text(config.read_text().replace("topic-messages = 1000000", "history-messages = 10"))
    dealer = control(stack)
    usual = slowest(dealer, 300)
    broker.send_signal(signal.SIGHUP)
    worst = 0
    while stack.stats()["history"]["messages"] > 10:
        worst = max(worst, slowest(dealer, 20))
    print(f"slowest answer: {usual * 1000:.1f} ms before, {worst * 1000:.1f} ms while trimming")
    assert whole(stack, "a", "b", "c") and stack.stats()["history"]["state"] == "ok"


def slowest(dealer, count):
    worst = 0
    for i in range(count):
        began = time.monotonic()
        ask(dealer, "PING")
        worst = max(worst, time.monotonic() - began)
    return worst


def test_stop_commits_what_was_taken_in(stack):
    broker = on_disk(stack, "--sync=always")
    dealer = control(stack)
    for i in range(900):
        dealer.send_multipart([b"PUBLISH", b"a", b"%d" % i])
    receive(dealer, 1)
    assert broker.stop() == 0
    answered = 1
    while dealer.poll(200):
        answered += dealer.recv_multipart()[0] == b"OK"
    assert answered == 900
    on_disk(stack)
    assert [payload for _, payload, _ in whole(stack, "a")] == [b"%d" % i for i in range(900)]


def test_topics_come_back_in_order_and_bounded(stack):
    broker = on_disk(stack, "--max-topics=50")
    ids = [stack.publish("topic-%d" % i, "x") for i in range(80)]
    broker.kill()
    on_disk(stack, "--max-topics=20")
    wait_for(lambda: stack.stats()["topics"] == 20, "the least recently used have gone")
    lasts = stack.request("SYNC", "", "\n".join("topic-%d" % i for i in range(80)))[3].decode().split("\n")
    assert lasts[60:] == ids[60:]
    assert all(position(last) >= position(id) for last, id in zip(lasts, ids))


FAULTS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

static int fails (int error)
{
    int there = access (getenv ("FAULTS"), F_OK) == 0;
    errno = error;
    return there;
}

/*  LMDB's meta pages, which end a commit: it can't go on then, and has to be opened again. */
ssize_t pwrite (int fd, const void *bytes, size_t size, off_t at)
{
    ssize_t (*real) (int, const void *, size_t, off_t) = dlsym (RTLD_NEXT, "pwrite");
    return size > 40 && size < 300 && at < 8192 && fails (EIO) ? -1 : real (fd, bytes, size, at);
}

ssize_t pwrite64 (int fd, const void *bytes, size_t size, off_t at)
{
    return pwrite (fd, bytes, size, at);
}

/*  And it can't be opened. */
int open (const char *path, int flags, ...)
{
    int (*real) (const char *, int, ...) = dlsym (RTLD_NEXT, "open");
    va_list rest;
    va_start (rest, flags);
    int mode = va_arg (rest, int);
    va_end (rest);
    return strstr (path, "data.mdb") && fails (EROFS) ? -1 : real (path, flags, mode);
}

int open64 (const char *path, int flags, ...)
{
    va_list rest;
    va_start (rest, flags);
    int mode = va_arg (rest, int);
    va_end (rest);
    return open (path, flags, mode);
}
"""


def test_a_history_that_cannot_be_read_is_not_taken_for_an_empty_one(stack):
    faults = stack.folder / "faults"
    on_disk(stack, "--control-hwm=10", "--topic-bytes=1G", "--history-bytes=1G", "--topic-messages=10000",
            env={**preloaded(stack, FAULTS), "FAULTS": str(faults)})  # fmt: skip
    dealer = control(stack)
    for i in range(1000):
        dealer.send_multipart([b"PUBLISH", b"a", b"%d " % i + bytes(20000)])
    ids = [reply[1].decode() for reply in receive(dealer, 1000)]
    reader = stack.socket(zmq.DEALER, stack.control_endpoint, linger=0, rcvhwm=10)
    reader.send_multipart([b"REPLAY", b"earliest", b"a"])
    wait_for(lambda: stack.stats()["jobs"] == 1, "a replay waits for its peer")
    faults.touch()
    assert stack.request("PUBLISH", "b", "x")[:2] == [b"ERR", b"history"]
    refused = stack.request("FETCH", ids[0], "10", "1000", "a")
    assert refused[:2] == [b"ERR", b"history"] and b"can't be read" in refused[2]
    assert stack.request("REPLAY", ids[0], "a")[:2] == [b"ERR", b"history"]
    replies = []
    while reader.poll(500):
        replies.append(reader.recv_multipart())
    assert replies[-1][0] == b"MSG" and len(replies) < 1000, "the replay waits"
    assert stack.stats()["jobs"] == 1
    faults.unlink()
    while replies[-1][0] == b"MSG":
        replies += receive(reader, 1)
    assert [id for _, _, id in told(replies)] == ids, "and goes on"
    wait_for(lambda: stack.stats()["history"]["state"] == "ok", "it heals by itself")
    assert len(stack.requests("FETCH", ids[0], "10", "1000000", "a")) == 11


SYNC_FAULT = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync (int fd)
{
    int (*real) (int) = dlsym (RTLD_NEXT, "fdatasync");
    if (access (getenv ("FAULTS"), F_OK) != 0)
        return real (fd);
    errno = ENOSPC;
    return -1;
}
"""


def test_a_sync_that_failed_is_said_and_done_again(stack):
    faults = stack.folder / "faults"
    broker = on_disk(stack, env={**preloaded(stack, SYNC_FAULT), "FAULTS": str(faults)})
    faults.touch()
    stack.publish("a", "x")
    broker.wait_log("error .*history can't be synced: No space left on device")
    before = wait_for(lambda: (now := stack.stats()["history"])["state"] == "failed" and now, "it is told")
    assert before["error"] == "No space left on device"
    faults.unlink()
    after = wait_for(lambda: (now := stack.stats()["history"])["state"] == "ok" and now, "it is synced in the end")
    assert after["syncs"] > before["syncs"] and after["commits"] == before["commits"]
    broker.wait_log("history is synced again")
